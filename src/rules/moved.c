/*
 * Rules that were moved: the same name, another id. A rule's id holds the path of its file and the name of
 * its group, so moving a group makes its rules new ones, and nothing that an alert went through may be
 * told again because of that.
 *
 * Invariants
 *   1. A run goes over only where there is one candidate of that name and one new rule of that name, so
 *      no state ever goes to a rule by chance.
 *   2. A run that goes over has the new id from then on, in memory; a snapshot makes it so on disk before
 *      anything is evaluated.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"

/* Who has a name. */
struct claim {
    struct rule_run *from; /* the one run without a rule */
    struct rule_run **to;  /* the one new rule's place */
    uint32_t froms;
    uint32_t tos;
    struct str id; /* the rule's */
};

struct claims {
    struct map map; /* name -> struct claim */
    struct arena arena;
    bool with_group; /* the group's name counts too */
};

static struct claim *claim_of(struct claims *c, const struct rule_run *run)
{
    AUTO(buf_release) struct buf key = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&key, "%d:%zu:", (int)run->kind, run->name.len);
    buf_add_str(&key, run->name);
    if (c->with_group) {
        buf_add_str(&key, run->group);
    }
    struct claim *claim = map_get(&c->map, buf_str(&key));
    if (claim == NULL) {
        claim = arena_array(&c->arena, struct claim, 1);
        (void)map_put(&c->map, arena_dup(&c->arena, buf_str(&key)), claim);
    }
    return claim;
}

/* False: there are none. */
static bool add_candidates(struct claims *c, struct engine *en)
{
    uint32_t at = 0;
    void *value = NULL;
    bool found = false;

    while (map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        if (!run->kept && run->name.len > 0) {
            struct claim *claim = claim_of(c, run);
            claim->from = run;
            claim->froms++;
            found = true;
        }
    }
    return found;
}

static void add_rules(struct claims *c, struct group_run *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < groups[i].group->rule_count; r++) {
            struct rule_run **place = &groups[i].runs[r];
            if ((*place)->is_new) {
                struct claim *claim = claim_of(c, *place);
                claim->to = place;
                claim->tos++;
            }
        }
    }
}

/* The run without a rule takes the place, the rule and the id of the new one. */
static void go_over(struct engine *en, struct claim *claim)
{
    struct rule_run *new_run = *claim->to;
    const struct rule *rule = new_run->rule;

    (void)map_del(&en->runs, new_run->id);
    rule_run_free(new_run);
    (void)map_del(&en->runs, claim->from->id);
    rule_run_rename(claim->from, rule->id);
    (void)map_put(&en->runs, claim->from->id, claim->from);
    rule_run_take(claim->from, rule);
    *claim->to = claim->from;
    en->moved++;
}

static void settle(struct engine *en, struct group_run *groups, size_t count, bool with_group)
{
    struct claims c = {.with_group = with_group};
    uint32_t at = 0;
    void *value = NULL;

    map_init(&c.map, 0);
    arena_init(&c.arena, ARENA_UNLIMITED);
    if (add_candidates(&c, en)) {
        add_rules(&c, groups, count);
    }
    while (map_next(&c.map, &at, NULL, &value)) {
        struct claim *claim = value;
        if (claim->froms == 1 && claim->tos == 1) {
            go_over(en, claim);
        }
    }
    map_release(&c.map);
    arena_release(&c.arena);
}

void adopt_moved(struct engine *en, struct group_run *groups, size_t count)
{
    settle(en, groups, count, true);
    settle(en, groups, count, false);
}
