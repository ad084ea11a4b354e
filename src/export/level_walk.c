/*
 * What is due, and the memory of what was told.
 *
 * Invariants
 *   1. confirmed[key] says what the destination last accepted: firing or resolved, and when; of an alert that
 *      it was not told of yet, that it is to be told.
 *   2. An alert is due when it was never confirmed, when its state differs from the confirmed one, or
 *      when it was evaluated at a slot that is its period (level_words.c) behind the slot that was told.
 *      So it is told again after an evaluation, not in between; when none comes it is by time.
 *   3. Keys that a whole walk did not meet are forgotten after it: memory follows the number of
 *      alerts. When the destination lacks their last state, that is counted and said.
 *   4. Of alerts with one key (the same labels, since the same time) one is told, and it fires if any does.
 */
#include "export/level_int.h"

#include "base/env.h"
#include "base/mem.h"

#include <stdlib.h>

enum {
    UNTOLD_MAX_MS = 30 * 1000
}; /* so long an alert that was never told may wait for its texts */

static struct str key_bytes(const uint64_t *key)
{
    return str_make((const char *)key, sizeof(*key));
}

/* ---- what is known ---- */

static struct confirmed *entry_of(struct level_memory *m, uint64_t key)
{
    return map_get(&m->confirmed, key_bytes(&key));
}

static void put_entry(struct level_memory *m, struct confirmed *c, uint64_t key)
{
    c->key = key;
    (void)map_put(&m->confirmed, key_bytes(&c->key), c);
}

static struct confirmed *add_entry(struct level_output *o, uint64_t key, int64_t now_ns)
{
    struct confirmed *c = mem_new(struct confirmed);

    c->at_ns = now_ns;
    put_entry(o->memory, c, key);
    return c;
}

/* Files of earlier versions have other keys. */
static struct confirmed *find_entry(struct level_output *o, const struct level_alert *a)
{
    struct confirmed *c = entry_of(o->memory, a->key);

    if (c == NULL && a->old_key != 0) {
        c = entry_of(o->memory, a->old_key);
        if (c != NULL) {
            (void)map_del(&o->memory->confirmed, key_bytes(&a->old_key));
            put_entry(o->memory, c, a->key);
        }
    }
    return c;
}

static bool is_wanted(const struct level_output *o, const struct level_alert *a)
{
    return o->filter.wants == NULL || o->filter.wants(o->filter.arg, a);
}

/* ---- what is due ---- */

static void due_at(struct due *due, int64_t at_ns)
{
    if (at_ns < due->told->next_mono_ns) {
        due->told->next_mono_ns = at_ns;
    }
}

/* Groups stand together in a walk, so the last copy is nearly always the one. */
static const struct label *keep_headers(struct due *due, const struct level_alert *a)
{
    if (a->header_count == 0) {
        return NULL;
    }
    if (a->headers != due->lent) {
        due->lent = a->headers;
        due->headers = label_pairs_dup(&due->words, a->headers, a->header_count);
    }
    return due->headers;
}

/* May it wait for its texts? Not so long that the destination takes it as resolved meanwhile. */
static bool may_wait(const struct due *due, const struct confirmed *c, const struct level_alert *a)
{
    int64_t most_ns = c->is_told ? level_lasts_ns(due->output, a) / 2 : UNTOLD_MAX_MS * NS_PER_MS;

    return a->asks_ns > 0 && due->now_ns - c->at_ns < most_ns;
}

static void add_due(struct due *due, const struct confirmed *c, const struct level_alert *alert)
{
    struct due_alert one = {.alert = *alert,
                            .may_wait = may_wait(due, c, alert),
                            .told_ns = c->is_told ? c->at_ns : 0,
                            .place = (uint32_t)due->alerts.len};

    one.alert.headers = keep_headers(due, alert);
    (void)labels_ref(alert->labels);
    vec_push(&due->alerts, one);
    due->has_waiting = due->has_waiting || one.may_wait;
}

/* The walk met an alert of this entry. */
static void meet(struct due *due, struct confirmed *c, const struct level_alert *a)
{
    bool is_double = c->walk == due->output->memory->walks;

    c->fires = a->firing || (is_double && c->fires);
    c->walk = due->output->memory->walks;
    due->has_doubles = due->has_doubles || is_double;
}

/* When the alert is told again though nobody evaluates it. */
static int64_t again_ns(const struct level_output *o, const struct level_alert *a,
                        const struct confirmed *c)
{
    int64_t grace_ns = a->slot_ns != 0 && c->slot_ns != 0 ? a->interval_ns : 0;

    return c->at_ns + level_period_ns(o, a) + grace_ns;
}

static bool is_due_again(const struct due *due, const struct level_alert *a,
                         const struct confirmed *c)
{
    bool has_slots = a->slot_ns != 0 && c->slot_ns != 0;

    return (has_slots && a->slot_ns - c->slot_ns >= level_period_ns(due->output, a)) ||
           due->now_ns >= again_ns(due->output, a, c);
}

