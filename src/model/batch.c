/*
 * Invariants
 *   1. A batch has bytes, columns or both, and what it has never changes: has_bytes and has_columns go
 *      from false to true once, under the lock, after what they speak of is in place (release), so a
 *      reader who sees one (acquire) needs no lock.
 *   2. Bytes that did not decode never decode: <broken> keeps the error.
 *   3. The arena grows only before the maker let go of the batch, or under the lock.
 */
#include "model/batch.h"

#include "base/mem.h"
#include "base/thread.h"

#include <stdatomic.h>

struct batch {
    _Atomic uint32_t refs;
    uint32_t rows;
    const struct batch_codec *codec; /* or NULL */
    struct arena arena;
    struct batch_info info;
    struct lock lock;
    atomic_bool has_bytes;
    atomic_bool has_columns;
    _Atomic size_t held_bytes;
    uint32_t column_rows;
    struct buf bytes;
    struct err *broken; /* or NULL */
    struct frame_parts parts;
    struct samples samples;
    struct alerts alerts;
    struct notes notes;
    struct events events;
};

static const char *const kind_names[RECORD_KINDS] = {
    [RECORD_SAMPLE] = "sample", [RECORD_ALERT] = "alert",     [RECORD_EVENT] = "event",
    [RECORD_SPAN] = "span",     [RECORD_PROFILE] = "profile",
};

const char *record_kind_name(enum record_kind kind)
{
    return (size_t)kind < RECORD_KINDS ? kind_names[kind] : "unknown";
}

bool record_kind_has_notes(enum record_kind kind)
{
    return kind == RECORD_PROFILE || kind == RECORD_SPAN;
}

/* Makes every text of <info> live in <a>. */
static void info_own(struct batch_info *info, struct arena *a)
{
    struct str *const texts[] = {
        &info->tenant,      &info->origin,        &info->rule,     &info->group,
        &info->file,        &info->expr,          &info->database, &info->measurement,
        &info->metric_type, &info->generator_url,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = texts[i]->len > 0 ? arena_dup(a, *texts[i]) : STR("");
    }
    if (info->annotation_count > 0) {
        info->annotations = label_pairs_dup(a, info->annotations, info->annotation_count);
    }
}

/* What the batch holds by now; under the lock, or before it is shared. */
static void batch_weigh(struct batch *b)
{
    atomic_store_explicit(&b->held_bytes, sizeof(*b) + b->bytes.cap + arena_bytes(&b->arena),
                          memory_order_relaxed);
}

struct batch *batch_new(const struct batch_codec *codec, const struct batch_info *info)
{
    struct batch *b = mem_new(struct batch);

    atomic_init(&b->refs, 1);
    b->codec = codec;
    b->info = *info;
    buf_init(&b->bytes, BUF_UNLIMITED);
    lock_init(&b->lock);
    arena_init(&b->arena, ARENA_UNLIMITED);
    info_own(&b->info, &b->arena);
    batch_weigh(b);
    return b;
}

struct batch *batch_from_bytes(const struct batch_codec *codec, struct str encoded, bool copy,
                               const struct batch_info *info, uint32_t rows)
{
    struct batch *b = batch_new(codec, info);

    b->rows = rows;
    if (copy) {
        buf_add_str(&b->bytes, encoded);
    } else {
        b->bytes.ptr = (char *)(uintptr_t)encoded.ptr;
        b->bytes.len = encoded.len;
        b->bytes.cap = encoded.len;
    }
    batch_weigh(b);
    atomic_init(&b->has_bytes, true);
    return b;
}

struct arena *batch_arena(struct batch *b)
{
    return &b->arena;
}

/* Columns of <rows> are in place: made by the maker, or decoded, and then batch_decode() goes on. */
static void batch_columns_set(struct batch *b, uint32_t rows)
{
    INVARIANT(rows <= BATCH_ROWS_MAX);
    b->column_rows = rows;
    batch_weigh(b);
    if (!atomic_load_explicit(&b->has_bytes, memory_order_relaxed)) {
        b->rows = rows;
        atomic_store_explicit(&b->has_columns, true, memory_order_release);
    }
}

void batch_set_samples(struct batch *b, struct samples samples)
{
    b->samples = samples;
    batch_columns_set(b, samples.count);
}

void batch_set_alerts(struct batch *b, struct alerts alerts)
{
    b->alerts = alerts;
    batch_columns_set(b, alerts.count);
}

void batch_set_notes(struct batch *b, struct notes notes)
{
    b->notes = notes;
    batch_columns_set(b, notes.count);
}

void batch_set_events(struct batch *b, struct events events)
{
    b->events = events;
    batch_columns_set(b, events.count);
}

void batch_set_parts(struct batch *b, const struct frame_parts *parts, uint32_t rows)
{
    struct frame_part *items = arena_array(&b->arena, struct frame_part, parts->count);

    memcpy(items, parts->items, parts->count * sizeof(*items));
    b->parts = *parts;
    b->parts.items = items;
    b->parts.rows = NULL;
    if (parts->rows != NULL) {
        uint32_t *own = arena_array(&b->arena, uint32_t, rows);
        memcpy(own, parts->rows, rows * sizeof(*own));
        b->parts.rows = own;
    }
    batch_weigh(b);
}

const struct frame_parts *batch_parts(const struct batch *b)
{
    return &b->parts;
}

const struct samples *batch_own_samples(const struct batch *b)
{
    return &b->samples;
}

const struct alerts *batch_own_alerts(const struct batch *b)
{
    return &b->alerts;
}

const struct notes *batch_own_notes(const struct batch *b)
{
    return &b->notes;
}

const struct events *batch_own_events(const struct batch *b)
{
    return &b->events;
}

