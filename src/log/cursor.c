/*
 * Consumers and how far each is done.
 *
 * Two small files made of the same frames as segments. "consumers" names the bits; it is replaced whole when it changes,
 * which is rare. "cursors" is added to: a record is one frame {bit, sequence number, name}; the highest of a bit counts,
 * so records may be lost or come twice. It is begun anew at each start and when it has grown. Since its records carry
 * the names too, either file can stand in for names that the other has lost.
 *
 * Invariants, under the log's lock
 *   1. A cursor never goes back; synced <= written <= cursor.
 *   2. A bit with a name keeps it while a held frame carries it, retired or not.
 */
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/rand.h"
#include "log/log_int.h"
#include "log/scan.h"

#include <errno.h>
#include <stdio.h>

enum { CURSOR_FILE_BYTES_MAX = 256 * 1024 };

static const char consumers_file[] = "consumers";
static const char cursors_file[] = "cursors";

uint64_t named_mask(const struct log *l)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < LOG_CONSUMERS_MAX; i++) {
        mask |= l->consumers[i].name != NULL ? UINT64_C(1) << i : 0;
    }
    return mask;
}

uint64_t held_mask(const struct log *l)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < l->segments.len; i++) {
        mask |= l->segments.items[i]->sum.mask;
    }
    for (size_t i = 0; i < l->recent.len; i++) {
        mask |= recent_at(&l->recent, i)->frame.mask;
    }
    return mask;
}

bool segment_is_done(const struct log *l, const struct segment *s, bool synced)
{
    for (uint64_t rest = s->sum.mask; rest != 0; rest &= rest - 1) {
        int bit = __builtin_ctzll(rest);
        const struct consumer *c = &l->consumers[bit];
        if (c->name != NULL && !c->retired &&
            (synced ? c->synced : c->cursor) < s->sum.last_of_bit[bit]) {
            return false;
        }
    }
    return true;
}

static void add_header(struct buf *out, const struct log *l, enum file_kind kind, uint32_t salt)
{
    unsigned char bytes[FILE_DATA_START];
    struct file_header header = {
        .version = LOG_FORMAT_VERSION,
        .kind = (uint16_t)kind,
        .salt = salt,
        .created_ns = clock_wall_ns(l->env->clock),
    };

    file_header_encode(&header, bytes);
    buf_add(out, bytes, sizeof(bytes));
}

/* A record about consumer <bit>. */
static void add_record(struct buf *out, const struct log *l, uint16_t type, uint32_t salt,
                       unsigned bit)
{
    const struct consumer *c = &l->consumers[bit];
    struct str name = str_of(c->name);
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame_header header = {
        .length = (uint32_t)name.len,
        .type = type,
        .flags = c->retired ? LOG_FLAG_RETIRED : 0,
        .seq = c->cursor,
        .mask = UINT64_C(1) << bit,
        .time_ns = clock_wall_ns(l->env->clock),
        .payload_crc = crc32c(0, name.ptr, name.len),
    };

    frame_header_encode(&header, salt, bytes);
    buf_add(out, bytes, sizeof(bytes));
    buf_add_str(out, name);
    buf_add_repeat(out, '\0', (size_t)(frame_bytes(header.length) - FRAME_HEADER_BYTES) - name.len);
}

static int replace(struct log *l, const char *name, const struct buf *bytes)
{
    char path[PATH_MAX];
    struct err e = ERR_INIT;

    log_path(l, name, path);
    if (fs_replace_file(l->fs, str_of(path), buf_str(bytes), &e)) {
        return 0;
    }
    trace_warn(&l->trace, "cannot replace a file", T_TEXT("log", l->name), T_ERR(&e));
    return log_failed(l, "replacing a file", -EIO);
}

int consumers_save(struct log *l)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    uint32_t salt = (uint32_t)rng_u64(l->env->rng);

    add_header(&bytes, l, FILE_CONSUMERS, salt);
    lock_take(&l->lock);
    uint64_t version = l->consumers_version;
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        if (l->consumers[bit].name != NULL) {
            add_record(&bytes, l, LOG_TYPE_CONSUMER, salt, bit);
        }
    }
    lock_give(&l->lock);
    int result = replace(l, consumers_file, &bytes);
    if (result == 0) {
        lock_take(&l->lock);
        l->saved_version = version;
        lock_give(&l->lock);
    }
    return result;
}

