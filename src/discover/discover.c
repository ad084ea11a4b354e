/*
 * Invariants
 *   1. source->list is what the last look that succeeded gave, here or where it was followed from; a failed look
 *      changes nothing of it.
 *   2. Looks happen without the lock; <list>, <answered> and nothing else are shared.
 *   3. The listener is called after the list was exchanged, and only when it differs.
 */
#include "discover/discover.h"

#include "base/env.h"
#include "base/metrics.h"
#include "base/trace.h"

#include <stdlib.h>

enum { FIRST_RETRY_MS = 1000, LOOK_MS = 30 * 1000, DOUBLINGS_MAX = 16 };

struct source {
    struct discover *owner;
    const struct discovery_kind *kind;
    const struct discovery_common *config;
    struct discovery *discovery;
    struct thread thread;
    struct target_list list;
    bool answered;
    unsigned failures; /* in a row; its thread's own */
    struct metric *looks_failed;
    struct metric *targets;
};

struct discover {
    const struct env *env;
    struct trace trace;
    struct str name;
    struct discover_listener listener;
    struct cancel *cancel;
    struct lock lock;
    struct source *sources;
    size_t count;
};

static const struct metric_desc failures_desc = {
    .name = "telex_discovery_failures_total",
    .help = "Looks for targets that failed; the targets found last stay.",
    .type = METRIC_COUNTER,
    .labels = {"name", "kind"},
};

static const struct metric_desc targets_desc = {
    .name = "telex_discovery_targets",
    .help = "Targets found by the last look that succeeded.",
    .type = METRIC_GAUGE,
    .labels = {"name", "kind"},
};

/* ---- a look ---- */

static int compare(const void *a, const void *b)
{
    return labels_cmp(*(struct labels *const *)a, *(struct labels *const *)b);
}

/* Sorted, each one once: answers in another order are the same answer. */
static void tidy(struct target_list *l)
{
    size_t kept = 0;

    if (l->sets.len > 1) {
        qsort((void *)l->sets.items, l->sets.len, sizeof(struct labels *), compare);
    }
    for (size_t i = 0; i < l->sets.len; i++) {
        if (kept > 0 && labels_eq(l->sets.items[kept - 1], l->sets.items[i])) {
            labels_unref(l->sets.items[i]);
        } else {
            l->sets.items[kept++] = l->sets.items[i];
        }
    }
    l->sets.len = kept;
}

/* <list> becomes what was there before. */
static bool exchange(struct source *s, struct target_list *list)
{
    lock_take(&s->owner->lock);
    bool changed = !s->answered || !target_list_eq(&s->list, list);
    struct target_list before = s->list;
    s->list = *list;
    s->answered = true;
    lock_give(&s->owner->lock);
    *list = before;
    return changed;
}

static bool look(struct source *s, struct err *e)
{
    AUTO(target_list_release) struct target_list list = {0};
    struct discover *d = s->owner;
    const struct wait wait = {clock_deadline_ms(d->env->clock, LOOK_MS), d->cancel};
    bool same = false;

    if (!s->discovery->ops->look(s->discovery, wait, &list, &same, e)) {
        return false;
    }
    if (same) {
        return true;
    }
    tidy(&list);
    if (s->targets != NULL) {
        metric_set(s->targets, (double)list.sets.len);
    }
    if (exchange(s, &list) && d->listener.changed != NULL) {
        d->listener.changed(d->listener.arg);
    }
    return true;
}

static void note_failure(struct source *s, const struct err *e)
{
    struct discover *d = s->owner;

    s->failures++;
    if (s->looks_failed != NULL) {
        metric_add(s->looks_failed, 1);
    }
    lock_take(&d->lock);
    size_t kept = s->list.sets.len;
    lock_give(&d->lock);
    trace_warn(&d->trace, "looking for targets failed; those found last stay",
               T_STR("name", d->name), T_TEXT("kind", s->kind->name), T_U64("targets", kept),
               T_ERR(e));
}

static int64_t pause_ms(const struct source *s)
{
    int64_t refresh_ms = s->config->refresh_ns / NS_PER_MS;
    unsigned doublings = s->failures < DOUBLINGS_MAX ? s->failures : DOUBLINGS_MAX;
    int64_t retry_ms = (int64_t)FIRST_RETRY_MS << (doublings > 0 ? doublings - 1 : 0);

    return s->failures > 0 && retry_ms < refresh_ms ? retry_ms : refresh_ms;
}

static void run(void *arg)
{
    struct source *s = arg;
    struct discover *d = s->owner;

    while (!cancel_is_set(d->cancel)) {
        struct err e = ERR_INIT;
        if (look(s, &e)) {
            s->failures = 0;
        } else if (!cancel_is_set(d->cancel)) {
            note_failure(s, &e);
        }
        (void)wait_sleep((struct wait){clock_deadline_ms(d->env->clock, pause_ms(s)), d->cancel});
    }
}

