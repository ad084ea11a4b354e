#include "fake/promql_tree.h"

#include "base/attr.h"
#include "base/number.h"

#include <math.h>

const struct promql_node *promql_tree(struct arena *a, const char *text,
                                      enum promql_dialect dialect)
{
    const struct promql_node *root;
    struct err e = ERR_INIT;

    return promql_parse(a, str_of(text), dialect, &root, &e) ? root : NULL;
}

static bool same_value(double a, double b)
{
    return number_bits(a) == number_bits(b) || (isnan(a) && isnan(b));
}

static bool same_labels(const struct promql_labels *a, const struct promql_labels *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!str_eq(a->items[i], b->items[i])) {
            return false;
        }
    }
    return true;
}

static bool same_duration(const struct promql_duration *a, const struct promql_duration *b)
{
    return a->ns == b->ns && (a->expr == NULL) == (b->expr == NULL);
}

static bool same_when(const struct promql_when *a, const struct promql_when *b)
{
    return a->at == b->at && a->at_ns == b->at_ns && same_duration(&a->offset, &b->offset);
}

static uint32_t count_matcher(const struct promql_filter *filter, const struct promql_matcher *m)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < filter->count; i++) {
        const struct promql_matcher *other = &filter->matchers[i];
        count +=
            other->op == m->op && str_eq(other->label, m->label) && str_eq(other->value, m->value);
    }
    return count;
}

static bool same_filter(const struct promql_filter *a, const struct promql_filter *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (count_matcher(a, &a->matchers[i]) != count_matcher(b, &a->matchers[i])) {
            return false;
        }
    }
    return true;
}

static bool same_number(const struct promql_node *a, const struct promql_node *b)
{
    return same_value(a->number.value, b->number.value) &&
           same_value(a->number.steps, b->number.steps) &&
           a->number.is_duration == b->number.is_duration && str_eq(a->number.text, b->number.text);
}

static bool same_string(const struct promql_node *a, const struct promql_node *b)
{
    return str_eq(a->string, b->string);
}

static bool same_vector(const struct promql_node *a, const struct promql_node *b)
{
    const struct promql_vector *v = &a->vector;
    const struct promql_vector *w = &b->vector;

    if (!str_eq(v->name, w->name) || v->is_escaped != w->is_escaped || v->extend != w->extend ||
        v->filter_count != w->filter_count || !same_when(&v->when, &w->when)) {
        return false;
    }
    for (uint32_t i = 0; i < v->filter_count; i++) {
        if (!same_filter(&v->filters[i], &w->filters[i])) {
            return false;
        }
    }
    return true;
}

static bool same_matrix(const struct promql_node *a, const struct promql_node *b)
{
    return same_duration(&a->matrix.range, &b->matrix.range);
}

static bool same_subquery(const struct promql_node *a, const struct promql_node *b)
{
    const struct promql_subquery *s = &a->subquery;
    const struct promql_subquery *t = &b->subquery;

    return s->has_range == t->has_range && s->has_step == t->has_step &&
           same_duration(&s->range, &t->range) && same_duration(&s->step, &t->step) &&
           same_when(&s->when, &t->when);
}

static bool same_children_only(const struct promql_node *a, const struct promql_node *b)
{
    (void)a;
    (void)b;
    return true;
}

static bool same_unary(const struct promql_node *a, const struct promql_node *b)
{
    return a->unary.op == b->unary.op;
}

static bool same_matching(const struct promql_matching *m, const struct promql_matching *n)
{
    if (m == NULL || n == NULL) {
        return m == n;
    }
    return m->on == n->on && m->card == n->card && same_labels(&m->labels, &n->labels) &&
           same_labels(&m->include, &n->include) && m->include_all == n->include_all &&
           str_eq(m->prefix, n->prefix) && m->fills_left == n->fills_left &&
           m->fills_right == n->fills_right && same_value(m->fill_left, n->fill_left) &&
           same_value(m->fill_right, n->fill_right);
}

static bool same_binary(const struct promql_node *a, const struct promql_node *b)
{
    return a->binary.op == b->binary.op && a->binary.is_bool == b->binary.is_bool &&
           a->binary.keep_names == b->binary.keep_names &&
           same_matching(a->binary.matching, b->binary.matching);
}

static bool same_aggregate(const struct promql_node *a, const struct promql_node *b)
{
    return a->aggregation.op == b->aggregation.op &&
           a->aggregation.without == b->aggregation.without &&
           same_labels(&a->aggregation.labels, &b->aggregation.labels) &&
           a->aggregation.limit == b->aggregation.limit;
}

static bool same_call(const struct promql_node *a, const struct promql_node *b)
{
    return a->call.function == b->call.function && a->call.keep_names == b->call.keep_names;
}

static bool same_shift(const struct promql_node *a, const struct promql_node *b)
{
    return same_when(&a->shift.when, &b->shift.when);
}

bool promql_same(const struct promql_node *a, const struct promql_node *b)
{
    static bool (*const same[PROMQL_KINDS])(const struct promql_node *,
                                            const struct promql_node *) = {
        [PROMQL_NUMBER] = same_number,       [PROMQL_STRING] = same_string,
        [PROMQL_VECTOR] = same_vector,       [PROMQL_MATRIX] = same_matrix,
        [PROMQL_SUBQUERY] = same_subquery,   [PROMQL_PAREN] = same_children_only,
        [PROMQL_UNARY] = same_unary,         [PROMQL_BINARY] = same_binary,
        [PROMQL_AGGREGATE] = same_aggregate, [PROMQL_CALL] = same_call,
        [PROMQL_UNION] = same_children_only, [PROMQL_SHIFT] = same_shift,
    };

    if (a->kind != b->kind || a->type != b->type || !same[a->kind](a, b)) {
        return false;
    }
    for (uint32_t i = 0;; i++) {
        const struct promql_node *left = promql_child(a, i);
        const struct promql_node *right = promql_child(b, i);
        if (left == NULL || right == NULL) {
            return left == right;
        }
        if (!promql_same(left, right)) {
            return false;
        }
    }
}
