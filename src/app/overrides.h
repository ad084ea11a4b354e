/*
 * overrides.h - options of exporters that were changed while the program runs, kept beside its state.
 *
 * They are a JSON file of the state folder, `{"version": 1, "exporters": {PATH: {OPTION: VALUE}}}`, which
 * the config's reader puts in front of what the config and the environment say. A change is a merge patch
 * (RFC 7396): null takes an override back. The file is replaced as a whole, so it is there before or after.
 *
 * Ownership: texts are the caller's. Threads: pure but for reading and writing, which the main thread
 * does. Limits: OVERRIDES_MAX bytes.
 */
#ifndef TELEX_APP_OVERRIDES_H
#define TELEX_APP_OVERRIDES_H

#include "base/yaml.h"
#include "wire/json.h"

enum { OVERRIDES_MAX = 1 << 20 };

/* "data" -> "data/overrides.json". */
void overrides_add_path(struct str state_path, struct buf *out);

/* Appends what the file holds; nothing when there is none. */
MUST_USE bool overrides_load(struct str path, struct buf *out, struct err *e);

/* Replaces the file; returns when that is on disk. */
MUST_USE bool overrides_save(struct str path, struct str text, struct err *e);

/*
 * Reads the file's <text>: *ret_exporters is the mapping of paths to options, or NULL when there is none.
 * <source> is what nodes refer to.
 */
MUST_USE bool overrides_read(struct yaml_source *source, struct arena *a,
                             const struct yaml_node **ret_exporters, struct err *e);

/*
 * Appends the file's text after <patch>, an object of options, was merged into the overrides of <exporter>;
 * with a patch that is empty they are all taken back. Errors have their place in <patch>.
 */
MUST_USE bool overrides_patch(struct str text, struct str exporter, struct str patch,
                              struct buf *out, struct err *e);

/* Does <text> override anything of <exporter>? */
bool overrides_has(struct str text, struct str exporter);

/* Adds those of one exporter, or the object of all when <exporter> is empty; values that may be secret are
 * left out. */
void overrides_print(struct str text, struct str exporter, struct json_writer *w);

#endif
