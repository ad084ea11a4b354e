/*
 * What stands between an operator and its right side: bool, on/ignoring, group_left/group_right,
 * fill; and the lists of labels that these and aggregations take.
 */
#include "promql/parse.h"

#include "base/attr.h"
#include "base/number.h"

/* Pushes the labels that a MetricsQL template stands for: a name, or several in parentheses. */
static bool push_template_labels(struct parser *p, const struct promql_node *node)
{
    const struct promql_node *child;

    if (node->kind == PROMQL_VECTOR && node->vector.name.len > 0) {
        vec_push(&p->labels, node->vector.name);
        return true;
    }
    if (node->kind != PROMQL_PAREN && node->kind != PROMQL_UNION) {
        return fail_node(p, node, "expected a label name or a list of them in this template");
    }
    for (uint32_t i = 0; (child = promql_child(node, i)) != NULL; i++) {
        if (!push_template_labels(p, child)) {
            return false;
        }
    }
    return true;
}

static bool parse_word_label(struct parser *p)
{
    struct binding *binding = binding_find(p, p->token.text);
    struct promql_node *node;

    if (binding != NULL && !binding_is_function(binding)) {
        return expand(p, binding, &node) && push_template_labels(p, node);
    }
    if (!is_metricsql(p) && !is_plain_label(p->token.text)) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "\"%.*s\" is not a label name: a colon is for metric names",
                       STR_FMT(p->token.text));
    }
    vec_push(&p->labels, read_word(p->arena, p->token.text));
    return next(p);
}

static bool parse_label(struct parser *p)
{
    struct str label;

    if (at_kind(p, TOKEN_WORD)) {
        return parse_word_label(p);
    }
    if (!at_kind(p, TOKEN_STRING)) {
        return fail_expected(p, "a label name");
    }
    if (!read_string(p->arena, p->source, &p->token, &label, p->err)) {
        return false;
    }
    if (label.len == 0) {
        return fail_at(p, p->token.start, p->token.start + 2, "a label name must not be empty");
    }
    vec_push(&p->labels, label);
    return next(p);
}

bool parse_label_list(struct parser *p, struct promql_labels *ret_labels)
{
    size_t from = p->labels.len;
    uint32_t open = p->token.start;

    if (!expect(p, TOKEN_LEFT_PAREN, "\"(\" and label names")) {
        return false;
    }
    while (!at_kind(p, TOKEN_RIGHT_PAREN)) {
        if (!parse_label(p)) {
            return false;
        }
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        if (!next(p)) {
            return false;
        }
    }
    if (!expect_close(p, TOKEN_RIGHT_PAREN, open)) {
        return false;
    }
    *ret_labels = take_labels(p, from);
    return true;
}

/*
 * Is the parser at <word>, and an opening parenthesis behind it? Tells a modifier from a metric of
 * that name.
 */
static bool at_modifier(struct parser *p, struct str word, bool *ret_is)
{
    struct token behind;

    *ret_is = false;
    if (!at_word(p, word)) {
        return true;
    }
    if (!peek(p, &behind)) {
        return false;
    }
    *ret_is = behind.kind == TOKEN_LEFT_PAREN;
    return true;
}

static bool parse_include_all(struct parser *p, struct promql_matching *matching)
{
    struct token behind;

    if (!is_metricsql(p) || !at_kind(p, TOKEN_LEFT_PAREN)) {
        return true;
    }
    if (!peek(p, &behind)) {
        return false;
    }
    if (behind.kind != TOKEN_OP || behind.op != PROMQL_MUL) {
        return true;
    }
    uint32_t open = p->token.start;
    matching->include_all = true;
    return next(p) && next(p) && expect_close(p, TOKEN_RIGHT_PAREN, open);
}

static bool parse_include(struct parser *p, struct promql_matching *matching)
{
    if (!parse_include_all(p, matching)) {
        return false;
    }
    if (!matching->include_all && at_kind(p, TOKEN_LEFT_PAREN) &&
        !parse_label_list(p, &matching->include)) {
        return false;
    }
    if (is_metricsql(p) && at_word(p, STR("prefix"))) {
        struct token behind;
        if (!peek(p, &behind)) {
            return false;
        }
        if (behind.kind == TOKEN_STRING || behind.kind == TOKEN_WORD) {
            return next(p) && parse_string(p, &matching->prefix);
        }
    }
    return true;
}

