/*
 * scan.h - finds the good frames of a file, whatever happened to it.
 *
 * A window gives the bytes of a file a piece at a time. scan_next() gives the next good frame at or after a
 * place and how far it had to go for it: bytes that are no good frame are a bad range, which ends at the
 * next good frame, at a footer, or at the end of the file. A header that is good vouches for its length, so
 * a frame whose payload alone is bad is stepped over whole.
 *
 * Ownership: the window's creator frees it; the file stays the caller's. Threads: confined. Limits: memory
 * of one window, whatever the file says.
 */
#ifndef TELEX_LOG_SCAN_H
#define TELEX_LOG_SCAN_H

#include "base/fs.h"
#include "log/frame.h"

enum { WINDOW_BYTES = 64 * 1024 };

struct window {
    const struct fs *fs;
    int fd;
    uint32_t salt;
    int64_t end;   /* nothing is read from here on */
    int64_t start; /* of what <bytes> holds */
    size_t len;
    unsigned char bytes[WINDOW_BYTES];
};

struct window *window_new(const struct fs *fs, int fd, uint32_t salt, int64_t end);
void window_free(struct window *w);

/*
 * The <need> (WINDOW_BYTES at most) bytes at <offset>, valid until the next call; NULL when the file ends
 * before that. 0 or -errno.
 */
MUST_USE int window_get(struct window *w, int64_t offset, size_t need,
                        const unsigned char **ret_bytes);

enum look { LOOK_FRAME, LOOK_FOOTER, LOOK_BAD, LOOK_END };

/* What stands at <offset>, the payload not looked at. 0 or -errno. */
MUST_USE int scan_look(struct window *w, int64_t offset, enum look *ret_look,
                       struct frame_header *ret_header);

struct scan_hit {
    bool found; /* a frame; else the end of the file, or a footer */
    bool footer;
    int64_t bad_from; /* == offset when nothing bad stands before it */
    int64_t offset;
    struct frame_header header;
};

/*
 * As scan_next(), but goes on behind what the disk does not give, in steps of UNREADABLE_STEP: such bytes are part of the bad
 * range and counted in *unreadable.
 */
enum { UNREADABLE_STEP = 4096 };
MUST_USE int scan_next_readable(struct window *w, int64_t from, uint64_t min_seq,
                                struct scan_hit *ret_hit, int64_t *unreadable);

/*
 * A good frame at <at> has a number beyond the one that comes behind <after_seq>. Do lower ones that
 * are still to come stand behind it, so that it (and those up to *ret_until) is not in its place? Then
 * *ret_until is beyond <at>. 0 or -errno.
 */
MUST_USE int scan_misplaced(struct window *w, int64_t at, uint64_t after_seq, int64_t *ret_until);

/* The next good frame at or after <from> whose sequence number is <min_seq> or more, and which stands
 * where it belongs. 0 or -errno. */
MUST_USE int scan_next(struct window *w, int64_t from, uint64_t min_seq, struct scan_hit *ret_hit);

#endif
