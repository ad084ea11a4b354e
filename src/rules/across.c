/*
 * Reads are found by name, circles are taken out of them; what is left is an order. Selectors that match names by
 * a pattern are compared with every name there is, within a limit.
 */
#include "rules/across.h"

#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "rules/circles.h"
#include "rules/rule_graph.h"

/* Comparing with a pattern counts as so many looks: it is compiled each time. */
enum { PATTERN_LOOKS = 64 };

struct across {
    struct across_reads *reads; /* by number of the rule in the set */
    uint32_t *numbers;          /* by group: of its first rule */
    uint32_t *ranks;
    uint32_t *leads;
};

/* A rule in the map, behind the name that it gives. */
struct giver {
    uint32_t rule;
    const struct giver *same;
};

/* <reader> reads <giver>, by their numbers. */
struct link {
    uint32_t reader;
    uint32_t giver;
};

struct maker {
    const struct rule_set *set;
    struct arena scratch;
    struct map givers;     /* of struct giver, by metric */
    struct map alerts;     /* of struct giver, by alertname */
    VEC(struct str) names; /* that are given */
    const struct rule **rules;
    uint32_t *groups; /* by rule */
    uint32_t *last;   /* by rule: the reader, plus one, that was found to read it last */
    VEC(struct link) links;
    uint32_t *together; /* by group: another one that it reads or is read by, by name; or itself */
    int64_t looks_left;
};

/* ---- rules by number and by name ---- */

/* True when it is the first of that name. */
static bool put_giver(struct maker *m, struct map *map, struct str name, uint32_t n)
{
    struct giver *giver = arena_new(&m->scratch, struct giver);

    *giver = (struct giver){n, map_get(map, name)};
    return map_put(map, name, giver) == NULL;
}

static void add_giver(struct maker *m, struct str metric, uint32_t n)
{
    if (put_giver(m, &m->givers, metric, n)) {
        vec_push(&m->names, metric);
    }
}

static void add_rule(struct maker *m, const struct rule *rule, uint32_t group, uint32_t n)
{
    m->rules[n] = rule;
    m->groups[n] = group;
    if (rule->kind == RULE_RECORD) {
        add_giver(m, rule->name, n);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(alert_series_names); i++) {
        add_giver(m, alert_series_names[i], n);
    }
    (void)put_giver(m, &m->alerts, rule->name, n);
}

static void maker_init(struct maker *m, const struct rule_set *set, uint32_t *numbers)
{
    uint32_t n = 0;

    *m = (struct maker){.set = set, .looks_left = ACROSS_LOOKS_MAX};
    arena_init(&m->scratch, ARENA_UNLIMITED);
    map_init(&m->givers, 0);
    map_init(&m->alerts, 0);
    m->rules = arena_array(&m->scratch, const struct rule *, set->rule_count);
    m->groups = arena_array(&m->scratch, uint32_t, set->rule_count);
    m->last = arena_array(&m->scratch, uint32_t, set->rule_count);
    m->together = arena_array(&m->scratch, uint32_t, set->group_count);
    for (uint32_t g = 0; g < set->group_count; g++) {
        numbers[g] = n;
        m->together[g] = g;
        for (size_t r = 0; r < set->groups[g].rule_count; r++) {
            add_rule(m, &set->groups[g].rules[r], g, n++);
        }
    }
}

static void maker_release(struct maker *m)
{
    map_release(&m->givers);
    map_release(&m->alerts);
    vec_release(&m->names);
    vec_release(&m->links);
    arena_release(&m->scratch);
}

/* ---- who reads whom ---- */

static uint32_t together_root(const struct maker *m, uint32_t group)
{
    while (m->together[group] != group) {
        m->together[group] = m->together[m->together[group]];
        group = m->together[group];
    }
    return group;
}

static void join(struct maker *m, uint32_t a, uint32_t b)
{
    m->together[together_root(m, a)] = together_root(m, b);
}

static void add_link(struct maker *m, uint32_t reader, uint32_t giver, bool by_name)
{
    if (by_name) {
        join(m, m->groups[reader], m->groups[giver]);
    }
    if (m->last[giver] != reader + 1 && m->links.len < ACROSS_READS_MAX) {
        m->last[giver] = reader + 1;
        vec_push(&m->links, ((struct link){reader, giver}));
    }
}

