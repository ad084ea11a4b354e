#include "log/log_inspect.h"

#include "base/mem.h"
#include "base/vec.h"
#include "log/frame.h"
#include "log/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct log_view {
    const struct fs *fs;
    char *path;
    VEC(struct log_view_segment) segments; /* by serial */
    VEC(struct log_view_consumer) consumers;
};

const char *log_view_state_name(enum log_view_state state)
{
    static const char *const names[] = {"sealed", "open", "headless", "unreadable"};

    return names[state];
}

/* ---- which files there are ---- */

enum { SERIAL_DIGITS = 16 };

/* "000000000000002a.segment" */
static bool parse_segment_name(const char *name, uint64_t *ret_serial)
{
    char want[SERIAL_DIGITS + sizeof(".segment")];
    char *end = NULL;

    errno = 0;
    uint64_t serial = strtoull(name, &end, 16);
    (void)snprintf(want, sizeof(want), "%016" PRIx64 ".segment", serial);
    *ret_serial = serial;
    return errno == 0 && strcmp(name, want) == 0;
}

struct found {
    VEC(uint64_t) serials;
    bool any; /* a file of ours */
};

static void visit_name(void *arg, const char *name)
{
    struct found *found = arg;
    uint64_t serial;

    if (parse_segment_name(name, &serial)) {
        vec_push(&found->serials, serial);
    }
    found->any = found->any || strcmp(name, "consumers") == 0 || strcmp(name, "cursors") == 0;
}

