/*
 * Makes the list of segments from what a folder holds.
 *
 * A segment with a valid footer is taken at its word. One without is scanned: the last one after a crash, and those that
 * were abandoned after a failed sync. What the scan finds bad is copied into the folder "quarantine" before it is cut
 * off or passed over; when the copy cannot be made nothing is cut, and a file that the disk does not give whole is left as it
 * is: its good frames are used, and when they are done it goes to quarantine. A scanned segment is then sealed, so that no file
 * is ever written by two runs of the program.
 *
 * A segment's header says from which sequence number on older segments hold nothing: frames there that were written again
 * after a failed sync are not read twice.
 */
#include "base/mem.h"
#include "log/log_int.h"
#include "log/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct recovery {
    struct log *l;
    struct log_report *report;
    VEC(uint64_t) serials;
    uint64_t seqs_unread; /* at most so many frames are where nothing could be read */
};

enum { NAME_DIGITS = 16, SUMS_READ_MAX = 1024 * 1024 };

/* The serial number in a segment's name; false when it is no such name. */
static bool parse_name(const char *name, uint64_t *ret_serial)
{
    uint64_t serial = 0;

    for (size_t i = 0; i < NAME_DIGITS; i++) {
        const char *hex = "0123456789abcdef";
        const char *digit = name[i] != '\0' ? strchr(hex, name[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        serial = serial << 4 | (uint64_t)(digit - hex);
    }
    *ret_serial = serial;
    return strcmp(name + NAME_DIGITS, ".segment") == 0;
}

static void visit_name(void *arg, const char *name)
{
    struct recovery *r = arg;
    uint64_t serial;

    if (parse_name(name, &serial)) {
        vec_push(&r->serials, serial);
    }
}

static int compare_serials(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return (*x > *y) - (*x < *y);
}

static bool all_zero(const char *bytes, size_t len)
{
    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Copies [from, to) of <fd> to the front of <copy>; *ret_any: was there a byte that is not zero? */
static int copy_range(const struct fs *fs, int fd, int copy, int64_t from, int64_t to,
                      bool *ret_any)
{
    char bytes[2048];

    for (int64_t at = from; at < to;) {
        size_t want = to - at < (int64_t)sizeof(bytes) ? (size_t)(to - at) : sizeof(bytes);
        size_t len = 0;
        int result = fs->ops->pread(fs, fd, bytes, want, at, &len);
        if (result != 0 || len == 0) {
            return result;
        }
        struct iovec part = {.iov_base = bytes, .iov_len = len};
        result = fs->ops->pwritev(fs, copy, &part, 1, at - from);
        if (result != 0) {
            return result;
        }
        *ret_any = *ret_any || !all_zero(bytes, len);
        at += (int64_t)len;
    }
    return 0;
}

static bool exists(const struct fs *fs, const char *path)
{
    int fd = -1;
    bool found = fs->ops->open(fs, path, FS_READ, &fd) == 0;

    if (found) {
        (void)fs->ops->close(fs, fd);
    }
    return found;
}

/* Copies a range to <part>, and when that is whole and not all zeros renames it to <path>. */
static int copy_to(const struct fs *fs, int fd, int64_t from, int64_t to, const char *part,
                   const char *path)
{
    bool any = false;
    int copy = -1;
    int result = fs->ops->open(fs, part, FS_WRITE | FS_CREATE | FS_TRUNCATE, &copy);

    if (result != 0) {
        return result;
    }
    result = copy_range(fs, fd, copy, from, to, &any);
    result = result == 0 ? fs->ops->sync(fs, copy) : result;
    (void)fs->ops->close(fs, copy);
    if (result == 0 && any) {
        return fs->ops->rename(fs, part, path);
    }
    (void)fs->ops->unlink(fs, part);
    return result;
}

int log_quarantine(struct log *l, int fd, uint64_t serial, int64_t from, int64_t to,
                   const char *kind)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    char part[PATH_MAX];
    char name[64];

    log_path(l, "quarantine", folder);
    int result = l->fs->ops->mkdir(l->fs, folder);
    if (result != 0) {
        return result;
    }
    (void)snprintf(name, sizeof(name), "quarantine/%016" PRIx64 "-%" PRIi64 ".%s", serial, from,
                   kind);
    log_path(l, name, path);
    if (exists(l->fs, path)) {
        return -EEXIST;
    }
    (void)snprintf(name, sizeof(name), "quarantine/%016" PRIx64 "-%" PRIi64 ".part", serial, from);
    log_path(l, name, part);
    result = copy_to(l->fs, fd, from, to, part, path);
    quarantine_bound(l);
    return result == 0 ? fs_sync_folder(l->fs, folder) : result;
}

void log_damaged(struct log *l, int fd, uint64_t serial, int64_t from, int64_t to)
{
    int result = log_quarantine(l, fd, serial, from, to, "damaged");

    if (result == -EEXIST) {
        return;
    }
    if (result != 0) {
        segment_keep(l, serial);
    }
    metric_add(l->metrics.damaged, 1);
    trace_error(&l->trace, "a segment is damaged, what is bad was passed over",
                T_TEXT("log", l->name), T_U64("serial", serial), T_I64("offset", from),
                T_I64("bytes", to - from), T_TEXT("copy", result == 0 ? "made" : "failed"));
}

/* A file whose header is gone: its frames cannot be told from noise. Out of the way, for a person to look at. */
static bool move_aside(struct recovery *r, const char *name, struct err *e)
{
    struct log *l = r->l;
    char from[PATH_MAX];
    char to[PATH_MAX];
    char aside[64];

    log_path(l, "quarantine", to);
    int result = l->fs->ops->mkdir(l->fs, to);
    (void)snprintf(aside, sizeof(aside), "quarantine/%s", name);
    log_path(l, name, from);
    log_path(l, aside, to);
    result = result == 0 ? l->fs->ops->rename(l->fs, from, to) : result;
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot move %s aside", from);
    }
    trace_error(&l->trace, "a segment has lost its header and was moved to quarantine",
                T_TEXT("log", l->name), T_TEXT("file", name));
    r->report->segments_refused++;
    return true;
}

/* A file that a crash left before its first frame. */
static bool remove_stub(struct recovery *r, const char *name, int64_t size, struct err *e)
{
    char path[PATH_MAX];

    log_path(r->l, name, path);
    int result = r->l->fs->ops->unlink(r->l->fs, path);
    r->report->torn_bytes += (uint64_t)size;
    return result == 0 ||
           err_set_errno(e, ERR_IO, -result, "cannot remove %s, which holds nothing", path);
}

/* Reads what of a sealed segment is for whom; it does without when that is not there or damaged. */
static int read_sums(const struct log *l, int fd, struct segment *s)
{
    uint32_t want = s->sum.sums_bytes;
    unsigned char *bytes = want <= SUMS_READ_MAX ? mem_alloc(want + 1) : NULL;
    size_t len = 0;
    int result = 0;

    if (bytes != NULL && want > 0) {
        result = l->fs->ops->pread(l->fs, fd, bytes, want, (int64_t)s->sum.end, &len);
    }
    s->sum.sums_lost =
        s->sum.count > 0 && (len != want || !sums_decode(bytes, len, s->salt, &s->sum));
    mem_free(bytes);
    return result;
}

/* Reads the footer, if there is a valid one at the end. */
static int read_footer(const struct log *l, int fd, struct segment *s, bool *ret_sealed)
{
    unsigned char bytes[FOOTER_BYTES];
    int64_t at = s->file_bytes - FOOTER_BYTES;
    size_t len = 0;
    struct footer footer;

    *ret_sealed = false;
    if (at < FILE_DATA_START) {
        return 0;
    }
    int result = l->fs->ops->pread(l->fs, fd, bytes, sizeof(bytes), at, &len);
    if (result == 0 && len == sizeof(bytes) && footer_decode(bytes, s->salt, &footer) &&
        footer_offset(&footer) == (uint64_t)at && footer.end >= FILE_DATA_START) {
        s->sum = footer;
        *ret_sealed = true;
        result = read_sums(l, fd, s);
    }
    return result;
}

/* A file whose header the disk does not give is left where it is; the next start tries again. Always true. */
static bool leave_unreadable(struct recovery *r, const char *name, int64_t size)
{
    trace_error(&r->l->trace,
                "a segment cannot be read and is left as it is; a later start may be luckier",
                T_TEXT("log", r->l->name), T_TEXT("file", name));
    r->report->segments_unreadable++;
    r->seqs_unread += (uint64_t)size / FRAME_HEADER_BYTES + 1;
    return true;
}

/* An opened file becomes a segment, or is moved aside or left (true, *ret_segment NULL). */
static bool identify(struct recovery *r, int fd, uint64_t serial, const char *name,
                     struct segment **ret_segment, struct err *e)
{
    struct log *l = r->l;
    char bytes[FILE_DATA_START];
    struct file_header header;
    size_t len = 0;
    int64_t size = 0;
    int result = l->fs->ops->size(l->fs, fd, &size);

    *ret_segment = NULL;
    result = result == 0 ? l->fs->ops->pread(l->fs, fd, bytes, sizeof(bytes), 0, &len) : result;
    if (result == -EIO) {
        return leave_unreadable(r, name, size);
    }
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot read %s/%s", l->path, name);
    }
    enum file_header_result found = file_header_decode(str_make(bytes, len), &header);
    if (found == FILE_HEADER_UNKNOWN) {
        return err_set(e, ERR_CONFLICT,
                       "%s/%s is of format version %u with required flags %" PRIx32
                       ", and this program knows version %d; use the program that wrote it",
                       l->path, name, header.version, header.required, LOG_FORMAT_VERSION);
    }
    if (found == FILE_HEADER_BAD && size <= FILE_DATA_START) {
        return remove_stub(r, name, size, e);
    }
    if (found == FILE_HEADER_BAD || header.kind != FILE_SEGMENT || header.serial != serial) {
        return move_aside(r, name, e);
    }
    *ret_segment = segment_new(serial, header.salt, header.first_seq);
    (*ret_segment)->file_bytes = size;
    (*ret_segment)->created_ns = header.created_ns;
    return true;
}

