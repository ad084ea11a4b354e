/*
 * The two small files that say who the consumers are and how far each is.
 *
 * Both are made of the same frames as segments. "consumers" names the bits; it is replaced whole when it changes, which is
 * rare. "cursors" has two slots for each bit, written in turn, so that a torn write costs the newer value at most; its size
 * never changes, so that a full disk cannot keep cursors from moving and segments from going. A record there is {bit,
 * sequence number, name}; the highest number of a bit counts. Since it carries the name too, either file can stand in for
 * names that the other has lost.
 *
 * Invariants
 *   1. slot[bit] is the slot that holds the older of the two records of the bit, the next to be written.
 *   2. After a failed write or sync the file is not written to again: a new one takes its place.
 */
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/rand.h"
#include "log/log_int.h"
#include "log/scan.h"

#include <errno.h>

enum {
    SLOT_BYTES = FRAME_HEADER_BYTES + LOG_NAME_MAX + 1,
    SLOTS = 2 * LOG_CONSUMERS_MAX,
    CURSOR_FILE_BYTES = FILE_DATA_START + SLOTS * SLOT_BYTES,
};

static const char consumers_file[] = "consumers";
static const char cursors_file[] = "cursors";

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

/* A record about a consumer as it was at some moment. */
struct record {
    uint16_t type;
    unsigned bit;
    uint64_t seq;
    bool retired;
    struct str name;
};

static void add_record(struct buf *out, const struct log *l, uint32_t salt, const struct record *r)
{
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame_header header = {
        .length = (uint32_t)r->name.len,
        .type = r->type,
        .flags = r->retired ? LOG_FLAG_RETIRED : 0,
        .seq = r->seq,
        .mask = UINT64_C(1) << r->bit,
        .time_ns = clock_wall_ns(l->env->clock),
        .payload_crc = crc32c(0, r->name.ptr, r->name.len),
    };

    frame_header_encode(&header, salt, bytes);
    buf_add(out, bytes, sizeof(bytes));
    buf_add_str(out, r->name);
    buf_add_repeat(out, '\0',
                   (size_t)(frame_bytes(header.length) - FRAME_HEADER_BYTES) - r->name.len);
}

static int replace(struct log *l, const char *name, const struct buf *bytes)
{
    char path[PATH_MAX];
    struct err e = ERR_INIT;

    log_path(l, name, path);
    if (fs_replace_file(l->fs, str_of(path), buf_str(bytes), &e) ||
        (reserve_spend(l) && fs_replace_file(l->fs, str_of(path), buf_str(bytes), &e))) {
        return 0;
    }
    return log_failed_with(l, &e);
}

int consumers_save(struct log *l)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    uint32_t salt = (uint32_t)rng_u64(l->env->rng);

    add_header(&bytes, l, FILE_CONSUMERS, salt);
    lock_take(&l->lock);
    uint64_t version = l->consumers_version;
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        if (c->name != NULL) {
            add_record(&bytes, l, salt,
                       &(struct record){LOG_TYPE_CONSUMER, bit, 0, c->retired, str_of(c->name)});
        }
    }
    lock_give(&l->lock);
    int result = replace(l, consumers_file, &bytes);
    if (result == 0) {
        l->cursor_file.usable = false; /* nobody's old cursor stays beside a new name */
        lock_take(&l->lock);
        l->cursors_version++;
        l->saved_version = version;
        cond_broadcast(&l->done);
        lock_give(&l->lock);
    }
    return result;
}

/* Cursors as they were at one moment, each encoded as a record; the consumers may change meanwhile. */
struct snapshot {
    uint64_t version;
    uint64_t seqs[LOG_CONSUMERS_MAX];
    struct buf records[LOG_CONSUMERS_MAX]; /* empty: nothing to write */
};

/* What changed since the last write, or all of it. */
static void snapshot_take(struct log *l, struct snapshot *s, uint32_t salt, bool all)
{
    lock_take(&l->lock);
    s->version = l->cursors_version;
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        s->seqs[bit] = c->cursor;
        s->records[bit] = BUF_INIT(SLOT_BYTES);
        if (c->name != NULL && (all || c->cursor > c->written)) {
            add_record(&s->records[bit], l, salt,
                       &(struct record){LOG_TYPE_CURSOR, bit, c->cursor, false, str_of(c->name)});
        }
    }
    lock_give(&l->lock);
}