/* Compares <selector> with the rules behind <giver>, which give one metric. */
static void look_at(struct maker *m, const struct promql_node *selector, uint32_t reader,
                    const struct giver *giver, bool by_name)
{
    for (; giver != NULL && m->looks_left > 0; giver = giver->same) {
        const struct rule *rule = m->rules[giver->rule];
        m->looks_left--;
        if (m->groups[giver->rule] != m->groups[reader] && rule_may_read(selector, rule)) {
            add_link(m, reader, giver->rule,
                     by_name &&
                         (rule->kind == RULE_RECORD || selector_says(selector, STR("alertname"))));
        }
    }
}

/* The rules that give a metric; of ALERTS those with the selector's alertname, where it says one: there may be
 * thousands of others. */
static const struct giver *givers_of(const struct maker *m, const struct promql_node *selector,
                                     struct str metric)
{
    const struct promql_vector *vector = &selector->vector;
    const struct giver *givers = map_get(&m->givers, metric);
    bool is_alerts = givers != NULL && m->rules[givers->rule]->kind == RULE_ALERT;

    for (uint32_t i = 0; is_alerts && vector->filter_count == 1 && i < vector->filters[0].count;
         i++) {
        const struct promql_matcher *matcher = &vector->filters[0].matchers[i];
        if (matcher->op == PROMQL_EQ && str_eq(matcher->label, STR("alertname"))) {
            return map_get(&m->alerts, matcher->value);
        }
    }
    return givers;
}

static void look_up(struct maker *m, const struct promql_node *selector, uint32_t reader)
{
    struct str metric = promql_metric(selector);

    if (metric.len > 0) {
        look_at(m, selector, reader, givers_of(m, selector, metric), true);
        return;
    }
    if (!selector_says(selector, STR("__name__"))) {
        return;
    }
    for (size_t i = 0; i < m->names.len && m->looks_left > 0; i++) {
        m->looks_left -= PATTERN_LOOKS;
        look_at(m, selector, reader, map_get(&m->givers, m->names.items[i]), false);
    }
}

static void find_links(struct maker *m)
{
    struct arena scratch;

    arena_init(&scratch, ARENA_UNLIMITED);
    for (uint32_t n = 0; n < m->set->rule_count; n++) {
        const struct rule *rule = m->rules[n];
        if (rule->tree == NULL || rule->source == RULE_SOURCE_SELF) {
            continue;
        }
        struct promql_selectors selectors = promql_selectors(&scratch, rule->tree);
        for (uint32_t i = 0; i < selectors.count; i++) {
            look_up(m, selectors.items[i], n);
        }
        arena_reset(&scratch);
    }
    arena_release(&scratch);
}

/* ---- circles ---- */

/*
 * The graph of all waiting: a node for each rule, and behind it one for "it and all earlier ones of its group",
 * which a selector without a name points at.
 */
struct edges {
    VEC(struct link) items;
    uint32_t nodes;
};

static void add_edge(struct edges *x, uint32_t from, uint32_t to)
{
    vec_push(&x->items, ((struct link){from, to}));
}

static void add_group_edges(struct edges *x, const struct rule_group *group, uint32_t number,
                            uint32_t rule_count)
{
    struct rule_graph *graph = rule_graph_new(group);

    for (uint32_t r = 0; r < group->rule_count; r++) {
        struct rule_reads reads = rule_graph_reads(graph, r);
        add_edge(x, rule_count + number + r, number + r);
        if (r > 0) {
            add_edge(x, rule_count + number + r, rule_count + number + r - 1);
        }
        if (reads.all && r > 0) {
            add_edge(x, number + r, rule_count + number + r - 1);
        }
        for (uint32_t i = 0; !reads.all && i < reads.count; i++) {
            add_edge(x, number + r, number + reads.items[i]);
        }
    }
    rule_graph_free(graph);
}

/* The circles of a graph that is a list of edges; lives in <a>. */
static uint32_t *find_circles(const struct edges *x, struct arena *a)
{
    uint32_t *circle_of = arena_array(a, uint32_t, x->nodes);
    uint32_t *first = arena_array(a, uint32_t, (size_t)x->nodes + 1);
    uint32_t *next = arena_array(a, uint32_t, x->nodes);
    uint32_t *to = arena_array(a, uint32_t, x->items.len);

    for (size_t i = 0; i < x->items.len; i++) {
        first[x->items.items[i].reader + 1]++;
    }
    for (uint32_t n = 0; n < x->nodes; n++) {
        first[n + 1] += first[n];
        next[n] = first[n];
    }
    for (size_t i = 0; i < x->items.len; i++) {
        to[next[x->items.items[i].reader]++] = x->items.items[i].giver;
    }
    circles_find(&(struct circles_graph){first, to, x->nodes}, circle_of);
    return circle_of;
}

