/*
 * Whether there is data for alerts that an answer lacks (no_data of a rule).
 *
 * Asked only when it matters: an active alert's series is missing, or nothing at all was found and that
 * is to be alerted. A resolved alert that is missing is over, whatever there is.
 *
 * The alert of "no data at all" is that of a series without labels: it has the rule's labels alone.
 */
#include "rules/engine_int.h"

#include "base/mem.h"

struct look {
    struct evaluation *ev;
    struct data_seen *seen;
};

static const struct alert_item *item_at(const struct rule_run *run, uint32_t id)
{
    return (const struct alert_item *)(const void *)series_at(&run->table, id);
}

static bool is_active(const struct alert_item *item)
{
    return item->head.labels != NULL && alert_written_state(&item->status) != ALERT_READY;
}

/* The item of a series whose labels are in ev->builder; HINDEX_NONE when there is none. */
static uint32_t find_final(struct evaluation *ev, const struct labels *series)
{
    struct labels *final = NULL;
    struct err ignored = ERR_INIT;

    if (!rule_final_labels(ev, series, 0, &final, &ignored)) {
        return HINDEX_NONE;
    }
    uint32_t id = series_find(&ev->run->table, final);
    labels_unref(final);
    return id;
}

static uint32_t find_item(struct evaluation *ev, struct str raw)
{
    struct rule_run *run = ev->run;
    uint32_t id = series_find_raw(&run->table, raw_hash_of(raw));
    AUTO(labels_autounref) struct labels *series = NULL;
    struct err ignored = ERR_INIT;

    if (id != HINDEX_NONE) {
        return id;
    }
    labels_builder_clear(&ev->builder);
    if (!datasource_parse_labels(run_datasource(run), raw, &ev->arena, &ev->builder, &ignored) ||
        !labels_build(&ev->builder, &series, &ignored)) {
        return HINDEX_NONE;
    }
    labels_builder_start(&ev->builder, series);
    id = find_final(ev, series);
    arena_reset(&ev->arena);
    return id;
}

/* The item of "no data at all"; HINDEX_NONE when it never was. */
static uint32_t whole_item(struct evaluation *ev)
{
    labels_builder_start(&ev->builder, labels_empty());
    uint32_t id = find_final(ev, labels_empty());

    arena_reset(&ev->arena);
    return id;
}

static bool data_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct look *look = arg;

    (void)time_ns;
    (void)value;
    (void)e;
    look->seen->rows++;
    if (look->ev->run->rule->data_by_series) {
        uint32_t id = find_item(look->ev, raw);
        if (id != HINDEX_NONE) {
            look->seen->has[id] = 1;
        }
    }
    return true;
}

/* Does it matter whether there is data? */
static bool is_needed(const struct evaluation *ev)
{
    const struct rule_run *run = ev->run;
    enum absent_policy policy = run->rule->policy.on_absent;

    if (policy == ABSENT_RESOLVES || run->rule->kind != RULE_ALERT || evaluation_keeps(ev)) {
        return false;
    }
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item = item_at(run, i);
        if (item->head.seen != run->evaluation && is_active(item)) {
            return true;
        }
    }
    return policy == ABSENT_ALERTS && ev->rows == 0;
}

static bool ask(struct evaluation *ev, struct data_seen *seen, struct err *e)
{
    struct look look = {ev, seen};
    struct answer_sink sink = {data_row, &look};
    struct answer_info info;
    struct query q = evaluation_make_query(ev, ev->run->rule->data_expr);

    if (ev->run->rule->data_expr.len == 0) {
        seen->rows = ev->rows; /* the answer is all the data that there is */
        return true;
    }
    if (!run_query(ev->run, &q, &sink, &info, e)) {
        return err_wrap(e, "asking whether there is data");
    }
    seen->is_partial = info.is_partial;
    return true;
}

bool data_look(struct evaluation *ev, struct data_seen *seen, struct err *e)
{
    const struct rule_run *run = ev->run;

    *seen = (struct data_seen){.is_asked = is_needed(ev)};
    if (!seen->is_asked) {
        return true;
    }
    seen->has = mem_alloc0(run->table.count, 1);
    if (!ask(ev, seen, e)) {
        return false;
    }
    bool is_whole = run->rule->data_expr.len > 0 && !run->rule->data_by_series;
    for (uint32_t i = 0; is_whole && i < run->table.count; i++) {
        seen->has[i] = seen->rows > 0;
    }
    uint32_t whole = whole_item(ev);
    if (whole != HINDEX_NONE && seen->rows > 0) {
        seen->has[whole] = 1;
    }
    return true;
}

enum observation data_observation(const struct evaluation *ev, const struct data_seen *seen,
                                  uint32_t item)
{
    if (evaluation_keeps(ev)) {
        return OBSERVED_PARTIAL;
    }
    if (!seen->is_asked || seen->has[item] != 0 || !is_active(item_at(ev->run, item))) {
        return OBSERVED_FALSE;
    }
    return seen->is_partial ? OBSERVED_PARTIAL : OBSERVED_ABSENT;
}

/* Is another alert than <whole> active, and so stands for what is gone? */
static bool others_stand(const struct rule_run *run, uint32_t whole)
{
    for (uint32_t i = 0; i < run->table.count; i++) {
        if (i != whole && is_active(item_at(run, i))) {
            return true;
        }
    }
    return false;
}

bool data_is_gone(struct evaluation *ev, const struct data_seen *seen)
{
    const struct rule_run *run = ev->run;

    if (!seen->is_asked || run->rule->policy.on_absent != ABSENT_ALERTS || ev->rows > 0 ||
        seen->rows > 0 || seen->is_partial) {
        return false;
    }
    uint32_t whole = whole_item(ev);
    bool stays = whole != HINDEX_NONE && is_active(item_at(run, whole));
    return stays || !others_stand(run, whole);
}

void data_seen_release(struct data_seen *seen)
{
    mem_free(seen->has);
    seen->has = NULL;
}