/* Adds what is to be written to <out>: what changed, or all of it. Gives the version that this is. */
static uint64_t collect(struct log *l, struct buf *out, uint32_t salt, bool all,
                        uint64_t *ret_cursors)
{
    lock_take(&l->lock);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        ret_cursors[bit] = c->cursor;
        if (c->name != NULL && (all || c->cursor > c->written)) {
            add_record(out, l, LOG_TYPE_CURSOR, salt, bit);
        }
    }
    uint64_t version = l->cursors_version;
    lock_give(&l->lock);
    return version;
}

static void note_written(struct log *l, uint64_t version, const uint64_t *cursors)
{
    lock_take(&l->lock);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        l->consumers[bit].written = cursors[bit];
    }
    l->written_version = version;
    lock_give(&l->lock);
    l->cursor_file.unsynced = true;
}

static void note_synced(struct log *l)
{
    lock_take(&l->lock);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        l->consumers[bit].synced = l->consumers[bit].written;
    }
    l->synced_version = l->written_version;
    l->sync_cursors = l->synced_version < l->cursors_version && l->sync_cursors;
    cond_broadcast(&l->done);
    lock_give(&l->lock);
    l->cursor_file.unsynced = false;
    l->cursors_synced_at_ns = clock_mono_ns(clock_system());
}

static void cursor_file_close(struct log *l)
{
    if (l->cursor_file.fd >= 0) {
        (void)l->fs->ops->close(l->fs, l->cursor_file.fd);
        l->cursor_file.fd = -1;
    }
}

/* A new file with the cursors as they are; synced. */
static int cursor_file_begin(struct log *l)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    uint64_t cursors[LOG_CONSUMERS_MAX];
    char path[PATH_MAX];
    uint32_t salt = (uint32_t)rng_u64(l->env->rng);

    cursor_file_close(l);
    add_header(&bytes, l, FILE_CURSORS, salt);
    uint64_t version = collect(l, &bytes, salt, true, cursors);
    int result = replace(l, cursors_file, &bytes);
    if (result != 0) {
        return result;
    }
    log_path(l, cursors_file, path);
    result = l->fs->ops->open(l->fs, path, FS_WRITE, &l->cursor_file.fd);
    if (result != 0) {
        l->cursor_file.fd = -1;
        return log_failed(l, "opening the cursors", result);
    }
    l->cursor_file.salt = salt;
    l->cursor_file.offset = (int64_t)bytes.len;
    note_written(l, version, cursors);
    note_synced(l);
    return 0;
}

int cursors_write(struct log *l)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    uint64_t cursors[LOG_CONSUMERS_MAX];

    lock_take(&l->lock);
    bool changed = l->written_version < l->cursors_version;
    lock_give(&l->lock);
    if (!changed) {
        return 0;
    }
    if (l->cursor_file.fd < 0 || l->cursor_file.offset > CURSOR_FILE_BYTES_MAX) {
        return cursor_file_begin(l);
    }
    uint64_t version = collect(l, &bytes, l->cursor_file.salt, false, cursors);
    struct iovec part = {.iov_base = bytes.ptr, .iov_len = bytes.len};
    int result = bytes.len > 0 ? l->fs->ops->pwritev(l->fs, l->cursor_file.fd, &part, 1,
                                                     l->cursor_file.offset)
                               : 0;
    if (result != 0) {
        cursor_file_close(l);
        return log_failed(l, "writing cursors", result);
    }
    l->cursor_file.offset += (int64_t)bytes.len;
    note_written(l, version, cursors);
    return 0;
}

int cursors_sync(struct log *l)
{
    int result = 0;

    if (l->cursor_file.unsynced) {
        result = l->cursor_file.fd >= 0 ? l->fs->ops->sync(l->fs, l->cursor_file.fd) : -EBADF;
    }
    if (result != 0) {
        /* What the file holds is unknown: the next write begins a new one with all cursors. */
        cursor_file_close(l);
        lock_take(&l->lock);
        l->written_version = 0;
        l->cursors_version++;
        lock_give(&l->lock);
        l->cursor_file.unsynced = false;
        return log_failed(l, "syncing cursors", result);
    }
    note_synced(l);
    return 0;
}