struct batch *batch_ref(struct batch *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

static void alert_release(const struct alert *a)
{
    labels_unref(a->labels);
    for (size_t i = 0; i < a->export_count; i++) {
        labels_unref(a->exports[i].labels);
    }
}

static void batch_free(struct batch *b)
{
    for (uint32_t i = 0; i < b->samples.series_count; i++) {
        labels_unref(b->samples.series[i]);
    }
    for (uint32_t i = 0; i < b->alerts.count; i++) {
        alert_release(&b->alerts.rows[i]);
    }
    for (uint32_t i = 0; i < b->notes.count; i++) {
        labels_unref(b->notes.rows[i].labels);
    }
    buf_release(&b->bytes);
    mem_free(b->broken);
    arena_release(&b->arena);
    lock_release(&b->lock);
    mem_free(b);
}

void batch_unref(struct batch *b)
{
    if (b == NULL) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel);
    INVARIANT(before != 0);
    if (before == 1) {
        batch_free(b);
    }
}

const struct batch_info *batch_info(const struct batch *b)
{
    return &b->info;
}

const struct batch_codec *batch_codec(const struct batch *b)
{
    return b->codec;
}

bool batch_has_columns(const struct batch *b)
{
    return atomic_load_explicit(&b->has_columns, memory_order_acquire);
}

uint32_t batch_rows(const struct batch *b)
{
    return b->rows;
}

size_t batch_bytes(const struct batch *b)
{
    return atomic_load_explicit(&b->held_bytes, memory_order_relaxed);
}

static bool batch_run_decoder(struct batch *b, struct err *e)
{
    if (b->codec == NULL || b->codec->decode == NULL) {
        return err_set(e, ERR_INTERNAL, "a batch of bytes without a codec to read them");
    }
    if (!b->codec->decode(buf_str(&b->bytes), b, e)) {
        return false;
    }
    if (b->column_rows != b->rows) {
        return err_set(e, ERR_PARSE, "batch said to have %u rows has %u", b->rows, b->column_rows);
    }
    return true;
}

/* The columns from the bytes, under the lock. */
static bool batch_decode(struct batch *b, struct err *e)
{
    if (b->broken == NULL) {
        struct err found = ERR_INIT;
        if (batch_run_decoder(b, &found)) {
            atomic_store_explicit(&b->has_columns, true, memory_order_release);
            return true;
        }
        b->broken = mem_dup(&found, sizeof(found));
    }
    *e = *b->broken;
    return false;
}

/* <fits>: its rows are of the kind asked for, which is called <rows>. */
static bool batch_need_columns(struct batch *b, bool fits, const char *rows, struct err *e)
{
    if (!fits) {
        return err_set(e, ERR_INTERNAL, "a batch of kind %s has no rows that are %s",
                       record_kind_name(b->info.kind), rows);
    }
    if (atomic_load_explicit(&b->has_columns, memory_order_acquire)) {
        return true;
    }
    lock_take(&b->lock);
    bool ok = atomic_load(&b->has_columns) || batch_decode(b, e);
    lock_give(&b->lock);
    return ok;
}

bool batch_samples(struct batch *b, const struct samples **ret_samples, struct err *e)
{
    if (!batch_need_columns(b, b->info.kind == RECORD_SAMPLE, "samples", e)) {
        return false;
    }
    *ret_samples = &b->samples;
    return true;
}

bool batch_alerts(struct batch *b, const struct alerts **ret_alerts, struct err *e)
{
    if (!batch_need_columns(b, b->info.kind == RECORD_ALERT, "alerts", e)) {
        return false;
    }
    *ret_alerts = &b->alerts;
    return true;
}

bool batch_notes(struct batch *b, const struct notes **ret_notes, struct err *e)
{
    if (!batch_need_columns(b, record_kind_has_notes(b->info.kind), "profiles or spans", e)) {
        return false;
    }
    *ret_notes = &b->notes;
    return true;
}

bool batch_events(struct batch *b, const struct events **ret_events, struct err *e)
{
    if (!batch_need_columns(b, b->info.kind == RECORD_EVENT, "events", e)) {
        return false;
    }
    *ret_events = &b->events;
    return true;
}

/* The bytes from the columns, under the lock. */
static bool batch_encode(struct batch *b, struct err *e)
{
    if (b->codec == NULL || b->codec->encode == NULL) {
        return err_set(e, ERR_INTERNAL, "a batch of columns without a codec to write them");
    }
    buf_clear(&b->bytes);
    if (!b->codec->encode(b, &b->bytes, e)) {
        return false;
    }
    if (!buf_ok(&b->bytes)) {
        return err_set(e, ERR_LIMIT, "a batch of %u rows is too large to encode", b->rows);
    }
    batch_weigh(b);
    atomic_store_explicit(&b->has_bytes, true, memory_order_release);
    return true;
}

bool batch_encoded(struct batch *b, struct str *ret_bytes, struct err *e)
{
    if (!atomic_load_explicit(&b->has_bytes, memory_order_acquire)) {
        lock_take(&b->lock);
        bool ok = atomic_load(&b->has_bytes) || batch_encode(b, e);
        lock_give(&b->lock);
        if (!ok) {
            return false;
        }
    }
    *ret_bytes = buf_str(&b->bytes);
    return true;
}

struct view view_all(struct batch *b)
{
    return (struct view){.batch = b, .n = batch_rows(b)};
}

struct view view_slice(struct view v, uint32_t from, uint32_t n)
{
    from = from < v.n ? from : v.n;
    n = n < v.n - from ? n : v.n - from;
    if (v.rows != NULL) {
        v.rows += from;
    } else {
        v.first += from;
    }
    v.n = n;
    return v;
}
