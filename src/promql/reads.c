/*
 * What an expression reads: for the order of rules that chain, and for the checks on alerts.
 */
#include "promql/promql.h"

#include "base/attr.h"
#include "base/regex.h"
#include "base/vec.h"

static const struct str metric_label = STR_INIT("__name__");

struct collected {
    VEC(const struct promql_node *) nodes;
    struct arena *arena;
};

static void collected_release(struct collected *c)
{
    vec_release(&c->nodes);
}

/* The selector target_info, which info() reads without being told. */
static struct promql_node *target_info(struct arena *a, const struct promql_node *call)
{
    struct promql_matcher *matcher = arena_new(a, struct promql_matcher);
    struct promql_filter *filter = arena_new(a, struct promql_filter);
    struct promql_node *node = arena_new(a, struct promql_node);

    *matcher = (struct promql_matcher){
        .label = metric_label, .value = STR("target_info"), .start = call->start, .end = call->end};
    *filter = (struct promql_filter){matcher, 1};
    *node = (struct promql_node){
        .kind = PROMQL_VECTOR,
        .type = PROMQL_TYPE_INSTANT,
        .start = call->start,
        .end = call->end,
        .height = 1,
        .vector = {.name = matcher->value, .filters = filter, .filter_count = 1},
    };
    return node;
}

static bool names_metric(const struct promql_node *selector)
{
    const struct promql_filter *filter = &selector->vector.filters[0];

    for (uint32_t i = 0; selector->vector.filter_count > 0 && i < filter->count; i++) {
        if (str_eq(filter->matchers[i].label, metric_label)) {
            return true;
        }
    }
    return false;
}

/*
 * info(v) and info(v, {label="x"}): the second argument says which labels, and of which metric only
 * if it says so.
 */
static bool collect_info(const struct promql_node *node, struct collected *c);

static bool collect(const struct promql_node *node, void *context)
{
    struct collected *c = context;

    if (node->kind == PROMQL_VECTOR) {
        vec_push(&c->nodes, node);
    }
    if (node->kind == PROMQL_CALL && str_eq(str_of(node->call.function->name), STR("info"))) {
        return collect_info(node, c);
    }
    return true;
}

static bool collect_info(const struct promql_node *node, struct collected *c)
{
    const struct promql_nodes *args = &node->call.args;

    promql_walk(args->items[0], collect, c);
    if (args->count > 1 && names_metric(args->items[1])) {
        vec_push(&c->nodes, args->items[1]);
    } else {
        vec_push(&c->nodes, target_info(c->arena, node));
    }
    return false;
}

struct promql_selectors promql_selectors(struct arena *a, const struct promql_node *root)
{
    AUTO(collected_release) struct collected c = {.arena = a};

    promql_walk(root, collect, &c);
    const struct promql_node **items = arena_array(a, const struct promql_node *, c.nodes.len);
    for (size_t i = 0; i < c.nodes.len; i++) {
        items[i] = c.nodes.items[i];
    }
    return (struct promql_selectors){items, (uint32_t)c.nodes.len};
}

static struct str filter_metric(const struct promql_filter *filter)
{
    for (uint32_t i = 0; i < filter->count; i++) {
        const struct promql_matcher *m = &filter->matchers[i];
        if (m->op == PROMQL_EQ && str_eq(m->label, metric_label)) {
            return m->value;
        }
    }
    return STR_NONE;
}

struct str promql_metric(const struct promql_node *selector)
{
    const struct promql_vector *vector = &selector->vector;
    struct str metric = STR_NONE;

    for (uint32_t i = 0; i < vector->filter_count; i++) {
        struct str name = filter_metric(&vector->filters[i]);
        if (name.len == 0 || (i > 0 && !str_eq(name, metric))) {
            return STR_NONE;
        }
        metric = name;
    }
    return metric;
}

/* What cannot be decided is accepted: rather an order too strict than one too loose. */
static bool regex_accepts(struct str pattern, struct str value, bool wanted)
{
    AUTO(regex_autofree) struct regex *regex = NULL;
    struct err e = ERR_INIT;
    bool matched;

    if (!regex_compile(pattern, REGEX_FULL, &regex, &e) ||
        !regex_match(regex, value, &matched, &e)) {
        return true;
    }
    return matched == wanted;
}

static bool accepts(const struct promql_matcher *m, struct str value)
{
    switch (m->op) {
    case PROMQL_EQ:
        return str_eq(m->value, value);
    case PROMQL_NE:
        return !str_eq(m->value, value);
    case PROMQL_RE:
        return regex_accepts(m->value, value, true);
    case PROMQL_NRE:
        return regex_accepts(m->value, value, false);
    }
    return true;
}

static bool filter_accepts(const struct promql_filter *filter, struct str label, struct str value)
{
    for (uint32_t i = 0; i < filter->count; i++) {
        if (str_eq(filter->matchers[i].label, label) && !accepts(&filter->matchers[i], value)) {
            return false;
        }
    }
    return true;
}

bool promql_may_select(const struct promql_node *selector, struct str label, struct str value)
{
    const struct promql_vector *vector = &selector->vector;

    for (uint32_t i = 0; i < vector->filter_count; i++) {
        if (filter_accepts(&vector->filters[i], label, value)) {
            return true;
        }
    }
    return vector->filter_count == 0;
}

static bool is_condition(const struct promql_node *node)
{
    static const struct str absent[] = {STR_INIT("absent"), STR_INIT("absent_over_time")};

    if (node->kind == PROMQL_BINARY) {
        enum promql_op op = node->binary.op;
        return (promql_ops[op].class == PROMQL_COMPARISON && !node->binary.is_bool) ||
               op == PROMQL_AND || op == PROMQL_UNLESS || op == PROMQL_IF || op == PROMQL_IFNOT;
    }
    for (size_t i = 0; i < ARRAY_LEN(absent) && node->kind == PROMQL_CALL; i++) {
        if (str_eq(str_of(node->call.function->name), absent[i])) {
            return true;
        }
    }
    return false;
}

static bool find_condition(const struct promql_node *node, void *context)
{
    bool *found = context;

    *found = *found || is_condition(node);
    return !*found;
}

bool promql_has_condition(const struct promql_node *root)
{
    bool found = false;

    promql_walk(root, find_condition, &found);
    return found;
}