/* Calls <visit> for each good record of a file. */
typedef void record_visit(struct log *l, const struct frame_header *h, struct str name);

static int scan_records(struct log *l, struct window *w, uint16_t type, record_visit *visit)
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
            visit(l, &hit.header, str_make((const char *)name, hit.header.length));
        }
    }
    return 0;
}

static bool load_opened(struct log *l, int fd, const char *file, uint16_t type, record_visit *visit,
                        struct err *e)
{
    char bytes[FILE_DATA_START];
    struct file_header header;
    size_t len = 0;
    int64_t size = 0;
    int result = l->fs->ops->pread(l->fs, fd, bytes, sizeof(bytes), 0, &len);

    result = result == 0 ? l->fs->ops->size(l->fs, fd, &size) : result;
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot read %s/%s", l->path, file);
    }
    enum file_header_result found = file_header_decode(str_make(bytes, len), &header);
    if (found == FILE_HEADER_UNKNOWN) {
        return err_set(e, ERR_CONFLICT,
                       "%s/%s is of format version %u, and this program knows version %d; "
                       "use the program that wrote it",
                       l->path, file, header.version, LOG_FORMAT_VERSION);
    }
    if (found == FILE_HEADER_BAD) {
        trace_warn(&l->trace, "a file has lost its header", T_TEXT("log", l->name),
                   T_TEXT("file", file));
        return true;
    }
    struct window *w = window_new(l->fs, fd, header.salt, size);
    result = scan_records(l, w, type, visit);
    window_free(w);
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s/%s", l->path, file);
}

static bool load_file(struct log *l, const char *file, uint16_t type, record_visit *visit,
                      struct err *e)
{
    char path[PATH_MAX];
    int fd = -1;

    log_path(l, file, path);
    int result = l->fs->ops->open(l->fs, path, FS_READ, &fd);
    if (result == -ENOENT) {
        return true;
    }
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", path);
    }
    bool ok = load_opened(l, fd, file, type, visit, e);
    (void)l->fs->ops->close(l->fs, fd);
    return ok;
}

static void name_consumer(struct log *l, const struct frame_header *h, struct str name)
{
    struct consumer *c = &l->consumers[__builtin_ctzll(h->mask)];

    if (c->name == NULL) {
        c->name = mem_dup_text(name.ptr, name.len);
        c->retired = (h->flags & LOG_FLAG_RETIRED) != 0;
    }
}

static void raise_cursor(struct log *l, const struct frame_header *h, struct str name)
{
    struct consumer *c = &l->consumers[__builtin_ctzll(h->mask)];

    name_consumer(l, h, name);
    if (str_eq(str_of(c->name), name) && h->seq > c->cursor) {
        c->cursor = h->seq;
    }
}

bool cursors_load(struct log *l, struct log_report *report, struct err *e)
{
    if (!load_file(l, consumers_file, LOG_TYPE_CONSUMER, name_consumer, e) ||
        !load_file(l, cursors_file, LOG_TYPE_CURSOR, raise_cursor, e)) {
        return false;
    }
    uint64_t held = held_mask(l);
    uint64_t unknown = held & ~named_mask(l);
    if (unknown != 0) {
        return err_set(
            e, ERR_CONFLICT,
            "%s holds records for %d consumers whose names are lost with the files 'consumers' and "
            "'cursors': bring one of them back, or move the folder away to begin anew",
            l->path, __builtin_popcountll(unknown));
    }
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        bool owed = (held >> bit & 1) && c->name != NULL && !c->retired;
        report->cursors_lost += owed && c->cursor == 0;
        l->next_seq = c->cursor >= l->next_seq ? c->cursor + 1 : l->next_seq;
    }
    return true;
}

/* The bit of <name>; LOG_CONSUMERS_MAX when nobody is called so. */
static unsigned find_consumer(const struct log *l, struct str name)
{
    unsigned bit = 0;

    while (bit < LOG_CONSUMERS_MAX &&
           (l->consumers[bit].name == NULL || !str_eq(str_of(l->consumers[bit].name), name))) {
        bit++;
    }
    return bit;
}

