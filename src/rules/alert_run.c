/*
 * An alerting rule: alert_step() for every series that is there or was there, then the edges, then
 * the series ALERTS and ALERTS_FOR_STATE.
 *
 * Invariants
 *   1. The status of an item changes only after the edge that says so is durable (or when no edge
 * is due: a value).
 *   2. Items are added, dropped and changed under run->lock; only the evaluating thread does so.
 *   3. An evaluation that fails before its edges were given leaves every status as it was.
 *   4. Edges that were given and are not known to be durable (a disk that stalls) are owed: nothing is
 * decided before their fate is known, since it would be told a second time under another id.
 *   5. <written> is the state under which the item's ALERTS series was last given; a series that
 * ends, or goes on under another state, gets one stale marker.
 */
#include "rules/engine_int.h"
#include "rules/restore_remote.h"

#include "base/env.h"
#include "base/number.h"

enum { HELD_TIMEOUT_MS = 10000 };

struct row {
    uint32_t item;
    double value;
};

struct alert_evaluation {
    struct evaluation *ev;
    VEC(struct row) rows;
    struct data_seen data;
    VEC(struct pending_edge) edges[EDGES_TOLD_COUNT];
};

static struct alert_item *item_at(const struct series_table *t, uint32_t id)
{
    return (struct alert_item *)(void *)series_at(t, id);
}

/* ---- the answer ---- */

/* Do annotations need the series' own labels beside the final ones: a metric name, or a label that
 * the rule replaced? */
static bool needs_series(const struct rule *rule, const struct labels *series,
                         const struct labels *final)
{
    struct label pair;

    if ((rule->annotation_uses & USES_LABELS) == 0) {
        return false;
    }
    if (rule->needs_series) {
        return true;
    }
    for (uint32_t at = 0; labels_next(series, &at, &pair);) {
        if (!str_eq(pair.name, STR("__name__")) &&
            !str_eq(labels_get(final, pair.name), pair.value)) {
            return true;
        }
    }
    return false;
}

/* Finds or makes the item of a series whose own labels are <series>. */
static bool item_of_series(struct evaluation *ev, struct labels *series, double value,
                           uint32_t *ret_id, struct err *e)
{
    struct rule_run *run = ev->run;
    struct labels *final = NULL;

    labels_builder_start(&ev->builder, series);
    if (!rule_final_labels(ev, series, value, &final, e)) {
        return false;
    }
    bool keeps = needs_series(run->rule, series, final);
    lock_take(&run->lock);
    struct alert_item *item = alert_item_for(run, final);
    if (keeps && item->series == NULL) {
        item->series = labels_ref(series);
    }
    *ret_id = (uint32_t)(((char *)item - run->table.items) / run->table.item_size);
    lock_give(&run->lock);
    return true;
}

static bool meet_series(struct evaluation *ev, struct str raw, double value, uint32_t *ret_id,
                        struct err *e)
{
    struct rule_run *run = ev->run;
    struct labels *series = NULL;

    labels_builder_clear(&ev->builder);
    if (!datasource_parse_labels(run_datasource(run), raw, &ev->arena, &ev->builder, e) ||
        !labels_build(&ev->builder, &series, e)) {
        return err_wrap(e, "series %.*s", STR_FMT(str_slice(raw, 0, 300)));
    }
    bool ok = item_of_series(ev, series, value, ret_id, e);
    labels_unref(series);
    arena_reset(&ev->arena);
    ev->met++;
    /* Labels that follow the value name another alert when it changes: such bytes are parsed each
     * time. */
    if (ok && (run->rule->label_uses & ~(unsigned)(USES_LABELS | USES_EXTERNAL)) == 0) {
        series_link_raw(&run->table, raw_hash_of(raw), *ret_id);
    }
    return ok;
}

static bool alert_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct alert_evaluation *ae = arg;
    struct rule_run *run = ae->ev->run;
    uint32_t id = series_find_raw(&run->table, raw_hash_of(raw));

    (void)time_ns;
    if (!budget_admits(ae->ev)) {
        return true;
    }
    if (id == HINDEX_NONE && !meet_series(ae->ev, raw, value, &id, e)) {
        return false;
    }
    struct alert_item *item = item_at(&run->table, id);
    if (item->head.seen == run->evaluation) {
        return rule_fail_duplicate(item->head.labels, e);
    }
    item->head.seen = run->evaluation;
    struct row row = {id, value};
    vec_push(&ae->rows, row);
    return true;
}

