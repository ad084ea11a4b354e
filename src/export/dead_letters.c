/*
 * Invariants
 *   1. Every frame carries the bit of a consumer whose cursor only the quota moves, or an operator:
 *      nothing else is removed.
 *   2. What the cursor passes is counted before it does.
 */
#include "export/dead_letters.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/varint.h"
#include "export/drops.h"
#include "export/exporter_options.h"
#include "export/pick.h"
#include "log/log.h"
#include "log/log_inspect.h"
#include "wire/frame.h"

enum {
    LETTER_BATCH = 1,
    LETTER_RAW = 2,
    REASON_MAX = 1024,
    QUOTA_SEGMENTS = 16, /* the disk gets room back a segment at a time */
    SEGMENT_MIN = 64 * 1024,
    SEGMENT_MAX = 64 * 1024 * 1024,
};

const char dead_letters_consumer[] = "kept";

struct dead_letters {
    const struct env *env;
    const struct fs *fs;
    struct str folder;
    struct str name;
    const struct exporter_dead_letters *quota;
    struct drops *drops;
    struct lock shedding; /* one makes room at a time; taken before <lock> */
    struct lock lock;
    struct log *log GUARDED_BY(lock);     /* NULL until the first letter */
    int64_t found_bytes GUARDED_BY(lock); /* on disk before that; -1: not looked for */
    unsigned bit;                         /* fixed once the log is open */
};

struct dead_letters *dead_letters_new(const struct env *env, struct str folder, struct str name,
                                      const struct exporter_dead_letters *quota,
                                      struct drops *drops, const struct fs *fs)
{
    struct dead_letters *d = mem_new(struct dead_letters);

    d->fs = fs != NULL ? fs : fs_system();
    d->env = env;
    d->folder = str_make(mem_dup_text(folder.ptr, folder.len), folder.len);
    d->name = str_make(mem_dup_text(name.ptr, name.len), name.len);
    d->found_bytes = -1;
    d->quota = quota;
    d->drops = drops;
    lock_init(&d->shedding);
    lock_init(&d->lock);
    return d;
}

void dead_letters_free(struct dead_letters *d)
{
    if (d == NULL) {
        return;
    }
    log_close(d->log);
    lock_release(&d->shedding);
    lock_release(&d->lock);
    mem_free(d->folder.ptr);
    mem_free(d->name.ptr);
    mem_free(d);
}

static int64_t segment_bytes(int64_t max_disk_bytes)
{
    int64_t share = max_disk_bytes > 0 ? max_disk_bytes / QUOTA_SEGMENTS : SEGMENT_MAX;

    share = share > SEGMENT_MIN ? share : SEGMENT_MIN;
    return share < SEGMENT_MAX ? share : SEGMENT_MAX;
}

/* Opens the log and takes the bit that keeps letters; under the lock. */
static bool open_first(struct dead_letters *d, struct err *e)
{
    struct log_options options = {.name = d->name,
                                  .path = d->folder,
                                  .sync = LOG_SYNC_ALWAYS,
                                  .memory_bytes = 1 << 20,
                                  .segment_bytes = segment_bytes(d->quota->max_disk_bytes),
                                  .min_free_bytes = d->fs != fs_system() ? -1 : 0,
                                  .fs = d->fs,
                                  .env = d->env};
    struct log_report report;
    struct log *log = NULL;

    if (!log_open(&options, &log, &report, e)) {
        return false;
    }
    if (!log_consumer_add(log, str_of(dead_letters_consumer), &d->bit, e)) {
        log_close(log);
        return false;
    }
    d->log = log;
    return true;
}

/* The log, opened on first use. The lock is held over the opening: letters are rare and must not
 * open it twice. */
static struct log *open_log(struct dead_letters *d, struct err *e)
{
    lock_take(&d->lock);
    struct log *log = d->log != NULL || open_first(d, e) ? d->log : NULL;
    lock_give(&d->lock);
    return log;
}