static void collect(void *arg, const struct level_alert *alert)
{
    struct due *due = arg;
    struct level_output *o = due->output;
    struct confirmed *c = find_entry(o, alert);

    if (alert->unwatched && c != NULL) {
        c->walk = o->memory->walks;
    }
    if (alert->unwatched || (c == NULL && !is_wanted(o, alert))) {
        return;
    }
    c = c != NULL ? c : add_entry(o, alert->key, due->now_ns);
    meet(due, c, alert);
    if (c->is_told && c->firing == alert->firing && !is_due_again(due, alert, c)) {
        due_at(due, again_ns(o, alert, c));
        due->told->untold += c->refused;
        return;
    }
    due->told->untold++;
    if (due->alerts.len == LEVEL_WALK_MAX) {
        due->told->more = true;
        return;
    }
    add_due(due, c, alert);
}

/* ---- what is due, in order ---- */

/* One alert for each key is left, and none that ended where another one fires. */
static void drop_doubles(struct due *due)
{
    struct level_output *o = due->output;
    size_t kept = 0;

    for (size_t i = 0; i < due->alerts.len; i++) {
        struct due_alert *d = &due->alerts.items[i];
        struct confirmed *c = entry_of(o->memory, d->alert.key);
        if (c->chosen == o->memory->walks || (c->fires && !d->alert.firing)) {
            labels_unref(d->alert.labels);
            due->told->untold--;
            continue;
        }
        c->chosen = o->memory->walks;
        due->alerts.items[kept++] = *d;
    }
    due->alerts.len = kept;
}

/* Those that may wait come last, and of them those that were told longest ago come first, so that in the end all
 * are told however slow it is. */
static int cmp_due(const void *a, const void *b)
{
    const struct due_alert *x = a;
    const struct due_alert *y = b;

    if (x->may_wait != y->may_wait) {
        return x->may_wait ? 1 : -1;
    }
    if (x->may_wait && x->told_ns != y->told_ns) {
        return x->told_ns > y->told_ns ? 1 : -1;
    }
    return (x->place > y->place) - (x->place < y->place);
}

static void put_in_order(struct due *due)
{
    if (due->has_doubles) {
        drop_doubles(due);
    }
    if (due->has_waiting && due->alerts.items != NULL) {
        qsort(due->alerts.items, due->alerts.len, sizeof(struct due_alert), cmp_due);
    }
}

/* ---- forgetting ---- */

static void tell_forgotten(struct level_output *o, const struct level_forgotten *f)
{
    level_meter_forgot(o->meter, f);
    if (f->never_told + f->end_not_told > 0) {
        trace_warn(&o->trace,
                   "alerts were over for so long that the destination is not told any more",
                   T_STR("exporter", o->name), T_U64("never_told", f->never_told),
                   T_U64("end_not_told", f->end_not_told));
    }
}

/* Forgets alerts that the last whole walk did not meet. */
static void forget_gone(struct level_output *o)
{
    struct level_forgotten forgotten = {0};
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&o->memory->confirmed, &at, NULL, &value)) {
        struct confirmed *c = value;
        if (c->walk != o->memory->walks) {
            forgotten.never_told += !c->is_told;
            forgotten.end_not_told += c->is_told && c->firing && !c->refused;
            (void)map_del(&o->memory->confirmed, key_bytes(&c->key));
            mem_free(c);
        }
    }
    tell_forgotten(o, &forgotten);
}

void level_memory_free(struct level_memory *m)
{
    uint32_t at = 0;
    void *value = NULL;

    if (m == NULL) {
        return;
    }
    while (map_next(&m->confirmed, &at, NULL, &value)) {
        mem_free(value);
    }
    map_release(&m->confirmed);
    mem_free(m);
}

/* ---- all of it ---- */

/* false when there is no source. */
static bool walk(struct due *due)
{
    struct level_output *o = due->output;
    const struct level_source *source = level_source_take(o, &due->source_number);

    if (source == NULL) {
        return false;
    }
    o->memory->walks++;
    source->walk(source->arg, collect, due);
    due->told->walk_ns = clock_mono_ns(o->env->clock) - due->now_ns;
    level_source_give(o);
    if (!due->told->more) {
        forget_gone(o);
    }
    return true;
}

bool level_due_find(struct due *due, struct level_output *o, struct level_told *told)
{
    *due = (struct due){.output = o, .told = told, .now_ns = clock_mono_ns(o->env->clock)};
    arena_init(&due->words, ARENA_UNLIMITED);
    if (!walk(due)) {
        return false;
    }
    put_in_order(due);
    return true;
}

void level_due_release(struct due *due)
{
    for (size_t i = 0; i < due->alerts.len; i++) {
        labels_unref(due->alerts.items[i].alert.labels);
    }
    vec_release(&due->alerts);
    vec_release(&due->slow);
    arena_release(&due->words);
}

void level_confirm(struct due *due, const struct level_alert *a, bool refused)
{
    struct level_output *o = due->output;
    struct confirmed *c = entry_of(o->memory, a->key);

    c->is_told = true;
    c->at_ns = due->now_ns;
    c->slot_ns = a->slot_ns;
    c->firing = a->firing;
    c->refused = refused;
    due->told->untold -= !refused;
    due_at(due, again_ns(o, a, c));
}