static bool parse_group(struct parser *p, struct promql_matching *matching)
{
    bool many_to_one = at_word(p, STR("group_left"));

    if (!many_to_one && !at_word(p, STR("group_right"))) {
        return true;
    }
    matching->card = many_to_one ? PROMQL_MANY_TO_ONE : PROMQL_ONE_TO_MANY;
    return next(p) && parse_include(p, matching);
}

static bool parse_signed_number(struct parser *p, double *ret_value)
{
    double sign = 1;
    struct promql_number number = {0};

    if (at_kind(p, TOKEN_OP) && (p->token.op == PROMQL_ADD || p->token.op == PROMQL_SUB)) {
        sign = p->token.op == PROMQL_SUB ? -1 : 1;
        if (!next(p)) {
            return false;
        }
    }
    if (!parse_number(p, &number)) {
        return false;
    }
    *ret_value = sign * number.value;
    return true;
}

static const struct {
    struct str word;
    bool left;
    bool right;
} fills[] = {
    {STR_INIT("fill"), true, true},
    {STR_INIT("fill_left"), true, false},
    {STR_INIT("fill_right"), false, true},
};

static bool parse_fill(struct parser *p, size_t which, struct promql_matching *matching)
{
    uint32_t open;
    double value;

    if ((fills[which].left && matching->fills_left) ||
        (fills[which].right && matching->fills_right)) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "the value to fill in is given twice for one side");
    }
    if (!next(p)) {
        return false;
    }
    open = p->token.start;
    if (!next(p) || !parse_signed_number(p, &value) || !expect_close(p, TOKEN_RIGHT_PAREN, open)) {
        return false;
    }
    if (fills[which].left) {
        matching->fills_left = true;
        matching->fill_left = value;
    }
    if (fills[which].right) {
        matching->fills_right = true;
        matching->fill_right = value;
    }
    return true;
}

static bool parse_fills(struct parser *p, struct promql_matching *matching)
{
    for (size_t i = 0; i < ARRAY_LEN(fills);) {
        bool is_fill;
        if (!at_modifier(p, fills[i].word, &is_fill)) {
            return false;
        }
        if (!is_fill) {
            i++;
            continue;
        }
        if (!parse_fill(p, i, matching)) {
            return false;
        }
        i = 0;
    }
    return true;
}

/* "bool" is no metric in PromQL; in MetricsQL it is one where an operator could follow. */
static bool parse_bool(struct parser *p, struct promql_binary *binary)
{
    if (!at_word(p, STR("bool"))) {
        return true;
    }
    if (promql_ops[binary->op].class != PROMQL_COMPARISON) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "\"bool\" is for comparisons; \"%s\" is none",
                       promql_ops[binary->op].text.ptr);
    }
    binary->is_bool = true;
    return next(p);
}

bool parse_matching(struct parser *p, struct promql_binary *binary)
{
    struct promql_matching *matching = arena_new(p->arena, struct promql_matching);
    bool ignoring;

    binary->matching = matching;
    if (!parse_bool(p, binary) || !at_modifier(p, STR("on"), &matching->on) ||
        !at_modifier(p, STR("ignoring"), &ignoring)) {
        return false;
    }
    if (matching->on || ignoring) {
        if (!next(p) || !parse_label_list(p, &matching->labels) || !parse_group(p, matching)) {
            return false;
        }
    } else if (!is_metricsql(p) &&
               (at_word(p, STR("group_left")) || at_word(p, STR("group_right")))) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "\"%.*s\" needs on (...) or ignoring (...) before it",
                       STR_FMT(p->token.text));
    } else if (!is_metricsql(p) && (at_word(p, STR("on")) || at_word(p, STR("ignoring")))) {
        return next(p) && parse_label_list(p, &matching->labels);
    }
    return parse_fills(p, matching);
}
