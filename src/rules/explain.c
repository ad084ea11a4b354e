/*
 * Why a rule fires or does not, in words: what its last evaluation found, and what each alert waits for.
 * Everything said here is read off the state; nothing is evaluated again.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/timetext.h"
#include "wire/json.h"

enum { ALERTS_MAX = 1000 };

/* ---- finding the rule ---- */

static bool is_meant(const struct rule_run *run, struct str rule)
{
    return str_eq(run->rule->id, rule) || str_eq(run->rule->name, rule);
}

static bool find(struct engine *en, struct str rule, struct rule_run **ret_run, struct err *e)
{
    struct rule_run *found = NULL;
    size_t count = 0;

    for (size_t g = 0; g < en->group_count; g++) {
        for (size_t r = 0; r < en->groups[g].group->rule_count; r++) {
            struct rule_run *run = en->groups[g].runs[r];
            if (is_meant(run, rule)) {
                found = run;
                count++;
            }
        }
    }
    if (count == 0) {
        return err_set(e, ERR_CONFIG, "there is no rule '%.*s'", STR_FMT(str_slice(rule, 0, 100)));
    }
    if (count > 1) {
        return err_set(e, ERR_CONFIG, "%zu rules are called '%.*s'; ask by id", count,
                       STR_FMT(str_slice(rule, 0, 100)));
    }
    *ret_run = found;
    return true;
}

/* ---- one alert ---- */

static void add_when(struct buf *out, const char *what, int64_t ns)
{
    buf_add_text(out, what);
    buf_add_rfc3339(out, ns);
}

static void explain_pending(const struct rule *rule, const struct alert_status *s, struct buf *out)
{
    add_when(out, "true since ", s->active_at_ns);
    add_when(out, "; fires at the first evaluation from ", s->active_at_ns + rule->policy.for_ns);
    buf_add_text(out, " on, if it stays true (for: ");
    buf_add_duration(out, rule->policy.for_ns);
    buf_add_byte(out, ')');
}

static void explain_firing(const struct rule *rule, const struct alert_status *s, struct buf *out)
{
    add_when(out, "fires since ", s->fired_at_ns);
    if (s->keep_since_ns == 0) {
        return;
    }
    add_when(out, "; no longer true since ", s->keep_since_ns);
    add_when(out, ", kept firing until ", s->keep_since_ns + rule->policy.keep_firing_for_ns);
}

static void explain_resolved(const struct rule *rule, const struct alert_status *s, struct buf *out)
{
    (void)rule;
    add_when(out, s->fired_at_ns != 0 ? "resolved at " : "no longer true at ", s->resolved_at_ns);
    buf_add_text(out, s->fired_at_ns != 0 ? ": no longer true" : ", before `for` was reached");
}

static void explain_ready(const struct rule *rule, const struct alert_status *s, struct buf *out)
{
    (void)rule;
    (void)s;
    buf_add_text(out, "not true");
}

static void add_explanation(const struct rule *rule, const struct alert_status *s,
                            struct json_writer *w)
{
    static void (*const explain[ALERT_STATES])(const struct rule *, const struct alert_status *,
                                               struct buf *) = {
        [ALERT_READY] = explain_ready,       [ALERT_PENDING] = explain_pending,
        [ALERT_ALERTING] = explain_firing,   [ALERT_SUPPRESSING] = explain_firing,
        [ALERT_RESOLVED] = explain_resolved,
    };
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    explain[s->state](rule, s, &text);
    json_key(w, STR("why"));
    json_add_str(w, buf_str(&text));
}

static void add_alert(const struct rule *rule, const struct alert_item *item, struct json_writer *w)
{
    struct label pair;

    json_begin_object(w);
    json_key(w, STR("labels"));
    json_begin_object(w);
    for (uint32_t at = 0; labels_next(item->head.labels, &at, &pair);) {
        json_key(w, pair.name);
        json_add_str(w, pair.value);
    }
    json_end_object(w);
    json_key(w, STR("state"));
    json_add_text(w, alert_state_prometheus(item->status.state));
    json_key(w, STR("value"));
    json_add_double_or_text(w, item->status.value);
    add_explanation(rule, &item->status, w);
    json_end_object(w);
}