/* Forgets the links inside a circle. */
static void open_circles(struct maker *m, const uint32_t *numbers)
{
    uint32_t rule_count = (uint32_t)m->set->rule_count;
    struct edges x = {.nodes = 2 * rule_count};
    size_t kept = 0;

    for (size_t g = 0; g < m->set->group_count; g++) {
        add_group_edges(&x, &m->set->groups[g], numbers[g], rule_count);
    }
    for (size_t i = 0; i < m->links.len; i++) {
        vec_push(&x.items, m->links.items[i]);
    }
    const uint32_t *circle_of = find_circles(&x, &m->scratch);
    for (size_t i = 0; i < m->links.len; i++) {
        struct link link = m->links.items[i];
        if (circle_of[link.reader] != circle_of[link.giver]) {
            m->links.items[kept++] = link;
        }
    }
    m->links.len = kept;
    vec_release(&x.items);
}

/* ---- what is kept ---- */

static void keep_ranks(const struct maker *m, struct arena *a, struct across *x)
{
    struct arena scratch;
    struct edges edges = {.nodes = (uint32_t)m->set->group_count};

    arena_init(&scratch, ARENA_UNLIMITED);
    for (size_t i = 0; i < m->links.len; i++) {
        add_edge(&edges, m->groups[m->links.items[i].reader], m->groups[m->links.items[i].giver]);
    }
    const uint32_t *circle_of = find_circles(&edges, &scratch);
    x->ranks = arena_array(a, uint32_t, edges.nodes);
    memcpy(x->ranks, circle_of, edges.nodes * sizeof(*x->ranks));
    vec_release(&edges.items);
    arena_release(&scratch);
}

/* The links are in the order of their readers. */
static void keep_reads(const struct maker *m, struct arena *a, struct across *x)
{
    struct across_read *items = arena_array(a, struct across_read, m->links.len);

    x->reads = arena_array(a, struct across_reads, m->set->rule_count);
    for (size_t i = 0; i < m->links.len; i++) {
        struct link link = m->links.items[i];
        struct across_reads *reads = &x->reads[link.reader];
        uint32_t group = m->groups[link.giver];
        items[i] = (struct across_read){group, link.giver - x->numbers[group]};
        reads->items = reads->count == 0 ? &items[i] : reads->items;
        reads->count++;
    }
}

/* Is <a> rather the one that others go by? */
static bool leads(const struct rule_group *a, const struct rule_group *b)
{
    if (a->has_eval_offset != b->has_eval_offset) {
        return a->has_eval_offset;
    }
    return str_cmp(a->id, b->id) < 0;
}

static void keep_leads(const struct maker *m, struct arena *a, struct across *x)
{
    size_t count = m->set->group_count;
    uint32_t *sizes = arena_array(a, uint32_t, count);
    uint32_t *first = arena_array(a, uint32_t, count);

    x->leads = arena_array(a, uint32_t, count);
    for (uint32_t g = 0; g < count; g++) {
        uint32_t root = together_root(m, g);
        bool is_first = sizes[root] == 0 || leads(&m->set->groups[g], &m->set->groups[first[root]]);
        first[root] = is_first ? g : first[root];
        sizes[root]++;
    }
    for (uint32_t g = 0; g < count; g++) {
        uint32_t root = together_root(m, g);
        x->leads[g] = sizes[root] <= GROUPS_TOGETHER_MAX ? first[root] : g;
    }
}

const struct across *across_make(const struct rule_set *set, struct arena *a)
{
    struct across *x = NULL;
    struct maker m;

    if (set->group_count < 2) {
        return NULL;
    }
    uint32_t *numbers = arena_array(a, uint32_t, set->group_count);
    maker_init(&m, set, numbers);
    find_links(&m);
    if (m.links.len > 0) {
        x = arena_new(a, struct across);
        x->numbers = numbers;
        open_circles(&m, numbers);
        keep_ranks(&m, a, x);
        keep_reads(&m, a, x);
        keep_leads(&m, a, x);
    }
    maker_release(&m);
    return x;
}

struct across_reads across_reads(const struct across *x, size_t group, size_t rule)
{
    return x != NULL ? x->reads[x->numbers[group] + rule] : (struct across_reads){0};
}

uint32_t across_rank(const struct across *x, size_t group)
{
    return x != NULL ? x->ranks[group] : 0;
}

size_t across_lead(const struct across *x, size_t group)
{
    return x != NULL ? x->leads[group] : group;
}
