/* Spans are written one by one and then put together by their traces. */
#include "wire/datadog_traces.h"

#include "base/mem.h"
#include "wire/msgpack.h"
#include "wire/note_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_MEMBERS = 12 };

/* One span, written. */
struct piece {
    const uint8_t *trace_id;
    size_t at;
    size_t len;
    uint32_t order;
};

/* At most <max> bytes, without a part of a character at the end. */
static struct str cut(struct str text, size_t max)
{
    if (text.len <= max) {
        return text;
    }
    while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80) {
        max--;
    }
    return str_make(text.ptr, max);
}

/* A text of at most <max> bytes, mended where it is no UTF-8: an agent may refuse the whole request for it. */
static void add_str(struct buf *out, struct str text, size_t max)
{
    AUTO(buf_release) struct buf mended = BUF_INIT(BUF_UNLIMITED);

    if (!str_is_utf8(text)) {
        buf_add_utf8(&mended, text);
        text = buf_str(&mended);
    }
    msgpack_add_str(out, cut(text, max));
}

static uint64_t id_number(const uint8_t *bytes)
{
    uint64_t id = 0;

    for (size_t i = 0; i < 8; i++) {
        id = id << 8 | bytes[i];
    }
    return id;
}

/* ---- meta and metrics ---- */

static const char *const kinds[SPAN_KIND_COUNT] = {NULL,     "internal", "server",
                                                   "client", "producer", "consumer"};

static bool is_service(struct str name)
{
    return str_eq(name, STR("service.name")) || str_eq(name, STR("service"));
}

static struct str service_of(const struct datadog_spans *w, const struct note *n)
{
    struct str service = labels_get(n->labels, STR("service.name"));

    service = service.len > 0 ? service : labels_get(n->labels, STR("service"));
    service = service.len > 0 ? service : w->service;
    return service.len > 0 ? service : STR("telex");
}

/* A map whose size is known when it is written. */
struct pairs {
    struct buf bytes;
    uint32_t count;
};

static void add_meta(struct pairs *p, struct str key, struct str value)
{
    if (key.len > 0 && value.len > 0) {
        add_str(&p->bytes, key, DATADOG_META_KEY_MAX);
        add_str(&p->bytes, value, DATADOG_META_VALUE_MAX);
        p->count++;
    }
}

static void add_metric(struct pairs *p, struct str key, double value)
{
    add_str(&p->bytes, key, DATADOG_META_KEY_MAX);
    msgpack_add_double(&p->bytes, value);
    p->count++;
}

static void add_fields(const struct note *n, struct pairs *meta, struct pairs *metrics)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < n->field_count; i++) {
        const struct note_field *f = &n->fields[i];
        double number = 0;
        bool is_number = f->type != NOTE_FLAG && note_field_number(f, &number) && isfinite(number);
        if (is_number) {
            add_metric(metrics, f->name, number);
        } else {
            buf_clear(&text);
            note_field_print(f, &text);
            add_meta(meta, f->name, buf_str(&text));
        }
    }
}

static bool has(const struct note *n, struct str name)
{
    return labels_get(n->labels, name).len > 0 || note_get(n, name) != NULL;
}

static void add_default(const struct note *n, struct str name, struct str value, struct pairs *meta)
{
    if (!has(n, name)) {
        add_meta(meta, name, value);
    }
}

static void add_meta_of(const struct datadog_spans *w, const struct note *n, struct pairs *meta)
{
    AUTO(buf_release) struct buf upper = BUF_INIT(64);
    struct label label;

    for (uint32_t at = 0; labels_next(n->labels, &at, &label);) {
        if (!is_service(label.name) && note_get(n, label.name) == NULL) {
            add_meta(meta, label.name, label.value);
        }
    }
    add_default(n, STR("env"), w->env, meta);
    add_default(n, STR("version"), w->version, meta);
    add_default(n, STR("span.kind"), str_of(kinds[n->span->kind]), meta);
    add_default(n, STR("error.message"), n->span->status_message, meta);
    if (id_number(n->span->trace_id) != 0) {
        span_id_print(n->span->trace_id, 8, &upper);
        add_default(n, STR("_dd.p.tid"), buf_str(&upper), meta);
    }
}

/* ---- spans ---- */

static void add_text(struct buf *out, const char *key, struct str value, size_t max)
{
    msgpack_add_str(out, str_of(key));
    add_str(out, value, max);
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
    msgpack_add_str(out, str_of(key));
    msgpack_add_u64(out, value);
}