static int compare_serials(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

bool log_view_is_log(const struct fs *fs, struct str path)
{
    char folder[PATH_MAX];
    struct found found = {0};

    if (path.len >= sizeof(folder)) {
        return false;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", STR_FMT(path));
    bool is_log =
        fs->ops->list(fs, folder, visit_name, &found) == 0 && (found.any || found.serials.len > 0);
    vec_release(&found.serials);
    return is_log;
}

static void file_path(const struct log_view *v, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", v->path, name);
}

static int open_segment(const struct log_view *v, uint64_t serial, int *ret_fd)
{
    char name[32];
    char path[PATH_MAX];

    (void)snprintf(name, sizeof(name), "%016" PRIx64 ".segment", serial);
    file_path(v, name, path);
    return v->fs->ops->open(v->fs, path, FS_READ, ret_fd);
}

static bool unknown_version(const struct log_view *v, const char *file,
                            const struct file_header *header, struct err *e)
{
    return err_set(e, ERR_CONFLICT,
                   "%s/%s is of format version %u, and this program knows version %d; use the "
                   "program that wrote it",
                   v->path, file, header->version, LOG_FORMAT_VERSION);
}

/* ---- a segment ---- */

static void read_footer(const struct log_view *v, int fd, struct log_view_segment *s)
{
    unsigned char bytes[FOOTER_BYTES];
    struct footer *footer = mem_new(struct footer);
    int64_t at = s->file_bytes - FOOTER_BYTES;
    size_t len = 0;

    if (at >= FILE_DATA_START &&
        v->fs->ops->pread(v->fs, fd, bytes, sizeof(bytes), at, &len) == 0 && len == sizeof(bytes) &&
        footer_decode(bytes, s->salt, footer) && footer_offset(footer) == (uint64_t)at &&
        footer->end >= FILE_DATA_START) {
        s->state = LOG_VIEW_SEALED;
        s->frames = footer->count;
        s->first_seq = footer->first_seq;
        s->last_seq = footer->last_seq;
        s->newest_ns = footer->newest_ns;
        s->frames_end = (int64_t)footer->end;
        memcpy(s->last_of_bit, footer->last_of_bit, sizeof(s->last_of_bit));
    }
    mem_free(footer);
}

static bool read_segment(struct log_view *v, int fd, uint64_t serial, struct err *e)
{
    struct log_view_segment s = {.serial = serial, .state = LOG_VIEW_UNREADABLE};
    char bytes[FILE_DATA_START];
    struct file_header header = {0};
    size_t len = 0;

    if (v->fs->ops->size(v->fs, fd, &s.file_bytes) == 0 &&
        v->fs->ops->pread(v->fs, fd, bytes, sizeof(bytes), 0, &len) == 0) {
        enum file_header_result found = file_header_decode(str_make(bytes, len), &header);
        if (found == FILE_HEADER_UNKNOWN) {
            char name[32];
            (void)snprintf(name, sizeof(name), "%016" PRIx64 ".segment", serial);
            return unknown_version(v, name, &header, e);
        }
        bool ours = found == FILE_HEADER_OK && header.kind == FILE_SEGMENT;
        s.state = ours && header.serial == serial ? LOG_VIEW_OPEN : LOG_VIEW_HEADLESS;
    }
    if (s.state == LOG_VIEW_OPEN) {
        s.salt = header.salt;
        s.header_seq = header.first_seq;
        s.frames_end = s.file_bytes;
        read_footer(v, fd, &s);
    }
    vec_push(&v->segments, s);
    return true;
}

static bool read_segments(struct log_view *v, const struct found *found, struct err *e)
{
    for (size_t i = 0; i < found->serials.len; i++) {
        int fd = -1;
        int result = open_segment(v, found->serials.items[i], &fd);
        if (result == -ENOENT) {
            continue; /* of a log in use, removed meanwhile */
        }
        if (result != 0) {
            return err_set_errno(e, ERR_IO, -result, "cannot open segment %016" PRIx64 " of %s",
                                 found->serials.items[i], v->path);
        }
        bool ok = read_segment(v, fd, found->serials.items[i], e);
        (void)v->fs->ops->close(v->fs, fd);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- consumers and cursors ---- */

static struct log_view_consumer *consumer_of_bit(struct log_view *v, unsigned bit)
{
    for (size_t i = 0; i < v->consumers.len; i++) {
        if (v->consumers.items[i].bit == bit) {
            return &v->consumers.items[i];
        }
    }
    return NULL;
}

/* A record of "consumers" or of "cursors", as recovery would take it. */
static void take_record(struct log_view *v, const struct frame_header *h, struct str name)
{
    unsigned bit = (unsigned)__builtin_ctzll(h->mask);
    struct log_view_consumer *c = consumer_of_bit(v, bit);

    if (c == NULL) {
        c = vec_add(&v->consumers);
        c->bit = bit;
        c->is_retired = h->type == LOG_TYPE_CONSUMER && h->flags != 0;
        memcpy(c->name, name.ptr, name.len);
    }
    if (h->type == LOG_TYPE_CURSOR && str_eq(str_of(c->name), name) && h->seq >= c->cursor) {
        c->has_cursor = true;
        c->cursor = h->seq;
    }
}

static int read_records(struct log_view *v, struct window *w, uint16_t type)
{
    struct scan_hit hit = {.found = true};

    for (int64_t at = FILE_DATA_START; hit.found;
         at = hit.offset + frame_bytes(hit.header.length)) {
        const unsigned char *name = NULL;
        int result = scan_next(w, at, 0, &hit);
        if (result == 0 && hit.found && hit.header.length <= LOG_NAME_MAX) {
            result = window_get(w, hit.offset + FRAME_HEADER_BYTES, hit.header.length, &name);
        }
        if (result != 0) {
            return result;
        }
        if (name != NULL && hit.header.type == type && __builtin_popcountll(hit.header.mask) == 1) {
            take_record(v, &hit.header, str_make((const char *)name, hit.header.length));
        }
    }
    return 0;
}

/* A file that is not there, or not readable, says nothing. */
static bool read_names(struct log_view *v, const char *file, uint16_t type, struct err *e)
{
    char path[PATH_MAX];
    char bytes[FILE_DATA_START];
    struct file_header header = {0};
    int64_t size = 0;
    size_t len = 0;
    int fd = -1;
    bool ok = true;

    file_path(v, file, path);
    if (v->fs->ops->open(v->fs, path, FS_READ, &fd) != 0) {
        return true;
    }
    if (v->fs->ops->size(v->fs, fd, &size) == 0 &&
        v->fs->ops->pread(v->fs, fd, bytes, sizeof(bytes), 0, &len) == 0) {
        enum file_header_result found = file_header_decode(str_make(bytes, len), &header);
        ok = found != FILE_HEADER_UNKNOWN || unknown_version(v, file, &header, e);
        if (found == FILE_HEADER_OK) {
            struct window *w = window_new(v->fs, fd, header.salt, size);
            (void)read_records(v, w, type);
            window_free(w);
        }
    }
    (void)v->fs->ops->close(v->fs, fd);
    return ok;
}

static int compare_consumers(const void *a, const void *b)
{
    const struct log_view_consumer *x = a;
    const struct log_view_consumer *y = b;

    return (x->bit > y->bit) - (x->bit < y->bit);
}

/* ---- the view ---- */

bool log_view_open(const struct fs *fs, struct str path, struct log_view **ret_view, struct err *e)
{
    struct found found = {0};

    if (path.len == 0 || path.len > PATH_MAX - 128) {
        return err_set(e, ERR_CONFIG, "the path of a log has 1 to %d bytes", PATH_MAX - 128);
    }
    struct log_view *v = mem_new(struct log_view);
    v->fs = fs;
    v->path = mem_dup_text(path.ptr, path.len);
    int result = fs->ops->list(fs, v->path, visit_name, &found);
    bool ok = result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s", v->path);
    ok = ok && (found.any || found.serials.len > 0 ||
                err_set(e, ERR_CONFIG,
                        "%s holds no log: expected a folder such as STATE/ledger, STATE/bulk or "
                        "STATE/dead/NAME",
                        v->path));
    if (found.serials.len > 0) {
        qsort(found.serials.items, found.serials.len, sizeof(uint64_t), compare_serials);
    }
    ok = ok && read_segments(v, &found, e) && read_names(v, "consumers", LOG_TYPE_CONSUMER, e) &&
         read_names(v, "cursors", LOG_TYPE_CURSOR, e);
    vec_release(&found.serials);
    if (!ok) {
        log_view_close(v);
        return false;
    }
    if (v->consumers.len > 0) {
        qsort(v->consumers.items, v->consumers.len, sizeof(v->consumers.items[0]),
              compare_consumers);
    }
    *ret_view = v;
    return true;
}

void log_view_close(struct log_view *v)
{
    if (v != NULL) {
        vec_release(&v->segments);
        vec_release(&v->consumers);
        mem_free(v->path);
        mem_free(v);
    }
}

size_t log_view_segments(const struct log_view *v, const struct log_view_segment **ret_segments)
{
    *ret_segments = v->segments.items;
    return v->segments.len;
}

size_t log_view_consumers(const struct log_view *v, const struct log_view_consumer **ret_consumers)
{
    *ret_consumers = v->consumers.items;
    return v->consumers.len;
}

const struct log_view_consumer *log_view_consumer(const struct log_view *v, unsigned bit)
{
    for (size_t i = 0; i < v->consumers.len; i++) {
        if (v->consumers.items[i].bit == bit) {
            return &v->consumers.items[i];
        }
    }
    return NULL;
}

int64_t log_view_bytes(const struct log_view *v)
{
    int64_t bytes = 0;

    for (size_t i = 0; i < v->segments.len; i++) {
        bytes += v->segments.items[i].file_bytes;
    }
    return bytes;
}

/* ---- walking ---- */

struct walker {
    struct log_view *v;
    const struct log_walk *walk;
    const struct log_view_segment *segment;
    struct window *window;
    int64_t before; /* bytes of the segments walked */
    int64_t bytes;  /* of all */
    struct buf payload;
};

static void tell_bad(const struct walker *k, int64_t from, int64_t to, const char *kind)
{
    if (k->walk->bad != NULL && to > from) {
        k->walk->bad(k->walk->arg, &(struct log_view_bad){k->segment->serial, from, to, kind});
    }
}

static bool give_frame(struct walker *k, const struct scan_hit *hit, struct err *e)
{
    const struct log_view_frame frame = {
        .seq = hit->header.seq,
        .mask = hit->header.mask,
        .time_ns = hit->header.time_ns,
        .type = hit->header.type,
        .flags = hit->header.flags,
        .serial = k->segment->serial,
        .offset = hit->offset,
        .bytes = frame_bytes(hit->header.length),
        .payload = buf_str(&k->payload),
    };

    return k->walk->frame(k->walk->arg, &frame, e);
}

static bool read_payload(struct walker *k, const struct scan_hit *hit, struct err *e)
{
    struct window *w = k->window;
    uint32_t length = hit->header.length;
    size_t len = 0;

    buf_clear(&k->payload);
    buf_add_repeat(&k->payload, '\0', length);
    int result = length == 0 ? 0
                             : w->fs->ops->pread(w->fs, w->fd, k->payload.ptr, length,
                                                 hit->offset + FRAME_HEADER_BYTES, &len);
    if (result == 0 && len == length) {
        return true;
    }
    return err_set_errno(e, ERR_IO, result != 0 ? -result : EIO,
                         "cannot read segment %016" PRIx64 " of %s", k->segment->serial,
                         k->v->path);
}

/* Is the end of a segment nothing but zeros? That is not worth telling of. */
static bool is_blank(struct window *w, int64_t from)
{
    const unsigned char *bytes;

    for (int64_t at = from; at < w->end; at += FRAME_ALIGN) {
        size_t n = w->end - at < FRAME_ALIGN ? (size_t)(w->end - at) : FRAME_ALIGN;
        if (window_get(w, at, n, &bytes) != 0 || bytes == NULL || bytes[0] != 0 ||
            memcmp(bytes, bytes + 1, n - 1) != 0) {
            return false;
        }
    }
    return true;
}

/* What stands before the hit and is no frame. */
static void look_at_bad(const struct walker *k, const struct scan_hit *hit, bool unreadable)
{
    bool sealed = k->segment->state == LOG_VIEW_SEALED;
    bool inner = hit->found || hit->footer || sealed;

    if (!inner && is_blank(k->window, hit->bad_from)) {
        return;
    }
    tell_bad(k, hit->bad_from, hit->offset, unreadable ? "unreadable" : inner ? "damaged" : "torn");
}

static bool walk_frames(struct walker *k, uint64_t limit_seq, struct err *e)
{
    struct scan_hit hit = {.found = true};
    uint64_t min_seq = k->segment->header_seq;
    int64_t at = FILE_DATA_START;

    while (hit.found) {
        int64_t unreadable = 0;
        int result = scan_next_readable(k->window, at, min_seq, &hit, &unreadable);
        if (result != 0) {
            return err_set_errno(e, ERR_IO, -result, "cannot read segment %016" PRIx64 " of %s",
                                 k->segment->serial, k->v->path);
        }
        if (hit.found && hit.header.seq > limit_seq) {
            return true; /* written again in a later segment */
        }
        look_at_bad(k, &hit, unreadable > 0);
        if (!hit.found) {
            break;
        }
        at = hit.offset + frame_bytes(hit.header.length);
        min_seq = hit.header.seq + 1;
        if (!read_payload(k, &hit, e) || !give_frame(k, &hit, e)) {
            return false;
        }
        if (k->walk->progress != NULL) {
            k->walk->progress(k->walk->arg, k->before + at, k->bytes);
        }
    }
    return true;
}

static bool walk_segment(struct walker *k, uint64_t limit_seq, struct err *e)
{
    const struct log_view_segment *s = k->segment;
    int fd = -1;

    if (s->state == LOG_VIEW_HEADLESS || s->state == LOG_VIEW_UNREADABLE) {
        tell_bad(k, 0, s->file_bytes, s->state == LOG_VIEW_HEADLESS ? "damaged" : "unreadable");
        return true;
    }
    if (s->state == LOG_VIEW_SEALED && s->last_seq < k->walk->from_seq) {
        return true;
    }
    int result = open_segment(k->v, s->serial, &fd);
    if (result == -ENOENT) {
        return true; /* done with and removed while we were looking */
    }
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open segment %016" PRIx64 " of %s",
                             s->serial, k->v->path);
    }
    k->window = window_new(k->v->fs, fd, s->salt, s->frames_end);
    bool ok = walk_frames(k, limit_seq, e);
    window_free(k->window);
    (void)k->v->fs->ops->close(k->v->fs, fd);
    return ok;
}

bool log_view_walk(struct log_view *v, const struct log_walk *walk, struct err *e)
{
    struct walker k = {.v = v, .walk = walk, .bytes = log_view_bytes(v)};
    bool ok = true;

    k.payload = BUF_INIT(LOG_PAYLOAD_MAX);
    for (size_t i = 0; ok && i < v->segments.len; i++) {
        uint64_t limit =
            i + 1 < v->segments.len ? v->segments.items[i + 1].header_seq - 1 : UINT64_MAX;
        k.segment = &v->segments.items[i];
        ok = walk_segment(&k, limit, e);
        k.before += k.segment->file_bytes;
        if (walk->progress != NULL) {
            walk->progress(walk->arg, k.before, k.bytes);
        }
    }
    buf_release(&k.payload);
    return ok;
}