/* A bit that nobody has or that nobody misses; LOG_CONSUMERS_MAX when all are taken. */
static unsigned free_bit(const struct log *l)
{
    uint64_t held = held_mask(l);
    unsigned best = LOG_CONSUMERS_MAX;

    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        if (held >> bit & 1) {
            continue;
        }
        if (c->name == NULL) {
            return bit;
        }
        best = c->retired && best == LOG_CONSUMERS_MAX ? bit : best;
    }
    return best;
}

/* Waits until the consumers are saved as they are now. */
static bool await_saved(struct log *l, struct err *e) REQUIRES(&l->lock)
{
    uint64_t version = l->consumers_version;
    uint64_t failures = l->failures;

    cond_signal(&l->work);
    while (l->saved_version < version && l->failures == failures) {
        (void)cond_wait_until(&l->done, &l->lock, DEADLINE_NEVER);
    }
    return l->saved_version >= version || err_set(e, ERR_IO, "the %s log %s", l->name, l->reason);
}

/* Gives <bit> to <name>, anew or again. Its cursor is at the end: no frame held is for it. */
static void take_bit(struct log *l, unsigned bit, struct str name)
{
    struct consumer *c = &l->consumers[bit];

    if (c->name == NULL || !str_eq(str_of(c->name), name)) {
        mem_free(c->name);
        *c = (struct consumer){.name = mem_dup_text(name.ptr, name.len)};
    }
    c->retired = false;
    if (l->next_seq - 1 > c->cursor) {
        c->cursor = l->next_seq - 1;
        l->cursors_version++;
    }
}

bool log_consumer_add(struct log *l, struct str name, unsigned *ret_bit, struct err *e)
{
    if (name.len == 0 || name.len > LOG_NAME_MAX) {
        return err_set(e, ERR_LIMIT, "a consumer's name has 1 to %d bytes, this one %zu",
                       LOG_NAME_MAX, name.len);
    }
    lock_take(&l->lock);
    unsigned bit = find_consumer(l, name);
    bool ok = true;
    if (bit == LOG_CONSUMERS_MAX || l->consumers[bit].retired) {
        bit = bit < LOG_CONSUMERS_MAX ? bit : free_bit(l);
        ok = bit < LOG_CONSUMERS_MAX ||
             err_set(e, ERR_LIMIT,
                     "the %s log serves %d consumers already, '%.*s' would be one too many",
                     l->name, LOG_CONSUMERS_MAX, STR_FMT(name));
        if (ok) {
            take_bit(l, bit, name);
            l->consumers_version++;
        }
    }
    ok = ok && await_saved(l, e);
    lock_give(&l->lock);
    if (ok) {
        *ret_bit = bit;
    }
    return ok;
}

bool log_consumer_retire(struct log *l, unsigned bit, struct err *e)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    bool ok = l->consumers[bit].name == NULL || l->consumers[bit].retired;
    if (!ok) {
        l->consumers[bit].retired = true;
        l->consumers_version++;
        ok = await_saved(l, e);
    }
    lock_give(&l->lock);
    return ok;
}

void log_cursor_set(struct log *l, unsigned bit, uint64_t seq)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    struct consumer *c = &l->consumers[bit];
    INVARIANT(seq < l->next_seq);
    if (seq > c->cursor) {
        c->cursor = seq;
        l->cursors_version++;
        cond_signal(&l->work);
    }
    lock_give(&l->lock);
}

uint64_t log_cursor_get(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    uint64_t seq = l->consumers[bit].cursor;
    lock_give(&l->lock);
    return seq;
}

bool log_cursor_sync(struct log *l, struct wait w, struct err *e)
{
    struct waiter waiter;

    waiter_begin(&waiter, w, &l->lock, &l->done);
    lock_take(&l->lock);
    uint64_t version = l->cursors_version;
    bool waiting = true;
    while (l->synced_version < version && waiting) {
        l->sync_cursors = true;
        cond_signal(&l->work);
        waiting = waiter_pause(&waiter);
    }
    bool ok = l->synced_version >= version;
    lock_give(&l->lock);
    waiter_end(&waiter);
    return ok || wait_err(w, e);
}