/* ---- life ---- */

static bool open_source(struct discover *d, const struct discovery_kind *kind, const void *config,
                        struct err *e)
{
    struct source *s = &d->sources[d->count++];

    *s = (struct source){.owner = d, .kind = kind, .config = config};
    if (d->env->metrics != NULL) {
        s->looks_failed =
            metrics_get2(d->env->metrics, &failures_desc, d->name, str_of(kind->name));
        s->targets = metrics_get2(d->env->metrics, &targets_desc, d->name, str_of(kind->name));
    }
    return kind->open(d->env, config, &s->discovery, e) || err_wrap(e, "%s", kind->key);
}

static bool open_sources(struct discover *d, const struct discovery_lists *lists, struct err *e)
{
    for (size_t k = 0; k < DISCOVERY_KINDS; k++) {
        const struct discovery_kind *kind = discovery_kinds[k];
        for (size_t i = 0; i < lists->of[k].count; i++) {
            const void *config = options_table_at(&lists->of[k], kind->options, i);
            if (!open_source(d, kind, config, e)) {
                return false;
            }
        }
    }
    return true;
}

static bool start_sources(struct discover *d, struct err *e)
{
    for (size_t i = 0; i < d->count; i++) {
        struct source *s = &d->sources[i];
        bool ok = s->config->refresh_ns == 0 ? look(s, e)
                                             : thread_start(&s->thread, "discover", run, s, e);
        if (!ok) {
            return err_wrap(e, "%s", s->kind->key);
        }
    }
    return true;
}

bool discover_open(const struct env *env, struct str name, const struct discovery_lists *lists,
                   const struct discover_listener *listener, struct discover **ret_discover,
                   struct err *e)
{
    struct discover *d = mem_new(struct discover);
    size_t count = 0;

    for (size_t k = 0; k < DISCOVERY_KINDS; k++) {
        count += lists->of[k].count;
    }
    *d = (struct discover){.env = env, .name = name, .listener = *listener};
    d->sources = mem_alloc0(count + 1, sizeof(*d->sources));
    d->cancel = cancel_new(NULL);
    trace_init(&d->trace, env->trace, "discover", TRACE_INFO);
    lock_init(&d->lock);
    if (!open_sources(d, lists, e) || !start_sources(d, e)) {
        discover_close(d);
        return false;
    }
    *ret_discover = d;
    return true;
}

static bool follow_source(struct source *s, struct source *before)
{
    struct target_list list = {0};

    lock_take(&before->owner->lock);
    target_list_add_all(&list, &before->list);
    lock_give(&before->owner->lock);
    lock_take(&s->owner->lock);
    bool follows = !s->answered;
    if (follows) {
        struct target_list own = s->list;
        s->list = list;
        list = own;
    }
    lock_give(&s->owner->lock);
    target_list_release(&list);
    return follows;
}

void discover_follow(struct discover *d, struct discover *before)
{
    bool changed = false;

    for (size_t i = 0; i < d->count && i < before->count; i++) {
        if (d->sources[i].kind == before->sources[i].kind) {
            changed = follow_source(&d->sources[i], &before->sources[i]) || changed;
        }
    }
    if (changed && d->listener.changed != NULL) {
        d->listener.changed(d->listener.arg);
    }
}

void discover_targets(struct discover *d, struct target_list *ret_list)
{
    lock_take(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        target_list_add_all(ret_list, &d->sources[i].list);
    }
    lock_give(&d->lock);
}

void discover_each(struct discover *d,
                   void (*visit)(void *arg, const struct discovery_kind *kind,
                                 struct labels *target),
                   void *arg)
{
    lock_take(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        const struct target_list *list = &d->sources[i].list;
        for (size_t t = 0; t < list->sets.len; t++) {
            visit(arg, d->sources[i].kind, list->sets.items[t]);
        }
    }
    lock_give(&d->lock);
}

bool discover_is_complete(struct discover *d)
{
    bool complete = true;

    lock_take(&d->lock);
    for (size_t i = 0; i < d->count; i++) {
        complete = complete && d->sources[i].answered;
    }
    lock_give(&d->lock);
    return complete;
}

static void close_source(struct source *s)
{
    if (s->discovery != NULL) {
        s->discovery->ops->close(s->discovery);
    }
    target_list_release(&s->list);
    metric_drop(s->looks_failed);
    metric_drop(s->targets);
}

void discover_close(struct discover *d)
{
    if (d == NULL) {
        return;
    }
    cancel_fire(d->cancel);
    for (size_t i = 0; i < d->count; i++) {
        thread_join(&d->sources[i].thread);
    }
    for (size_t i = 0; i < d->count; i++) {
        close_source(&d->sources[i]);
    }
    lock_release(&d->lock);
    cancel_free(d->cancel);
    mem_free(d->sources);
    mem_free(d);
}
