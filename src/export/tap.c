/*
 * Invariants
 *   1. <open> is the number of taps in use; only under the lock it changes.
 *   2. A tap's lines are whole lines, the oldest with number <first>; <next> is the number of the one
 *      to come.
 */
#include "export/tap.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/outcome_rows.h"
#include "export/redact.h"
#include "wire/json.h"
#include "wire/record_json.h"

#include <stdatomic.h>
#include <string.h>

struct tap {
    struct str exporter; /* owned; NULL: free */
    struct buf lines;
    uint64_t first;
    uint64_t next;
    int64_t asked_ns; /* monotonic */
};

struct taps {
    const struct env *env;
    _Atomic unsigned open;
    struct lock lock;
    struct tap taps[TAPS_MAX] GUARDED_BY(lock);
};

struct taps *taps_new(const struct env *env)
{
    struct taps *t = mem_new(struct taps);

    t->env = env;
    lock_init(&t->lock);
    return t;
}

static void close_tap(struct taps *t, struct tap *tap)
{
    mem_free(tap->exporter.ptr);
    buf_release(&tap->lines);
    *tap = (struct tap){0};
    atomic_fetch_sub(&t->open, 1);
}

void taps_free(struct taps *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < TAPS_MAX; i++) {
        if (t->taps[i].exporter.ptr != NULL) {
            close_tap(t, &t->taps[i]);
        }
    }
    lock_release(&t->lock);
    mem_free(t);
}

static bool is_forgotten(const struct taps *t, const struct tap *tap)
{
    return clock_mono_ns(t->env->clock) - tap->asked_ns > TAP_IDLE_MS * NS_PER_MS;
}

static struct tap *find(struct taps *t, struct str exporter) REQUIRES(&t->lock)
{
    for (size_t i = 0; i < TAPS_MAX; i++) {
        if (t->taps[i].exporter.ptr != NULL && str_eq(t->taps[i].exporter, exporter)) {
            return &t->taps[i];
        }
    }
    return NULL;
}

/* ---- lines ---- */

/* As webhooks get them; of an alert with an answer of its own the first. */
static void print_records(struct json_writer *w, struct view view)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(record_objects_release) struct record_objects objects = {0};
    struct err ignored = ERR_INIT;
    uint32_t n = view.n < TAP_RECORDS ? view.n : TAP_RECORDS;

    json_begin_array(w);
    bool readable = record_objects_init(&objects, view, &ignored);
    for (uint32_t i = 0; readable && i < n; i++) {
        if (record_objects_count(&objects, i) > 0) {
            buf_clear(&text);
            record_objects_add(&objects, i, 0, &text);
            json_add_raw(w, buf_str(&text));
        }
    }
    json_end_array(w);
}

void tap_add_records(struct view view, struct buf *out)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    print_records(&w, view);
    redact_json(buf_str(&text), out);
}

static void add_records(struct json_writer *w, struct view view)
{
    AUTO(buf_release) struct buf text = BUF_INIT(TAP_BYTES);

    tap_add_records(view, &text);
    json_key(w, STR("records"));
    json_add_raw(w, buf_ok(&text) ? buf_str(&text) : STR("null"));
}

static void add_number(struct json_writer *w, const char *name, uint64_t value)
{
    json_key(w, str_of(name));
    json_add_u64(w, value);
}

static void add_fates(struct json_writer *w, const struct outcome *out, uint32_t n)
{
    uint64_t counts[VERDICTS] = {0};
    struct fate *fates = outcome_fates(out, n);

    for (uint32_t i = 0; i < n; i++) {
        counts[fates[i].verdict]++;
    }
    mem_free(fates);
    for (size_t i = 0; i < VERDICTS; i++) {
        if (counts[i] > 0) {
            add_number(w, verdict_name((enum verdict)i), counts[i]);
        }
    }
}

static void print_line(struct taps *t, struct view view, const struct outcome *out, int64_t took_ns,
                       struct buf *line)
{
    struct json_writer w;

