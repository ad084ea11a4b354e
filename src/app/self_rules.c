#include "app/self_rules.h"

#include "base/vec.h"
#include "export/combinator.h"
#include "export/exporters/exporters.h"
#include "export/stage.h"

static bool tracks_latency(const struct monitor_config *m)
{
    return m->beside.export_latency && m->nested.export_latency;
}

static bool tracks_success(const struct monitor_config *m)
{
    return m->beside.success_rate && m->nested.success_rate;
}

/* A monitor that a consumer delivers through: its figures are called <name>. */
struct monitored {
    struct str name;
    struct str consumer;
    const struct monitor_config *config;
};

struct self_rules {
    struct buf *out;
    VEC(struct monitored) seen;
};

/* Shared monitors are measured once. */
static bool is_seen(const struct self_rules *r, const struct monitored *m)
{
    for (size_t i = 0; i < r->seen.len; i++) {
        if (str_eq(r->seen.items[i].name, m->name) && r->seen.items[i].config == m->config) {
            return true;
        }
    }
    return false;
}

/* An exporter's name has letters, digits and a few signs: nothing that quotes would mind. */
static void write_call_rules(const struct monitored *m, struct buf *out)
{
    if (tracks_latency(m->config)) {
        buf_addf(out,
                 "  - alert: ExporterLatencyHigh\n"
                 "    expr: 'telex_exporter_call_latency_ms{exporter=\"%.*s\",quantile=\"0.95\"} "
                 "> %.17g'\n"
                 "    labels: { severity: warning }\n"
                 "    annotations: { summary: 'Calls of the exporter {{ $labels.exporter }} take "
                 "{{ $value }} ms (95th percentile)' }\n",
                 STR_FMT(m->name), m->config->thresholds.export_latency_p95_ms);
    }
    if (tracks_success(m->config)) {
        buf_addf(out,
                 "  - alert: ExporterSuccessRateLow\n"
                 "    expr: 'telex_exporter_success_rate_percent{exporter=\"%.*s\"} < %.17g'\n"
                 "    labels: { severity: warning }\n"
                 "    annotations: { summary: 'Of the calls of the exporter "
                 "{{ $labels.exporter }} {{ $value }} %% went well' }\n",
                 STR_FMT(m->name), m->config->thresholds.success_rate_percent);
    }
}

/* One that measures one of several exporters has no queue of its own: its consumer's counts. */
static void write_group(struct self_rules *r, const struct monitored *m)
{
    bool is_apart = !str_eq(m->name, m->consumer);

    buf_add_text(r->out, r->out->len == 0 ? "groups:\n" : "");
    buf_addf(r->out, "- name: 'telex_exporters: %.*s%s%.*s'\n", STR_FMT(m->consumer),
             is_apart ? ": " : "", STR_FMT(is_apart ? m->name : STR("")));
    buf_add_text(r->out, "  datasource: self\n  interval: 30s\n  rules:\n");
    if (!is_seen(r, m)) {
        write_call_rules(m, r->out);
    }
    buf_addf(r->out,
             "  - alert: ExporterQueueDeep\n"
             "    expr: 'telex_exporter_pending_frames{exporter=\"%.*s\"} > %lld'\n"
             "    labels: { severity: warning }\n"
             "    annotations: { summary: '{{ $value }} batches wait for the exporter "
             "{{ $labels.exporter }}' }\n",
             STR_FMT(m->consumer), (long long)m->config->thresholds.queue_depth);
    vec_push(&r->seen, *m);
}

/* The outermost monitor of each way down; <is_apart> as in struct exporter_place. */
static void write_below(struct self_rules *r, struct str consumer, const struct stage_config *stage,
                        bool is_apart)
{
    if (stage->kind == &exporter_monitor) {
        const struct monitored m = {is_apart ? stage->name : consumer, consumer, stage->config};
        write_group(r, &m);
        return;
    }
    for (size_t i = 0; i < stage->child_count; i++) {
        write_below(r, consumer, stage->children[i], is_apart || stage->child_count > 1);
    }
}

void self_rules_write(const struct plan_config *plan, struct buf *out)
{
    struct self_rules r = {.out = out};

    for (size_t i = 0; i < plan->output_count; i++) {
        const struct output_config *o = &plan->outputs[i];
        const struct stage_config *const ways[] = {o->delivery.stage, o->delivery.fallback,
                                                   o->delivery.dlq};
        for (size_t k = 0; k < ARRAY_LEN(ways); k++) {
            if (ways[k] != NULL) {
                write_below(&r, o->name, ways[k], k > 0);
            }
        }
    }
    vec_release(&r.seen);
}
