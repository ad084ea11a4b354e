/*
 * file_lines.h - lines of a file as changes: documents, events, and what is neither.
 *
 * Bytes come in as they are read; complete lines are looked at once and become changes whose texts are in the batch's
 * arena. A change's id is made of where the line stands (the file's tag, its offset) and what it says.
 *
 * Ownership: owns what was read and not given. Threads: confined. Limits: LINE_BYTES_MAX of a line; longer ones are
 * broken, and their beginning is kept.
 */
#ifndef TELEX_EVENTS_SOURCES_FILE_LINES_H
#define TELEX_EVENTS_SOURCES_FILE_LINES_H

#include "events/change.h"

enum { LINE_BYTES_MAX = 16 << 20, LINE_READ = 1 << 20, LINE_KEPT = 64 << 10 };

/* Members of a document that say more of it; empty: none. */
struct line_fields {
    struct str id;
    struct str key;
    struct str time;
};

struct file_lines {
    const struct line_fields *fields;
    const char *path; /* for what is said of a broken one */
    uint64_t tag;
    uint64_t inode;
    uint64_t at;     /* where the bytes begin */
    struct buf text; /* read and not given */
    size_t given;    /* of it */
    bool passes;     /* the rest of a line that was too long */
};

void file_lines_init(struct file_lines *l, const struct line_fields *fields);
void file_lines_release(struct file_lines *l);

/* What follows is of another file, or of another place. */
void file_lines_begin(struct file_lines *l, const char *path, uint64_t at);

/* Room for LINE_READ bytes, and how many were read to it. */
char *file_lines_room(struct file_lines *l);
void file_lines_added(struct file_lines *l, size_t len);

/* At most <max> complete lines, and with <is_end> one that has no end; how many. Lines at <end> and behind stay. */
size_t file_lines_take(struct file_lines *l, size_t max, bool is_end, uint64_t end,
                       struct changes *ret);

/* Where the next line begins. */
static inline uint64_t file_lines_at(const struct file_lines *l)
{
    return l->at + l->given;
}

/* The position of whoever goes on at <at>. */
struct str file_lines_place(const struct file_lines *l, uint64_t at, struct arena *a);

/* Is there something of a line that has no end yet? */
static inline bool file_lines_has_rest(const struct file_lines *l)
{
    return l->text.len > l->given;
}

#endif
