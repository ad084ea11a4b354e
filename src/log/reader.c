/*
 * Gives acknowledged frames out: from memory when they are still there, else from the files.
 *
 * Invariants
 *   1. next_seq only grows; every frame below it with a bit of the mask was given, or is gone.
 *   2. Nothing beyond durable_seq is given, and nothing of a file beyond the end that its segment had when looked up.
 *   3. Of frames that follow each other in a file, numbers grow; one that does not fit is damage: counted, not given.
 *   4. The place in the open file (extent.serial, offset) belongs to at_seq: the frame that begins there has that number or
 *      a higher one.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "log/log_int.h"
#include "log/scan.h"

#include <errno.h>

/* What is to be read of a segment, as it was when looked up under the lock. */
struct extent {
    uint64_t serial;
    uint32_t salt;
    int64_t offset; /* where to begin */
    int64_t end;
    uint64_t last_seq;
    bool keep; /* it is known that the disk does not give all of it */
};

struct log_reader {
    struct log *l;
    uint64_t mask;
    uint64_t next_seq;
    /* The file that is open; fd -1: none. */
    int fd;
    struct extent extent;
    int64_t offset;
    uint64_t at_seq;
    /* The last frame of it that was looked at ended there. */
    int64_t walked_to;
    uint64_t walked_seq;
    struct window *window;
    unsigned strikes; /* how often in a row the disk did not give what is wanted */
};
enum { STRIKES = 3 };

struct log_reader *log_reader_new(struct log *l, uint64_t from_seq, uint64_t mask)
{
    struct log_reader *r = mem_new(struct log_reader);

    r->l = l;
    r->mask = mask;
    r->next_seq = from_seq > 0 ? from_seq : 1;
    r->fd = -1;
    return r;
}

static void file_close(struct log_reader *r)
{
    if (r->fd >= 0) {
        (void)r->l->fs->ops->close(r->l->fs, r->fd);
        r->fd = -1;
    }
    window_free(r->window);
    r->window = NULL;
}

void log_reader_free(struct log_reader *r)
{
    if (r != NULL) {
        file_close(r);
        mem_free(r);
    }
}

uint64_t log_reader_position(const struct log_reader *r)
{
    return r->next_seq;
}

/* The next frame in memory, referenced; NULL when no acknowledged one concerns the reader. */
static const struct log_frame *from_memory(struct log_reader *r) REQUIRES(&r->l->lock)
{
    const struct log *l = r->l;

    for (size_t i = recent_find(&l->recent, r->next_seq); i < l->recent.len; i++) {
        const struct held *h = recent_at(&l->recent, i);
        if (h->frame.seq > l->durable_seq) {
            break;
        }
        r->next_seq = h->frame.seq + 1;
        if ((h->frame.mask & r->mask) != 0 && !h->withdrawn) {
            return log_frame_ref(&h->frame);
        }
    }
    return NULL;
}

/* Where in a segment to begin for <seq>. */
static int64_t start_offset(const struct segment *s, uint64_t seq)
{
    size_t i = s->marks.len;

    while (i > 0 && s->marks.items[i - 1].seq > seq) {
        i--;
    }
    return i > 0 ? s->marks.items[i - 1].offset : FILE_DATA_START;
}

/* The first segment that holds something for the reader; false when none does. */
static bool find_extent(const struct log_reader *r, struct extent *ret_extent)
{
    const struct log *l = r->l;

    for (size_t i = 0; i < l->segments.len; i++) {
        const struct segment *s = l->segments.items[i];
        if (s->sum.count == 0 || s->sum.last_seq < r->next_seq || (s->sum.mask & r->mask) == 0) {
            continue;
        }
        bool same = r->fd >= 0 && r->extent.serial == s->serial && r->at_seq <= r->next_seq;
        int64_t marked = start_offset(s, r->next_seq);
        *ret_extent = (struct extent){
            .serial = s->serial,
            .salt = s->salt,
            .offset = same && r->offset > marked ? r->offset : marked,
            .end = (int64_t)s->sum.end,
            .last_seq = s->sum.last_seq,
            .keep = s->keep,
        };
        return true;
    }
    return false;
}