    json_write_init(&w, line);
    json_begin_object(&w);
    json_key(&w, STR("at"));
    json_add_time(&w, clock_wall_ns(t->env->clock));
    add_number(&w, "count", view.n);
    add_fates(&w, out, view.n);
    add_number(&w, "requests", out->requests);
    add_number(&w, "bytes", out->bytes);
    add_number(&w, "status", (uint64_t)(out->status > 0 ? out->status : 0));
    json_key(&w, STR("duration_ms"));
    json_add_double(&w, (double)took_ns / (double)NS_PER_MS);
    if (out->err.message[0] != '\0') {
        json_key(&w, STR("error"));
        json_add_text(&w, out->err.message);
    }
    add_records(&w, view);
    json_end_object(&w);
    buf_add_byte(line, '\n');
}

/* The oldest lines go until <bytes> more fit. */
static void make_room(struct tap *tap, size_t bytes)
{
    while (tap->lines.len > 0 && tap->lines.len + bytes > TAP_BYTES) {
        struct str all = buf_str(&tap->lines);
        size_t end = str_find_byte(all, '\n') + 1;
        memmove(tap->lines.ptr, tap->lines.ptr + end, tap->lines.len - end);
        tap->lines.len -= end;
        tap->first++;
    }
}

/* ---- in and out ---- */

bool taps_is_open(struct taps *t, struct str exporter)
{
    if (t == NULL || atomic_load_explicit(&t->open, memory_order_relaxed) == 0) {
        return false;
    }
    lock_take(&t->lock);
    struct tap *tap = find(t, exporter);
    if (tap != NULL && is_forgotten(t, tap)) {
        close_tap(t, tap);
        tap = NULL;
    }
    lock_give(&t->lock);
    return tap != NULL;
}

void taps_tell(struct taps *t, struct str exporter, struct view view, const struct outcome *out,
               int64_t took_ns)
{
    AUTO(buf_release) struct buf line = BUF_INIT(TAP_BYTES);

    print_line(t, view, out, took_ns, &line);
    if (!buf_ok(&line)) {
        buf_clear(&line);
        buf_addf(&line, "{\"count\":%u,\"error\":\"too large to be shown\"}\n", view.n);
    }
    lock_take(&t->lock);
    struct tap *tap = find(t, exporter);
    if (tap != NULL) {
        make_room(tap, line.len);
        buf_add_str(&tap->lines, buf_str(&line));
        tap->next++;
    }
    lock_give(&t->lock);
}

static struct tap *open_tap(struct taps *t, struct str exporter) REQUIRES(&t->lock)
{
    for (size_t i = 0; i < TAPS_MAX; i++) {
        struct tap *tap = &t->taps[i];
        if (tap->exporter.ptr != NULL && is_forgotten(t, tap)) {
            close_tap(t, tap);
        }
        if (tap->exporter.ptr == NULL) {
            *tap = (struct tap){
                .exporter = str_make(mem_dup_text(exporter.ptr, exporter.len), exporter.len),
                .first = 1,
                .next = 1};
            buf_init(&tap->lines, BUF_UNLIMITED);
            atomic_fetch_add(&t->open, 1);
            return tap;
        }
    }
    return NULL;
}

/* The lines from number <from> on. */
static struct str lines_from(const struct tap *tap, uint64_t from)
{
    struct str rest = buf_str(&tap->lines);

    for (uint64_t i = tap->first; i < from; i++) {
        rest = str_slice(rest, str_find_byte(rest, '\n') + 1, rest.len);
    }
    return rest;
}

bool taps_read(struct taps *t, struct str exporter, uint64_t after, struct buf *out,
               uint64_t *ret_next, uint64_t *ret_missed, struct err *e)
{
    lock_take(&t->lock);
    struct tap *tap = find(t, exporter);
    tap = tap != NULL ? tap : open_tap(t, exporter);
    if (tap != NULL) {
        uint64_t from = after + 1 > tap->next ? tap->next : after + 1;
        *ret_missed = after > 0 && from < tap->first ? tap->first - from : 0;
        buf_add_str(out, lines_from(tap, from > tap->first ? from : tap->first));
        *ret_next = tap->next - 1;
        tap->asked_ns = clock_mono_ns(t->env->clock);
    }
    lock_give(&t->lock);
    return tap != NULL || err_set(e, ERR_LIMIT, "%d exporters are looked at already", TAPS_MAX);
}