/* Under the run's lock. Gives how many there are. */
static uint32_t add_alerts(struct rule_run *run, struct json_writer *w)
{
    uint32_t count = 0;

    json_key(w, STR("alerts"));
    json_begin_array(w);
    for (uint32_t i = 0; run->kind == RULE_ALERT && i < run->table.count; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels != NULL && item->status.state != ALERT_READY) {
            count++;
            if (count <= ALERTS_MAX) {
                add_alert(run->rule, item, w);
            }
        }
    }
    json_end_array(w);
    return count;
}

/* ---- the rule ---- */

/* What the last evaluation found. */
static void add_finding(const struct rule_run *run, const struct rule_update *last, struct buf *out)
{
    if (last->failed) {
        buf_addf(out, "the last evaluation failed, and %s kept their state: %.*s",
                 run->kind == RULE_ALERT ? "alerts" : "series", STR_FMT(last->error));
        return;
    }
    if (last->samples > 0) {
        buf_addf(out, "the expression gave %lld series", (long long)last->samples);
        return;
    }
    buf_add_text(out, "the expression gave no series");
    if (last->series_fetched == 0) {
        buf_add_text(out,
                     ", and the datasource found no data for its selectors: look at the metric "
                     "names and label values in it");
    } else if (run->kind == RULE_ALERT && promql_has_condition(run->rule->tree)) {
        buf_add_text(out, ": its condition is true for none, or there is no data");
    }
}

static void add_why(struct rule_run *run, const struct rule_update *updates, size_t count,
                    struct json_writer *w)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (count == 0) {
        buf_add_text(&text, "not evaluated yet");
    } else {
        add_when(&text, "at ", updates[0].at_ns);
        buf_add_text(&text, " ");
        add_finding(run, &updates[0], &text);
    }
    json_key(w, STR("why"));
    json_add_str(w, buf_str(&text));
}

static void add_evaluation(const struct rule_update *u, struct json_writer *w)
{
    json_begin_object(w);
    json_key(w, STR("at"));
    json_add_time(w, u->at_ns);
    json_key(w, STR("duration_seconds"));
    json_add_double(w, (double)u->duration_ns / (double)NS_PER_S);
    json_key(w, STR("samples"));
    json_add_i64(w, u->samples);
    json_key(w, STR("series_fetched"));
    json_add_i64(w, u->series_fetched);
    json_key(w, STR("error"));
    json_add_str(w, u->error);
    json_end_object(w);
}

static void print_rule(struct rule_run *run, const struct rule_update *updates, size_t count,
                       struct json_writer *w)
{
    const struct rule *rule = run->rule;
    const struct {
        const char *key;
        struct str text;
    } texts[] = {{"id", rule->id},
                 {"name", rule->name},
                 {"group", rule->group->name},
                 {"file", rule->group->file},
                 {"query", rule->expr}};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        json_key(w, str_of(texts[i].key));
        json_add_str(w, texts[i].text);
    }
    add_why(run, updates, count, w);
    lock_take(&run->lock);
    uint32_t alerts = add_alerts(run, w);
    lock_give(&run->lock);
    json_key(w, STR("alert_count"));
    json_add_u64(w, alerts);
    json_key(w, STR("evaluations"));
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        add_evaluation(&updates[i], w);
    }
    json_end_array(w);
}

/* The id of the rule that is meant, in <a>. */
static bool find_id(struct engine *en, struct str rule, struct arena *a, struct str *ret_id,
                    struct err *e)
{
    struct rule_run *run = NULL;

    engine_view_begin(en);
    bool ok = find(en, rule, &run, e);
    if (ok) {
        *ret_id = arena_dup(a, run->rule->id);
    }
    engine_view_end(en);
    return ok;
}

bool engine_explain(struct engine *en, struct str rule, struct buf *out, struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct rule_update *updates = NULL;
    struct rule_run *run = NULL;
    struct json_writer w;
    struct str id;

    arena_init(&a, ARENA_UNLIMITED);
    if (!find_id(en, rule, &a, &id, e)) {
        return false;
    }
    size_t count = engine_rule_updates(en, id, &a, &updates); /* a view of its own */
    engine_view_begin(en);
    bool ok = find(en, id, &run, e);
    if (ok) {
        json_write_init(&w, out);
        json_begin_object(&w);
        print_rule(run, updates, count, &w);
        json_end_object(&w);
    }
    engine_view_end(en);
    return ok;
}