/* Gets the reader to the beginning of an extent. */
static int file_open(struct log_reader *r, const struct extent *x)
{
    char name[32];
    char path[PATH_MAX];

    if (r->fd >= 0 && r->extent.serial == x->serial) {
        r->extent = *x;
        r->window->end = x->end;
        r->offset = x->offset;
        return 0;
    }
    file_close(r);
    r->walked_to = -1;
    segment_name(x->serial, name);
    log_path(r->l, name, path);
    int result = r->l->fs->ops->open(r->l->fs, path, FS_READ, &r->fd);
    if (result != 0) {
        r->fd = -1;
        return result;
    }
    r->window = window_new(r->l->fs, r->fd, x->salt, x->end);
    r->extent = *x;
    r->offset = x->offset;
    return 0;
}

/* Reads the payload of the frame at the reader's offset; *ret_frame NULL when it is damaged. */
static int read_frame(struct log_reader *r, const struct frame_header *h,
                      const struct log_frame **ret_frame)
{
    struct held *held = held_new(h->length);
    size_t len = 0;

    *ret_frame = NULL;
    if (held == NULL) {
        return -ENOMEM;
    }
    int result = h->length > 0 ? r->l->fs->ops->pread(r->l->fs, r->fd, held->payload, h->length,
                                                      r->offset + FRAME_HEADER_BYTES, &len)
                               : 0;
    if (result != 0 || len != h->length || crc32c(0, held->payload, len) != h->payload_crc) {
        held_drop(held);
        return result;
    }
    held->frame.seq = h->seq;
    held->frame.mask = h->mask;
    held->frame.time_ns = h->time_ns;
    held->frame.type = h->type;
    held->frame.flags = h->flags;
    *ret_frame = &held->frame;
    return 0;
}

static bool gives_up(const struct log_reader *r)
{
    return r->extent.keep || r->strikes >= STRIKES;
}

/*
 * Something bad stands at the reader's offset: it goes on at the next good frame, or at the end; what the disk does not
 * give it passes over after some tries.
 */
static int pass_over(struct log_reader *r)
{
    struct scan_hit hit;
    int64_t unreadable = 0;
    int result = gives_up(r) ? scan_next_readable(r->window, r->offset, 0, &hit, &unreadable)
                             : scan_next(r->window, r->offset, 0, &hit);

    if (result != 0) {
        return result;
    }
    if (hit.bad_from < hit.offset) {
        log_damaged(r->l, r->fd, r->extent.serial, hit.bad_from, hit.offset);
    }
    if (unreadable > 0) {
        segment_keep(r->l, r->extent.serial);
    }
    r->offset = hit.found ? hit.offset : r->window->end;
    return 0;
}

/* The disk does not give what stands at the offset: told of at first, passed over in the end. */
static int failed_read(struct log_reader *r, int result)
{
    return result == -EIO && gives_up(r) ? pass_over(r) : result;
}

/* Do frames stand at the offset that belong elsewhere? Those are up to *ret_until. */
static int look_for_misplaced(struct log_reader *r, const struct frame_header *h,
                              int64_t *ret_until)
{
    *ret_until = r->offset;
    if (r->offset != r->walked_to || h->type >= LOG_TYPE_RESERVED || h->seq == r->walked_seq + 1) {
        return 0;
    }
    if (h->seq <= r->walked_seq) {
        *ret_until = r->offset + frame_bytes(h->length);
        return 0;
    }
    return scan_misplaced(r->window, r->offset, r->walked_seq, ret_until);
}

/* Steps over or reads what stands at the offset; *ret_frame stays NULL when that was nothing for the reader. */
static int step(struct log_reader *r, const struct log_frame **ret_frame)
{
    struct frame_header header = {0};
    enum look look;
    int result = scan_look(r->window, r->offset, &look, &header);

    if (result != 0) {
        return failed_read(r, result);
    }
    if (look != LOOK_FRAME) {
        return pass_over(r);
    }
    int64_t until = 0;
    result = look_for_misplaced(r, &header, &until);
    if (result != 0) {
        return failed_read(r, result);
    }
    if (until > r->offset) {
        log_damaged(r->l, r->fd, r->extent.serial, r->offset, until);
        r->offset = until;
        r->walked_to = until;
        return 0;
    }
    if (header.seq >= r->next_seq && (header.mask & r->mask) != 0) {
        result = read_frame(r, &header, ret_frame);
        if (result != 0) {
            return failed_read(r, result);
        }
        if (*ret_frame == NULL) {
            return pass_over(r);
        }
    }
    r->offset += frame_bytes(header.length);
    r->walked_to = r->offset;
    r->walked_seq = header.seq;
    r->next_seq = header.seq >= r->next_seq ? header.seq + 1 : r->next_seq;
    return 0;
}

