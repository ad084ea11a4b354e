/* Groups and rules as JSON. */
#include "rules/print.h"

#include <string.h>

void show_text(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, str_of(key));
    json_add_str(w, value);
}

void show_seconds(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    json_add_double(w, (double)ns / (double)NS_PER_S);
}

void show_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    if (ns == 0) {
        json_add_text(w,
                      "0001-01-01T00:00:00Z"); /* as Prometheus writes a time that has not come */
    } else {
        json_add_time(w, ns);
    }
}

void show_number(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, str_of(key));
    json_add_i64(w, value);
}

void show_bool(struct json_writer *w, const char *key, bool value)
{
    json_key(w, str_of(key));
    json_add_bool(w, value);
}

/* ---- groups ---- */

static void print_params(struct json_writer *w, const struct rule_group *group)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (group->param_count == 0) {
        return;
    }
    json_key(w, STR("params"));
    json_begin_array(w);
    for (size_t i = 0; i < group->param_count; i++) {
        buf_clear(&text);
        buf_add_str(&text, group->params[i].name);
        buf_add_byte(&text, '=');
        buf_add_str(&text, group->params[i].value);
        json_add_str(w, buf_str(&text));
    }
    json_end_array(w);
}

/* Names alone: values may be credentials. */
static void add_header(struct json_writer *w, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_str(&text, name);
    buf_add_text(&text, ": <hidden>");
    json_add_str(w, buf_str(&text));
}

static void print_headers(struct json_writer *w, const struct rule_group *group)
{
    if (group->header_count > 0) {
        json_key(w, STR("headers"));
        json_begin_array(w);
        for (size_t i = 0; i < group->header_count; i++) {
            add_header(w, group->headers[i].name);
        }
        json_end_array(w);
    }
    if (group->notifier_header_count > 0) {
        json_key(w, STR("notifier_headers"));
        json_begin_array(w);
        for (size_t i = 0; i < group->notifier_header_count; i++) {
            add_header(w, group->notifier_headers[i].name);
        }
        json_end_array(w);
    }
}

void show_group_begin(struct json_writer *w, struct group_run *g)
{
    const struct rule_group *group = g->group;

    lock_take(&g->lock);
    int64_t slot_ns = g->last_slot_ns;
    int64_t duration_ns = g->last_duration_ns;
    lock_give(&g->lock);
    json_begin_object(w);
    show_text(w, "name", group->name);
    show_text(w, "file", group->file);
    show_text(w, "id", group->id);
    show_text(w, "type", str_of(rule_language_name(group->language)));
    show_seconds(w, "interval", group->interval_ns);
    show_number(w, "limit", group->limit);
    show_number(w, "concurrency", group->concurrency);
    print_params(w, group);
    print_headers(w, group);
    if (group->has_eval_offset) {
        show_seconds(w, "eval_offset", group->eval_offset_ns);
    }
    if (group->query_offset_ns != 0) {
        show_seconds(w, "eval_delay", group->query_offset_ns);
    }
    show_seconds(w, "evaluationTime", duration_ns);
    show_time(w, "lastEvaluation", slot_ns);
    json_key(w, STR("rules"));
    json_begin_array(w);
}

void show_group_end(struct json_writer *w, const uint32_t *counts)
{
    json_end_array(w);
    json_key(w, STR("states"));
    json_begin_object(w);
    for (int i = 0; i < CONDITION_COUNT; i++) {
        if (counts[i] > 0) {
            show_number(w, rule_condition_name((enum rule_condition)i), counts[i]);
        }
    }
    json_end_object(w);
    json_end_object(w);
}

/* ---- rules ---- */

/* Firing, pending, or neither. Under run->lock. */
static enum alert_state worst_alert(const struct rule_run *run)
{
    enum alert_state worst = ALERT_READY;

    for (uint32_t i = 0; i < run->table.count && worst != ALERT_ALERTING; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels != NULL && alert_state_is_active(item->status.state)) {
            worst = item->status.state == ALERT_PENDING ? ALERT_PENDING : ALERT_ALERTING;
        }
    }
    return worst;
}

