/*
 * Three questions, so that answers stay small: when was the last of the rule's ALERTS_FOR_STATE written; what
 * did they say two intervals after that, when an alert that had ended has its stale marker and one whose
 * engine had died has not; and which of them were firing. All three are about the time before the rule was
 * loaded: what was written since is ours. Rules that share a name are told apart by their constant labels.
 *
 * Invariants
 *   1. Where the two intervals are longer than stores look back, a firing alert cannot be told from one that
 *      ended at the next evaluation: then it counts as pending, and fires again rather than never.
 *   2. Time between the last sample and the first evaluation does not count.
 */
#include "rules/restore_remote.h"

#include "base/env.h"
#include "base/mem.h"
#include "wire/json.h"

#include <math.h>

#define LOOKBACK_NS (240 * NS_PER_S) /* stores look back five minutes; a bit less is safe */
#define STEP_MAX_NS (60 * NS_PER_S)
#define MS_PER_S 1e3

struct remote_alert {
    struct labels *labels;
    int64_t active_at_ns;
    bool was_firing;
};

struct remote {
    VEC(struct remote_alert) alerts;
    struct series_table table; /* of struct series_item; items are places in <alerts> */
    int64_t died_ns;           /* when the last sample was written */
};

/* ---- asking ---- */

static struct datasource *source(const struct evaluation *ev)
{
    return ev->run->engine->options.restore;
}

/* Is it the same for all alerts of the rule, and of a name that every store's selectors take? */
static bool is_constant(const struct rule_text *label)
{
    struct str name = label->name;
    bool is_plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9') &&
                    !str_eq(name, STR("alertname")) && !str_eq(name, STR("alertstate"));

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                                (c >= '0' && c <= '9'));
    }
    return is_plain && str_find(label->source, STR("{{")) == label->source.len;
}

/* NAME{alertname="...",CONSTANT="LABELS",MORE}: the rule's alerts. */
static void add_selector(const struct evaluation *ev, const char *name, const char *more,
                         struct buf *out)
{
    const struct rule *rule = ev->run->rule;

    buf_addf(out, "%s{alertname=", name);
    json_print_str(out, rule->name);
    for (size_t i = 0; i < rule->label_count; i++) {
        const struct rule_text *label = &rule->labels[i];
        if (is_constant(label)) {
            buf_addf(out, ",%.*s=", STR_FMT(label->name));
            json_print_str(out, label->source);
        }
    }
    buf_addf(out, "%s}", more);
}

/* The last moment that cannot be ours: samples of the first evaluation bear its slot. */
static int64_t before_us_ns(const struct evaluation *ev)
{
    const struct rule_run *run = ev->run;
    int64_t loaded_ns = run->loaded_ns - run->rule->group->query_offset_ns;

    return (loaded_ns < ev->slot_ns ? loaded_ns : ev->slot_ns) - NS_PER_MS;
}

static bool ask(struct evaluation *ev, struct str expr, int64_t at_ns,
                bool (*row)(void *arg, struct str raw, int64_t time_ns, double value,
                            struct err *e),
                void *arg, struct err *e)
{
    const struct query q = {
        .expr = expr, .time_ns = at_ns, .tenant = ev->run->rule->group->tenant, .wait = ev->wait};
    const struct answer_sink sink = {row, arg};
    struct answer_info info;

    return datasource_query(source(ev), &q, &sink, &info, e);
}

static bool take_died(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    (void)raw;
    (void)time_ns;
    (void)e;
    *(int64_t *)arg = llround(value * MS_PER_S) * NS_PER_MS; /* a double has no ns of our times */
    return true;
}

/* When was the last of them written? 0: there are none. */
static bool ask_died(struct evaluation *ev, int64_t *ret_ns, struct err *e)
{
    AUTO(buf_release) struct buf expr = BUF_INIT(BUF_SMALL);
    int64_t interval_ns = ev->run->rule->group->interval_ns;
    int64_t step_ns = interval_ns < STEP_MAX_NS ? interval_ns : STEP_MAX_NS;

    buf_add_text(&expr, "max(max_over_time(timestamp(");
    add_selector(ev, "ALERTS_FOR_STATE", "", &expr);
    buf_addf(&expr, ")[%llds:%lldms]))",
             (long long)(ev->run->engine->options.restore_lookback_ns / NS_PER_S),
             (long long)(step_ns / NS_PER_MS));
    *ret_ns = 0;
    return ask(ev, buf_str(&expr), before_us_ns(ev), take_died, ret_ns, e);
}

/* ---- what was found ---- */

