/*
 * Invariants
 *   1. Every frame carries the bit of a consumer whose cursor only the quota moves, or an operator:
 *      nothing else is removed.
 *   2. What the quota has the cursor pass is counted before it does.
 *   3. A letter is kept when the cursor is before it and no mark names it. <kept> knows them.
 */
#include "export/dead_letters.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/varint.h"
#include "export/drops.h"
#include "export/exporter_options.h"
#include "export/kept_letters.h"
#include "export/pick.h"
#include "log/log.h"
#include "log/log_inspect.h"
#include "wire/frame.h"

enum {
    LETTER_BATCH = 1,
    LETTER_RAW = 2,
    LETTER_MARK = 3,  /* another one is gone */
    LETTER_NOTED = 4, /* raw, with where it is from */
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
    struct lock shedding; /* one moves the cursor at a time; taken before <lock> */
    struct lock lock;
    struct log *log GUARDED_BY(lock);     /* NULL until the first letter */
    int64_t found_bytes GUARDED_BY(lock); /* on disk before that; -1: not looked for */
    bool is_counted GUARDED_BY(lock);     /* <kept> is known */
    struct kept_letters kept GUARDED_BY(lock);
    uint64_t passed
        GUARDED_BY(lock); /* where the cursor is, or is about to be; 0: where the log has it */
    unsigned bit;         /* fixed once the log is open */
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
    kept_letters_release(&d->kept);
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

/* ---- the log ---- */

static void count_all(struct dead_letters *d) REQUIRES(&d->lock)
{
    d->is_counted = true;
    kept_letters_read(&d->kept, d->fs, d->folder);
}

struct dead_letters_sum dead_letters_sum(struct dead_letters *d)
{
    lock_take(&d->lock);
    if (!d->is_counted) {
        count_all(d);
    }
    struct dead_letters_sum sum = d->kept.sum;
    lock_give(&d->lock);
    return sum;
}

struct dead_letters_sum dead_letters_sum_of(struct dead_letters *d, struct str stream)
{
    lock_take(&d->lock);
    if (!d->is_counted) {
        count_all(d);
    }
    struct dead_letters_sum sum = kept_letters_sum_of(&d->kept, stream);
    lock_give(&d->lock);
    return sum;
}

struct str dead_letters_folder(const struct dead_letters *d)
{
    return d->folder;
}

/* Opens the log and takes the bit that keeps letters; under the lock. */
static bool open_first(struct dead_letters *d, struct err *e) REQUIRES(&d->lock)
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
    count_all(d); /* a letter that a run before us made while we looked first */
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

/* The cursor is about to pass a frame; gives the records of a letter that was kept until now. */
static uint32_t pass(struct dead_letters *d, const struct log_frame *frame)
{
    lock_take(&d->lock);
    uint32_t records = kept_letters_pass(&d->kept, frame->seq, frame->type, frame->payload);
    d->passed = frame->seq > d->passed ? frame->seq : d->passed;
    lock_give(&d->lock);
    return records;
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
            drops_add(d->drops, reason, pass(d, frame));
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

/* Bytes of letters that left behind older ones, which are still there. */
static int64_t gone_bytes(struct dead_letters *d)
{
    lock_take(&d->lock);
    int64_t bytes = d->kept.gone_bytes;
    lock_give(&d->lock);
    return bytes;
}

/* Where nothing goes by itself, who took letters out has room for others, though the disk has it only when the oldest goes:
 * as much again, and no more. */
static bool has_room(struct dead_letters *d, struct log *log, struct err *e)
{
    int64_t most = d->quota->max_disk_bytes;
    int64_t all = kept_bytes(log, d->bit);
    int64_t gone = gone_bytes(d);

    return all < most || (all - gone < most && all / 2 < most) ||
           err_set(
               e, ERR_FULL,
               "%lld bytes of letters are kept, and %lld of such that left behind them; "
               "dead_letters.max_disk_bytes are %lld and its overflow is block: %s",
               (long long)(all - gone), (long long)gone, (long long)most,
               d->fs == fs_system()
                   ? "replay or discard some, from the oldest on: `telex events replay|discard` "
                     "for a stream's while Telex runs, else `telex queue`"
                   : "they are in memory, where nobody can drop some");
}

/* Makes room for another letter. A sixteenth more than needed goes, so that not each letter asks. */
static bool make_room(struct dead_letters *d, struct log *log, struct err *e)
{
    const struct exporter_dead_letters *q = d->quota;
    bool blocks = q->max_disk_bytes > 0 && q->overflow == DEAD_LETTERS_BLOCK;
    bool is_full = !blocks && q->max_disk_bytes > 0 && kept_bytes(log, d->bit) >= q->max_disk_bytes;

    if (is_full || has_old(d, log)) {
        int64_t spare = q->max_disk_bytes / QUOTA_SEGMENTS;
        lock_take(&d->shedding);
        bool ok = shed(d, log, is_full ? q->max_disk_bytes - spare : INT64_MAX, e);
        lock_give(&d->shedding);
        if (!ok) {
            return false;
        }
    }
    return !blocks || has_room(d, log, e);
}

/* ---- letters ---- */

/* A letter before it is one frame. */
struct letter {
    uint16_t type;
    struct str reason;
    struct str head; /* of the batch; or the note */
    struct str bytes;
};

static bool append_to(struct log *log, unsigned bit, const struct letter *letter, struct wait wait,
                      struct err *e)
{
    char sizes[2 * VARINT_MAX];
    uint64_t seq = 0;
    bool has_note = letter->type == LETTER_NOTED;
    struct str reason = str_slice(letter->reason, 0, REASON_MAX);
    char *middle = varint_put(sizes, reason.len);
    char *end = has_note ? varint_put(middle, letter->head.len) : middle;
    struct iovec parts[] = {{sizes, (size_t)(middle - sizes)},
                            {(void *)(uintptr_t)reason.ptr, reason.len},
                            {middle, (size_t)(end - middle)},
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

/* As the transform of streams names its batches. */
static struct str stream_of(struct str origin, struct str group)
{
    return str_eq(origin, STR("events")) ? group : STR("");
}

static bool note_added(struct dead_letters *d, struct str stream, uint32_t records)
{
    lock_take(&d->lock);
    kept_letters_add(&d->kept, stream, records);
    lock_give(&d->lock);
    return true;
}

bool dead_letters_add(struct dead_letters *d, struct view view, struct str reason, struct wait wait,
                      struct err *e)
{
    struct log *log = open_log(d, e);
    const struct batch_info *info = batch_info(view.batch);

    return (log != NULL && make_room(d, log, e) &&
            dead_letter_append(log, d->bit, view, reason, wait, e) &&
            note_added(d, stream_of(info->origin, info->group), view.n)) ||
           err_wrap(e, "dead letters of %.*s", STR_FMT(d->name));
}

bool dead_letters_add_raw(struct dead_letters *d, struct str bytes, struct str note,
                          struct str reason, struct wait wait, struct err *e)
{
    struct log *log = open_log(d, e);
    const struct letter letter = {note.len > 0 ? LETTER_NOTED : LETTER_RAW, reason, note, bytes};

    return (log != NULL && make_room(d, log, e) && append_to(log, d->bit, &letter, wait, e) &&
            note_added(d, STR(""), 1)) ||
           err_wrap(e, "dead letters of %.*s", STR_FMT(d->name));
}

/* Takes a text with its length off the front of <rest>. */
static bool take_text(struct str *rest, size_t max, struct str *ret)
{
    const char *at = rest->ptr;
    const char *end = rest->ptr + rest->len;
    uint64_t len = 0;

    if (!varint_get(&at, end, &len) || len > max || len > (uint64_t)(end - at)) {
        return false;
    }
    *ret = str_make(at, (size_t)len);
    *rest = str_make(at + len, (size_t)(end - at) - (size_t)len);
    return true;
}

bool dead_letter_parse(uint16_t type, struct str payload, struct dead_letter *ret, struct err *e)
{
    struct dead_letter l = {.bytes = payload,
                            .note = STR(""),
                            .stream = STR(""),
                            .is_batch = type == LETTER_BATCH,
                            .records = 1};
    struct batch_frame head;
    struct err ignored = ERR_INIT;
    bool is_letter = type == LETTER_BATCH || type == LETTER_RAW || type == LETTER_NOTED;

    if (!is_letter || !take_text(&l.bytes, REASON_MAX, &l.reason) ||
        (type == LETTER_NOTED && !take_text(&l.bytes, SIZE_MAX, &l.note))) {
        return err_set(e, ERR_PARSE, "this is no dead letter: expected a reason before the record");
    }
    if (l.is_batch && batch_frame_read(l.bytes, &head, &ignored)) {
        struct str origin;
        struct str group;
        l.records = head.rows;
        batch_frame_maker(&head, &origin, &group);
        l.stream = stream_of(origin, group);
    }
    *ret = l;
    return true;
}

bool dead_letter_parse_mark(uint16_t type, struct str payload, uint64_t *ret_number,
                            uint32_t *ret_records)
{
    const char *at = payload.ptr;
    const char *end = payload.ptr + payload.len;
    uint64_t number = 0;
    uint64_t records = 0;

    if (type != LETTER_MARK || !varint_get(&at, end, &number) || !varint_get(&at, end, &records) ||
        records > UINT32_MAX) {
        return false;
    }
    *ret_number = number;
    *ret_records = (uint32_t)records;
    return true;
}

/* ---- looking, and taking out ---- */

/* The log, where there is one; NULL without an error: no letter was ever kept. */
static struct log *open_kept(struct dead_letters *d, struct err *e)
{
    lock_take(&d->lock);
    bool is_there = d->log != NULL || log_view_is_log(d->fs, d->folder);
    lock_give(&d->lock);
    return is_there ? open_log(d, e) : NULL;
}

static bool is_kept(struct dead_letters *d, const struct log_frame *frame, struct dead_letter *ret)
{
    struct err ignored = ERR_INIT;

    lock_take(&d->lock);
    bool gone = frame->seq <= d->passed || kept_letters_is_gone(&d->kept, frame->seq);
    lock_give(&d->lock);
    if (gone || !dead_letter_parse(frame->type, frame->payload, ret, &ignored)) {
        return false;
    }
    ret->number = frame->seq;
    ret->time_ns = frame->time_ns;
    return true;
}

bool dead_letters_walk(struct dead_letters *d, uint64_t from,
                       bool (*visit)(void *arg, const struct dead_letter *letter), void *arg,
                       struct err *e)
{
    struct err why = ERR_INIT;
    struct log *log = open_kept(d, &why);
    const struct log_frame *frame = NULL;
    bool goes_on = true;

    if (log == NULL) {
        *e = why;
        return why.code == ERR_NONE;
    }
    uint64_t first = log_cursor_get(log, d->bit) + 1;
    AUTO(log_reader_autofree)
    struct log_reader *reader =
        log_reader_new(log, from > first ? from : first, UINT64_C(1) << d->bit);
    while (goes_on) {
        struct dead_letter letter;
        if (!log_reader_next(reader, (struct wait){0, NULL}, &frame, e)) {
            return false;
        }
        if (frame == NULL) {
            return true;
        }
        goes_on = !is_kept(d, frame, &letter) || visit(arg, &letter);
        log_frame_drop(frame);
    }
    return true;
}

/* Has the cursor pass what is gone at the front, and <number> when it comes to that. True: it did. */
static bool advance(struct dead_letters *d, struct log *log, uint64_t number)
{
    AUTO(log_reader_autofree)
    struct log_reader *reader =
        log_reader_new(log, log_cursor_get(log, d->bit) + 1, UINT64_C(1) << d->bit);
    const struct log_frame *frame = NULL;
    struct dead_letter letter;
    struct err ignored = ERR_INIT;
    bool passed = false;
    bool goes_on = true;

    while (goes_on && log_reader_next(reader, (struct wait){0, NULL}, &frame, &ignored) &&
           frame != NULL) {
        bool is_it = frame->seq == number;
        goes_on = is_it || !is_kept(d, frame, &letter);
        if (goes_on) {
            (void)pass(d, frame);
            log_cursor_set(log, d->bit, frame->seq);
        }
        passed = passed || is_it;
        log_frame_drop(frame);
    }
    return passed;
}

/* What is to be known of a letter that leaves, without its frame. */
struct leaving {
    struct dead_letter letter;
    struct buf stream;
    int64_t bytes;
};

static bool add_mark(struct dead_letters *d, struct log *log, const struct leaving *leaving,
                     struct wait wait, struct err *e)
{
    const struct dead_letter *letter = &leaving->letter;
    char text[2 * VARINT_MAX];
    uint64_t seq = 0;
    const char *end = varint_put(varint_put(text, letter->number), letter->records);
    struct iovec part = {text, (size_t)(end - text)};
    const struct log_record record = {
        .type = LETTER_MARK, .mask = UINT64_C(1) << d->bit, .parts = &part, .part_count = 1};

    if (!log_append(log, &record, wait, &seq, e)) {
        return false;
    }
    lock_take(&d->lock);
    kept_letters_note_gone(&d->kept, letter, leaving->bytes);
    lock_give(&d->lock);
    return true;
}

static bool take_first(void *arg, const struct dead_letter *letter)
{
    struct leaving *l = arg;

    buf_add_str(&l->stream, letter->stream);
    l->bytes = (int64_t)(letter->reason.len + letter->note.len + letter->bytes.len);
    l->letter = (struct dead_letter){
        .number = letter->number, .records = letter->records, .stream = buf_str(&l->stream)};
    return false;
}

/* Did it leave by itself meanwhile? */
static bool has_left(struct dead_letters *d, uint64_t number)
{
    lock_take(&d->lock);
    bool gone = number <= d->passed || kept_letters_is_gone(&d->kept, number) ||
                (d->log != NULL && number <= log_cursor_get(d->log, d->bit));
    lock_give(&d->lock);
    return gone;
}

static bool take_out(struct dead_letters *d, const struct leaving *leaving, struct wait wait,
                     struct err *e)
{
    struct log *log = open_log(d, e);
    uint64_t number = leaving->letter.number;

    lock_take(&d->shedding);
    bool ok = log != NULL && (has_left(d, number) || advance(d, log, number) ||
                              add_mark(d, log, leaving, wait, e));
    lock_give(&d->shedding);
    return ok;
}

bool dead_letters_remove(struct dead_letters *d, uint64_t number, struct wait wait, struct err *e)
{
    struct leaving found = {.stream = BUF_INIT(BUF_UNLIMITED)};

    if (has_left(d, number)) {
        return true;
    }
    bool ok = dead_letters_walk(d, number, take_first, &found, e);
    if (ok && found.letter.number == number) {
        ok = take_out(d, &found, wait, e);
    } else if (ok && !has_left(d, number)) { /* it may have, while we looked */
        ok = err_set(e, ERR_CONFLICT, "there is no letter %llu", (unsigned long long)number);
    }
    buf_release(&found.stream);
    return ok;
}

bool dead_letters_settle(struct dead_letters *d, struct wait wait, struct err *e)
{
    struct err why = ERR_INIT;
    struct log *log = open_kept(d, &why);

    if (log == NULL) {
        *e = why;
        return why.code == ERR_NONE;
    }
    return log_cursor_sync(log, wait, e);
}
