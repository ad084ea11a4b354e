/*
 * rule_bundle.h - rule files as they came from elsewhere, and as they are kept on disk.
 *
 * A place (a URL, a prefix in a bucket) gives one or many files; together they are a bundle, kept in one
 * file below the state folder, so that a restart has the rules while their server is down.
 *
 * Ownership: texts live in the bundle's arena. Threads: confined. Limits: BUNDLE_BYTES_MAX bytes,
 * RULE_FILES_MAX files.
 */
#ifndef TELEX_APP_RULE_BUNDLE_H
#define TELEX_APP_RULE_BUNDLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

enum { BUNDLE_BYTES_MAX = 512 << 20 };

struct bundle_file {
    struct str name; /* its own URL */
    struct str etag; /* what the server calls this version; or empty */
    struct str modified;
    struct str text;
};

struct rule_bundle {
    struct arena arena;
    int64_t fetched_ns; /* wall clock */
    VEC(struct bundle_file) files;
};

void rule_bundle_init(struct rule_bundle *b);
void rule_bundle_release(struct rule_bundle *b);

/* Adds a file; texts are copied. */
void rule_bundle_add(struct rule_bundle *b, const struct bundle_file *file);
const struct bundle_file *rule_bundle_find(const struct rule_bundle *b, struct str name);

/* A hash over names and texts: the same rules have the same. */
uint64_t rule_bundle_hash(const struct rule_bundle *b);

/* Its bytes, and the bundle of such bytes when they are of <place>. */
void rule_bundle_print(const struct rule_bundle *b, struct str place, struct buf *out);
MUST_USE bool rule_bundle_parse(struct rule_bundle *b, struct str place, struct str bytes,
                                struct err *e);

/* The file for <place> below <folder>: read; or written anew, the folder made if need be. */
MUST_USE bool rule_bundle_load(struct rule_bundle *b, struct str folder, struct str place,
                               struct err *e);
MUST_USE bool rule_bundle_save(const struct rule_bundle *b, struct str folder, struct str place,
                               struct err *e);

#endif
