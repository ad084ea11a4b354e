/*
 * file_seal.h - a spool that is complete becomes the file that people collect, and the index says so.
 *
 * The spool is called <hidden>.sealing-<name>; <name> and what is in it are settled by then. Steps, each of which a crash
 * may end and the next start repeat: the lines are read and written as the name says to <hidden>.making; that is synced and
 * renamed to <name>; the index gets a line; the spool is removed. What is made of a spool is the same bytes each time, so
 * after a crash a file that is there already is known as ours by its hash. A file of somebody else is never
 * overwritten, also one that comes while ours is made: ours then gets another name. Lines that cannot be rows of the format
 * are kept in <hidden>.left_out-<name>.jsonl.
 *
 *   file_seal_open(&config, name, resumed, &s, e); while (file_seal_step(s, &done, e) && !done) ...
 *
 * Ownership: config is borrowed; texts in it too. Threads: confined; who seals holds the exporter's lock for it. Limits: a step
 * takes about SEAL_STEP bytes of the spool; memory is that of a step and of the format.
 */
#ifndef TELEX_EXPORT_FILE_SEAL_H
#define TELEX_EXPORT_FILE_SEAL_H

#include "base/fs.h"
#include "export/file_index.h"
#include "export/line_file.h"

enum { SEAL_STEP = 1024 * 1024 };

struct file_seal_config {
    const struct fs *fs;
    const char *folder;
    struct str hidden; /* ".x": the start of the names of what is not for others */
    struct line_file_config lines;
};

struct file_seal;

/* <is_resumed>: it may have been begun before. ERR_CONFLICT: there is no such spool. */
MUST_USE bool file_seal_open(const struct file_seal_config *config, struct str name,
                             bool is_resumed, struct file_seal **ret_seal, struct err *e);

/* With false the spool is as it was, and may be begun again. */
MUST_USE bool file_seal_step(struct file_seal *s, bool *ret_done, struct err *e);

/* What was made; when it is done. */
const struct file_index_entry *file_seal_entry(const struct file_seal *s);

void file_seal_close(struct file_seal *s); /* NULL is fine */

/*
 * Makes the file <from> a spool of a name like <name> of which there is neither a file nor a spool: <name> itself, or
 * x-1.csv, x-2.csv, ...
 */
MUST_USE bool file_seal_take_name(const struct file_seal_config *config, const char *from,
                                  struct str name, struct buf *ret_name, struct err *e);

#endif
