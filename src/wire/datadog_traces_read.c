#include "wire/datadog_traces_read.h"

#include "base/vec.h"
#include "wire/datadog_traces.h"
#include "wire/msgpack_read.h"

#include <math.h>
#include <stddef.h>

enum { SPAN_BYTES = 80 }; /* of a span at least: its members' names */

const struct datadog_pair *datadog_pair_get(const struct datadog_pairs *pairs, struct str name)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        if (str_eq(pairs->items[i].name, name)) {
            return &pairs->items[i];
        }
    }
    return NULL;
}

/* ---- members ---- */

struct reading {
    struct msgpack_reader in;
    struct arena *arena;
};

static void take_text(struct reading *r, void *value, size_t max)
{
    struct str text = msgpack_take_str(&r->in);

    if (text.len == 0 || text.len > max) {
        msgpack_fail(&r->in, "a text is empty or too long");
    }
    *(struct str *)value = text;
}

/* One up to <max>; 0 is no limit. */
static void take_number(struct reading *r, void *value, size_t max)
{
    uint64_t number = msgpack_take_u64(&r->in);

    if (max > 0 && number > max) {
        msgpack_fail(&r->in, "a number is too large");
    }
    *(uint64_t *)value = number;
}

static void take_pair(struct reading *r, struct datadog_pair *pair, size_t text_max)
{
    take_text(r, &pair->name, DATADOG_META_KEY_MAX);
    if (text_max > 0) {
        take_text(r, &pair->text, text_max);
    } else {
        pair->number = msgpack_take_double(&r->in);
        if (!isfinite(pair->number)) {
            msgpack_fail(&r->in, "a number is not finite");
        }
    }
}

/* Texts up to <text_max> bytes; 0: numbers. */
static void take_pairs(struct reading *r, void *value, size_t text_max)
{
    uint32_t count = msgpack_take_map(&r->in);
    struct datadog_pair *items = arena_array(r->arena, struct datadog_pair, count);
    struct datadog_pairs *pairs = value;

    *pairs = (struct datadog_pairs){items, 0};
    while (pairs->count < count && !r->in.failed) {
        struct datadog_pair *pair = &items[pairs->count];
        take_pair(r, pair, text_max);
        if (datadog_pair_get(pairs, pair->name) != NULL) {
            msgpack_fail(&r->in, "a name stands twice");
        }
        pairs->count++;
    }
}

static const struct member {
    const char *name;
    void (*take)(struct reading *r, void *value, size_t max);
    size_t offset;
    size_t max;
} members[] = {
    {"service", take_text, offsetof(struct datadog_span, service), DATADOG_SERVICE_MAX},
    {"name", take_text, offsetof(struct datadog_span, name), DATADOG_SPAN_NAME_MAX},
    {"resource", take_text, offsetof(struct datadog_span, resource), DATADOG_RESOURCE_MAX},
    {"type", take_text, offsetof(struct datadog_span, type), DATADOG_SPAN_NAME_MAX},
    {"trace_id", take_number, offsetof(struct datadog_span, trace_id), 0},
    {"span_id", take_number, offsetof(struct datadog_span, span_id), 0},
    {"parent_id", take_number, offsetof(struct datadog_span, parent_id), 0},
    {"start", take_number, offsetof(struct datadog_span, start_ns), INT64_MAX},
    {"duration", take_number, offsetof(struct datadog_span, duration_ns), INT64_MAX},
    {"error", take_number, offsetof(struct datadog_span, error), 1},
    {"meta", take_pairs, offsetof(struct datadog_span, meta), DATADOG_META_VALUE_MAX},
    {"metrics", take_pairs, offsetof(struct datadog_span, metrics), 0},
};

static void take_member(struct reading *r, struct datadog_span *span, unsigned *seen)
{
    struct str name = msgpack_take_str(&r->in);

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        if (str_eq(name, str_of(members[i].name)) && (*seen & 1U << i) == 0) {
            *seen |= 1U << i;
            members[i].take(r, (char *)span + members[i].offset, members[i].max);
            return;
        }
    }
    msgpack_fail(&r->in, "a member of a span is not known, or stands twice");
}

static void take_span(struct reading *r, struct datadog_span *span)
{
    unsigned seen = 0;

    *span = (struct datadog_span){0};
    if (msgpack_take_map(&r->in) != ARRAY_LEN(members)) {
        msgpack_fail(&r->in, "a span has other members");
    }
    for (size_t i = 0; i < ARRAY_LEN(members) && !r->in.failed; i++) {
        take_member(r, span, &seen);
    }
}

/* ---- traces ---- */

static struct str upper_half(const struct datadog_span *span)
{
    const struct datadog_pair *upper = datadog_pair_get(&span->meta, STR("_dd.p.tid"));

    return upper != NULL ? upper->text : STR("");
}

static bool are_of_one_trace(const struct datadog_span *a, const struct datadog_span *b)
{
    return a->trace_id == b->trace_id && str_eq(upper_half(a), upper_half(b));
}

/* The spans of a trace from <first> on; gives the number of the next. */
static uint32_t take_trace(struct reading *r, struct datadog_span *spans, uint32_t first,
                           uint32_t max)
{
    uint32_t count = msgpack_take_array(&r->in);
    uint32_t at = first;

    if (count == 0 || count > max - first) {
        msgpack_fail(&r->in, "a trace has no span, or more than there can be");
    }
    for (; at - first < count && !r->in.failed; at++) {
        take_span(r, &spans[at]);
        if (!are_of_one_trace(&spans[first], &spans[at])) {
            msgpack_fail(&r->in, "a span is of another trace");
        }
    }
    return at;
}

bool datadog_traces_read(struct str request, struct arena *a, const struct datadog_span **ret_spans,
                         uint32_t *ret_count, struct err *e)
{
    struct reading r = {.arena = a};
    uint32_t max = (uint32_t)(request.len / SPAN_BYTES);
    struct datadog_span *spans = arena_array(a, struct datadog_span, (size_t)max + 1);
    uint32_t count = 0;

    msgpack_read_init(&r.in, request, e);
    uint32_t traces = msgpack_take_array(&r.in);
    if (traces == 0) {
        msgpack_fail(&r.in, "there is no trace");
    }
    for (uint32_t i = 0; i < traces && !r.in.failed; i++) {
        uint32_t first = count;
        count = take_trace(&r, spans, first, max);
        if (first > 0 && !r.in.failed && are_of_one_trace(&spans[first - 1], &spans[first])) {
            msgpack_fail(&r.in, "a trace stands twice");
        }
    }
    if (!msgpack_read_end(&r.in)) {
        return false;
    }
    *ret_spans = spans;
    *ret_count = count;
    return true;
}
