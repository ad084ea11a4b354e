/*
 * Invariants
 *   1. points are in order of their step, and of one step in the order of their series; starts[i] is where
 *      those of step i begin, and starts[steps] their number.
 *   2. steps is 0 when nothing is there.
 */
#include "datasource/slices.h"

#include "base/mem.h"
#include "base/vec.h"

#include <inttypes.h>

struct point {
    uint32_t step;
    uint32_t series;
    double value;
};

struct slices {
    struct datasource super;
    struct datasource *behind;
    struct arena arena; /* of the texts */
    struct str expr;
    int64_t start_ns;
    int64_t step_ns;
    uint32_t steps;
    bool is_partial;
    VEC(struct str) raws;
    VEC(struct point) found; /* in the order of the answer; empty once it is sorted */
    const char *last_raw;    /* of the answer: rows of one series have the very same */
    struct point *points;
    uint32_t *starts;
};

static void forget(struct slices *s)
{
    s->steps = 0;
    s->last_raw = NULL;
    mem_free(TAKE(s->points));
    mem_free(TAKE(s->starts));
    vec_clear(&s->raws);
    vec_clear(&s->found);
    arena_reset(&s->arena);
}

/* ---- filling ---- */

static bool keep_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct slices *s = arg;
    int64_t step = (time_ns - s->start_ns) / s->step_ns;

    if (time_ns < s->start_ns || step >= s->steps || s->start_ns + step * s->step_ns != time_ns) {
        return err_set(e, ERR_PARSE,
                       "the datasource answered for a time that was not asked for, %" PRId64 " ns",
                       time_ns);
    }
    if (s->found.len >= SLICE_POINTS_MAX) {
        return err_set(e, ERR_LIMIT, "the datasource answered with more than %d points",
                       SLICE_POINTS_MAX);
    }
    if (raw.ptr != s->last_raw) {
        s->last_raw = raw.ptr;
        vec_push(&s->raws, arena_dup(&s->arena, raw));
    }
    struct point point = {(uint32_t)step, (uint32_t)s->raws.len - 1, value};
    vec_push(&s->found, point);
    return true;
}

/* Counting sort, which keeps the series of a step in order. */
static void sort_points(struct slices *s)
{
    size_t n = s->found.len;

    s->points = mem_alloc0(n + 1, sizeof(*s->points));
    s->starts = mem_alloc0((size_t)s->steps + 2, sizeof(*s->starts));
    for (size_t i = 0; i < n; i++) {
        s->starts[s->found.items[i].step + 2]++;
    }
    for (uint32_t i = 1; i <= s->steps + 1; i++) {
        s->starts[i] += s->starts[i - 1];
    }
    for (size_t i = 0; i < n; i++) {
        s->points[s->starts[s->found.items[i].step + 1]++] = s->found.items[i];
    }
    vec_release(&s->found);
}

bool slices_fetch(struct datasource *slices, const struct query *q, struct err *e)
{
    struct slices *s = container_of(slices, struct slices, super);
    const struct answer_sink sink = {keep_row, s};
    struct answer_info info = {0};

    forget(s);
    s->expr = arena_dup(&s->arena, q->expr);
    s->start_ns = q->time_ns;
    s->step_ns = q->step_ns;
    s->steps = (uint32_t)((q->end_ns - q->time_ns) / q->step_ns + 1);
    if (!datasource_query(s->behind, q, &sink, &info, e)) {
        forget(s);
        return false;
    }
    s->is_partial = info.is_partial;
    sort_points(s);
    return true;
}

/* ---- answering ---- */

static bool has(const struct slices *s, const struct query *q, uint32_t *ret_step)
{
    if (s->steps == 0 || q->step_ns != 0 || q->time_ns < s->start_ns || !str_eq(q->expr, s->expr)) {
        return false;
    }
    int64_t step = (q->time_ns - s->start_ns) / s->step_ns;
    *ret_step = (uint32_t)step;
    return step < s->steps && s->start_ns + step * s->step_ns == q->time_ns;
}

static bool slices_query(struct datasource *d, const struct query *q,
                         const struct answer_sink *sink, struct answer_info *ret_info,
                         struct err *e)
{
    struct slices *s = container_of(d, struct slices, super);
    uint32_t step = 0;

    if (!has(s, q, &step)) {
        return datasource_query(s->behind, q, sink, ret_info, e);
    }
    uint32_t end = s->starts[step + 1];
    for (uint32_t i = s->starts[step]; i < end; i++) {
        if (!sink->row(sink->arg, s->raws.items[s->points[i].series], q->time_ns,
                       s->points[i].value, e)) {
            return false;
        }
    }
    *ret_info = (struct answer_info){
        .is_partial = s->is_partial, .series_fetched = -1, .rows = end - s->starts[step]};
    return true;
}

static bool slices_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                                struct labels_builder *b, struct err *e)
{
    return datasource_parse_labels(container_of(d, struct slices, super)->behind, raw_labels, a, b,
                                   e);
}

static bool slices_probe(struct datasource *d, struct wait wait, struct err *e)
{
    return datasource_probe(container_of(d, struct slices, super)->behind, wait, e);
}

static void slices_close(struct datasource *d)
{
    struct slices *s = container_of(d, struct slices, super);

    forget(s);
    vec_release(&s->raws);
    vec_release(&s->found);
    arena_release(&s->arena);
    mem_free(s);
}

static const struct datasource_ops slices_ops = {
    .query = slices_query,
    .parse_labels = slices_parse_labels,
    .probe = slices_probe,
    .close = slices_close,
};

struct datasource *slices_new(struct datasource *behind)
{
    struct slices *s = mem_new(struct slices);

    s->super.ops = &slices_ops;
    s->super.kind = behind->kind;
    s->super.query_timeout_ns = behind->query_timeout_ns;
    s->behind = behind;
    arena_init(&s->arena, ARENA_UNLIMITED);
    return &s->super;
}
