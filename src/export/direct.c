/*
 * Invariants
 *   1. The graph is used from open to close, so what is borrowed from its output lives as long.
 *   2. <cancel> implies <rest>.
 */
#include "export/direct.h"

#include "base/mem.h"
#include "export/http_sink.h"
#include "export/plan_int.h"

enum { SPANS_OF_AGE = 16 }; /* what goes together may be a sixteenth of the greatest age apart */

struct direct_lane {
    struct delivery *delivery;
    struct delivery_waits waits;
};

struct direct {
    struct plan *plan;
    struct graph *graph;
    struct output *output;
    struct cancel *cancel;
    struct cancel *rest;
    struct event_skips skips;
    unsigned lane_count;
    struct direct_lane lanes[DIRECT_LANES_MAX];
};

static bool sleep_between(void *arg, int64_t deadline_mono_ns)
{
    const struct direct *d = arg;

    return wait_sleep((struct wait){deadline_mono_ns, d->rest});
}

/* The one output that <name> comes to. */
static bool find_output(struct direct *d, struct str name, struct err *e)
{
    const struct plan_config *config = &d->graph->config;

    for (size_t i = 0; i < config->target_count; i++) {
        const struct plan_expansion *x = config->targets[i].expansion;
        if (!str_eq(config->targets[i].name, name)) {
            continue;
        }
        if (x->is_chosen || __builtin_popcountll(x->outputs) != 1) {
            return err_set(
                e, ERR_CONFIG,
                "exporter '%.*s' is several; without `buffer: true` an event goes to one",
                STR_FMT(name));
        }
        d->output = &d->graph->outputs[__builtin_ctzll(x->outputs)];
        return (d->output->config->caps & EXPORTER_LEVEL) == 0 ||
               err_set(e, ERR_CONFIG, "exporter '%.*s' takes states of alerts, not events",
                       STR_FMT(name));
    }
    return err_set(e, ERR_CONFIG, "there is no exporter '%.*s'", STR_FMT(name));
}

static bool open_lane(struct direct *d, unsigned lane, struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    const struct output_config *config = d->output->config;
    struct plan *p = d->plan;

    buf_addf(&folder, "%.*s/exporters/%.*s", STR_FMT(p->state_path), STR_FMT(config->name));
    d->lanes[lane].waits = (struct delivery_waits){sleep_between, d, d->cancel, d->rest};
    const struct delivery_setup setup = {
        .place = {.env = p->env,
                  .name = config->name,
                  .data_folder = buf_str(&folder),
                  .retry_on = &config->delivery.retry.retry_on_status_codes,
                  .shares = d->lane_count,
                  .taps = p->taps,
                  .gates = d->graph->gates,
                  .attempts = d->output->attempts,
                  .tokens = d->graph->tokens,
                  .meters = p->meters,
                  .pages = p->pages,
                  .ends = p->ends},
        .config = &config->delivery,
        .dead = d->output->dead,
        .drops = &d->output->drops,
        .waits = &d->lanes[lane].waits,
        .skips = &d->skips,
    };
    return delivery_open(&setup, &d->lanes[lane].delivery, e);
}

uint32_t direct_together(const struct direct *d)
{
    const struct output_config *o = d->output->config;
    const struct http_exporter *http = o->kind->http;

    if (http != NULL) {
        return http->rows_max != NULL ? http->rows_max(o->config) : 1;
    }
    return (uint32_t)o->buffer.buffer_size;
}

int64_t direct_span_ns(const struct direct *d)
{
    return d->output->config->delivery.retry.max_age_ns / SPANS_OF_AGE;
}

uint32_t direct_run(struct direct *d, unsigned lane, struct view view, int64_t since_ns,
                    uint32_t *ret_owed)
{
    if (!cancel_is_set(d->rest)) {
        return delivery_run(d->lanes[lane].delivery, view, since_ns, ret_owed);
    }
    for (uint32_t i = 0; ret_owed != NULL && i < view.n; i++) {
        ret_owed[i] = view_row(view, i);
    }
    return view.n;
}

bool direct_bury(struct direct *d, unsigned lane, struct str bytes, const struct err *why)
{
    return delivery_bury_raw(d->lanes[lane].delivery, bytes, why);
}

void direct_skip(struct direct *d, const struct event_skips *skips)
{
    d->skips = *skips;
}

void direct_rest(struct direct *d)
{
    cancel_fire(d->rest);
}

void direct_cancel(struct direct *d)
{
    cancel_fire(d->cancel);
}

void direct_add_status(struct direct *d, struct output_status *status)
{
    for (unsigned i = 0; i < d->lane_count; i++) {
        delivery_status(d->lanes[i].delivery, status);
    }
}

/* Who looks at the output sees what is delivered past its log too. */
static bool show(struct direct *d, struct err *e)
{
    lock_take(&d->output->sharing);
    bool is_first = d->output->direct == NULL;
    if (is_first) {
        d->output->direct = d;
    }
    lock_give(&d->output->sharing);
    return is_first || err_set(e, ERR_CONFLICT, "exporter '%.*s' is another stream's",
                               STR_FMT(d->output->config->name));
}

static void hide(struct direct *d)
{
    if (d->output == NULL) {
        return;
    }
    lock_take(&d->output->sharing);
    if (d->output->direct == d) {
        d->output->direct = NULL;
    }
    lock_give(&d->output->sharing);
}

/* ---- life ---- */

bool direct_open(struct plan *p, struct str name, unsigned lanes, struct direct **ret_direct,
                 struct err *e)
{
    struct direct *d = mem_new(struct direct);
    bool ok = true;

    d->plan = p;
    d->graph = plan_use_graph(p);
    d->cancel = cancel_new(NULL);
    d->rest = cancel_new(d->cancel);
    d->lane_count = lanes < DIRECT_LANES_MAX ? lanes : DIRECT_LANES_MAX;
    ok = find_output(d, name, e);
    for (unsigned i = 0; ok && i < d->lane_count; i++) {
        ok = open_lane(d, i, e);
    }
    if (!ok || !show(d, e)) {
        direct_close(d);
        return false;
    }
    *ret_direct = d;
    return true;
}

void direct_close(struct direct *d)
{
    if (d == NULL) {
        return;
    }
    hide(d);
    for (unsigned i = 0; i < d->lane_count; i++) {
        if (d->lanes[i].delivery != NULL) {
            delivery_flush(d->lanes[i].delivery);
        }
        delivery_close(d->lanes[i].delivery);
    }
    cancel_free(d->rest);
    cancel_free(d->cancel);
    plan_release_graph(d->plan, d->graph);
    mem_free(d);
}