/* Whether there is data for what is missing; with none at all, the alert of that is true. */
static bool look_for_data(struct alert_evaluation *ae, struct err *e)
{
    struct evaluation *ev = ae->ev;
    struct row row = {0, 0};

    if (!data_look(ev, &ae->data, e)) {
        return false;
    }
    if (!data_is_gone(ev, &ae->data)) {
        return true;
    }
    if (!item_of_series(ev, labels_empty(), 0, &row.item, e)) {
        return false;
    }
    item_at(&ev->run->table, row.item)->head.seen = ev->run->evaluation;
    vec_push(&ae->rows, row);
    return true;
}

/* ---- transitions ---- */

/* Time that nobody watched is added to where a timer began: it does not count. */
static struct alert_status credited(const struct rule_run *run, const struct alert_item *item,
                                    int64_t slot_ns)
{
    struct alert_status s = item->status;
    int64_t *const began[] = {s.state == ALERT_PENDING ? &s.active_at_ns : NULL, &s.keep_since_ns};

    for (size_t i = 0; !item->is_credited && i < ARRAY_LEN(began); i++) {
        if (began[i] != NULL && *began[i] != 0) {
            int64_t then_ns = *began[i] + run->shift_ns;
            *began[i] = then_ns < slot_ns ? then_ns : slot_ns;
        }
    }
    return s;
}

/* An alert that is true and that an engine before us had too goes on where that one was. */
static void go_on_from(const struct rule_run *run, const struct alert_item *item, int64_t slot_ns,
                       struct alert_status *before)
{
    struct alert_status found;
    bool is_news = before->state == ALERT_READY || before->state == ALERT_PENDING;

    if (is_news && remote_status(run, item->head.labels, slot_ns, &found)) {
        *before = found;
    }
}

/* Is there nothing that a restart must know? */
static bool is_quiet(const struct alert_status *before, const struct alert_transition *t)
{
    return t->edge == EDGE_NONE && before->active_at_ns == t->next.active_at_ns &&
           before->keep_since_ns == t->next.keep_since_ns;
}

static void step_item(struct alert_evaluation *ae, uint32_t id, enum observation seen, double value)
{
    struct rule_run *run = ae->ev->run;
    struct alert_item *item = item_at(&run->table, id);
    struct alert_status before = credited(run, item, ae->ev->slot_ns);

    if (seen == OBSERVED_TRUE) {
        go_on_from(run, item, ae->ev->slot_ns, &before);
    }
    struct alert_transition t =
        alert_step(&before, seen, value, ae->ev->slot_ns, &run->rule->policy);

    if (is_quiet(&item->status, &t)) {
        item->status = t.next;
        return;
    }
    struct pending_edge edge = {.item = id, .next = t.next};
    enum edges_told ended = t.next.state == ALERT_ALERTING ? EDGES_FIRED : EDGES_ENDED;
    enum edges_told told = t.edge == EDGE_TOLD ? ended : EDGES_QUIET;
    vec_push(&ae->edges[told], edge);
}

/* Steps every item; statuses change here only where no edge is due. */
static void step_all(struct alert_evaluation *ae)
{
    struct rule_run *run = ae->ev->run;

    lock_take(&run->lock);
    for (size_t i = 0; i < ae->rows.len; i++) {
        step_item(ae, ae->rows.items[i].item, OBSERVED_TRUE, ae->rows.items[i].value);
    }
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item = item_at(&run->table, i);
        if (item->head.labels != NULL && item->head.seen != run->evaluation) {
            step_item(ae, i, data_observation(ae->ev, &ae->data, i), item->status.value);
        }
    }
    lock_give(&run->lock);
}

/* Edges of one sort on their way out. */
struct giving {
    struct rule_run *run;
    const struct pending_edge *next; /* the first that is not given */
    enum edges_told told;
};

/* From then on the run owes them to its alerts. */
static bool give_batch(void *arg, struct batch *b, struct err *e)
{
    struct giving *g = arg;
    struct rule_run *run = g->run;
    const struct engine_output *output = &run->engine->output;
    uint32_t count = batch_rows(b);
    uint64_t seq = 0;

    if (!output->edges(output->arg, run->rule, b, g->told, &seq, e)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        vec_push(&run->owed, *g->next++);
    }
    run->owed_seq = seq;
    metric_add(run->engine->fired, g->told == EDGES_FIRED ? count : 0);
    return true;
}

static bool give_edges(struct alert_evaluation *ae, enum edges_told told, struct err *e)
{
    struct pending_edge *edges = ae->edges[told].items;
    size_t count = ae->edges[told].len;
    struct giving g = {ae->ev->run, edges, told};

    if (count == 0 ||
        edges_build(ae->ev, edges, count, told, (struct edges_sink){give_batch, &g}, e)) {
        return true;
    }
    ae->ev->refused = true;
    return err_wrap(e, "keeping %zu changes of alert state", count - (size_t)(g.next - edges));
}

