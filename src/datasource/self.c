/*
 * Our own metrics as series, without a network: what /metrics shows now, whatever time is asked for.
 *
 * Understands a selector, and a selector compared with a number; all else waits for the evaluator. The
 * registry is walked under its lock, so what is found is collected first and handed over after.
 */
#include "datasource/datasource.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/regex.h"
#include "datasource/datasource_options.h"
#include "promql/promql.h"

enum { ROWS_MAX = 100 * 1000, REGEXES_MAX = 32 };

struct self_config {
    struct datasource_common common;
};

struct self {
    struct datasource super;
    const struct env *env;
};

/* What an expression comes to. */
struct question {
    const struct promql_vector *vector;
    bool compares;
    enum promql_op op; /* the series on the left, <number> on the right */
    double number;
};

/* ---- reading the expression ---- */

static bool not_understood(const struct query *q, const struct promql_node *node, struct err *e)
{
    (void)err_set(e, ERR_PARSE,
                  "the datasource 'self' cannot compute this before the evaluator arrives; it "
                  "understands a selector, also compared with a number, such as 'm{a=\"b\"} > 5'");
    err_point(e, q->expr, node->start, node->end - node->start, (struct pos){1, 1});
    return false;
}

static const struct promql_node *unwrap(const struct promql_node *node)
{
    while (node->kind == PROMQL_PAREN) {
        node = node->paren;
    }
    return node;
}

/* A number, perhaps with signs. */
static bool read_number(const struct promql_node *node, double *ret_number)
{
    double sign = 1;

    for (node = unwrap(node); node->kind == PROMQL_UNARY; node = unwrap(node->unary.expr)) {
        sign = node->unary.op == PROMQL_SUB ? -sign : sign;
    }
    *ret_number = node->kind == PROMQL_NUMBER ? sign * node->number.value : 0;
    return node->kind == PROMQL_NUMBER;
}

static bool read_vector(const struct promql_node *node, const struct promql_vector **ret_vector)
{
    const struct promql_when *when = &node->vector.when;

    if (node->kind != PROMQL_VECTOR || when->at != PROMQL_AT_NONE || when->offset.ns != 0 ||
        when->offset.expr != NULL || node->vector.extend != PROMQL_EXTEND_NONE) {
        return false;
    }
    *ret_vector = &node->vector;
    return true;
}

/* The operator with its sides changed about. */
static enum promql_op turned(enum promql_op op)
{
    static const enum promql_op pairs[PROMQL_OPS] = {
        [PROMQL_EQL] = PROMQL_EQL, [PROMQL_NEQ] = PROMQL_NEQ, [PROMQL_GTR] = PROMQL_LSS,
        [PROMQL_LSS] = PROMQL_GTR, [PROMQL_GTE] = PROMQL_LTE, [PROMQL_LTE] = PROMQL_GTE};

    return pairs[op];
}

static bool is_comparison(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && node->binary.op >= PROMQL_EQL &&
           node->binary.op <= PROMQL_LTE && !node->binary.is_bool;
}

static bool read_comparison(const struct promql_node *node, struct question *ret)
{
    const struct promql_node *left = unwrap(node->binary.left);
    const struct promql_node *right = unwrap(node->binary.right);

    ret->compares = true;
    ret->op = node->binary.op;
    if (read_vector(left, &ret->vector)) {
        return read_number(right, &ret->number);
    }
    ret->op = turned(node->binary.op);
    return read_vector(right, &ret->vector) && read_number(left, &ret->number);
}

static bool read_question(const struct query *q, struct arena *a, struct question *ret,
                          struct err *e)
{
    const struct promql_node *root = NULL;

    *ret = (struct question){.compares = false};
    if (!promql_parse(a, q->expr, PROMQL_PROMETHEUS, &root, e)) {
        return false;
    }
    root = unwrap(root);
    bool ok = is_comparison(root) ? read_comparison(root, ret) : read_vector(root, &ret->vector);
    return ok || not_understood(q, root, e);
}

/* ---- choosing series ---- */

struct found {
    struct labels *labels;
    double value;
};

/* A matcher with its compiled regex, if it has one. */
struct check {
    const struct promql_matcher *matcher;
    struct regex *regex;
};

struct search {
    const struct question *question;
    struct check checks[REGEXES_MAX]; /* of the only filter */
    size_t check_count;
    struct labels_builder builder;
    VEC(struct found) found;
    bool is_over;
};

static bool compile_checks(struct search *s, struct err *e)
{
    const struct promql_filter *filter = &s->question->vector->filters[0];

    if (filter->count > REGEXES_MAX) {
        return err_set(e, ERR_LIMIT, "%u matchers; there can be %d", filter->count, REGEXES_MAX);
    }
    for (uint32_t i = 0; i < filter->count; i++) {
        const struct promql_matcher *m = &filter->matchers[i];
        struct check *check = &s->checks[s->check_count++];
        *check = (struct check){.matcher = m};
        bool is_regex = m->op == PROMQL_RE || m->op == PROMQL_NRE;
        if (is_regex && !regex_compile(m->value, REGEX_FULL, &check->regex, e)) {
            return false;
        }
    }
    return true;
}

static struct str value_of(const struct metrics_sample *s, struct str label)
{
    if (str_eq(label, STR("__name__"))) {
        return str_of(s->name);
    }
    for (size_t i = 0; i < s->label_count; i++) {
        if (str_eq(label, str_of(s->label_names[i]))) {
            return s->label_values[i];
        }
    }
    return STR("");
}