static bool load_segment(struct recovery *r, uint64_t serial, struct err *e)
{
    struct log *l = r->l;
    char name[32];
    char path[PATH_MAX];
    struct segment *s = NULL;
    bool sealed = false;
    int fd = -1;

    segment_name(serial, name);
    log_path(l, name, path);
    int result = l->fs->ops->open(l->fs, path, FS_READ, &fd);
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", path);
    }
    bool ok = identify(r, fd, serial, name, &s, e);
    if (ok && s != NULL) {
        result = read_footer(l, fd, s, &sealed);
        result = result == -EIO ? 0 : result; /* what can be read of it, the scan will find */
        s->active = !sealed;                  /* for scan_unsealed() */
        vec_push(&l->segments, s);
        ok = result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s", path);
    }
    (void)l->fs->ops->close(l->fs, fd);
    return ok;
}

/* Something bad in front of a good frame. */
static void pass_over(struct recovery *r, int fd, const struct segment *s, int64_t from, int64_t to)
{
    r->report->damaged_ranges++;
    r->report->damaged_bytes += (uint64_t)(to - from);
    log_damaged(r->l, fd, s->serial, from, to);
}

static void note_unreadable(struct recovery *r, struct segment *s, int64_t bytes)
{
    trace_error(&r->l->trace,
                "a segment cannot be read whole; what can be read is used, the file is kept",
                T_TEXT("log", r->l->name), T_U64("serial", s->serial), T_I64("bytes", bytes));
    r->report->unreadable_bytes += (uint64_t)bytes;
    r->seqs_unread += (uint64_t)bytes / FRAME_HEADER_BYTES + 1;
    s->keep = true;
}