static void snapshot_release(struct snapshot *s)
{
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        buf_release(&s->records[bit]);
    }
}

static void note_written(struct log *l, const struct snapshot *s)
{
    lock_take(&l->lock);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        l->consumers[bit].written = s->seqs[bit];
    }
    l->written_version = s->version;
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

/* No more of this file. */
static void cursor_file_give_up(struct log *l)
{
    if (l->cursor_file.fd >= 0) {
        (void)l->fs->ops->close(l->fs, l->cursor_file.fd);
    }
    l->cursor_file = (struct cursor_file){.fd = -1};
}

static int cursor_file_open(struct log *l)
{
    char path[PATH_MAX];

    log_path(l, cursors_file, path);
    int result = l->fs->ops->open(l->fs, path, FS_WRITE, &l->cursor_file.fd);
    if (result != 0) {
        l->cursor_file.fd = -1;
        return log_failed(l, "opening the cursors", result);
    }
    return 0;
}

/* The bytes of a file that holds a snapshot. */
static void image(const struct log *l, const struct snapshot *s, uint32_t salt, struct buf *out)
{
    add_header(out, l, FILE_CURSORS, salt);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        size_t end = out->len + (size_t)2 * SLOT_BYTES;
        buf_add_str(out, buf_str(&s->records[bit]));
        buf_add_repeat(out, '\0', end - out->len);
    }
}

/* A new file with the cursors as they are; synced. */
static int cursor_file_begin(struct log *l)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    AUTO(snapshot_release) struct snapshot s;
    uint32_t salt = (uint32_t)rng_u64(l->env->rng);

    cursor_file_give_up(l);
    snapshot_take(l, &s, salt, true);
    image(l, &s, salt, &bytes);
    int result = replace(l, cursors_file, &bytes);
    result = result == 0 ? cursor_file_open(l) : result;
    if (result == 0) {
        l->cursor_file.usable = true;
        l->cursor_file.salt = salt;
        memset(l->cursor_file.slot, 1, sizeof(l->cursor_file.slot));
        note_written(l, &s);
        note_synced(l);
    }
    return result;
}

static int slots_write(struct log *l, const struct snapshot *s)
{
    struct cursor_file *f = &l->cursor_file;
    int result = 0;

    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX && result == 0; bit++) {
        const struct buf *record = &s->records[bit];
        struct iovec part = {.iov_base = record->ptr, .iov_len = record->len};
        int64_t at = FILE_DATA_START + (int64_t)SLOT_BYTES * (2 * bit + f->slot[bit]);
        if (record->len > 0) {
            result = l->fs->ops->pwritev(l->fs, f->fd, &part, 1, at);
            f->slot[bit] ^= 1;
        }
    }
    return result;
}

static bool cursors_changed(struct log *l)
{
    lock_take(&l->lock);
    bool changed = l->written_version < l->cursors_version;
    lock_give(&l->lock);
    return changed;
}

int cursors_write(struct log *l)
{
    AUTO(snapshot_release) struct snapshot s;

    memset(&s, 0, sizeof(s));
    if (!cursors_changed(l)) {
        return 0;
    }
    if (!l->cursor_file.usable) {
        return cursor_file_begin(l);
    }
    int result = l->cursor_file.fd < 0 ? cursor_file_open(l) : 0;
    if (result != 0) {
        return result;
    }
    snapshot_take(l, &s, l->cursor_file.salt, false);
    result = slots_write(l, &s);
    if (result != 0) {
        cursor_file_give_up(l);
        return log_failed(l, "writing cursors", result);
    }
    note_written(l, &s);
    return 0;
}

int cursors_sync(struct log *l)
{
    int result = l->cursor_file.unsynced ? l->fs->ops->sync(l->fs, l->cursor_file.fd) : 0;

    if (result == 0) {
        note_synced(l);
        return 0;
    }
    cursor_file_give_up(l);
    lock_take(&l->lock);
    l->cursors_version++; /* the next write begins a new file with all cursors */
    lock_give(&l->lock);
    return log_failed(l, "syncing cursors", result);
}

