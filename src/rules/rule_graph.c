/*
 * Names are looked up in a map of what earlier rules give, so that a group of thousands of rules that name
 * what they read costs one look-up per selector. Rules that give the same name are chained through <same>.
 */
#include "rules/rule_graph.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

const struct str alert_series_names[2] = {STR_INIT("ALERTS"), STR_INIT("ALERTS_FOR_STATE")};

struct rule_graph {
    struct arena arena;
    struct rule_reads *reads;
};

/* One rule in the map: rule numbers behind a name, newest first. */
struct giver {
    uint32_t rule;
    const struct giver *same;
};

struct maker {
    const struct rule_group *group;
    struct arena *arena;
    struct map givers; /* of struct giver, by the metric that it gives */
    uint8_t *is_read;  /* by rule: the one that is looked at reads it */
};

static bool selects_alert(const struct promql_node *selector, const struct rule *giver)
{
    for (size_t i = 0; i < ARRAY_LEN(alert_series_names); i++) {
        if (promql_may_select(selector, STR("__name__"), alert_series_names[i])) {
            return promql_may_select(selector, STR("alertname"), giver->name);
        }
    }
    return false;
}

bool rule_may_read(const struct promql_node *selector, const struct rule *giver)
{
    return giver->kind == RULE_RECORD ? promql_may_select(selector, STR("__name__"), giver->name)
                                      : selects_alert(selector, giver);
}

static bool filter_says(const struct promql_filter *filter, struct str label)
{
    for (uint32_t i = 0; i < filter->count; i++) {
        if (str_eq(filter->matchers[i].label, label)) {
            return true;
        }
    }
    return false;
}

bool selector_says(const struct promql_node *selector, struct str label)
{
    const struct promql_vector *vector = &selector->vector;

    for (uint32_t i = 0; i < vector->filter_count; i++) {
        if (!filter_says(&vector->filters[i], label)) {
            return false;
        }
    }
    return vector->filter_count > 0;
}

static void look_up(struct maker *m, const struct promql_node *selector, struct str metric)
{
    const struct giver *giver = map_get(&m->givers, metric);

    for (; giver != NULL; giver = giver->same) {
        m->is_read[giver->rule] |= rule_may_read(selector, &m->group->rules[giver->rule]);
    }
}

/* Marks what <selector> of rule <n> reads; false: all that comes earlier. */
static bool mark(struct maker *m, const struct promql_node *selector, uint32_t n)
{
    struct str metric = promql_metric(selector);

    if (metric.len > 0) {
        look_up(m, selector, metric);
        return true;
    }
    if (!selector_says(selector, STR("__name__")) || n > GRAPH_MATCHED_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        m->is_read[i] |= m->is_read[i] == 0 && rule_may_read(selector, &m->group->rules[i]);
    }
    return true;
}

/* The marks as numbers; they are taken back. */
static struct rule_reads collect(struct maker *m, uint32_t n)
{
    VEC(uint32_t) found = {0};

    for (uint32_t i = 0; i < n; i++) {
        if (m->is_read[i] != 0) {
            vec_push(&found, i);
            m->is_read[i] = 0;
        }
    }
    uint32_t *items = arena_array(m->arena, uint32_t, found.len);
    for (size_t i = 0; i < found.len; i++) {
        items[i] = found.items[i];
    }
    struct rule_reads reads = {.items = items, .count = (uint32_t)found.len};
    vec_release(&found);
    return reads;
}

static struct rule_reads find_reads(struct maker *m, uint32_t n)
{
    const struct promql_node *tree = m->group->rules[n].tree;
    struct arena scratch;
    bool all = false;

    if (tree == NULL || n == 0) {
        return (struct rule_reads){0};
    }
    arena_init(&scratch, ARENA_UNLIMITED);
    struct promql_selectors selectors = promql_selectors(&scratch, tree);
    for (uint32_t i = 0; i < selectors.count; i++) {
        all = !mark(m, selectors.items[i], n) || all;
    }
    arena_release(&scratch);
    struct rule_reads reads = selectors.count > 0 ? collect(m, n) : (struct rule_reads){0};
    return all ? (struct rule_reads){.count = n, .all = true} : reads;
}

static void add_giver(struct maker *m, struct str metric, uint32_t n)
{
    struct giver *giver = arena_new(m->arena, struct giver);

    *giver = (struct giver){n, map_get(&m->givers, metric)};
    (void)map_put(&m->givers, metric, giver);
}

static void add_rule(struct maker *m, uint32_t n)
{
    const struct rule *rule = &m->group->rules[n];

    if (rule->kind == RULE_RECORD) {
        add_giver(m, rule->name, n);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(alert_series_names); i++) {
        add_giver(m, alert_series_names[i], n);
    }
}

struct rule_graph *rule_graph_new(const struct rule_group *group)
{
    struct rule_graph *g = mem_new(struct rule_graph);
    struct maker m = {.group = group, .arena = &g->arena};

    arena_init(&g->arena, ARENA_UNLIMITED);
    g->reads = arena_array(&g->arena, struct rule_reads, group->rule_count);
    map_init(&m.givers, 0);
    m.is_read = mem_alloc0(group->rule_count, 1);
    for (uint32_t n = 0; n < group->rule_count; n++) {
        g->reads[n] = find_reads(&m, n);
        add_rule(&m, n);
    }
    mem_free(m.is_read);
    map_release(&m.givers);
    return g;
}

void rule_graph_free(struct rule_graph *g)
{
    if (g != NULL) {
        arena_release(&g->arena);
        mem_free(g);
    }
}

struct rule_reads rule_graph_reads(const struct rule_graph *g, size_t rule)
{
    return g->reads[rule];
}
