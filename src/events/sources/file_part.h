/*
 * file_part.h - a file of lines as one reads it again: opened, known by what it begins with, found when it was renamed.
 *
 * A log is written to one name and rotated: renamed and begun anew, or copied and cut. What a file is, is its first
 * line (its *tag*) and its inode: both where they fit, else the tag alone, as of a copy or a packed file. Names
 * ending in .gz are unpacked as they are read; offsets are those of the bytes unpacked.
 *
 * Ownership: a part owns its descriptor and its name. Threads: confined. Limits: TAG_BYTES of a first line count;
 * SIBLINGS_MAX files of a folder are looked at.
 */
#ifndef TELEX_EVENTS_SOURCES_FILE_PART_H
#define TELEX_EVENTS_SOURCES_FILE_PART_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

enum { TAG_BYTES = 4096, SIBLINGS_MAX = 10000 };

struct file_part {
    char *path; /* NULL: not open */
    int fd;
    gzFile packed; /* NULL: it is read as it is */
    uint64_t inode;
    uint64_t tag;     /* hash of its first line; 0: that is not complete yet */
    uint64_t offset;  /* where the next read is from */
    int64_t mtime_ns; /* wall; as it was opened */
};

/* Where one is in a file that may be called otherwise by now. */
struct file_place {
    uint64_t tag;
    uint64_t inode;
    uint64_t offset;
};

/* *ret_is_there false, and no error, when there is no such file. */
MUST_USE bool file_part_open(const char *path, struct file_part *ret, bool *ret_is_there,
                             struct err *e);
void file_part_close(struct file_part *p); /* fine when it is not open */

/* The next bytes; 0 at the end as it is now. */
MUST_USE bool file_part_read(struct file_part *p, char *out, size_t max, size_t *ret_len,
                             struct err *e);
MUST_USE bool file_part_seek(struct file_part *p, uint64_t offset, struct err *e);

/* Its size now, unpacked; INT64_MAX where that is not known. */
int64_t file_part_size(const struct file_part *p);

/* Looks at its first line, if that was not complete before. */
void file_part_look(struct file_part *p);

/* Does it begin otherwise than when it was looked at, or is it shorter than what was read? */
bool file_part_is_cut(const struct file_part *p, uint64_t read);

/*
 * The file <place> is in: <path>, or one beside it whose name begins with its name. One with the same inode is preferred.
 */
MUST_USE bool file_find(const char *path, const struct file_place *place, struct file_part *ret,
                        bool *ret_is_there, struct err *e);

/* The file that was begun behind <done>: of those that were written later, the oldest. */
MUST_USE bool file_find_next(const char *path, const struct file_part *done, struct file_part *ret,
                             bool *ret_is_there, struct err *e);

/* "TAG:INODE:OFFSET" */
MUST_USE bool file_place_parse(struct str text, struct file_place *ret);

#endif
