/*
 * log_inspect.h - a log's folder as it stands, for looking only.
 *
 * Nothing is locked, repaired, cut or written, so that a folder in use, a copy of one and a read-only
 * one can be looked at. What it gives is what log_open() would find there, damage included; of a
 * folder in use, the last frame may be in the middle of being written and then seems torn.
 *
 * Ownership: the viewer closes the view; what a walk gives lives for the call. Threads: confined.
 * Limits: those of the log; memory of one frame.
 */
#ifndef TELEX_LOG_LOG_INSPECT_H
#define TELEX_LOG_LOG_INSPECT_H

#include "base/err.h"
#include "base/fs.h"
#include "base/str.h"
#include "log/log.h"

#include <stdbool.h>
#include <stdint.h>

enum log_view_state {
    LOG_VIEW_SEALED,     /* with a footer that says what is in it */
    LOG_VIEW_OPEN,       /* without: the one being written, or left by a crash */
    LOG_VIEW_HEADLESS,   /* its header is lost: frames cannot be told from noise */
    LOG_VIEW_UNREADABLE, /* the disk does not give its header */
};
const char *log_view_state_name(enum log_view_state state);

struct log_view_segment {
    uint64_t serial;
    enum log_view_state state;
    int64_t file_bytes;
    uint32_t salt;
    uint64_t header_seq; /* older segments hold nothing from here on */
    /* From the footer; of an open one only a walk can tell. */
    uint64_t frames;
    uint64_t first_seq;
    uint64_t last_seq;
    int64_t newest_ns;
    int64_t frames_end;
    uint64_t last_of_bit[LOG_CONSUMERS_MAX];
};

struct log_view_consumer {
    unsigned bit;
    bool is_retired;
    bool has_cursor; /* else it starts at the oldest frame */
    uint64_t cursor;
    char name[LOG_NAME_MAX + 1];
};

struct log_view;

/* Is there a log in this folder? */
bool log_view_is_log(const struct fs *fs, struct str path);

/* False when the folder cannot be read, holds no log, or is of a version that this program does not know. */
MUST_USE bool log_view_open(const struct fs *fs, struct str path, struct log_view **ret_view,
                            struct err *e);
void log_view_close(struct log_view *v); /* NULL is fine */

size_t log_view_segments(const struct log_view *v, const struct log_view_segment **ret_segments);
size_t log_view_consumers(const struct log_view *v, const struct log_view_consumer **ret_consumers);

/* The name of a bit's consumer; NULL when it has none. */
const struct log_view_consumer *log_view_consumer(const struct log_view *v, unsigned bit);

/* Bytes of all segments, as walked. */
int64_t log_view_bytes(const struct log_view *v);

/* A good frame. */
struct log_view_frame {
    uint64_t seq;
    uint64_t mask;
    int64_t time_ns;
    uint16_t type;
    uint16_t flags;
    uint64_t serial; /* of its segment */
    int64_t offset;  /* there */
    int64_t bytes;   /* there, header and all */
    struct str payload;
};

/* Bytes that are no frames. */
struct log_view_bad {
    uint64_t serial;
    int64_t from;
    int64_t to;
    const char
        *kind; /* "damaged" (frames follow), "torn" (the end), "unreadable" (the disk fails) */
};

struct log_walk {
    void *arg;
    /* false ends the walk with the error that it set. */
    bool (*frame)(void *arg, const struct log_view_frame *f, struct err *e);
    void (*bad)(void *arg, const struct log_view_bad *b);           /* may be NULL */
    void (*progress)(void *arg, int64_t done_bytes, int64_t bytes); /* may be NULL; often */
    uint64_t from_seq; /* segments that end before it, by their footers, are not looked at */
};

/* Reads all frames in order, checking every byte. */
MUST_USE bool log_view_walk(struct log_view *v, const struct log_walk *walk, struct err *e);

#endif
