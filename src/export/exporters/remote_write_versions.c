/*
 * Invariants
 *   1. Once 1.0 is chosen, it stays chosen as long as the sink lives.
 *   2. Rows that 2.0 settled are not sent again as 1.0; of a request that was not known as 2.0 nothing is
 *      settled.
 */
#include "base/env.h"
#include "base/mem.h"
#include "base/trace.h"
#include "export/exporters/remote_write.h"

enum { STATUS_UNSUPPORTED = 415 };

struct versions {
    struct sink sink;
    struct sink *v1;
    struct sink *v2;
    struct trace trace;
    struct str name;
    bool is_fallen; /* back to 1.0 */
};

static struct sink *chosen(const struct versions *s)
{
    return s->is_fallen ? s->v1 : s->v2;
}

/* The same rows as a list, which <rows> keeps. */
static struct view rest_of(struct view view, uint32_t first, uint32_t *rows)
{
    for (uint32_t i = first; i < view.n; i++) {
        rows[i - first] = view_row(view, i);
    }
    return (struct view){.batch = view.batch, .rows = rows, .n = view.n - first};
}

/* What became of the rest is put behind what is settled. */
static void join(struct outcome *ret, uint32_t first, struct outcome *rest)
{
    outcome_forget(ret, first);
    for (size_t i = 0; i < rest->except.list.len; i++) {
        const struct exception *x = &rest->except.list.items[i];
        outcome_except(ret, first + x->index, x->verdict, x->reason);
    }
    ret->rest = rest->rest;
    ret->settled = first + rest->settled;
    ret->dropped += rest->dropped;
    ret->held_back = rest->held_back;
    ret->retry_after_ms = rest->retry_after_ms;
    ret->status = rest->status;
    ret->requests += rest->requests;
    ret->bytes += rest->bytes;
    ret->err = rest->err;
}

static void fall_back(struct versions *s, struct view view, struct wait wait, struct outcome *ret)
{
    AUTO(mem_autofree) uint32_t *rows = mem_alloc((size_t)view.n * sizeof(*rows) + 1);
    uint32_t first = ret->settled;
    struct outcome rest;

    s->is_fallen = true;
    trace_warn(&s->trace, "the store does not know remote write 2.0; it gets 1.0 from now on",
               T_STR("exporter", s->name), T_ERR(&ret->err));
    outcome_init(&rest);
    /* A whole view stays whole: it may be a body already. */
    s->v1->ops->deliver(s->v1, first == 0 ? view : rest_of(view, first, rows), wait, &rest);
    join(ret, first, &rest);
    outcome_release(&rest);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct versions *s = container_of(sink, struct versions, sink);

    chosen(s)->ops->deliver(chosen(s), view, wait, ret);
    if (!s->is_fallen && ret->rest == VERDICT_HALT && ret->status == STATUS_UNSUPPORTED) {
        fall_back(s, view, wait, ret);
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(chosen(container_of(sink, struct versions, sink)), wait, e);
}

static void close_sink(struct sink *sink)
{
    struct versions *s = container_of(sink, struct versions, sink);

    sink_close(s->v1);
    sink_close(s->v2);
    mem_free(s->name.ptr);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

struct sink *remote_write_versions(const struct exporter_place *place, struct sink *v1,
                                   struct sink *v2)
{
    struct versions *s = mem_new(struct versions);

    s->sink.ops = &ops;
    s->v1 = v1;
    s->v2 = v2;
    s->name = str_make(mem_dup_text(place->name.ptr, place->name.len), place->name.len);
    trace_init_part(&s->trace, place->env->trace, "export", place->name, TRACE_INFO);
    return &s->sink;
}