/* Finds the good frames of <s>; *ret_tail is where a bad end begins (the file's end when it is clean). */
static int scan_frames(struct recovery *r, int fd, struct segment *s, uint64_t limit_seq,
                       int64_t *ret_tail)
{
    struct window *w = window_new(r->l->fs, fd, s->salt, s->file_bytes);
    struct scan_hit hit = {.found = true};
    uint64_t min_seq = s->first_seq;
    int64_t at = FILE_DATA_START;
    int64_t unreadable = 0;
    int result = 0;

    s->sum = (struct footer){.end = FILE_DATA_START};
    *ret_tail = s->file_bytes;
    while (result == 0 && hit.found) {
        result = scan_next_readable(w, at, min_seq, &hit, &unreadable);
        if (result != 0 || (hit.found && hit.header.seq > limit_seq)) {
            break;
        }
        if (hit.bad_from < hit.offset && (hit.found || hit.footer)) {
            pass_over(r, fd, s, hit.bad_from, hit.offset);
        }
        if (hit.found) {
            footer_add(&s->sum, &hit.header);
            min_seq = hit.header.seq + 1;
            at = hit.offset + frame_bytes(hit.header.length);
            s->sum.end = (uint64_t)at;
        } else if (!hit.footer) {
            *ret_tail = hit.bad_from;
        }
    }
    window_free(w);
    if (unreadable > 0) {
        note_unreadable(r, s, unreadable);
    }
    return result;
}