/* What was given is the alerts' state. */
static void take_owed(struct rule_run *run)
{
    lock_take(&run->lock);
    for (size_t i = 0; i < run->owed.len; i++) {
        struct alert_item *item = item_at(&run->table, run->owed.items[i].item);
        item->status = run->owed.items[i].next;
        item->is_credited = run->shift_ns != 0;
    }
    lock_give(&run->lock);
    vec_clear(&run->owed);
}

bool alert_settle(struct rule_run *run, struct wait wait, struct err *e)
{
    struct engine *en = run->engine;

    if (run->owed.len == 0) {
        return true;
    }
    if (!en->output.held(en->output.arg, run->owed_seq, wait, e)) {
        return err_wrap(e, "waiting for %zu changes of alert state to be kept", run->owed.len);
    }
    debug_changes(run);
    metric_add(en->edges, run->owed.len);
    take_owed(run);
    engine_commit_end(run, run->owed_seq);
    return true;
}

static bool settle_edges(struct evaluation *ev, struct wait wait, struct err *e)
{
    bool ok = alert_settle(ev->run, wait, e);

    ev->refused = ev->refused || !ok;
    return ok;
}

static void all_are_credited(struct rule_run *run)
{
    run->shift_ns = 0;
    for (uint32_t i = 0; i < run->table.count; i++) {
        item_at(&run->table, i)->is_credited = false;
    }
}

/* Gives all edges, waits until they are durable, and makes them visible. What the query left of its
 * time has no part in it. */
static bool commit_edges(struct alert_evaluation *ae, struct err *e)
{
    struct evaluation *ev = ae->ev;
    struct wait wait = {clock_deadline_ms(ev->run->engine->env->clock, HELD_TIMEOUT_MS),
                        ev->wait.cancel};
    struct err late = ERR_INIT;
    bool ok = true;

    engine_commit_begin(ev->run);
    for (int told = 0; ok && told < EDGES_TOLD_COUNT; told++) {
        ok = give_edges(ae, (enum edges_told)told, e);
    }
    if (ok && ev->run->shift_ns != 0) {
        all_are_credited(ev->run);
    }
    if (ev->run->owed.len == 0) {
        engine_commit_end(ev->run, 0);
        return ok;
    }
    return settle_edges(ev, wait, ok ? e : &late) && ok;
}

/* ---- ALERTS and ALERTS_FOR_STATE ---- */

/* The alert's labels with a metric name and, for ALERTS, the state. */
static struct labels *alert_series(struct evaluation *ev, const struct labels *labels,
                                   const char *name, const char *state)
{
    struct labels *series = NULL;
    struct err e = ERR_INIT;

    labels_builder_start(&ev->builder, labels);
    labels_builder_set(&ev->builder, STR("__name__"), str_of(name));
    if (state != NULL) {
        labels_builder_set(&ev->builder, STR("alertstate"), str_of(state));
    }
    INVARIANT(labels_build(&ev->builder, &series, &e)); /* the labels were a set before */
    return series;
}

static void add_alerts(struct sample_set *set, const struct labels *labels, uint8_t state,
                       double value)
{
    const char *name = alert_state_prometheus((enum alert_state)state);

    sample_set_add(set, alert_series(set->ev, labels, "ALERTS", name), value);
}

uint8_t alert_written_state(const struct alert_status *s)
{
    static const uint8_t written[ALERT_STATES] = {
        [ALERT_READY] = ALERT_READY,       [ALERT_PENDING] = ALERT_PENDING,
        [ALERT_ALERTING] = ALERT_ALERTING, [ALERT_SUPPRESSING] = ALERT_ALERTING,
        [ALERT_RESOLVED] = ALERT_READY,
    };

    return written[s->state];
}

/* What the item's series are under that status, and the ends of those that it had. */
static void add_item_series(struct sample_set *set, const struct alert_item *item,
                            const struct alert_status *status)
{
    uint8_t state = alert_written_state(status);
    const struct labels *labels = item->head.labels;

    if (item->written != ALERT_READY && item->written != state) {
        add_alerts(set, labels, item->written, number_stale_nan());
    }
    if (state != ALERT_READY) {
        int64_t since_s = status->active_at_ns / NS_PER_S;
        add_alerts(set, labels, state, 1);
        sample_set_add(set, alert_series(set->ev, labels, "ALERTS_FOR_STATE", NULL),
                       (double)since_s);
    } else if (item->written != ALERT_READY) {
        sample_set_add(set, alert_series(set->ev, labels, "ALERTS_FOR_STATE", NULL),
                       number_stale_nan());
    }
}

