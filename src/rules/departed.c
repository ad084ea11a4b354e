/*
 * Alerts of rules that are gone, for as long as level outputs are to hear that they ended. What they were is
 * kept as the batch of edges that said so.
 *
 * Invariants
 *   1. None is shown while a rule of the set fires with the same labels: the destination could not tell them
 *      apart, and would take that one as ended.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "wire/json.h"

#include <stdio.h>

struct departed {
    struct batch *ended; /* a reference; its texts are the rule's */
    char rule_id[40];
    int64_t interval_ns;
    const struct label *headers; /* in the batch's arena */
    size_t header_count;
    int64_t due_ns; /* monotonic: then it is forgotten */
};

void departed_keep(struct rule_run *run, struct batch *ended)
{
    struct engine *en = run->engine;
    const struct rule_group *group = run->rule->group;
    struct departed *d = mem_new(struct departed);

    *d = (struct departed){.ended = batch_ref(ended),
                           .interval_ns = group->interval_ns,
                           .headers = label_pairs_dup(batch_arena(ended), group->notifier_headers,
                                                      group->notifier_header_count),
                           .header_count = group->notifier_header_count,
                           .due_ns = clock_mono_ns(en->env->clock) + en->options.keep_resolved_ns};
    (void)snprintf(d->rule_id, sizeof(d->rule_id), "%.*s", STR_FMT(run->id));
    lock_take(&en->departed_lock);
    vec_push(&en->departed, d);
    lock_give(&en->departed_lock);
}

static void departed_free(struct departed *d)
{
    batch_unref(d->ended);
    mem_free(d);
}

void departed_release(struct engine *en)
{
    lock_take(&en->departed_lock);
    for (size_t i = 0; i < en->departed.len; i++) {
        departed_free(en->departed.items[i]);
    }
    vec_release(&en->departed);
    lock_give(&en->departed_lock);
    lock_release(&en->departed_lock);
}

void departed_take(struct engine *en, struct engine *before)
{
    lock_take(&before->departed_lock);
    lock_take(&en->departed_lock);
    for (size_t i = 0; i < before->departed.len; i++) {
        vec_push(&en->departed, before->departed.items[i]);
    }
    vec_clear(&before->departed);
    lock_give(&en->departed_lock);
    lock_give(&before->departed_lock);
}

static void drop_old(struct engine *en) REQUIRES(&en->departed_lock)
{
    int64_t now_ns = clock_mono_ns(en->env->clock);
    size_t kept = 0;

    for (size_t i = 0; i < en->departed.len; i++) {
        struct departed *d = en->departed.items[i];
        if (now_ns < d->due_ns) {
            en->departed.items[kept++] = d;
        } else {
            departed_free(d);
        }
    }
    en->departed.len = kept;
}

/* ---- shown ---- */

static struct level_alert level_of(const struct departed *d, const struct alert *a)
{
    struct level_alert level = {.key = alert_level_key(a->labels, a->episode_ns),
                                .labels = a->labels,
                                .starts_at_ns = a->fired_at_ns,
                                .ends_at_ns = a->resolved_at_ns,
                                .interval_ns = d->interval_ns,
                                .rule = batch_info(d->ended)->rule,
                                .group = batch_info(d->ended)->group,
                                .headers = d->headers,
                                .header_count = d->header_count};

    memcpy(level.rule_id, d->rule_id, sizeof(level.rule_id));
    return level;
}

static bool run_fires(struct rule_run *run, const struct labels *labels)
{
    lock_take(&run->lock);
    uint32_t id = series_find(&run->table, labels);
    bool fires =
        id != HINDEX_NONE &&
        alert_written_state(
            &((const struct alert_item *)(const void *)series_at(&run->table, id))->status) ==
            ALERT_ALERTING;
    lock_give(&run->lock);
    return fires;
}

/* The rules of the set that have the name: alerts of others have other labels. */
struct namesakes {
    VEC(struct rule_run *) runs;
};

static void find_namesakes(const struct engine *en, struct str name, struct namesakes *ret)
{
    for (size_t i = 0; i < en->group_count; i++) {
        for (size_t r = 0; r < en->groups[i].group->rule_count; r++) {
            struct rule_run *run = en->groups[i].runs[r];
            if (run->kind == RULE_ALERT && str_eq(run->rule->name, name)) {
                vec_push(&ret->runs, run);
            }
        }
    }
}

static void show(const struct engine *en, const struct departed *d,
                 void (*visit)(void *, const struct level_alert *), void *visit_arg)
{
    struct namesakes namesakes = {0};
    const struct alerts *alerts = NULL;
    struct err ignored = ERR_INIT;

    find_namesakes(en, batch_info(d->ended)->rule, &namesakes);
    bool ok = batch_alerts(d->ended, &alerts, &ignored);
    for (uint32_t i = 0; ok && i < alerts->count; i++) {
        bool fires = false;
        for (size_t k = 0; !fires && k < namesakes.runs.len; k++) {
            fires = run_fires(namesakes.runs.items[k], alerts->rows[i].labels);
        }
        if (!fires) {
            struct level_alert level = level_of(d, &alerts->rows[i]);
            visit(visit_arg, &level);
        }
    }
    vec_release(&namesakes.runs);
}

void departed_walk(struct engine *en, void (*visit)(void *, const struct level_alert *),
                   void *visit_arg)
{
    lock_take(&en->departed_lock);
    drop_old(en);
    for (size_t i = 0; i < en->departed.len; i++) {
        show(en, en->departed.items[i], visit, visit_arg);
    }
    lock_give(&en->departed_lock);
}

/* ---- texts ---- */

static const struct alert *find(const struct departed *d, const struct level_alert *level)
{
    const struct alerts *alerts = NULL;
    struct err ignored = ERR_INIT;
    bool ok = batch_alerts(d->ended, &alerts, &ignored);

    for (uint32_t i = 0; ok && i < alerts->count; i++) {
        const struct alert *a = &alerts->rows[i];
        if (a->labels->hash == level->labels->hash &&
            alert_level_key(a->labels, a->episode_ns) == level->key) {
            return a;
        }
    }
    return NULL;
}

bool departed_describe(struct engine *en, const struct level_alert *alert, struct buf *annotations)
{
    const struct alert *a = NULL;

    lock_take(&en->departed_lock);
    for (size_t i = 0; a == NULL && i < en->departed.len; i++) {
        const struct departed *d = en->departed.items[i];
        a = strcmp(d->rule_id, alert->rule_id) == 0 ? find(d, alert) : NULL;
    }
    if (a != NULL) {
        level_print_annotations(a->annotations, a->annotation_count, annotations);
    }
    lock_give(&en->departed_lock);
    return a != NULL;
}
