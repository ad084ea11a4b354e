/*
 * No data told apart from a condition that is false: no_data and partial, and the expression that says
 * whether there is data.
 *
 * A comparison leaves out series that do not meet it, so its answer lacks them whether they are fine or
 * gone. What stands on its left has them all: that is asked when a series is missing. Where the series
 * there are not those of the rule (a condition below an aggregation), all that can be asked is whether
 * the selectors find anything at all.
 */
#include "rules/rule_int.h"

enum { SHOWN_MAX = 60 };

/* ---- fields ---- */

static const char *const no_data_names[] = {
    [ABSENT_RESOLVES] = "resolve", [ABSENT_KEEPS] = "keep_last_state", [ABSENT_ALERTS] = "alert"};
static const char *const partial_names[] = {
    [PARTIAL_KEEPS] = "keep_last_state", [PARTIAL_RESOLVES] = "resolve", [PARTIAL_FAILS] = "error"};

/* The place of the text among <names>; false when there is none, or after an error. */
static bool read_choice(struct rule_loader *l, const struct yaml_node *node,
                        const char *const *names, size_t count, size_t *ret)
{
    struct err e = ERR_INIT;
    struct str text = STR_NONE;

    if (node == NULL) {
        return false;
    }
    if (!yaml_text(node, &text, &e)) {
        loader_error(l, &e);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq(text, str_of(names[i]))) {
            *ret = i;
            return true;
        }
    }
    const char *near = str_nearest(text, names, count);
    (void)yaml_err(node, &e, ERR_CONFIG,
                   near != NULL ? "unknown %.*s '%.*s'; did you mean '%s'?"
                                : "unknown %.*s '%.*s'; expected one such as '%s'",
                   STR_FMT(node->key), STR_FMT(str_slice(text, 0, SHOWN_MAX)),
                   near != NULL ? near : names[0]);
    loader_error(l, &e);
    return false;
}

void field_no_data(struct rule_loader *l, const struct yaml_node *node, enum absent_policy *value)
{
    size_t choice = 0;

    if (read_choice(l, node, no_data_names, ARRAY_LEN(no_data_names), &choice)) {
        *value = (enum absent_policy)choice;
    }
}

void field_partial(struct rule_loader *l, const struct yaml_node *node, enum partial_policy *value)
{
    size_t choice = 0;

    if (read_choice(l, node, partial_names, ARRAY_LEN(partial_names), &choice)) {
        *value = (enum partial_policy)choice;
    }
}

/* ---- is there data? ---- */

static bool is_comparison(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && node->binary.op >= PROMQL_EQL &&
           node->binary.op <= PROMQL_LTE && !node->binary.is_bool;
}

static bool is_vector(const struct promql_node *node)
{
    return promql_type(node) == PROMQL_TYPE_INSTANT;
}

/* Are the series that are left those of the left side, with their labels? */
static bool keeps_left_labels(const struct promql_binary *b)
{
    const struct promql_matching *m = b->matching;

    return m == NULL || b->op == PROMQL_AND || b->op == PROMQL_UNLESS || b->op == PROMQL_OR ||
           (m->card == PROMQL_MANY_TO_ONE && m->include.count == 0 && !m->include_all) ||
           (m->card == PROMQL_ONE_TO_ONE && !m->on && m->labels.count == 0);
}

/* Prints what has the series of <node> without its conditions; false when nothing can. */
static bool print_data(const struct promql_node *node, struct buf *out)
{
    while (node->kind == PROMQL_PAREN) {
        node = node->paren;
    }
    bool is_set = node->kind == PROMQL_BINARY &&
                  (node->binary.op == PROMQL_AND || node->binary.op == PROMQL_UNLESS);
    if (is_comparison(node) || is_set) {
        bool is_left = is_vector(node->binary.left);
        return keeps_left_labels(&node->binary) &&
               print_data(is_left ? node->binary.left : node->binary.right, out);
    }
    if (node->kind == PROMQL_BINARY && node->binary.op == PROMQL_OR) {
        buf_add_text(out, "(");
        bool ok = print_data(node->binary.left, out);
        buf_add_text(out, ") or (");
        ok = ok && print_data(node->binary.right, out);
        buf_add_text(out, ")");
        return ok;
    }
    promql_print(node, out);
    return !promql_has_condition(node);
}

/* Does any selector find something? */
static void print_any(struct rule_loader *l, const struct rule *rule, struct buf *out)
{
    struct promql_selectors selectors = promql_selectors(&l->scratch, rule->tree);

    for (uint32_t i = 0; i < selectors.count; i++) {
        buf_add_text(out, i == 0 ? "count(" : " or count(");
        promql_print(selectors.items[i], out);
        buf_add_text(out, ")");
    }
}

void rule_find_data(struct rule_loader *l, struct rule *rule)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    bool by_value = (rule->label_uses & ~(unsigned)(USES_LABELS | USES_EXTERNAL)) != 0;

    if (!promql_has_condition(rule->tree)) {
        return; /* the answer is the data */
    }
    rule->data_by_series = print_data(rule->tree, &text) && !by_value;
    if (!rule->data_by_series) {
        buf_clear(&text);
        print_any(l, rule, &text);
    }
    rule->data_expr = arena_dup(l->arena, buf_str(&text));
}