static bool write_series(struct evaluation *ev, struct err *e)
{
    struct sample_set set = {.ev = ev};
    struct series_table *table = &ev->run->table;

    for (uint32_t i = 0; i < table->count; i++) {
        if (series_at(table, i)->labels != NULL) {
            add_item_series(&set, item_at(table, i), &item_at(table, i)->status);
        }
    }
    bool ok = sample_set_give(&set, true, false, e);
    lock_take(&ev->run->lock);
    for (uint32_t i = 0; ok && i < table->count; i++) {
        struct alert_item *item = item_at(table, i);
        item->written = alert_written_state(&item->status);
    }
    lock_give(&ev->run->lock);
    sample_set_release(&set);
    return ok;
}

/* ---- the evaluation ---- */

/* Forgets alerts that are over, and those that an evaluation that failed met and made nothing of. */
static void drop_over(struct evaluation *ev)
{
    struct rule_run *run = ev->run;

    lock_take(&run->lock);
    for (uint32_t i = 0; i < run->table.count; i++) {
        struct alert_item *item = item_at(&run->table, i);
        if (item->head.labels != NULL && item->written == ALERT_READY &&
            alert_status_is_over(&item->status, ev->slot_ns,
                                 run->engine->options.keep_resolved_ns)) {
            labels_unref(item->series);
            item->series = NULL;
            series_drop(&run->table, i);
        }
    }
    series_compact(&run->table);
    lock_give(&run->lock);
    budget_hold(run, run->table.count - run->table.dropped);
}

bool alert_evaluate(struct evaluation *ev, struct err *e)
{
    struct alert_evaluation ae = {.ev = ev};

    remote_ask(ev);
    series_begin(&ev->run->table);
    bool ok = settle_edges(ev, (struct wait){0, NULL}, e) &&
              evaluation_query(ev, alert_row, &ae, e) && look_for_data(&ae, e);
    if (ok) {
        step_all(&ae);
        ok = commit_edges(&ae, e);
    }
    bool is_committed = ok;
    if (ok) {
        remote_done(ev->run);
        ok = write_series(ev, e);
    }
    if (is_committed || ev->run->owed.len == 0) { /* what is owed names items by their numbers */
        drop_over(ev);
    }
    data_seen_release(&ae.data);
    vec_release(&ae.rows);
    for (int told = 0; told < EDGES_TOLD_COUNT; told++) {
        vec_release(&ae.edges[told]);
    }
    return ok;
}

/* ---- the rule goes ---- */

/* Level outputs are told as long as of any alert, also of what ended shortly before its rule went. */
static bool ended_before(const struct alert_item *item)
{
    return item->status.state == ALERT_RESOLVED && item->status.fired_at_ns != 0;
}

/* Whoever was told that they fire is told that they do not any more: nobody else would say so. */
static bool ends_now(const struct alert_item *item)
{
    return alert_written_state(&item->status) == ALERT_ALERTING;
}

static void build_ends(struct evaluation *ev, bool (*wanted)(const struct alert_item *item),
                       struct edges_sink sink)
{
    struct rule_run *run = ev->run;
    VEC(struct pending_edge) edges = {0};
    struct err ignored = ERR_INIT;

    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item = item_at(&run->table, i);
        if (item->head.labels == NULL || !wanted(item)) {
            continue;
        }
        struct pending_edge edge = {.item = i, .next = item->status};
        if (edge.next.state != ALERT_RESOLVED) {
            edge.next.state = ALERT_RESOLVED;
            edge.next.resolved_at_ns = ev->slot_ns;
        }
        vec_push(&edges, edge);
    }
    (void)edges_build(ev, edges.items, edges.len, EDGES_ENDED, sink, &ignored); /* takes all */
    vec_release(&edges);
}

static bool keep_departed(void *arg, struct batch *b, struct err *e)
{
    (void)e;
    departed_keep(arg, b);
    return true;
}

void alert_retire(struct rule_run *run, struct sample_set *set, struct edges_sink ends)
{
    static const struct alert_status over = {0};

    take_owed(run); /* it is in the ledger in front of what is said now, or neither is */
    build_ends(set->ev, ended_before, (struct edges_sink){keep_departed, run});
    build_ends(set->ev, ends_now, ends);
    for (uint32_t i = 0; i < run->table.count; i++) {
        struct alert_item *item = item_at(&run->table, i);
        if (item->head.labels != NULL) {
            add_item_series(set, item, &over);
            item->written = ALERT_READY;
        }
    }
}
