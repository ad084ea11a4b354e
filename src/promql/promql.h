/*
 * promql.h - PromQL and MetricsQL: text to a typed tree, and the tree back to text.
 *
 * promql_parse() reads one expression: lexer, parser, type check. Every node knows its kind, its
 * type and the bytes of the source that it came from; an evaluator dispatches on the kind through a
 * table of PROMQL_KINDS entries. MetricsQL goes into the same tree with two more kinds; its WITH
 * templates are expanded while parsing, so that no node stands for one. promql_print() gives the
 * canonical text, and parsing that text gives the same tree.
 *
 * Ownership: the tree lives in the caller's arena and borrows texts from the source, which must
 * live as long. Threads: a tree is immutable after promql_parse(). Limits: PROMQL_TEXT_MAX bytes of
 * source, PROMQL_NESTING_MAX levels of brackets and signs, PROMQL_HEIGHT_MAX levels of tree,
 * PROMQL_TOKENS_MAX tokens after template expansion, the arena's cap; each is an ERR_LIMIT. What a
 * user got wrong is an ERR_PARSE with position and caret.
 */
#ifndef TELEX_PROMQL_PROMQL_H
#define TELEX_PROMQL_PROMQL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "promql/tables.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PROMQL_TEXT_MAX = 256 * 1024,
    PROMQL_NESTING_MAX = 100,
    PROMQL_HEIGHT_MAX = 500,
    PROMQL_TOKENS_MAX = 256 * 1024,
};

enum promql_kind {
    PROMQL_NUMBER,    /* 1.5, Inf, 5m */
    PROMQL_STRING,    /* "text" */
    PROMQL_VECTOR,    /* up{job="a"} */
    PROMQL_MATRIX,    /* up[5m] */
    PROMQL_SUBQUERY,  /* expr[1h:5m] */
    PROMQL_PAREN,     /* (expr) */
    PROMQL_UNARY,     /* -expr */
    PROMQL_BINARY,    /* a + b */
    PROMQL_AGGREGATE, /* sum by (job) (expr) */
    PROMQL_CALL,      /* rate(expr) */
    PROMQL_UNION,     /* (a, b): MetricsQL */
    PROMQL_SHIFT,     /* expr offset 5m, expr @ t, of something other than a selector: MetricsQL */
    PROMQL_KINDS,
};

struct promql_node;

struct promql_nodes {
    struct promql_node *const *items;
    uint32_t count;
};

struct promql_labels {
    const struct str *items;
    uint32_t count;
};

/*
 * A length of time: <ns>, or, where <expr> is there, the scalar expression in seconds that says it.
 */
struct promql_duration {
    int64_t ns;
    struct promql_node *expr;
};

enum promql_at { PROMQL_AT_NONE, PROMQL_AT_TIME, PROMQL_AT_START, PROMQL_AT_END, PROMQL_AT_EXPR };

/* The modifiers @ and offset. */
struct promql_when {
    enum promql_at at;
    int64_t at_ns;               /* PROMQL_AT_TIME: whole milliseconds */
    struct promql_node *at_expr; /* PROMQL_AT_EXPR: MetricsQL */
    struct promql_duration offset;
};

enum promql_match { PROMQL_EQ, PROMQL_NE, PROMQL_RE, PROMQL_NRE };

struct promql_matcher {
    struct str label;
    struct str value;
    enum promql_match op;
    uint32_t start;
    uint32_t end;
};

/* Matchers that must all hold. */
struct promql_filter {
    const struct promql_matcher *matchers;
    uint32_t count;
};

enum promql_extend { PROMQL_EXTEND_NONE, PROMQL_ANCHORED, PROMQL_SMOOTHED };

struct promql_number {
    double value;     /* of a duration: seconds */
    double steps;     /* MetricsQL "5i": to add, in query steps */
    bool is_duration; /* written as one */
    struct str text;  /* MetricsQL: as written, which is also its canonical form; else empty */
};

/*
 * An instant selector. Any one of its filters must hold: PromQL has exactly one, MetricsQL's `or`
 * makes more.
 */
struct promql_vector {
    struct str
        name; /* written before the braces, and then also a matcher in every filter; or empty */
    bool is_escaped; /* MetricsQL: the name was written with a backslash */
    const struct promql_filter *filters;
    uint32_t filter_count;
    enum promql_extend extend;
    struct promql_when when;
};

struct promql_matrix {
    struct promql_node *vector; /* PROMQL_VECTOR; @ and offset are there */
    struct promql_duration range;
};

