/*
 * What an expression that does something else than it looks like would have to be: the text as
 * written with some edits, then read and printed, so that it is right and whole.
 *
 * Invariants
 *   1. Edits do not overlap: the walk does not look inside of what was found. Of two at one place the
 *      first one counts.
 */
#include "rules/rule_correct.h"

#include "base/number.h"

#include <stdlib.h>

enum { TERMS_MAX = 32, SHOWN_MAX = 700 };

static const struct promql_node *without_parens(const struct promql_node *node)
{
    while (node->kind == PROMQL_PAREN) {
        node = node->paren;
    }
    return node;
}

static void add_edit(struct correction *c, size_t at, size_t end, struct str text)
{
    struct correction_edit edit = {at, end, text};

    for (size_t i = 0; i < c->edits.len; i++) {
        if (c->edits.items[i].at == at) {
            return;
        }
    }
    vec_push(&c->edits, edit);
}

/* Where the operator ends that stands between the two sides of <node>. */
static size_t operator_end(struct str text, const struct promql_node *node)
{
    size_t at = node->binary.left->end;

    while (at < node->binary.right->start && strchr("=!<>", text.ptr[at]) == NULL) {
        size_t comment =
            text.ptr[at] == '#' ? str_find_byte(str_slice(text, at, text.len), '\n') : 0;
        at += comment + 1;
    }
    while (at < node->binary.right->start && strchr("=!<>", text.ptr[at]) != NULL) {
        at++;
    }
    return at;
}

static void add_bool(struct correction *c, const struct promql_node *filter)
{
    size_t at = operator_end(c->text, filter);

    add_edit(c, at, at, STR(" bool"));
}

void correct_square(struct correction *c, const struct promql_node *node,
                    const struct promql_node *filter)
{
    if (!c->is_alert) {
        add_bool(c, filter);
        return;
    }
    add_edit(c, node->start, filter->start, STR("")); /* what is compared is enough */
    add_edit(c, filter->end, node->end, STR(""));
}

/* ---- sums of levels ---- */

/* One part of a sum: (x > 90) * 3. */
struct term {
    const struct promql_node *filter;
    const struct promql_node *factor; /* the number as written; or NULL */
    double weight;
};

struct terms {
    struct term items[TERMS_MAX];
    size_t count;
    bool is_plain; /* all are comparisons with a number, times a number at most */
};

static void read_term(struct terms *t, const struct promql_node *node)
{
    struct term *term = &t->items[t->count++];
    node = without_parens(node);

    *term = (struct term){.filter = node, .weight = 1};
    if (promql_ops[node->binary.op].class == PROMQL_COMPARISON) {
        return;
    }
    const struct promql_node *left = without_parens(node->binary.left);
    const struct promql_node *right = without_parens(node->binary.right);
    bool number_left = left->kind == PROMQL_NUMBER;
    term->factor = number_left ? left : right;
    term->filter = number_left ? right : left;
    bool is_plain = node->binary.op == PROMQL_MUL && term->factor->kind == PROMQL_NUMBER &&
                    term->filter->kind == PROMQL_BINARY &&
                    promql_ops[term->filter->binary.op].class == PROMQL_COMPARISON;
    term->weight = is_plain ? term->factor->number.value : 0;
    t->is_plain = t->is_plain && is_plain;
}

static void read_terms(struct terms *t, const struct promql_node *node)
{
    node = without_parens(node);
    if (t->count >= TERMS_MAX) {
        t->is_plain = false;
    } else if (node->kind == PROMQL_BINARY && node->binary.op == PROMQL_ADD) {
        read_terms(t, node->binary.left);
        read_terms(t, node->binary.right);
    } else {
        read_term(t, node);
    }
}

static bool same_text(const struct promql_node *a, const struct promql_node *b)
{
    AUTO(buf_release) struct buf x = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf y = BUF_INIT(BUF_UNLIMITED);

    promql_print(without_parens(a), &x);
    promql_print(without_parens(b), &y);
    return str_eq(buf_str(&x), buf_str(&y));
}

static double threshold_of(const struct term *t)
{
    return without_parens(t->filter->binary.right)->number.value;
}

static int by_threshold(const void *a, const void *b)
{
    double x = threshold_of(a);
    double y = threshold_of(b);

    return (x > y) - (x < y);
}

