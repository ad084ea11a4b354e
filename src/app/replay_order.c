/*
 * A rule is ready when every rule whose result it may read has been taken; of those that are ready the first
 * in file order is next. When none is, they read each other in a circle, and the first is taken as it is.
 */
#include "app/replay_order.h"

#include "base/vec.h"
#include "rules/rule_graph.h"

struct node {
    const struct rule *rule;
    struct replay_step step;
    struct promql_selectors reads;
    const uint32_t *givers; /* numbers of the rules that it may read from */
    uint32_t giver_count;
    uint32_t missing; /* of these, not taken yet */
    bool taken;
};

static bool reads(const struct node *reader, const struct node *giver)
{
    for (uint32_t i = 0; reader != giver && i < reader->reads.count; i++) {
        if (rule_may_read(reader->reads.items[i], giver->rule)) {
            return true;
        }
    }
    return false;
}

static void find_givers(struct node *nodes, size_t count, struct node *reader, struct arena *a)
{
    VEC(uint32_t) found = {0};

    for (size_t i = 0; i < count && reader->reads.count > 0; i++) {
        if (reads(reader, &nodes[i])) {
            vec_push(&found, (uint32_t)i);
        }
    }
    uint32_t *givers = arena_array(a, uint32_t, found.len);
    for (size_t i = 0; i < found.len; i++) {
        givers[i] = found.items[i];
    }
    reader->givers = givers;
    reader->giver_count = (uint32_t)found.len;
    reader->missing = (uint32_t)found.len;
    vec_release(&found);
}

static struct node *next_ready(struct node *nodes, size_t count)
{
    struct node *first = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!nodes[i].taken && nodes[i].missing == 0) {
            return &nodes[i];
        }
        if (!nodes[i].taken && first == NULL) {
            first = &nodes[i];
        }
    }
    INVARIANT(first != NULL); /* there is one left for every turn */
    first->step.in_circle = true;
    return first;
}

/* Whoever reads from <giver> misses one less. */
static void take(struct node *nodes, size_t count, struct node *giver)
{
    uint32_t number = (uint32_t)(giver - nodes);

    giver->taken = true;
    giver->step.reads_before = giver->missing < giver->giver_count;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < nodes[i].giver_count; k++) {
            nodes[i].missing -= nodes[i].givers[k] == number;
        }
    }
}

static struct node *make_nodes(const struct rule_set *set, struct arena *a)
{
    struct node *nodes = arena_array(a, struct node, set->rule_count);
    size_t n = 0;

    for (size_t g = 0; g < set->group_count; g++) {
        for (size_t r = 0; r < set->groups[g].rule_count; r++) {
            const struct rule *rule = &set->groups[g].rules[r];
            nodes[n++] = (struct node){.rule = rule, .step = {.group = g, .rule = r}};
            if (rule->tree != NULL) {
                nodes[n - 1].reads = promql_selectors(a, rule->tree);
            }
        }
    }
    return nodes;
}

struct replay_step *replay_order(const struct rule_set *set, struct arena *a)
{
    struct replay_step *order = arena_array(a, struct replay_step, set->rule_count);
    struct node *nodes = make_nodes(set, a);

    for (size_t i = 0; i < set->rule_count; i++) {
        find_givers(nodes, set->rule_count, &nodes[i], a);
    }
    for (size_t i = 0; i < set->rule_count; i++) {
        struct node *node = next_ready(nodes, set->rule_count);
        take(nodes, set->rule_count, node);
        order[i] = node->step;
    }
    return order;
}