/* What lies in the folder; looked at without opening it, since a reload has it open twice for a moment. */
static int64_t find_bytes(const struct dead_letters *d)
{
    struct log_view *v = NULL;
    struct err e = ERR_INIT;
    int64_t bytes = 0;

    if (log_view_is_log(d->fs, d->folder) && log_view_open(d->fs, d->folder, &v, &e)) {
        bytes = log_view_bytes(v);
        log_view_close(v);
    }
    return bytes;
}

int64_t dead_letters_bytes(struct dead_letters *d)
{
    struct log_status status;

    lock_take(&d->lock);
    if (d->log == NULL && d->found_bytes < 0) {
        d->found_bytes = find_bytes(d);
    }
    int64_t bytes = d->found_bytes;
    if (d->log != NULL) {
        log_status(d->log, &status);
        bytes = status.disk_bytes;
    }
    lock_give(&d->lock);
    return bytes;
}

/* ---- the quota ---- */

static uint64_t rows_of(const struct log_frame *frame)
{
    struct batch_frame head;
    struct str reason;
    struct str bytes;
    bool is_batch = false;
    struct err ignored = ERR_INIT;

    return dead_letter_parse(frame->type, frame->payload, &reason, &bytes, &is_batch, &ignored) &&
                   is_batch && batch_frame_read(bytes, &head, &ignored)
               ? head.rows
               : 1;
}

/* Bytes that are surely kept. */
static int64_t kept_bytes(struct log *log, unsigned bit)
{
    return log_owed_bytes(log, bit) - log_owed_slack_bytes(log, bit);
}

/* Why a letter of that time has to go; DROP_REASONS: it may stay. */
static enum drop_reason must_go(const struct dead_letters *d, struct log *log, int64_t down_to,
                                int64_t time_ns)
{
    const struct exporter_dead_letters *q = d->quota;

    if (q->max_age_ns > 0 && clock_wall_ns(d->env->clock) - time_ns > q->max_age_ns) {
        return DROP_LETTERS_OLD;
    }
    bool is_full = q->max_disk_bytes > 0 && q->overflow == DEAD_LETTERS_DROP_OLDEST &&
                   kept_bytes(log, d->bit) > down_to;
    return is_full ? DROP_LETTERS_FULL : DROP_REASONS;
}

/* Drops the oldest letters until <down_to> bytes are kept, and those that are too old. */
static bool shed(struct dead_letters *d, struct log *log, int64_t down_to, struct err *e)
{
    AUTO(log_reader_autofree)
    struct log_reader *reader =
        log_reader_new(log, log_cursor_get(log, d->bit) + 1, UINT64_C(1) << d->bit);
    const struct log_frame *frame = NULL;
    enum drop_reason reason = DROP_LETTERS_FULL;

    while (reason != DROP_REASONS) {
        if (!log_reader_next(reader, (struct wait){0, NULL}, &frame, e)) {
            return false;
        }
        if (frame == NULL) {
            return true;
        }
        reason = must_go(d, log, down_to, frame->time_ns);
        if (reason != DROP_REASONS) {
            drops_add(d->drops, reason, rows_of(frame));
            log_cursor_set(log, d->bit, frame->seq);
        }
        log_frame_drop(frame);
    }
    return true;
}

/* Is the oldest letter too old? */
static bool has_old(const struct dead_letters *d, struct log *log)
{
    int64_t oldest_ns = log_oldest_ns(log, d->bit);

    return d->quota->max_age_ns > 0 && oldest_ns > 0 &&
           clock_wall_ns(d->env->clock) - oldest_ns > d->quota->max_age_ns;
}

