#include "promql/print.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/timetext.h"

#include <math.h>

static void print_number(const struct promql_node *node, struct buf *out)
{
    const struct promql_number *number = &node->number;

    if (number->text.len > 0) {
        buf_add_str(out, number->text);
    } else if (number->is_duration) {
        print_seconds(number->value, out);
    } else {
        print_value(number->value, out);
    }
}

static void print_string(const struct promql_node *node, struct buf *out)
{
    print_quoted(node->string, out);
}

static void print_duration(const struct promql_duration *duration, struct buf *out)
{
    if (duration->expr != NULL) {
        promql_print(duration->expr, out);
        return;
    }
    if (duration->ns < 0) {
        buf_add_byte(out, '-');
    }
    buf_add_duration(out, duration->ns < 0 ? -duration->ns : duration->ns);
}

static void print_at(const struct promql_when *when, struct buf *out)
{
    if (when->at == PROMQL_AT_START) {
        buf_add_text(out, " @ start()");
    } else if (when->at == PROMQL_AT_END) {
        buf_add_text(out, " @ end()");
    } else if (when->at == PROMQL_AT_EXPR) {
        buf_add_text(out, " @ ");
        promql_print(when->at_expr, out);
    } else if (when->at == PROMQL_AT_TIME) {
        int64_t ms = when->at_ns / NS_PER_MS;
        int64_t size = ms < 0 ? -ms : ms;
        buf_addf(out, " @ %s%lld.%03lld", ms < 0 ? "-" : "", (long long)(size / 1000),
                 (long long)(size % 1000));
    }
}

static void print_offset(const struct promql_when *when, struct buf *out)
{
    if (when->offset.ns != 0 || when->offset.expr != NULL) {
        buf_add_text(out, " offset ");
        print_duration(&when->offset, out);
    }
}

static void print_extend(enum promql_extend extend, struct buf *out)
{
    static const char *const words[] = {
        [PROMQL_EXTEND_NONE] = "",
        [PROMQL_ANCHORED] = " anchored",
        [PROMQL_SMOOTHED] = " smoothed",
    };

    buf_add_text(out, words[extend]);
}

static void print_vector(const struct promql_node *node, struct buf *out)
{
    print_selector(&node->vector, out);
    print_at(&node->vector.when, out);
    print_extend(node->vector.extend, out);
    print_offset(&node->vector.when, out);
}

static void print_matrix(const struct promql_node *node, struct buf *out)
{
    const struct promql_vector *vector = &node->matrix.vector->vector;

    print_selector(vector, out);
    buf_add_byte(out, '[');
    print_duration(&node->matrix.range, out);
    buf_add_byte(out, ']');
    print_extend(vector->extend, out);
    print_at(&vector->when, out);
    print_offset(&vector->when, out);
}

static void print_subquery(const struct promql_node *node, struct buf *out)
{
    const struct promql_subquery *s = &node->subquery;

    promql_print(s->expr, out);
    buf_add_byte(out, '[');
    if (s->has_range) {
        print_duration(&s->range, out);
    }
    buf_add_byte(out, ':');
    if (s->has_step) {
        print_duration(&s->step, out);
    }
    buf_add_byte(out, ']');
    print_at(&s->when, out);
    print_offset(&s->when, out);
}

static void print_paren(const struct promql_node *node, struct buf *out)
{
    const struct promql_node *inner = node->paren;

    buf_add_byte(out, '(');
    promql_print(inner, out);
    buf_add_byte(out, ')');
    if (inner->kind == PROMQL_BINARY && inner->binary.keep_names) {
        buf_add_text(out, " keep_metric_names");
    }
}

static void print_unary(const struct promql_node *node, struct buf *out)
{
    buf_add_str(out, promql_ops[node->unary.op].text);
    promql_print(node->unary.expr, out);
}

static void print_labels(const char *word, const struct promql_labels *labels, struct buf *out)
{
    buf_addf(out, " %s (", word);
    for (uint32_t i = 0; i < labels->count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        print_label(labels->items[i], out);
    }
    buf_add_byte(out, ')');
}

