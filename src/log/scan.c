#include "log/scan.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "log/log.h"

#include <errno.h>

struct window *window_new(const struct fs *fs, int fd, uint32_t salt, int64_t end)
{
    struct window *w = mem_alloc(sizeof(*w));

    w->fs = fs;
    w->fd = fd;
    w->salt = salt;
    w->end = end;
    w->start = 0;
    w->len = 0;
    return w;
}

void window_free(struct window *w)
{
    mem_free(w);
}

int window_get(struct window *w, int64_t offset, size_t need, const unsigned char **ret_bytes)
{
    *ret_bytes = NULL;
    if (offset > w->end || (int64_t)need > w->end - offset) {
        return 0;
    }
    if (offset < w->start || offset + (int64_t)need > w->start + (int64_t)w->len) {
        int64_t left = w->end - offset;
        size_t want = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        w->len = 0;
        int result = w->fs->ops->pread(w->fs, w->fd, w->bytes, want, offset, &w->len);
        if (result == -EIO && want > need) {
            /* What is wanted may be good although something behind it is not. */
            result = w->fs->ops->pread(w->fs, w->fd, w->bytes, need, offset, &w->len);
        }
        if (result != 0) {
            w->len = 0;
            return result;
        }
        w->start = offset;
    }
    *ret_bytes = need <= w->len ? w->bytes + (offset - w->start) : NULL;
    return 0;
}

static int is_footer(struct window *w, int64_t offset, bool *ret_footer)
{
    const unsigned char *bytes;
    struct footer footer;
    int result = window_get(w, offset, FOOTER_BYTES, &bytes);

    *ret_footer = result == 0 && bytes != NULL && footer_decode(bytes, w->salt, &footer) &&
                  footer_offset(&footer) == (uint64_t)offset;
    return result;
}

int scan_look(struct window *w, int64_t offset, enum look *ret_look,
              struct frame_header *ret_header)
{
    const unsigned char *bytes;
    struct frame_header header;
    bool footer = false;
    int result = window_get(w, offset, FRAME_HEADER_BYTES, &bytes);

    *ret_look = offset >= w->end ? LOOK_END : LOOK_BAD;
    if (result != 0 || bytes == NULL) {
        return result;
    }
    if (frame_header_decode(bytes, w->salt, &header)) {
        if ((int64_t)header.length <= w->end - offset - FRAME_HEADER_BYTES) {
            *ret_look = LOOK_FRAME;
            *ret_header = header;
        }
        return 0;
    }
    result = is_footer(w, offset, &footer);
    *ret_look = footer ? LOOK_FOOTER : LOOK_BAD;
    return result;
}

static int payload_is_good(struct window *w, int64_t offset, const struct frame_header *h,
                           bool *ret_good)
{
    uint32_t crc = 0;

    *ret_good = false;
    for (int64_t done = 0; done < h->length;) {
        const unsigned char *bytes;
        int64_t left = h->length - done;
        size_t n = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        int result = window_get(w, offset + FRAME_HEADER_BYTES + done, n, &bytes);
        if (result != 0 || bytes == NULL) {
            return result;
        }
        crc = crc32c(crc, bytes, n);
        done += (int64_t)n;
    }
    *ret_good = crc == h->payload_crc;
    return 0;
}

/* The first place at or after <from> that could begin a frame or a footer; the end when there is none. */
static int find_look(struct window *w, int64_t from, int64_t *ret_offset)
{
    int64_t at = from;

    for (; at + FRAME_ALIGN <= w->end; at += FRAME_ALIGN) {
        const unsigned char *bytes;
        int result = window_get(w, at, FRAME_ALIGN, &bytes);
        if (result != 0) {
            return result;
        }
        if (bytes == NULL) {
            break;
        }
        if (frame_begins(bytes)) {
            *ret_offset = at;
            return 0;
        }
    }
    *ret_offset = w->end;
    return 0;
}

/* So many frames are looked at behind one that seems to be out of place. */
enum { MISPLACED_MAX = 64 };

