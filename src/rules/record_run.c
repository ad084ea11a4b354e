/*
 * A recording rule: every series of the answer under the rule's name and labels, at the
 * evaluation's time.
 *
 * As long as the rows come in the remembered order only their values are taken; the remembered
 * bodies are then repeated with them. The first row that is another one brings the label sets back
 * into a table, and the evaluation goes on by looking each row up there.
 *
 * Invariants
 *   1. Nothing is given unless the whole answer was read and no two of its series became one.
 *   2. A remembered series that a complete answer lacks gets one stale marker.
 *   3. The memory changes only after everything was given; a partial answer does not change it.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/number.h"

struct record_evaluation {
    struct evaluation *ev;
    struct record_memory *memory;
    VEC(double) values;
    bool in_order; /* every row so far is the remembered one */

    /* Once out of order. */
    struct arena arena;
    struct series_table
        table; /* of struct series_item: the remembered series first, by their number */
    VEC(struct raw_hash) raws;
    VEC(uint32_t) items; /* row -> item */
};

/* ---- out of order ---- */

static bool push_row(struct record_evaluation *re, struct raw_hash raw, uint32_t item, double value,
                     struct err *e)
{
    struct series_item *head = series_at(&re->table, item);

    if (head->seen == 1) {
        return rule_fail_duplicate(head->labels, e);
    }
    head->seen = 1;
    vec_push(&re->raws, raw);
    vec_push(&re->items, item);
    vec_push(&re->values, value);
    return true;
}

/* Brings the remembered label sets into the table, and the rows taken so far with them. */
static bool leave_order(struct record_evaluation *re, struct err *e)
{
    const struct record_memory *m = re->memory;
    uint32_t taken = (uint32_t)re->values.len;
    struct labels **labels = NULL;

    re->in_order = false;
    if (!record_memory_read(m, &re->arena, &labels, e)) {
        return false;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t item = series_add(&re->table, labels[i]);
        if (m->raws_hold) {
            series_link_raw(&re->table, m->raws.items[i], item);
        }
    }
    series_begin(&re->table);
    re->values.len = 0;
    for (uint32_t i = 0; i < taken; i++) {
        if (!push_row(re, m->raws.items[i], i, re->values.items[i], e)) {
            return false;
        }
    }
    re->table.next_raw = taken;
    return true;
}

/* A series that the table does not know by its bytes: parses its labels and finds or makes its
 * item. */
static bool meet_series(struct record_evaluation *re, struct str raw, double value,
                        uint32_t *ret_item, struct err *e)
{
    struct evaluation *ev = re->ev;
    struct labels *labels = NULL;

    labels_builder_clear(&ev->builder);
    if (!datasource_parse_labels(run_datasource(ev->run), raw, &ev->arena, &ev->builder, e) ||
        !rule_final_labels(ev, NULL, value, &labels, e)) {
        return err_wrap(e, "series %.*s", STR_FMT(str_slice(raw, 0, 300)));
    }
    arena_reset(&ev->arena);
    ev->met++;
    *ret_item = series_find(&re->table, labels);
    if (*ret_item == HINDEX_NONE) {
        *ret_item = series_add(&re->table, labels);
    } else {
        labels_unref(labels);
    }
    return true;
}

static bool take_row(struct record_evaluation *re, struct str raw, struct raw_hash hash,
                     double value, struct err *e)
{
    uint32_t item = series_find_raw(&re->table, hash);

    if (item == HINDEX_NONE) {
        if (!meet_series(re, raw, value, &item, e)) {
            return false;
        }
        series_link_raw(&re->table, hash, item);
    }
    return push_row(re, hash, item, value, e);
}

/* ---- rows ---- */

static bool record_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct record_evaluation *re = arg;
    const struct record_memory *m = re->memory;
    size_t row = re->values.len;
    struct raw_hash hash = raw_hash_of(raw);

    (void)time_ns;
    if (!budget_admits(re->ev)) {
        return true;
    }
    if (re->in_order && row < m->count && m->raws_hold && raw_hash_eq(hash, m->raws.items[row])) {
        vec_push(&re->values, value);
        return true;
    }
    return (!re->in_order || leave_order(re, e)) && take_row(re, raw, hash, value, e);
}

/* ---- giving ---- */

/* Is this evaluation one that export_interval leaves out? */
static bool is_thinned(const struct rule_run *run, int64_t slot_ns)
{
    int64_t interval_ns = run->rule->export.interval_ns;

    if (interval_ns <= 0) {
        return false;
    }
    /* Half an interval of the group early is on time: slots need not divide the export interval. */
    int64_t slack_ns = run->rule->group->interval_ns / 2;
    return run->last_export_ns != 0 && slot_ns - run->last_export_ns < interval_ns - slack_ns;
}