/* Copies a torn tail aside; false when it must stay where it is. */
static bool save_tail(struct recovery *r, int fd, const struct segment *s, int64_t tail)
{
    if (tail >= s->file_bytes) {
        return true;
    }
    int result = log_quarantine(r->l, fd, s->serial, tail, s->file_bytes, "torn");
    bool saved = result == 0 || result == -EEXIST;
    r->report->torn_bytes += (uint64_t)(s->file_bytes - tail);
    trace_warn(&r->l->trace, "a segment ends in the middle of a frame, the rest was cut off",
               T_TEXT("log", r->l->name), T_U64("serial", s->serial), T_I64("offset", tail),
               T_I64("bytes", s->file_bytes - tail), T_TEXT("copy", saved ? "made" : "failed"));
    return saved;
}

/* Cuts and seals what was scanned. When the disk does not let us, the next start scans again. */
static void reseal(struct recovery *r, int fd, struct segment *s, int64_t tail)
{
    struct log *l = r->l;

    if (!save_tail(r, fd, s, tail)) {
        return;
    }
    int result = l->fs->ops->truncate(l->fs, fd, (int64_t)s->sum.end);
    result = result == 0 ? footer_write(l, fd, s->salt, &s->sum) : result;
    if (result == 0) {
        s->file_bytes = (int64_t)footer_offset(&s->sum) + FOOTER_BYTES;
    } else {
        trace_warn(&l->trace, "cannot seal a segment, it stays as it is", T_TEXT("log", l->name),
                   T_U64("serial", s->serial), T_I64("errno", -result));
    }
}

static bool scan_unsealed(struct recovery *r, struct segment *s, uint64_t limit_seq, struct err *e)
{
    struct log *l = r->l;
    char name[32];
    char path[PATH_MAX];
    int64_t tail = 0;
    int fd = -1;

    segment_name(s->serial, name);
    log_path(l, name, path);
    int result = l->fs->ops->open(l->fs, path, FS_READ | FS_WRITE, &fd);
    bool writable = result == 0;
    if (result == -EROFS || result == -EACCES) {
        result = l->fs->ops->open(l->fs, path, FS_READ, &fd);
    }
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", path);
    }
    r->report->segments_scanned++;
    result = scan_frames(r, fd, s, limit_seq, &tail);
    if (result == 0 && writable && !s->keep) {
        reseal(r, fd, s, tail);
    }
    s->active = false;
    (void)l->fs->ops->close(l->fs, fd);
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s", path);
}

static bool scan_all(struct recovery *r, struct err *e)
{
    struct log *l = r->l;

    for (size_t i = 0; i < l->segments.len; i++) {
        bool last = i + 1 == l->segments.len;
        uint64_t limit = last ? UINT64_MAX : l->segments.items[i + 1]->first_seq - 1;
        if (l->segments.items[i]->active && !scan_unsealed(r, l->segments.items[i], limit, e)) {
            return false;
        }
    }
    return true;
}

static void add_up(struct recovery *r)
{
    struct log *l = r->l;

    l->next_seq = 1;
    l->next_serial = r->serials.len > 0 ? *vec_last(&r->serials) + 1 : 1;
    for (size_t i = 0; i < l->segments.len; i++) {
        const struct segment *s = l->segments.items[i];
        uint64_t after = s->sum.count > 0 ? s->sum.last_seq + 1 : s->first_seq;
        l->next_seq = after > l->next_seq ? after : l->next_seq;
        l->disk_bytes += s->file_bytes;
        r->report->frames += s->sum.count;
        if (r->report->first_seq == 0) {
            r->report->first_seq = s->sum.first_seq;
        }
    }
    l->next_seq += r->seqs_unread; /* no number is given twice */
    r->report->segments = l->segments.len;
}

static bool load_all(struct recovery *r, struct err *e)
{
    struct log *l = r->l;
    int result = l->fs->ops->list(l->fs, l->path, visit_name, r);

    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot list %s", l->path);
    }
    if (r->serials.len > 0) {
        qsort(r->serials.items, r->serials.len, sizeof(uint64_t), compare_serials);
    }
    for (size_t i = 0; i < r->serials.len; i++) {
        if (!load_segment(r, r->serials.items[i], e)) {
            return false;
        }
    }
    return scan_all(r, e);
}

bool log_recover(struct log *l, struct log_report *report, struct err *e)
{
    struct recovery r = {.l = l, .report = report};
    bool ok = load_all(&r, e);

    if (ok) {
        add_up(&r);
    }
    vec_release(&r.serials);
    if (!ok || !cursors_load(l, report, e)) {
        return false;
    }
    report->next_seq = l->next_seq;
    report->first_seq = report->first_seq != 0 ? report->first_seq : l->next_seq;
    return true;
}
