/*
 * The segment being written. Only the writing thread comes here.
 *
 * Invariants
 *   1. active.offset is where the next frame goes; everything before it was written without error.
 *   2. What a failed write left behind the offset is overwritten by the next one or cut as a torn tail by recovery.
 *   3. After a failed sync nothing is written to the file again, and nothing but what was acknowledged is read from it.
 *   4. A segment's name is durable before the first frame in it is acknowledged.
 */
#include "base/rand.h"
#include "log/log_int.h"

#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { PARTS_MAX = 256 };

struct segment *segment_new(uint64_t serial, uint32_t salt, uint64_t first_seq)
{
    struct segment *s = mem_new(struct segment);

    s->serial = serial;
    s->salt = salt;
    s->first_seq = first_seq;
    s->sum.end = FILE_DATA_START;
    return s;
}

void segment_free(struct segment *s)
{
    if (s != NULL) {
        vec_release(&s->marks);
        vec_release(&s->tallies);
        mem_free(s);
    }
}

void segment_name(uint64_t serial, char name[32])
{
    (void)snprintf(name, 32, "%016" PRIx64 ".segment", serial);
}

static int write_header(const struct log *l, int fd, uint64_t serial, uint32_t salt,
                        uint64_t first_seq)
{
    unsigned char bytes[FILE_DATA_START];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct file_header header = {
        .version = LOG_FORMAT_VERSION,
        .kind = FILE_SEGMENT,
        .salt = salt,
        .serial = serial,
        .first_seq = first_seq,
        .created_ns = clock_wall_ns(l->env->clock),
    };

    file_header_encode(&header, bytes);
    int result = l->fs->ops->pwritev(l->fs, fd, &part, 1, 0);
    if (result == 0 && l->sync != LOG_SYNC_NEVER) {
        result = fs_sync_folder(l->fs, l->path);
    }
    return result;
}

int active_create(struct log *l, uint64_t first_seq)
{
    char name[32];
    char path[PATH_MAX];
    uint64_t serial = l->next_serial;
    uint32_t salt = (uint32_t)rng_u64(l->env->rng);
    int fd = -1;

    segment_name(serial, name);
    log_path(l, name, path);
    int result = l->fs->ops->open(l->fs, path, FS_READ | FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &fd);
    if (result != 0) {
        l->next_serial += result == -EEXIST;
        return log_failed(l, "making a segment", result);
    }
    result = write_header(l, fd, serial, salt, first_seq);
    if (result != 0) {
        (void)l->fs->ops->close(l->fs, fd);
        (void)l->fs->ops->unlink(l->fs, path);
        return log_failed(l, "beginning a segment", result);
    }
    l->next_serial++;
    struct segment *s = segment_new(serial, salt, first_seq);
    s->created_ns = clock_wall_ns(l->env->clock);
    s->active = true;
    s->file_bytes = FILE_DATA_START;
    l->active = (struct active){.segment = s, .fd = fd, .salt = salt, .offset = FILE_DATA_START};
    lock_take(&l->lock);
    vec_push(&l->segments, s);
    l->disk_bytes += s->file_bytes;
    lock_give(&l->lock);
    return 0;
}

static int write_parts(struct log *l, const struct iovec *parts, int count, int64_t bytes)
{
    int result = l->fs->ops->pwritev(l->fs, l->active.fd, parts, count, l->active.offset);

    if (result == 0) {
        l->active.offset += bytes;
    }
    return result;
}

int active_write(struct log *l, struct held *const *frames, size_t count)
{
    struct iovec parts[PARTS_MAX];
    struct footer sum = l->active.sum;

    for (size_t at = 0; at < count;) {
        int n = 0;
        int64_t bytes = 0;
        for (; at < count && n < PARTS_MAX; at++, n++) {
            struct held *h = frames[at];
            const struct frame_header header = {h->length,     h->frame.type, h->frame.flags,
                                                h->frame.seq,  h->frame.mask, h->frame.time_ns,
                                                h->payload_crc};
            frame_header_encode(&header, l->active.salt, h->header);
            parts[n] = (struct iovec){(char *)h + offsetof(struct held, header),
                                      (size_t)frame_bytes(h->length)};
            bytes += frame_bytes(h->length);
            footer_add(&sum, &header);
        }
        int result = write_parts(l, parts, n, bytes);
        if (result != 0) {
            return log_failed(l, "writing frames", result);
        }
    }
    sum.end = (uint64_t)l->active.offset;
    l->active.sum = sum;
    return 0;
}

int active_sync(struct log *l)
{
    int64_t start_ns = clock_mono_ns(clock_system());
    int result = l->fs->ops->sync(l->fs, l->active.fd);

    metric_add(l->metrics.syncs, 1);
    metric_observe(l->metrics.sync_seconds,
                   (double)(clock_mono_ns(clock_system()) - start_ns) / 1e9);
    return result == 0 ? 0 : log_failed(l, "syncing a segment", result);
}

void active_publish(struct log *l)
{
    struct segment *s = l->active.segment;

    if (s == NULL || l->active.sum.count == 0) {
        return;
    }
    int64_t marked = s->marks.len > 0 ? vec_last(&s->marks)->offset : FILE_DATA_START;
    if ((int64_t)s->sum.end - marked >= MARK_BYTES) {
        segment_mark(s, &s->sum);
    }
    l->disk_bytes += (int64_t)l->active.sum.end - s->file_bytes;
    s->file_bytes = (int64_t)l->active.sum.end;
    s->sum = l->active.sum;
}

int footer_write(const struct log *l, int fd, uint32_t salt, struct footer *sum)
{
    unsigned char sums[SUMS_BYTES_MAX];
    unsigned char bytes[FOOTER_BYTES];

    sum->sums_bytes = sum->count > 0 && !sum->sums_lost ? sums_encode(sum, salt, sums) : 0;
    footer_encode(sum, salt, bytes);
    const struct iovec parts[] = {{sums, sum->sums_bytes}, {bytes, sizeof(bytes)}};
    int result = l->fs->ops->pwritev(l->fs, fd, parts, ARRAY_LEN(parts), (int64_t)sum->end);
    if (result == 0 && l->sync != LOG_SYNC_NEVER) {
        result = l->fs->ops->sync(l->fs, fd);
    }
    return result;
}

/* Hands the segment over to readers and the remover. */
static void active_let_go(struct log *l, int64_t more_bytes)
{
    (void)l->fs->ops->close(l->fs, l->active.fd);
    lock_take(&l->lock);
    l->active.segment->active = false;
    l->active.segment->file_bytes += more_bytes;
    l->disk_bytes += more_bytes;
    lock_give(&l->lock);
    l->active = (struct active){.fd = -1};
}

void active_seal(struct log *l)
{
    struct active *a = &l->active;

    if (a->segment == NULL) {
        return;
    }
    a->sum.end = (uint64_t)a->offset;
    int result = footer_write(l, a->fd, a->salt, &a->sum);
    if (result != 0) {
        /* No harm: the next start scans it. */
        (void)log_failed(l, "sealing a segment", result);
    }
    active_let_go(l, result == 0 ? FOOTER_BYTES + (int64_t)a->sum.sums_bytes : 0);
}

void active_abandon(struct log *l)
{
    if (l->active.segment != NULL) {
        active_let_go(l, 0);
    }
}