static enum rule_condition condition_of(const struct rule_run *run, const struct rule_look *look)
{
    if (look->worst != ALERT_READY) {
        return look->worst == ALERT_PENDING ? CONDITION_PENDING : CONDITION_FIRING;
    }
    if (look->outcome.failed) {
        return CONDITION_UNHEALTHY;
    }
    if (look->outcome.time_ns != 0 && look->outcome.series_fetched == 0) {
        return CONDITION_NOMATCH;
    }
    return run->kind == RULE_ALERT ? CONDITION_INACTIVE : CONDITION_OK;
}

void rule_look_begin(struct rule_run *run, struct rule_look *ret_look)
{
    lock_take(&run->lock);
    ret_look->outcome = run->outcome;
    ret_look->error = error_text_ref(&run->engine->error_texts, run->outcome.error);
    ret_look->worst = run->kind == RULE_ALERT ? worst_alert(run) : ALERT_READY;
    lock_give(&run->lock);
    ret_look->condition = condition_of(run, ret_look);
}

void rule_look_end(struct rule_run *run, struct rule_look *look)
{
    error_text_unref(&run->engine->error_texts, look->error);
    look->error = NULL;
}

static void print_sources(struct json_writer *w, const char *key, const struct rule_text *texts,
                          size_t count)
{
    json_key(w, str_of(key));
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key(w, texts[i].name);
        json_add_str(w, texts[i].source);
    }
    json_end_object(w);
}

static struct str health_of(const struct rule_outcome *outcome)
{
    return outcome->time_ns == 0 ? STR("unknown") : outcome->failed ? STR("err") : STR("ok");
}

static void print_outcome(struct json_writer *w, const struct rule_look *look)
{
    const struct rule_outcome *outcome = &look->outcome;

    show_text(w, "health", health_of(outcome));
    show_text(w, "lastError", look->error != NULL ? look->error->text : STR(""));
    show_seconds(w, "evaluationTime", outcome->duration_ns);
    show_time(w, "lastEvaluation", outcome->time_ns);
    show_number(w, "lastSamples", outcome->samples);
    if (outcome->time_ns != 0 && outcome->series_fetched >= 0) {
        show_number(w, "lastSeriesFetched", outcome->series_fetched);
    }
}

/* Where the rule stands, and how it is set. */
static void print_place(struct json_writer *w, const struct rule *rule)
{
    show_text(w, "datasourceType", str_of(rule_language_name(rule->language)));
    show_text(w, "id", rule->id);
    show_text(w, "group_id", rule->group->id);
    show_text(w, "group_name", rule->group->name);
    show_text(w, "file", rule->group->file);
    show_bool(w, "debug", rule->debug);
    show_number(w, "max_updates_entries", rule->update_entries_limit);
}

static const char *state_of(const struct rule_look *look, const struct engine_filter *filter)
{
    return filter->extended_states ? rule_condition_name(look->condition)
                                   : alert_state_prometheus(look->worst);
}

static void print_alerting(struct json_writer *w, const struct rule *rule)
{
    show_seconds(w, "duration", rule->policy.for_ns);
    show_seconds(w, "keepFiringFor", rule->policy.keep_firing_for_ns);
    show_seconds(w, "keep_firing_for", rule->policy.keep_firing_for_ns);
    print_sources(w, "annotations", rule->annotations, rule->annotation_count);
}

void show_rule_begin(struct json_writer *w, struct rule_run *run, const struct rule_look *look,
                     const struct engine_filter *filter)
{
    const struct rule *rule = run->rule;

    json_begin_object(w);
    show_text(w, "name", rule->name);
    show_text(w, "query", rule->expr);
    show_text(w, "type", rule->kind == RULE_ALERT ? STR("alerting") : STR("recording"));
    if (rule->kind == RULE_ALERT || filter->extended_states) {
        show_text(w, "state", str_of(state_of(look, filter)));
    }
    print_sources(w, "labels", rule->labels, rule->label_count);
    if (rule->kind == RULE_ALERT) {
        print_alerting(w, rule);
    }
    print_outcome(w, look);
    print_place(w, rule);
    if (rule->kind == RULE_ALERT) {
        json_key(w, STR("alerts"));
        json_begin_array(w);
    }
}

void show_rule_end(struct json_writer *w, const struct rule_run *run)
{
    if (run->kind == RULE_ALERT) {
        json_end_array(w);
    }
    json_end_object(w);
}