/* Gives the remembered bodies with the new values; *ret_given false when their form does not allow
 * it. */
static bool give_repeated(struct record_evaluation *re, bool thinned, bool *ret_given,
                          struct err *e)
{
    struct batch_info info = rule_batch_info(re->ev->run, RECORD_SAMPLE, re->ev->slot_ns);
    struct sample_set set = {.ev = re->ev};
    struct batch_list list = {0};
    bool ok = true;

    *ret_given = record_memory_repeat(re->memory, re->values.items, re->ev->slot_ns, &info, &list);
    for (size_t i = 0; i < list.items.len; i++) {
        vec_push(&set.batches, list.items.items[i]);
    }
    vec_release(&list.items);
    if (*ret_given) {
        set.total = re->values.len;
        ok = sample_set_give(&set, false, thinned, e);
    }
    sample_set_release(&set);
    return ok;
}

static void add_stale(struct record_evaluation *re, struct sample_set *set)
{
    for (uint32_t i = 0; i < re->memory->count && !evaluation_keeps(re->ev); i++) {
        const struct series_item *item = series_at(&re->table, i);
        if (item->seen == 0) {
            sample_set_add(set, labels_ref(item->labels), number_stale_nan());
        }
    }
}

/* The bodies that were given are the new memory. */
static bool remember(struct record_evaluation *re, const struct sample_set *given, struct err *e)
{
    VEC(struct str) bodies = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < given->batches.len; i++) {
        struct str body;
        ok = batch_encoded(given->batches.items[i], &body, e);
        if (ok) {
            vec_push(&bodies, body);
        }
    }
    if (ok) {
        record_memory_set(re->memory, bodies.items, bodies.len, re->raws.items,
                          (uint32_t)re->raws.len);
        atomic_fetch_add(&re->ev->run->engine->series_changes, 1);
    }
    vec_release(&bodies);
    return ok;
}

static bool give_rows(struct record_evaluation *re, bool thinned, struct err *e)
{
    struct sample_set live = {.ev = re->ev};
    struct sample_set stale = {.ev = re->ev};

    for (size_t i = 0; i < re->items.len; i++) {
        struct labels *labels = series_at(&re->table, re->items.items[i])->labels;
        sample_set_add(&live, labels_ref(labels), re->values.items[i]);
    }
    add_stale(re, &stale);
    bool ok = sample_set_give(&live, false, thinned, e) && sample_set_give(&stale, false, false, e);
    if (ok && !evaluation_keeps(re->ev)) {
        ok = remember(re, &live, e);
    }
    sample_set_release(&live);
    sample_set_release(&stale);
    return ok;
}

static bool give_values(struct record_evaluation *re, bool thinned, struct err *e)
{
    bool given = false;

    if (re->in_order && re->values.len == re->memory->count) {
        if (!give_repeated(re, thinned, &given, e)) {
            return false;
        }
        if (given) {
            return true;
        }
    }
    return (!re->in_order || leave_order(re, e)) && give_rows(re, thinned, e);
}

static bool give(struct record_evaluation *re, struct err *e)
{
    struct rule_run *run = re->ev->run;
    bool thinned = re->values.len > 0 && is_thinned(run, re->ev->slot_ns);

    if (!give_values(re, thinned, e)) {
        return false;
    }
    budget_hold(run, (int64_t)re->values.len);
    /* An empty answer exports nothing, and neither does a refusal: the next one is not too early. */
    if (re->values.len > 0 && !thinned) {
        run->last_export_ns = re->ev->slot_ns;
    }
    return true;
}

bool record_evaluate(struct evaluation *ev, struct err *e)
{
    struct record_evaluation re = {.ev = ev, .memory = &ev->run->memory, .in_order = true};

    arena_init(&re.arena, ARENA_UNLIMITED);
    series_table_init(&re.table, sizeof(struct series_item));
    bool ok = evaluation_query(ev, record_row, &re, e) && give(&re, e);
    series_table_release(&re.table);
    arena_release(&re.arena);
    vec_release(&re.values);
    vec_release(&re.raws);
    vec_release(&re.items);
    return ok;
}

void record_retire(struct rule_run *run, struct sample_set *set)
{
    struct labels **labels = NULL;
    struct err e = ERR_INIT;
    struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    if (record_memory_read(&run->memory, &arena, &labels, &e)) {
        for (uint32_t i = 0; i < run->memory.count; i++) {
            sample_set_add(set, labels[i], number_stale_nan());
        }
    }
    arena_release(&arena);
}