static bool check_holds(const struct check *check, struct str value)
{
    struct err ignored = ERR_INIT;
    bool matched = check->regex == NULL
                       ? str_eq(value, check->matcher->value)
                       : regex_match(check->regex, value, &matched, &ignored) && matched;
    bool wants = check->matcher->op == PROMQL_EQ || check->matcher->op == PROMQL_RE;

    return matched == wants;
}

static bool compares(const struct question *q, double value)
{
    const bool results[PROMQL_OPS] = {
        [PROMQL_EQL] = value == q->number, [PROMQL_NEQ] = value != q->number,
        [PROMQL_GTR] = value > q->number,  [PROMQL_LSS] = value < q->number,
        [PROMQL_GTE] = value >= q->number, [PROMQL_LTE] = value <= q->number,
    };

    return !q->compares || results[q->op];
}

static void keep(struct search *s, const struct metrics_sample *sample)
{
    struct found found = {.value = sample->value};
    struct err ignored = ERR_INIT;

    labels_builder_clear(&s->builder);
    labels_builder_set(&s->builder, STR("__name__"), str_of(sample->name));
    for (size_t i = 0; i < sample->label_count; i++) {
        labels_builder_set(&s->builder, str_of(sample->label_names[i]), sample->label_values[i]);
    }
    s->is_over = s->is_over || s->found.len >= ROWS_MAX;
    if (!s->is_over && labels_build(&s->builder, &found.labels, &ignored)) {
        vec_push(&s->found, found);
    }
}

static void visit(void *arg, const struct metrics_sample *sample)
{
    struct search *s = arg;

    for (size_t i = 0; i < s->check_count; i++) {
        if (!check_holds(&s->checks[i], value_of(sample, s->checks[i].matcher->label))) {
            return;
        }
    }
    if (compares(s->question, sample->value)) {
        keep(s, sample);
    }
}

static void search_release(struct search *s)
{
    for (size_t i = 0; i < s->check_count; i++) {
        regex_free(s->checks[i].regex);
    }
    for (size_t i = 0; i < s->found.len; i++) {
        labels_unref(s->found.items[i].labels);
    }
    vec_release(&s->found);
    labels_builder_release(&s->builder);
}

/* ---- the datasource ---- */

static bool give_rows(const struct search *s, const struct query *q, const struct answer_sink *sink,
                      struct err *e)
{
    for (size_t i = 0; i < s->found.len; i++) {
        const struct found *f = &s->found.items[i];
        if (!sink->row(sink->arg, labels_bytes(f->labels), q->time_ns, f->value, e)) {
            return false;
        }
    }
    return true;
}

static bool search_and_give(struct self *self, struct search *s, const struct query *q,
                            const struct answer_sink *sink, struct answer_info *ret_info,
                            struct err *e)
{
    if (!compile_checks(s, e)) {
        return false;
    }
    metrics_walk(self->env->metrics, visit, s);
    if (s->is_over) {
        return err_set(e, ERR_LIMIT, "more than %d series; select fewer", ROWS_MAX);
    }
    if (!give_rows(s, q, sink, e)) {
        return false;
    }
    *ret_info = (struct answer_info){.series_fetched = (int64_t)s->found.len,
                                     .rows = (uint32_t)s->found.len};
    return true;
}

static bool self_query(struct datasource *d, const struct query *q, const struct answer_sink *sink,
                       struct answer_info *ret_info, struct err *e)
{
    struct self *self = container_of(d, struct self, super);
    struct question question;
    struct search s = {.question = &question};
    struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    labels_builder_init(&s.builder);
    bool ok =
        read_question(q, &arena, &question, e) && search_and_give(self, &s, q, sink, ret_info, e);
    search_release(&s);
    arena_release(&arena);
    return ok;
}

static bool self_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                              struct labels_builder *b, struct err *e)
{
    AUTO(labels_autounref) struct labels *labels = NULL;
    struct label pair;
    uint32_t at = 0;

    (void)d;
    if (!labels_from_bytes(raw_labels, &labels, e)) {
        return false;
    }
    while (labels_next(labels, &at, &pair)) {
        labels_builder_push(b, arena_dup(a, pair.name), arena_dup(a, pair.value));
    }
    return true;
}

static bool self_probe(struct datasource *d, struct wait wait, struct err *e)
{
    (void)d;
    (void)wait;
    (void)e;
    return true;
}

static void self_close(struct datasource *d)
{
    mem_free(container_of(d, struct self, super));
}

static const struct datasource_ops ops = {
    .query = self_query,
    .parse_labels = self_parse_labels,
    .probe = self_probe,
    .close = self_close,
};

static bool self_open(const struct env *env, const void *config, struct str name,
                      struct datasource **ret_datasource, struct err *e)
{
    struct self *self = mem_new(struct self);

    (void)config;
    (void)name;
    (void)e;
    self->super.ops = &ops;
    self->super.kind = &datasource_self;
    self->env = env;
    *ret_datasource = &self->super;
    return true;
}

static const struct option rows[] = {DATASOURCE_COMMON_ROWS};

static const struct option_table options = {
    .name = "datasource self",
    .help = "Telex' own metrics: what `/metrics` shows. Selectors, also compared with a number.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct self_config),
};

const struct datasource_kind datasource_self = {
    .name = "self",
    .help = "Telex' own metrics: what `/metrics` shows. Selectors, also compared with a number.",
    .options = &options,
    .open = self_open,
};