static void print_group(const struct promql_matching *m, struct buf *out)
{
    const char *word = m->card == PROMQL_MANY_TO_ONE ? "group_left" : "group_right";

    if (m->include_all) {
        buf_addf(out, " %s (*)", word);
    } else {
        print_labels(word, &m->include, out);
    }
    if (m->prefix.ptr != NULL) {
        buf_add_text(out, " prefix ");
        print_quoted(m->prefix, out);
    }
}

static void print_fill(const char *word, double value, struct buf *out)
{
    buf_addf(out, " %s (", word);
    print_value(value, out);
    buf_add_byte(out, ')');
}

static void print_fills(const struct promql_matching *m, struct buf *out)
{
    if (m->fills_left && m->fills_right && m->fill_left == m->fill_right) {
        print_fill("fill", m->fill_left, out);
        return;
    }
    if (m->fills_left) {
        print_fill("fill_left", m->fill_left, out);
    }
    if (m->fills_right) {
        print_fill("fill_right", m->fill_right, out);
    }
}

static void print_matching(const struct promql_matching *m, struct buf *out)
{
    bool grouped = m->card == PROMQL_MANY_TO_ONE || m->card == PROMQL_ONE_TO_MANY;

    if (m->on || m->labels.count > 0 || grouped) {
        print_labels(m->on ? "on" : "ignoring", &m->labels, out);
    }
    if (grouped) {
        print_group(m, out);
    }
    print_fills(m, out);
}

/* "+Inf ^ 2" would be the sign of a power. */
static void print_left(const struct promql_binary *binary, struct buf *out)
{
    const struct promql_node *left = binary->left;

    if (binary->op == PROMQL_POW && left->kind == PROMQL_NUMBER && left->number.text.len == 0 &&
        isinf(left->number.value)) {
        buf_add_text(out, "Inf");
    } else {
        promql_print(left, out);
    }
}

static void print_binary(const struct promql_node *node, struct buf *out)
{
    const struct promql_binary *binary = &node->binary;

    print_left(binary, out);
    buf_addf(out, " %s%s", promql_ops[binary->op].text.ptr, binary->is_bool ? " bool" : "");
    if (binary->matching != NULL) {
        print_matching(binary->matching, out);
    }
    buf_add_byte(out, ' ');
    promql_print(binary->right, out);
}

static void print_args(const struct promql_nodes *args, struct buf *out)
{
    buf_add_byte(out, '(');
    for (uint32_t i = 0; i < args->count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        promql_print(args->items[i], out);
    }
    buf_add_byte(out, ')');
}

static void print_aggregate(const struct promql_node *node, struct buf *out)
{
    const struct promql_aggregation *a = &node->aggregation;

    buf_add_text(out, a->op->name);
    if (a->without || a->labels.count > 0) {
        print_labels(a->without ? "without" : "by", &a->labels, out);
        buf_add_byte(out, ' ');
    }
    print_args(&a->args, out);
    if (a->limit > 0) {
        buf_addf(out, " limit %u", a->limit);
    }
}

static void print_call(const struct promql_node *node, struct buf *out)
{
    buf_add_text(out, node->call.function->name);
    print_args(&node->call.args, out);
    if (node->call.keep_names) {
        buf_add_text(out, " keep_metric_names");
    }
}

static void print_union(const struct promql_node *node, struct buf *out)
{
    print_args(&node->items, out);
}

static void print_shift(const struct promql_node *node, struct buf *out)
{
    size_t before;

    promql_print(node->shift.expr, out);
    before = out->len;
    print_at(&node->shift.when, out);
    print_offset(&node->shift.when, out);
    if (out->len == before) {
        buf_add_text(out, " offset 0s");
    }
}

void promql_print(const struct promql_node *node, struct buf *out)
{
    static void (*const printers[PROMQL_KINDS])(const struct promql_node *, struct buf *) = {
        [PROMQL_NUMBER] = print_number,       [PROMQL_STRING] = print_string,
        [PROMQL_VECTOR] = print_vector,       [PROMQL_MATRIX] = print_matrix,
        [PROMQL_SUBQUERY] = print_subquery,   [PROMQL_PAREN] = print_paren,
        [PROMQL_UNARY] = print_unary,         [PROMQL_BINARY] = print_binary,
        [PROMQL_AGGREGATE] = print_aggregate, [PROMQL_CALL] = print_call,
        [PROMQL_UNION] = print_union,         [PROMQL_SHIFT] = print_shift,
    };

    printers[node->kind](node, out);
}