/* One of the two files: what is in it and who wants to hear of it. */
struct source {
    const char *file;
    uint16_t type;
    void (*visit)(struct log *l, const struct scan_hit *hit, struct str name);
};

struct loaded {
    bool whole; /* there, with its header */
    uint32_t salt;
    int64_t size;
};

/* Visits each good record. */
static int scan_records(struct log *l, struct window *w, const struct source *source)
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
        if (name != NULL && hit.header.type == source->type &&
            __builtin_popcountll(hit.header.mask) == 1) {
            source->visit(l, &hit, str_make((const char *)name, hit.header.length));
        }
    }
    return 0;
}

/* The disk does not give the file: the other one may do. Always true. */
static bool unreadable(struct log *l, const char *file)
{
    trace_error(&l->trace, "a file cannot be read and is done without", T_TEXT("log", l->name),
                T_TEXT("file", file));
    return true;
}

static bool load_opened(struct log *l, int fd, const struct source *source,
                        struct loaded *ret_loaded, struct err *e)
{
    char bytes[FILE_DATA_START];
    struct file_header header;
    const char *file = source->file;
    size_t len = 0;
    int64_t size = 0;
    int result = l->fs->ops->pread(l->fs, fd, bytes, sizeof(bytes), 0, &len);

    result = result == 0 ? l->fs->ops->size(l->fs, fd, &size) : result;
    if (result == -EIO) {
        return unreadable(l, file);
    }
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
    result = scan_records(l, w, source);
    window_free(w);
    if (result == -EIO) {
        return unreadable(l, file);
    }
    *ret_loaded = (struct loaded){.whole = true, .salt = header.salt, .size = size};
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot read %s/%s", l->path, file);
}

static bool load_file(struct log *l, const struct source *source, struct loaded *ret_loaded,
                      struct err *e)
{
    char path[PATH_MAX];
    int fd = -1;

    log_path(l, source->file, path);
    int result = l->fs->ops->open(l->fs, path, FS_READ, &fd);
    if (result == -ENOENT) {
        return true;
    }
    if (result != 0) {
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", path);
    }
    bool ok = load_opened(l, fd, source, ret_loaded, e);
    (void)l->fs->ops->close(l->fs, fd);
    return ok;
}

static void name_consumer(struct log *l, const struct scan_hit *hit, struct str name)
{
    struct consumer *c = &l->consumers[__builtin_ctzll(hit->header.mask)];

    if (c->name == NULL) {
        c->name = mem_dup_text(name.ptr, name.len);
        c->retired = (hit->header.flags & LOG_FLAG_RETIRED) != 0;
    }
}

static void raise_cursor(struct log *l, const struct scan_hit *hit, struct str name)
{
    unsigned bit = (unsigned)__builtin_ctzll(hit->header.mask);
    struct consumer *c = &l->consumers[bit];
    int64_t slot = (hit->offset - FILE_DATA_START) / SLOT_BYTES - 2 * (int64_t)bit;

    name_consumer(l, hit, name);
    if (str_eq(str_of(c->name), name) && hit->header.seq >= c->cursor) {
        c->found = true;
        c->cursor = hit->header.seq;
        l->cursor_file.slot[bit] = slot == 0;
    }
}

bool cursors_load(struct log *l, struct log_report *report, struct err *e)
{
    static const struct source consumers = {consumers_file, LOG_TYPE_CONSUMER, name_consumer};
    static const struct source cursors = {cursors_file, LOG_TYPE_CURSOR, raise_cursor};
    struct loaded names = {0};
    struct loaded loaded = {0};

    if (!load_file(l, &consumers, &names, e) || !load_file(l, &cursors, &loaded, e)) {
        return false;
    }
    l->cursor_file.usable = loaded.whole && loaded.size == CURSOR_FILE_BYTES;
    l->cursor_file.salt = loaded.salt;
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
        report->cursors_lost += owed && !c->found;
        l->next_seq = c->cursor >= l->next_seq ? c->cursor + 1 : l->next_seq;
    }
    return true;
}