/* Has the file that is open something at or behind next_seq? */
static bool goes_on(const struct log_reader *r)
{
    return r->fd >= 0 && r->offset < r->extent.end && r->at_seq == r->next_seq &&
           r->next_seq <= r->extent.last_seq;
}

/* Reads on in the file until a frame comes or the extent ends. */
static int from_file(struct log_reader *r, const struct extent *x,
                     const struct log_frame **ret_frame)
{
    int result = goes_on(r) ? 0 : file_open(r, x);

    while (result == 0 && *ret_frame == NULL && r->offset < r->extent.end &&
           r->next_seq <= r->extent.last_seq) {
        result = step(r, ret_frame);
    }
    if (result == 0 && *ret_frame == NULL && r->next_seq <= r->extent.last_seq) {
        r->next_seq = r->extent.last_seq + 1;
    }
    r->at_seq = r->next_seq;
    return result;
}

/* Is everything from the reader's place on in memory? */
static bool is_recent(const struct log_reader *r)
{
    const struct recent *recent = &r->l->recent;

    return recent->len > 0 && recent_at(recent, 0)->frame.seq <= r->next_seq;
}

enum source { SOURCE_NONE, SOURCE_MEMORY, SOURCE_FILE };

/* Where the next frame is to be had; with SOURCE_MEMORY it is had already. */
static enum source choose(struct log_reader *r, struct extent *ret_extent,
                          const struct log_frame **ret_frame) REQUIRES(&r->l->lock)
{
    if (r->next_seq > r->l->durable_seq) {
        return SOURCE_NONE;
    }
    if (!is_recent(r) && (goes_on(r) || find_extent(r, ret_extent))) {
        return SOURCE_FILE;
    }
    *ret_frame = from_memory(r);
    if (*ret_frame == NULL && r->next_seq <= r->l->durable_seq) {
        r->next_seq = r->l->durable_seq + 1;
    }
    return *ret_frame != NULL ? SOURCE_MEMORY : SOURCE_NONE;
}

/* Was the segment taken off the list, and its file removed, after it was looked up? */
static bool is_gone(const struct log *l, uint64_t serial)
{
    for (size_t i = 0; i < l->segments.len; i++) {
        if (l->segments.items[i]->serial == serial) {
            return false;
        }
    }
    return true;
}

/* The next frame, or NULL when the wait was over. 0 or -errno. */
static int await_frame(struct log_reader *r, struct waiter *waiter,
                       const struct log_frame **ret_frame) REQUIRES(&r->l->lock)
{
    struct extent extent = r->extent;
    int result = 0;

    for (bool waiting = true; *ret_frame == NULL && result == 0;) {
        enum source source = choose(r, &extent, ret_frame);
        if (source != SOURCE_FILE && r->fd >= 0) {
            /* It has caught up: an open file would keep a removed segment's room. */
            lock_give(&r->l->lock);
            file_close(r);
            lock_take(&r->l->lock);
        } else if (source == SOURCE_FILE) {
            lock_give(&r->l->lock);
            result = from_file(r, &extent, ret_frame);
            lock_take(&r->l->lock);
            result = result == -ENOENT && is_gone(r->l, extent.serial) ? 0 : result;
        } else if (source == SOURCE_NONE) {
            if (!waiting) {
                break;
            }
            waiting = waiter_pause(waiter);
        }
    }
    return result;
}

bool log_reader_next(struct log_reader *r, struct wait w, const struct log_frame **ret_frame,
                     struct err *e)
{
    const struct log_frame *frame = NULL;
    struct waiter waiter;

    waiter_begin(&waiter, w, &r->l->lock, &r->l->arrived);
    lock_take(&r->l->lock);
    int result = await_frame(r, &waiter, &frame);
    lock_give(&r->l->lock);
    waiter_end(&waiter);
    r->strikes = result == 0 ? 0 : r->strikes + (result == -EIO);
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot read segment %llu of the %s log",
                             (unsigned long long)r->extent.serial, r->l->name);
    }
    *ret_frame = frame;
    return true;
}
