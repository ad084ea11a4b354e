/* debug: true. What a rule asks, what comes of it, and each change of its alerts, in the log. */
#include "rules/engine_int.h"

enum { CHANGES_SHOWN = 100 };

void debug_evaluation(struct rule_run *run, const struct rule_update *update,
                      const struct error_text *error)
{
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_SMALL);
    struct datasource *d = run_datasource(run);
    struct query q = rule_query(run->rule, run->rule->expr, update->at_ns);

    if (!run->rule->debug) {
        return;
    }
    if (d != NULL) {
        (void)datasource_print_request(d, &q, &request);
    }
    trace_asked(&run->engine->trace, "debug: evaluated", T_STR("rule", run->rule->name),
                T_STR("group", run->rule->group->name), T_I64("at_ms", update->at_ns / NS_PER_MS),
                T_I64("duration_us", update->duration_ns / NS_PER_US),
                T_I64("samples", update->samples), T_I64("series_fetched", update->series_fetched),
                T_STR("problem", error != NULL ? error->text : STR("")),
                T_STR("request", buf_str(&request)));
}

static void show_change(struct rule_run *run, const struct pending_edge *edge)
{
    AUTO(buf_release) struct buf labels = BUF_INIT(BUF_SMALL);
    const struct alert_item *item =
        (const struct alert_item *)(const void *)series_at(&run->table, edge->item);

    labels_print(item->head.labels, &labels);
    trace_asked(&run->engine->trace, "debug: alert changed", T_STR("rule", run->rule->name),
                T_STR("group", run->rule->group->name), T_STR("labels", buf_str(&labels)),
                T_TEXT("from", alert_state_name(item->status.state)),
                T_TEXT("to", alert_state_name(edge->next.state)), T_F64("value", edge->next.value));
}

void debug_changes(struct rule_run *run)
{
    size_t shown = run->owed.len < CHANGES_SHOWN ? run->owed.len : CHANGES_SHOWN;

    for (size_t i = 0; run->rule->debug && i < shown; i++) {
        show_change(run, &run->owed.items[i]);
    }
    if (run->rule->debug && run->owed.len > shown) {
        trace_asked(&run->engine->trace, "debug: more alerts changed",
                    T_STR("rule", run->rule->name), T_U64("alerts", run->owed.len - shown));
    }
}
