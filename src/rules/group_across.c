/*
 * What rules of other groups gave in their slot, seen by who reads it.
 *
 * Invariants
 *   1. A group's slots before settled_ns are over: evaluated, or never to be.
 *   2. What a rule gave last is written before its group's slot is settled; so who reads settled_ns first sees
 *      what was given in a slot that is over.
 *   3. The reads that are waited for have no circles (across.h), and waiting is bounded besides.
 */
#include "rules/engine_int.h"

/* The last of a group's slots that is not after <until_ns>. */
static int64_t last_slot(const struct rule_group *group, int64_t until_ns)
{
    return group_next_slot(group, until_ns - group->interval_ns + 1);
}

/*
 * The slot of <giver> that gives what a reader at <slot_ns> sees: samples are stamped query_offset before their
 * slot. False when it began before the reader's slot of before: that one waited for it.
 */
static bool slot_to_see(const struct rule_group *reader, const struct rule_group *giver,
                        int64_t slot_ns, int64_t *ret_slot_ns)
{
    int64_t until_ns = slot_ns - reader->query_offset_ns + giver->query_offset_ns;

    until_ns = until_ns < slot_ns ? until_ns : slot_ns;
    *ret_slot_ns = last_slot(giver, until_ns);
    return *ret_slot_ns > until_ns - reader->interval_ns;
}

/* What <run> gave in its slot, if that is still of interest; *ret_hurry the first time that somebody looks. */
static bool take_mark(struct rule_run *run, int64_t slot_ns, struct given_mark *ret_mark,
                      bool *ret_hurry)
{
    lock_take(&run->lock);
    bool is_there = run->given_slot_ns >= slot_ns;
    *ret_mark = run->given_slot_ns == slot_ns ? run->given : (struct given_mark){0};
    *ret_hurry = is_there && !run->was_hurried;
    run->was_hurried = run->was_hurried || is_there;
    lock_give(&run->lock);
    return is_there;
}

static void forget_mark(struct rule_run *run, int64_t slot_ns)
{
    lock_take(&run->lock);
    if (run->given_slot_ns == slot_ns) {
        run->given = (struct given_mark){0};
    }
    lock_give(&run->lock);
}

static bool is_given(struct engine *en, const struct group_run *giver, struct rule_run *run,
                     int64_t slot_ns)
{
    struct given_mark mark;
    bool hurry = false;

    bool is_over = atomic_load(&giver->settled_ns) > slot_ns;
    if (!take_mark(run, slot_ns, &mark, &hurry)) {
        return is_over;
    }
    if (mark.seq == 0) {
        return true;
    }
    if (!en->output.delivered(en->output.arg, &mark, hurry)) {
        return false;
    }
    forget_mark(run, slot_ns);
    return true;
}

bool across_is_delivered(struct group_run *g, size_t rule, int64_t slot_ns)
{
    struct engine *en = g->engine;
    struct across_reads reads = across_reads(en->set->across, (size_t)(g - en->groups), rule);

    for (uint32_t i = 0; i < reads.count; i++) {
        const struct group_run *giver = &en->groups[reads.items[i].group];
        int64_t giver_slot_ns = 0;
        if (slot_to_see(g->group, giver->group, slot_ns, &giver_slot_ns) &&
            !is_given(en, giver, giver->runs[reads.items[i].rule], giver_slot_ns)) {
            return false;
        }
    }
    return true;
}

void note_given(struct rule_run *run, int64_t slot_ns)
{
    lock_take(&run->lock);
    run->given = run->mark;
    run->given_slot_ns = slot_ns;
    run->was_hurried = false;
    lock_give(&run->lock);
}

/* ---- which slots are over ---- */

static bool is_scheduled(const struct group_run *g)
{
    return atomic_load(&g->settled_ns) != INT64_MAX;
}

void slots_settle(struct group_run *g, int64_t before_ns)
{
    if (is_scheduled(g)) {
        atomic_store(&g->settled_ns, before_ns);
    }
}

void engine_begin_slots(struct engine *en, int64_t from_ns)
{
    for (size_t i = 0; i < en->group_count; i++) {
        atomic_store(&en->groups[i].settled_ns, from_ns);
    }
}

uint32_t group_run_rank(const struct group_run *g)
{
    return across_rank(g->engine->set->across, (size_t)(g - g->engine->groups));
}