/* Do all compare the same with numbers, the same way round? */
static bool is_ladder(const struct terms *t)
{
    const struct promql_binary *first = &t->items[0].filter->binary;

    for (size_t i = 0; i < t->count; i++) {
        const struct promql_binary *b = &t->items[i].filter->binary;
        if (b->op != first->op || without_parens(b->right)->kind != PROMQL_NUMBER ||
            !same_text(b->left, first->left)) {
            return false;
        }
    }
    return first->op == PROMQL_GTR || first->op == PROMQL_GTE || first->op == PROMQL_LSS ||
           first->op == PROMQL_LTE;
}

static void reverse(struct terms *t)
{
    for (size_t i = 0; i < t->count / 2; i++) {
        struct term kept = t->items[i];
        t->items[i] = t->items[t->count - 1 - i];
        t->items[t->count - 1 - i] = kept;
    }
}

/*
 * Levels 1, 2, 3 of one thing: each step becomes what it adds to the one before, since all that
 * hold are added up. Says what there is now and what bool alone would give.
 */
static void correct_levels(struct correction *c, struct terms *t, struct buf *why)
{
    const struct promql_binary *first = &t->items[0].filter->binary;
    double before = 0;
    double sum = 0;

    qsort(t->items, t->count, sizeof(t->items[0]), by_threshold);
    if (first->op == PROMQL_LSS || first->op == PROMQL_LTE) {
        reverse(t);
    }
    for (size_t i = 0; i < t->count; i++) {
        if (t->items[i].weight <= before || (i > 0 && t->items[i].factor == NULL)) {
            return; /* no levels: how many hold is what is wanted */
        }
        before = t->items[i].weight;
        sum += before;
    }
    buf_addf(
        why,
        ", and is %g times the value then; with bool alone the levels would add up to %g instead of %g, so "
        "each factor is what its level adds",
        sum, sum, before);
    before = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct term *term = &t->items[i];
        if (term->factor != NULL) {
            add_edit(c, term->factor->start, term->factor->end,
                     arena_printf(c->arena, "%g", term->weight - before));
        }
        before = term->weight;
    }
}

/* The comparison of a part that is scaled in any way. */
static void add_bool_below(struct correction *c, const struct promql_node *node)
{
    node = without_parens(node);
    while (promql_ops[node->binary.op].class == PROMQL_ARITHMETIC) {
        const struct promql_node *left = without_parens(node->binary.left);
        bool is_left = left->kind == PROMQL_BINARY && promql_type(left) == PROMQL_TYPE_INSTANT;
        node = is_left ? left : without_parens(node->binary.right);
    }
    add_bool(c, node);
}

static void add_bools(struct correction *c, const struct promql_node *sum)
{
    sum = without_parens(sum);
    if (sum->binary.op == PROMQL_ADD && promql_type(sum->binary.left) == PROMQL_TYPE_INSTANT &&
        promql_type(sum->binary.right) == PROMQL_TYPE_INSTANT) {
        add_bools(c, sum->binary.left);
        add_bools(c, sum->binary.right);
    } else {
        add_bool_below(c, sum);
    }
}

void correct_sum(struct correction *c, const struct promql_node *node, struct buf *why)
{
    struct terms t = {.is_plain = true};

    if (c->is_alert) {
        add_edit(c, node->start, node->start, STR("("));
    }
    read_terms(&t, node);
    if (t.is_plain && is_ladder(&t)) {
        correct_levels(c, &t, why);
    }
    add_bools(c, node);
    if (c->is_alert) {
        add_edit(c, node->end, node->end, STR(") > 0"));
    }
}

/* ---- the whole ---- */

static int by_place(const void *a, const void *b)
{
    const struct correction_edit *x = a;
    const struct correction_edit *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

bool correction_print(struct correction *c, enum promql_dialect dialect, struct buf *out)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct promql_node *root = NULL;
    struct err e = ERR_INIT;
    size_t at = 0;

    if (c->edits.len == 0) {
        return false;
    }
    qsort(c->edits.items, c->edits.len, sizeof(c->edits.items[0]), by_place);
    for (size_t i = 0; i < c->edits.len; i++) {
        const struct correction_edit *edit = &c->edits.items[i];
        if (edit->at < at) {
            return false;
        }
        buf_add_str(&text, str_slice(c->text, at, edit->at - at));
        buf_add_str(&text, edit->text);
        at = edit->end;
    }
    buf_add_str(&text, str_slice(c->text, at, c->text.len));
    if (!promql_parse(c->arena, arena_dup(c->arena, buf_str(&text)), dialect, &root, &e)) {
        return false;
    }
    size_t before = out->len;
    promql_print(root, out);
    if (out->len - before > SHOWN_MAX) {
        buf_truncate(out, before);
        return false;
    }
    return true;
}