static void add_pairs(struct buf *out, const char *key, const struct pairs *p)
{
    msgpack_add_str(out, str_of(key));
    msgpack_add_map(out, p->count);
    buf_add_str(out, buf_str(&p->bytes));
}

static void add_span(const struct datadog_spans *w, const struct note *n, struct buf *out)
{
    struct pairs meta = {.bytes = BUF_INIT(BUF_UNLIMITED)};
    struct pairs metrics = {.bytes = BUF_INIT(BUF_UNLIMITED)};
    const struct span_part *s = n->span;
    struct str name = n->name.len > 0 ? n->name : STR("unnamed");

    add_meta_of(w, n, &meta);
    add_fields(n, &meta, &metrics);
    if (span_id_is_none(s->parent_id, SPAN_ID_BYTES) && !has(n, STR("_sampling_priority_v1"))) {
        add_metric(&metrics, STR("_sampling_priority_v1"), 1); /* what came here is to be kept */
    }
    msgpack_add_map(out, SPAN_MEMBERS);
    add_text(out, "service", service_of(w, n), DATADOG_SERVICE_MAX);
    add_text(out, "name", name, DATADOG_SPAN_NAME_MAX);
    add_text(out, "resource", name, DATADOG_RESOURCE_MAX);
    add_text(out, "type", STR("custom"), DATADOG_SPAN_NAME_MAX);
    add_number(out, "trace_id", id_number(s->trace_id + 8));
    add_number(out, "span_id", id_number(s->span_id));
    add_number(out, "parent_id", id_number(s->parent_id));
    add_number(out, "start", n->time_ns > 0 ? (uint64_t)n->time_ns : 0);
    add_number(out, "duration", (uint64_t)note_duration_ns(n));
    add_number(out, "error", s->status == SPAN_STATUS_ERROR);
    add_pairs(out, "meta", &meta);
    add_pairs(out, "metrics", &metrics);
    buf_release(&meta.bytes);
    buf_release(&metrics.bytes);
}

/* ---- requests ---- */

static int by_trace(const void *a, const void *b)
{
    const struct piece *x = a;
    const struct piece *y = b;
    int order = memcmp(x->trace_id, y->trace_id, TRACE_ID_BYTES);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static bool is_same_trace(const struct piece *a, const struct piece *b)
{
    return memcmp(a->trace_id, b->trace_id, TRACE_ID_BYTES) == 0;
}

static uint32_t trace_end(const struct piece *pieces, uint32_t at, uint32_t n)
{
    uint32_t end = at + 1;

    while (end < n && is_same_trace(&pieces[at], &pieces[end])) {
        end++;
    }
    return end;
}

static uint32_t count_traces(const struct piece *pieces, uint32_t n)
{
    uint32_t traces = 0;

    for (uint32_t at = 0; at < n; at = trace_end(pieces, at, n)) {
        traces++;
    }
    return traces;
}

static void put_together(const struct piece *pieces, uint32_t n, struct str spans, uint32_t traces,
                         struct buf *out)
{
    msgpack_add_array(out, traces);
    for (uint32_t at = 0; at < n;) {
        uint32_t end = trace_end(pieces, at, n);
        msgpack_add_array(out, end - at);
        for (; at < end; at++) {
            buf_add_str(out, str_slice(spans, pieces[at].at, pieces[at].len));
        }
    }
}

uint32_t datadog_encode_traces(const struct datadog_spans *w, const struct notes *notes,
                               struct view v, uint32_t from, uint32_t rows_max, struct buf *out,
                               uint32_t *ret_traces)
{
    uint32_t most = v.n - from < rows_max ? v.n - from : rows_max;
    AUTO(mem_autofree) struct piece *pieces = mem_alloc0((size_t)most + 1, sizeof(*pieces));
    AUTO(buf_release) struct buf spans = BUF_INIT(BUF_UNLIMITED);
    uint32_t n = 0;

    while (n < most) {
        const struct note *note = &notes->rows[view_row(v, from + n)];
        size_t at = spans.len;
        add_span(w, note, &spans);
        if (n > 0 && spans.len > DATADOG_TRACES_MAX) {
            break;
        }
        pieces[n] = (struct piece){note->span->trace_id, at, spans.len - at, n};
        n++;
    }
    qsort(pieces, n, sizeof(*pieces), by_trace);
    *ret_traces = count_traces(pieces, n);
    put_together(pieces, n, buf_str(&spans), *ret_traces, out);
    return n;
}