struct promql_subquery {
    struct promql_node *expr;
    bool has_range; /* always, but for MetricsQL "[:1m]" */
    bool has_step;  /* else the query's default */
    struct promql_duration range;
    struct promql_duration step;
    struct promql_when when;
};

struct promql_unary {
    enum promql_op op; /* PROMQL_ADD or PROMQL_SUB */
    struct promql_node *expr;
};

enum promql_card { PROMQL_ONE_TO_ONE, PROMQL_MANY_TO_ONE, PROMQL_ONE_TO_MANY, PROMQL_MANY_TO_MANY };

/* How the series of the two sides find each other. */
struct promql_matching {
    bool on; /* on (labels), else ignoring (labels) */
    enum promql_card card;
    struct promql_labels labels;
    struct promql_labels include; /* of group_left and group_right */
    bool include_all;             /* MetricsQL group_left(*) */
    struct str prefix;            /* MetricsQL group_left(...) prefix "x" */
    bool fills_left;
    bool fills_right;
    double fill_left;
    double fill_right;
};

struct promql_binary {
    enum promql_op op;
    bool is_bool;
    bool keep_names;   /* MetricsQL keep_metric_names; the parent is then a PROMQL_PAREN */
    uint32_t op_start; /* byte of the operator in the source */
    struct promql_node *left;
    struct promql_node *right;
    struct promql_matching *matching; /* NULL unless both sides are vectors */
};

struct promql_aggregation {
    const struct promql_aggregate *op;
    bool without;
    struct promql_labels labels;
    struct promql_nodes args; /* the parameter first, where <op> has one; the vector last */
    uint32_t limit;           /* MetricsQL "limit N"; 0 is none */
};

struct promql_call {
    const struct promql_function *function;
    bool keep_names; /* MetricsQL keep_metric_names */
    struct promql_nodes args;
};

struct promql_shift {
    struct promql_node *expr;
    struct promql_when when;
};

struct promql_node {
    enum promql_kind kind;
    enum promql_type type;
    uint32_t start; /* bytes of the source, [start, end) */
    uint32_t end;
    uint32_t height; /* 1 for a leaf */
    union {
        struct promql_number number;
        struct str string;
        struct promql_vector vector;
        struct promql_matrix matrix;
        struct promql_subquery subquery;
        struct promql_node *paren;
        struct promql_unary unary;
        struct promql_binary binary;
        struct promql_aggregation aggregation;
        struct promql_call call;
        struct promql_nodes items; /* PROMQL_UNION */
        struct promql_shift shift;
    };
};

/*
 * Parses and checks all of <text>. On failure the error points into <text> as lines and columns
 * from 1.
 */
MUST_USE bool promql_parse(struct arena *a, struct str text, enum promql_dialect dialect,
                           const struct promql_node **ret_root, struct err *e);

/*
 * Appends the canonical text: that of Prometheus for PromQL; for what only MetricsQL has, a text
 * that parses to the same tree.
 */
void promql_print(const struct promql_node *node, struct buf *out);

/* What the expression evaluates to. */
static inline enum promql_type promql_type(const struct promql_node *node)
{
    return node->type;
}

/*
 * The <index>th expression directly below <node>, those in durations and modifiers included; NULL
 * behind the last.
 */
const struct promql_node *promql_child(const struct promql_node *node, uint32_t index);

/*
 * Visits <root> and everything below it, parents first; <visit> returns false to leave out what is
 * below a node.
 */
void promql_walk(const struct promql_node *root,
                 bool (*visit)(const struct promql_node *node, void *context), void *context);

struct promql_selectors {
    const struct promql_node *const *items;
    uint32_t count;
};

/*
 * All selectors (PROMQL_VECTOR) that evaluating <root> reads from, in source order, in the arena.
 * info() reads the metric target_info even where the expression does not name it; that selector is
 * then made up.
 */
struct promql_selectors promql_selectors(struct arena *a, const struct promql_node *root);

/*
 * The metric that <selector> names exactly, in all its filters; empty where it is a pattern or
 * several.
 */
struct str promql_metric(const struct promql_node *selector);

/*
 * Could <selector> select a series whose <label> has <value>? Matchers on other labels are not
 * looked at. Ask with "__name__" whether a rule reads what another records, with "alertname" on top
 * whether it reads an alert's ALERTS.
 */
bool promql_may_select(const struct promql_node *selector, struct str label, struct str value);

/*
 * Does a condition decide whether there is a result at all: a comparison without bool, a set
 * operator, absent()? An alert whose expression has none fires for every series it finds.
 */
bool promql_has_condition(const struct promql_node *root);

#endif
