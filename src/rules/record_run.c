/*
 * A recording rule: every series of the answer under the rule's name and labels, at the
 * evaluation's time.
 *
 * Invariants
 *   1. An item is written once samples of it were given; it gets one stale marker when it leaves
 * the answer, then it is dropped.
 *   2. Nothing is given unless the whole answer was read and no two of its series became one.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/number.h"

struct record_evaluation {
    struct evaluation *ev;
    struct sample_set samples;
};

static struct record_item *item_at(const struct series_table *t, uint32_t id)
{
    return (struct record_item *)(void *)series_at(t, id);
}

/* A series met for the first time: parses its labels and finds or makes its item. */
static bool meet_series(struct evaluation *ev, struct str raw, double value, uint32_t *ret_id,
                        struct err *e)
{
    struct series_table *table = &ev->run->table;
    struct labels *labels = NULL;

    labels_builder_clear(&ev->builder);
    if (!datasource_parse_labels(ev->run->engine->datasource, raw, &ev->arena, &ev->builder, e) ||
        !rule_final_labels(ev, NULL, value, &labels, e)) {
        return err_wrap(e, "series %.*s", STR_FMT(str_slice(raw, 0, 300)));
    }
    *ret_id = series_find(table, labels);
    if (*ret_id == HINDEX_NONE) {
        *ret_id = series_add(table, labels);
    } else {
        labels_unref(labels);
    }
    series_link_raw(table, raw, *ret_id);
    arena_reset(&ev->arena);
    return true;
}

static bool record_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct record_evaluation *re = arg;
    struct rule_run *run = re->ev->run;
    uint32_t id = series_find_raw(&run->table, raw);

    (void)time_ns;
    if (id == HINDEX_NONE && !meet_series(re->ev, raw, value, &id, e)) {
        return false;
    }
    struct record_item *item = item_at(&run->table, id);
    if (item->head.seen == run->evaluation) {
        return rule_fail_duplicate(item->head.labels, e);
    }
    item->head.seen = run->evaluation;
    if (rule_is_over_limit(run, re->samples.total + 1)) {
        return rule_fail_limit(run, e);
    }
    sample_set_add(&re->samples, labels_ref(item->head.labels), value);
    return true;
}

/* Stale markers for items that were written and are not in this answer. */
static void add_stale(struct record_evaluation *re)
{
    const struct rule_run *run = re->ev->run;

    if (re->ev->info.is_partial) {
        return; /* what is missing may only be unseen */
    }
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct record_item *item = item_at(&run->table, i);
        if (item->head.labels != NULL && item->written && item->head.seen != run->evaluation) {
            sample_set_add(&re->samples, labels_ref(item->head.labels), number_stale_nan());
        }
    }
}

/* The answer was given: what it had is written, what it lacked is gone. */
static void settle(struct evaluation *ev)
{
    struct series_table *table = &ev->run->table;

    for (uint32_t i = 0; i < table->count; i++) {
        struct record_item *item = item_at(table, i);
        if (item->head.labels == NULL) {
            continue;
        }
        if (item->head.seen == ev->run->evaluation) {
            item->written = true;
        } else if (!ev->info.is_partial) {
            series_drop(table, i);
        }
    }
    series_compact(table);
}

/* Is this evaluation one that export_interval leaves out? */
static bool is_thinned(struct rule_run *run, int64_t slot_ns)
{
    int64_t interval_ns = run->rule->export.interval_ns;

    if (interval_ns <= 0) {
        return false;
    }
    /* Half an interval of the group early is on time: slots need not divide the export interval. */
    int64_t slack_ns = run->rule->group->interval_ns / 2;
    if (run->last_export_ns != 0 && slot_ns - run->last_export_ns < interval_ns - slack_ns) {
        return true;
    }
    run->last_export_ns = slot_ns;
    return false;
}

bool record_evaluate(struct evaluation *ev, struct err *e)
{
    struct record_evaluation re = {.ev = ev, .samples = {.ev = ev}};

    series_begin(&ev->run->table);
    bool ok = evaluation_query(ev, record_row, &re, e);
    if (ok) {
        add_stale(&re);
        ok = sample_set_give(&re.samples, false, is_thinned(ev->run, ev->slot_ns), e);
    }
    if (ok) {
        settle(ev);
    }
    sample_set_release(&re.samples);
    return ok;
}
