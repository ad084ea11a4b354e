/*
 * The API's view of rules and alerts: the fields that Prometheus documents, and vmalert's where it
 * has more. Groups are printed one after the other, each rule under its own lock, so a large answer
 * does not hold an evaluation up.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/number.h"
#include "wire/json.h"

enum { PRINT_TIMEOUT_MS = 5000 };

static void print_text(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, str_of(key));
    json_add_str(w, value);
}

static void print_seconds(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    json_add_double(w, (double)ns / (double)NS_PER_S);
}

static void print_time(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    if (ns == 0) {
        json_add_text(w,
                      "0001-01-01T00:00:00Z"); /* as Prometheus writes a time that has not come */
    } else {
        json_add_time(w, ns);
    }
}

static void print_labels(struct json_writer *w, const char *key, const struct labels *labels)
{
    struct label pair;

    json_key(w, str_of(key));
    json_begin_object(w);
    for (uint32_t at = 0; labels_next(labels, &at, &pair);) {
        json_key(w, pair.name);
        json_add_str(w, pair.value);
    }
    json_end_object(w);
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

/* ---- alerts ---- */

static bool is_active(enum alert_state state)
{
    return state == ALERT_PENDING || state == ALERT_ALERTING || state == ALERT_SUPPRESSING;
}

static void print_value(struct json_writer *w, double value)
{
    char text[NUMBER_TEXT_MAX];

    json_key(w, STR("value"));
    json_add_str(w, str_make(text, number_format_go(value, text)));
}

static void print_annotations(struct json_writer *w, const struct label *pairs, size_t count)
{
    json_key(w, STR("annotations"));
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        json_key(w, pairs[i].name);
        json_add_str(w, pairs[i].value);
    }
    json_end_object(w);
}

/* One alert; <item> is a copy with references of its own, so nothing is locked while texts are
 * rendered. */
static void print_alert(struct json_writer *w, struct evaluation *ev, const struct alert_item *item)
{
    const struct rule *rule = ev->run->rule;
    const struct alert_status *s = &item->status;
    size_t count = 0;

    arena_reset(&ev->arena);
    const struct label *annotations = alert_annotations(ev, item, s, &ev->arena, &count);
    json_begin_object(w);
    print_labels(w, "labels", item->head.labels);
    print_annotations(w, annotations, count);
    print_text(w, "state", str_of(alert_state_prometheus(s->state)));
    print_time(w, "activeAt", s->active_at_ns);
    if (s->keep_since_ns != 0) {
        print_time(w, "keepFiringSince", s->keep_since_ns);
    }
    print_value(w, s->value);
    print_text(w, "name", rule->name);
    print_text(w, "expression", rule->expr);
    print_text(w, "group_id", rule->group->id);
    print_text(w, "rule_id", rule->id);
    json_end_object(w);
}

struct item_list {
    VEC(struct alert_item) items;
};

/* Copies of the active alerts of a rule. */
static void copy_active(struct rule_run *run, struct item_list *list)
{
    lock_take(&run->lock);
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels == NULL || !is_active(item->status.state)) {
            continue;
        }
        struct alert_item copy = alert_item_copy(item);
        vec_push(&list->items, copy);
    }
    lock_give(&run->lock);
}

/* The active alerts of a rule as items of the current array. */
static void print_rule_alerts(struct json_writer *w, struct rule_run *run)
{
    const struct clock *clock = run->engine->env->clock;
    struct item_list list = {0};
    struct evaluation ev;

    copy_active(run, &list);
    evaluation_begin(&ev, run, clock_wall_ns(clock),
                     (struct wait){clock_deadline_ms(clock, PRINT_TIMEOUT_MS), NULL});
    for (size_t i = 0; i < list.items.len; i++) {
        print_alert(w, &ev, &list.items.items[i]);
        labels_unref(list.items.items[i].head.labels);
        labels_unref(list.items.items[i].series);
    }
    evaluation_end(&ev);
    vec_release(&list.items);
}

/* ---- rules ---- */

/* The worst state of a rule's alerts, as Prometheus names it. */
static const char *rule_state(struct rule_run *run)
{
    enum alert_state worst = ALERT_READY;

    lock_take(&run->lock);
    for (uint32_t i = 0; i < run->table.count && worst != ALERT_ALERTING; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels != NULL && is_active(item->status.state)) {
            worst = item->status.state == ALERT_PENDING ? ALERT_PENDING : ALERT_ALERTING;
        }
    }
    lock_give(&run->lock);
    return alert_state_prometheus(worst);
}