int scan_misplaced(struct window *w, int64_t at, uint64_t after_seq, int64_t *ret_until)
{
    struct frame_header header = {0};
    enum look look;
    uint64_t last_seq = after_seq;
    int64_t next = at;
    int result = 0;

    *ret_until = at;
    for (int looked = 0; looked < MISPLACED_MAX; looked++) {
        result = scan_look(w, next, &look, &header);
        if (result == 0 && look == LOOK_BAD) {
            result = find_look(w, next + FRAME_ALIGN, &next);
            if (result != 0) {
                return result;
            }
            continue;
        }
        if (result != 0 || look != LOOK_FRAME || header.type >= LOG_TYPE_RESERVED) {
            return result;
        }
        if (header.seq <= last_seq) {
            *ret_until = header.seq > after_seq ? next : at;
            return 0;
        }
        last_seq = header.seq;
        next += frame_bytes(header.length);
    }
    return 0;
}

/* Looks at one place; *ret_next is where to look next when it is nothing good. */
static int scan_step(struct window *w, int64_t at, uint64_t min_seq, struct scan_hit *hit,
                     bool *ret_done, int64_t *ret_next)
{
    enum look look;
    bool good = false;
    int64_t until = at;
    int result = scan_look(w, at, &look, &hit->header);

    if (result == 0 && look == LOOK_FRAME && min_seq > 0 && hit->header.seq > min_seq) {
        result = scan_misplaced(w, at, min_seq - 1, &until);
    }
    if (result == 0 && look == LOOK_FRAME && until == at && hit->header.seq >= min_seq) {
        result = payload_is_good(w, at, &hit->header, &good);
    }
    hit->offset = at;
    hit->found = good;
    hit->footer = look == LOOK_FOOTER;
    *ret_done = good || look == LOOK_FOOTER || look == LOOK_END;
    if (result == 0 && !*ret_done) {
        int64_t behind = at + (look == LOOK_FRAME ? frame_bytes(hit->header.length) : FRAME_ALIGN);
        behind = until > at ? until : behind;
        result = find_look(w, behind, ret_next);
    }
    return result;
}

/* Steps over the sums of the segment, if they stand at *<from>. */
static int pass_sums(struct window *w, int64_t *from)
{
    struct frame_header header;
    enum look look;
    bool good = false;
    int result = scan_look(w, *from, &look, &header);

    if (result != 0 || look != LOOK_FRAME || header.type != LOG_TYPE_SUMS) {
        return result;
    }
    result = payload_is_good(w, *from, &header, &good);
    *from += good ? frame_bytes(header.length) : 0;
    return result;
}

int scan_next(struct window *w, int64_t from, uint64_t min_seq, struct scan_hit *ret_hit)
{
    struct scan_hit hit = {0};
    bool done = false;
    int result = pass_sums(w, &from);
    int64_t at = from;

    if (result != 0) {
        return result;
    }
    while (!done) {
        int64_t next = at;
        result = scan_step(w, at, min_seq, &hit, &done, &next);
        if (result != 0) {
            return result;
        }
        at = next;
    }
    hit.offset = hit.offset < w->end ? hit.offset : w->end;
    hit.bad_from = from < hit.offset ? from : hit.offset;
    *ret_hit = hit;
    return 0;
}

int scan_next_readable(struct window *w, int64_t from, uint64_t min_seq, struct scan_hit *ret_hit,
                       int64_t *unreadable)
{
    int64_t at = from;
    int result = scan_next(w, at, min_seq, ret_hit);

    while (result == -EIO) {
        int64_t next = (at / UNREADABLE_STEP + 1) * UNREADABLE_STEP;
        next = next < w->end ? next : w->end;
        const unsigned char *bytes;
        *unreadable += window_get(w, at, (size_t)(next - at), &bytes) == -EIO ? next - at : 0;
        at = next;
        result = scan_next(w, at, min_seq, ret_hit);
    }
    if (result == 0 && at > from) {
        ret_hit->bad_from = from;
    }
    return result;
}
