#include "app/self_rules.h"

#include "export/combinator.h"
#include "export/exporters/exporters.h"
#include "export/stage.h"

/* The outermost monitor that a consumer delivers through; NULL when there is none. */
static const struct monitor_config *monitor_of(const struct stage_config *stage)
{
    while (stage->kind != &exporter_monitor && stage->child_count == 1) {
        stage = stage->children[0];
    }
    return stage->kind == &exporter_monitor ? stage->config : NULL;
}

static bool tracks_latency(const struct monitor_config *m)
{
    return m->beside.export_latency && m->nested.export_latency;
}

static bool tracks_success(const struct monitor_config *m)
{
    return m->beside.success_rate && m->nested.success_rate;
}

/* An exporter's name has letters, digits and a few signs: nothing that quotes would mind. */
static void write_group(struct str name, const struct monitor_config *m, struct buf *out)
{
    buf_addf(out,
             "- name: 'telex_exporters: %.*s'\n  datasource: self\n  interval: 30s\n  rules:\n",
             STR_FMT(name));
    if (tracks_latency(m)) {
        buf_addf(out,
                 "  - alert: ExporterLatencyHigh\n"
                 "    expr: 'telex_exporter_call_latency_ms{exporter=\"%.*s\",quantile=\"0.95\"} "
                 "> %.17g'\n"
                 "    labels: { severity: warning }\n"
                 "    annotations: { summary: 'Calls of the exporter {{ $labels.exporter }} take "
                 "{{ $value }} ms (95th percentile)' }\n",
                 STR_FMT(name), m->thresholds.export_latency_p95_ms);
    }
    if (tracks_success(m)) {
        buf_addf(out,
                 "  - alert: ExporterSuccessRateLow\n"
                 "    expr: 'telex_exporter_success_rate_percent{exporter=\"%.*s\"} < %.17g'\n"
                 "    labels: { severity: warning }\n"
                 "    annotations: { summary: 'Of the calls of the exporter "
                 "{{ $labels.exporter }} {{ $value }} %% went well' }\n",
                 STR_FMT(name), m->thresholds.success_rate_percent);
    }
    buf_addf(out,
             "  - alert: ExporterQueueDeep\n"
             "    expr: 'telex_exporter_pending_frames{exporter=\"%.*s\"} > %lld'\n"
             "    labels: { severity: warning }\n"
             "    annotations: { summary: '{{ $value }} batches wait for the exporter "
             "{{ $labels.exporter }}' }\n",
             STR_FMT(name), (long long)m->thresholds.queue_depth);
}

void self_rules_write(const struct plan_config *plan, struct buf *out)
{
    for (size_t i = 0; i < plan->output_count; i++) {
        const struct output_config *o = &plan->outputs[i];
        const struct monitor_config *m =
            o->delivery.stage != NULL ? monitor_of(o->delivery.stage) : NULL;
        if (m != NULL) {
            buf_add_text(out, out->len == 0 ? "groups:\n" : "");
            write_group(o->name, m, out);
        }
    }
}