static void print_outcome(struct json_writer *w, struct rule_run *run)
{
    lock_take(&run->lock);
    struct rule_outcome outcome = run->outcome;
    struct error_text *error = error_text_ref(&run->engine->error_texts, outcome.error);
    lock_give(&run->lock);
    print_text(w, "health",
               outcome.time_ns == 0 ? STR("unknown")
               : outcome.failed     ? STR("err")
                                    : STR("ok"));
    print_text(w, "lastError", error != NULL ? error->text : STR(""));
    error_text_unref(&run->engine->error_texts, error);
    print_seconds(w, "evaluationTime", outcome.duration_ns);
    print_time(w, "lastEvaluation", outcome.time_ns);
    json_key(w, STR("lastSamples"));
    json_add_i64(w, outcome.samples);
}

static void print_alerting(struct json_writer *w, struct rule_run *run,
                           const struct engine_filter *filter)
{
    const struct rule *rule = run->rule;

    print_text(w, "state", str_of(rule_state(run)));
    print_seconds(w, "duration", rule->policy.for_ns);
    print_seconds(w, "keepFiringFor", rule->policy.keep_firing_for_ns);
    print_sources(w, "annotations", rule->annotations, rule->annotation_count);
    json_key(w, STR("alerts"));
    json_begin_array(w);
    if (!filter->exclude_alerts) {
        print_rule_alerts(w, run);
    }
    json_end_array(w);
}

static void print_rule(struct json_writer *w, struct rule_run *run,
                       const struct engine_filter *filter)
{
    const struct rule *rule = run->rule;

    json_begin_object(w);
    print_text(w, "name", rule->name);
    print_text(w, "query", rule->expr);
    print_text(w, "type", rule->kind == RULE_ALERT ? STR("alerting") : STR("recording"));
    print_sources(w, "labels", rule->labels, rule->label_count);
    if (rule->kind == RULE_ALERT) {
        print_alerting(w, run, filter);
    }
    print_outcome(w, run);
    print_text(w, "id", rule->id);
    json_end_object(w);
}

static bool is_wanted(const struct rule *rule, const struct engine_filter *filter)
{
    return filter->type.len == 0 ||
           str_eq(filter->type, rule->kind == RULE_ALERT ? STR("alert") : STR("record"));
}

static void print_group(struct json_writer *w, struct group_run *g,
                        const struct engine_filter *filter)
{
    lock_take(&g->lock);
    int64_t slot_ns = g->last_slot_ns;
    int64_t duration_ns = g->last_duration_ns;
    lock_give(&g->lock);
    json_begin_object(w);
    print_text(w, "name", g->group->name);
    print_text(w, "file", g->group->file);
    print_text(w, "id", g->group->id);
    print_seconds(w, "interval", g->group->interval_ns);
    json_key(w, STR("limit"));
    json_add_i64(w, g->group->limit);
    print_seconds(w, "evaluationTime", duration_ns);
    print_time(w, "lastEvaluation", slot_ns);
    json_key(w, STR("rules"));
    json_begin_array(w);
    for (size_t i = 0; i < g->group->rule_count; i++) {
        if (is_wanted(g->runs[i]->rule, filter)) {
            print_rule(w, g->runs[i], filter);
        }
    }
    json_end_array(w);
    json_end_object(w);
}

void engine_print_rules(struct engine *en, const struct engine_filter *filter, struct buf *out)
{
    struct json_writer w;

    engine_view_begin(en);
    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("groups"));
    json_begin_array(&w);
    for (size_t i = 0; i < en->group_count; i++) {
        print_group(&w, &en->groups[i], filter);
    }
    json_end_array(&w);
    json_end_object(&w);
    engine_view_end(en);
}

void engine_print_alerts(struct engine *en, struct buf *out)
{
    struct json_writer w;

    engine_view_begin(en);
    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("alerts"));
    json_begin_array(&w);
    for (size_t i = 0; i < en->group_count; i++) {
        for (size_t r = 0; r < en->groups[i].group->rule_count; r++) {
            if (en->groups[i].runs[r]->kind == RULE_ALERT) {
                print_rule_alerts(&w, en->groups[i].runs[r]);
            }
        }
    }
    json_end_array(&w);
    json_end_object(&w);
    engine_view_end(en);
}