static bool sets_label(const struct rule *rule, struct str name)
{
    for (size_t i = 0; i < rule->label_count; i++) {
        if (str_eq(rule->labels[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* The alert's labels: without the name, the state, and vmalert's group label where we have none. */
static bool alert_labels(struct evaluation *ev, struct str raw, struct labels **ret_labels,
                         struct err *e)
{
    const struct rule *rule = ev->run->rule;

    labels_builder_clear(&ev->builder);
    if (!datasource_parse_labels(source(ev), raw, &ev->arena, &ev->builder, e)) {
        return false;
    }
    labels_builder_del(&ev->builder, STR("__name__"));
    labels_builder_del(&ev->builder, STR("alertstate"));
    if (str_eq(labels_builder_get(&ev->builder, STR("alertgroup")), rule->group->name) &&
        !ev->run->engine->options.alertgroup_label && !sets_label(rule, STR("alertgroup"))) {
        labels_builder_del(&ev->builder, STR("alertgroup"));
    }
    return labels_build(&ev->builder, ret_labels, e);
}

static bool take_pending(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct evaluation *ev = arg;
    struct remote *remote = ev->run->remote;
    struct remote_alert alert = {.active_at_ns = (int64_t)value * NS_PER_S};

    (void)time_ns;
    if (remote->alerts.len >= REMOTE_ALERTS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d alerts", REMOTE_ALERTS_MAX);
    }
    if (!alert_labels(ev, raw, &alert.labels, e)) {
        return false;
    }
    if (series_find(&remote->table, alert.labels) != HINDEX_NONE) {
        labels_unref(alert.labels);
        return true;
    }
    (void)series_add(&remote->table, labels_ref(alert.labels));
    vec_push(&remote->alerts, alert);
    return true;
}

static bool take_firing(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct evaluation *ev = arg;
    struct remote *remote = ev->run->remote;
    struct labels *labels = NULL;

    (void)time_ns;
    (void)value;
    if (!alert_labels(ev, raw, &labels, e)) {
        return false;
    }
    uint32_t place = series_find(&remote->table, labels);
    if (place != HINDEX_NONE) {
        remote->alerts.items[place].was_firing = true;
    }
    labels_unref(labels);
    return true;
}

static bool ask_alerts(struct evaluation *ev, struct err *e)
{
    AUTO(buf_release) struct buf expr = BUF_INIT(BUF_SMALL);
    struct remote *remote = ev->run->remote;
    int64_t later_ns = 2 * ev->run->rule->group->interval_ns;
    bool can_tell = later_ns <= LOOKBACK_NS;
    int64_t at_ns = remote->died_ns + (can_tell ? later_ns : LOOKBACK_NS);

    at_ns = at_ns < before_us_ns(ev) ? at_ns : before_us_ns(ev);
    add_selector(ev, "ALERTS_FOR_STATE", "", &expr);
    if (!ask(ev, buf_str(&expr), at_ns, take_pending, ev, e)) {
        return false;
    }
    buf_clear(&expr);
    add_selector(ev, "ALERTS", ",alertstate=\"firing\"", &expr);
    return !can_tell || ask(ev, buf_str(&expr), at_ns, take_firing, ev, e);
}

/* ---- for the evaluation ---- */

void remote_ask(struct evaluation *ev)
{
    struct rule_run *run = ev->run;
    struct err e = ERR_INIT;

    if (run->remote_phase != REMOTE_ASKS) {
        return;
    }
    remote_release(run);
    run->remote = mem_new(struct remote);
    series_table_init(&run->remote->table, sizeof(struct series_item));
    bool ok = ask_died(ev, &run->remote->died_ns, &e) &&
              (run->remote->died_ns == 0 || ask_alerts(ev, &e));
    arena_reset(&ev->arena);
    if (ok) {
        run->remote_phase = REMOTE_FOUND;
        return;
    }
    remote_release(run);
    metric_add(run->engine->restore_failures, 1);
    trace_warn(&run->engine->trace,
               "earlier alerts could not be read; the next evaluation asks again",
               T_STR("rule", run->rule->name), T_ERR(&e));
}

bool remote_status(const struct rule_run *run, const struct labels *labels, int64_t slot_ns,
                   struct alert_status *ret_status)
{
    const struct remote *remote = run->remote;
    uint32_t place = remote != NULL ? series_find(&remote->table, labels) : HINDEX_NONE;

    if (place == HINDEX_NONE) {
        return false;
    }
    const struct remote_alert *found = &remote->alerts.items[place];
    int64_t unwatched_ns = slot_ns - remote->died_ns - run->rule->group->interval_ns;
    int64_t active_ns = found->active_at_ns + (unwatched_ns > 0 ? unwatched_ns : 0);
    active_ns = active_ns < slot_ns ? active_ns : slot_ns;
    *ret_status = (struct alert_status){
        .state = ALERT_PENDING, .episode_ns = found->active_at_ns, .active_at_ns = active_ns};
    if (found->was_firing) {
        ret_status->state = ALERT_ALERTING;
        ret_status->active_at_ns = found->active_at_ns;
        ret_status->fired_at_ns = found->active_at_ns + run->rule->policy.for_ns;
    }
    return true;
}

void remote_release(struct rule_run *run)
{
    struct remote *remote = TAKE(run->remote);

    if (remote == NULL) {
        return;
    }
    for (size_t i = 0; i < remote->alerts.len; i++) {
        labels_unref(remote->alerts.items[i].labels);
    }
    vec_release(&remote->alerts);
    series_table_release(&remote->table);
    mem_free(remote);
}

void remote_done(struct rule_run *run)
{
    if (run->remote_phase == REMOTE_FOUND) {
        run->remote_phase = REMOTE_NONE;
        remote_release(run);
    }
}