/* Makes room for another letter. A sixteenth more than needed goes, so that not each letter asks. */
static bool make_room(struct dead_letters *d, struct log *log, struct err *e)
{
    const struct exporter_dead_letters *q = d->quota;
    bool is_full = q->max_disk_bytes > 0 && kept_bytes(log, d->bit) >= q->max_disk_bytes;

    if (is_full && q->overflow == DEAD_LETTERS_BLOCK) {
        return err_set(e, ERR_FULL,
                       "%lld bytes of letters are kept, dead_letters.max_disk_bytes are %lld and "
                       "its overflow is block: %s",
                       (long long)kept_bytes(log, d->bit), (long long)q->max_disk_bytes,
                       d->fs == fs_system() ? "replay or drop some with 'telex queue'"
                                            : "they are in memory, where nobody can drop some");
    }
    if (!is_full && !has_old(d, log)) {
        return true;
    }
    int64_t down_to = is_full ? q->max_disk_bytes - q->max_disk_bytes / QUOTA_SEGMENTS : INT64_MAX;
    lock_take(&d->shedding);
    bool ok = shed(d, log, down_to, e);
    lock_give(&d->shedding);
    return ok;
}

/* ---- letters ---- */

/* A letter before it is one frame. */
struct letter {
    uint16_t type;
    struct str reason;
    struct str head;
    struct str bytes;
};

static bool append_to(struct log *log, unsigned bit, const struct letter *letter, struct wait wait,
                      struct err *e)
{
    char size[VARINT_MAX];
    uint64_t seq = 0;
    struct str reason = str_slice(letter->reason, 0, REASON_MAX);
    const char *end = varint_put(size, reason.len);
    struct iovec parts[] = {{size, (size_t)(end - size)},
                            {(void *)(uintptr_t)reason.ptr, reason.len},
                            {(void *)(uintptr_t)letter->head.ptr, letter->head.len},
                            {(void *)(uintptr_t)letter->bytes.ptr, letter->bytes.len}};
    struct log_record record = {.type = letter->type,
                                .mask = UINT64_C(1) << bit,
                                .parts = parts,
                                .part_count = ARRAY_LEN(parts)};

    return log_append(log, &record, wait, &seq, e);
}

bool dead_letter_append(struct log *log, unsigned bit, struct view view, struct str reason,
                        struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);
    struct batch *b = NULL;
    struct str payload;
    struct err why = ERR_INIT;

    if (!batch_pick(view, &b, &why)) {
        b = batch_ref(view.batch); /* rows that do not decode cannot be told apart: all are kept */
    }
    bool ok = batch_to_frame(b, &head, &payload, e) &&
              append_to(log, bit, &(struct letter){LETTER_BATCH, reason, buf_str(&head), payload},
                        wait, e);
    batch_unref(b);
    return ok;
}

bool dead_letters_add(struct dead_letters *d, struct view view, struct str reason, struct wait wait,
                      struct err *e)
{
    struct log *log = open_log(d, e);

    return (log != NULL && make_room(d, log, e) &&
            dead_letter_append(log, d->bit, view, reason, wait, e)) ||
           err_wrap(e, "dead letters of %.*s", STR_FMT(d->name));
}

bool dead_letters_add_raw(struct dead_letters *d, struct str bytes, struct str reason,
                          struct wait wait, struct err *e)
{
    struct log *log = open_log(d, e);
    const struct letter letter = {LETTER_RAW, reason, STR(""), bytes};

    return (log != NULL && make_room(d, log, e) && append_to(log, d->bit, &letter, wait, e)) ||
           err_wrap(e, "dead letters of %.*s", STR_FMT(d->name));
}

bool dead_letter_parse(uint16_t type, struct str payload, struct str *ret_reason,
                       struct str *ret_bytes, bool *ret_is_batch, struct err *e)
{
    const char *at = payload.ptr;
    const char *end = payload.ptr + payload.len;
    uint64_t len = 0;

    if ((type != LETTER_BATCH && type != LETTER_RAW) || !varint_get(&at, end, &len) ||
        len > REASON_MAX || len > (uint64_t)(end - at)) {
        return err_set(e, ERR_PARSE, "this is no dead letter: expected a reason before the record");
    }
    *ret_reason = str_make(at, (size_t)len);
    *ret_bytes = str_make(at + len, (size_t)(end - at) - (size_t)len);
    *ret_is_batch = type == LETTER_BATCH;
    return true;
}
