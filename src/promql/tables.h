/*
 * tables.h - the vocabulary of PromQL and MetricsQL as tables: operators, aggregations, functions.
 *
 * The parser, the type check, the printer and the evaluator read the same rows; a row's place in
 * its table is its identity. Ownership: static and const. Threads: any. Limits: none.
 */
#ifndef TELEX_PROMQL_TABLES_H
#define TELEX_PROMQL_TABLES_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum promql_dialect {
    PROMQL_PROMETHEUS, /* as Prometheus 3 reads it, what its feature flags add included */
    PROMQL_METRICSQL,  /* as VictoriaMetrics reads it */
};

enum promql_type {
    PROMQL_TYPE_NONE, /* not checked yet */
    PROMQL_TYPE_SCALAR,
    PROMQL_TYPE_STRING,
    PROMQL_TYPE_INSTANT, /* a vector: one value per series */
    PROMQL_TYPE_RANGE,   /* a matrix: many values per series */
};

/* "an instant vector" */
const char *promql_type_name(enum promql_type type);

enum promql_op {
    PROMQL_ADD,
    PROMQL_SUB,
    PROMQL_MUL,
    PROMQL_DIV,
    PROMQL_MOD,
    PROMQL_POW,
    PROMQL_ATAN2,
    PROMQL_EQL,
    PROMQL_NEQ,
    PROMQL_GTR,
    PROMQL_LSS,
    PROMQL_GTE,
    PROMQL_LTE,
    PROMQL_AND,
    PROMQL_OR,
    PROMQL_UNLESS,
    PROMQL_DEFAULT, /* the rest is MetricsQL */
    PROMQL_IF,
    PROMQL_IFNOT,
    PROMQL_OPS,
};

enum promql_op_class { PROMQL_ARITHMETIC, PROMQL_COMPARISON, PROMQL_SET, PROMQL_CHOICE };

struct promql_op_info {
    struct str text;
    enum promql_op_class class;
    uint8_t precedence; /* larger binds tighter */
    bool right_assoc;
    bool metricsql_only;
};

enum { PROMQL_PRECEDENCE_MIN = 1, PROMQL_PRECEDENCE_POW = 8 };

extern const struct promql_op_info promql_ops[PROMQL_OPS];

/* Which dialects know a row. */
enum { PROMQL_IN_PROMETHEUS = 1 << PROMQL_PROMETHEUS, PROMQL_IN_METRICSQL = 1 << PROMQL_METRICSQL };

/*
 * What the arguments are, one letter each: s scalar, t text, v instant vector, m range vector, x
 * any of them. A '?' makes the letters behind it optional; a last '*' lets the letter before it
 * come any number of times, none included.
 */
struct promql_signature {
    const char *letters;
    uint8_t args_max; /* 0: as the letters say */
};

struct promql_aggregate {
    const char *name;
    uint8_t dialects;
    struct promql_signature args;           /* in PromQL */
    struct promql_signature metricsql_args; /* letters NULL: the same */
};

struct promql_function {
    const char *name;
    uint8_t dialects;
    enum promql_type returns;
    struct promql_signature args;           /* in PromQL, or the only one */
    struct promql_signature metricsql_args; /* letters NULL: the same */
};

/*
 * NULL when the dialect has no such row. MetricsQL does not look at the case of names; PromQL does
 * for functions.
 */
const struct promql_aggregate *promql_aggregate_find(struct str name, enum promql_dialect dialect);
const struct promql_function *promql_function_find(struct str name, enum promql_dialect dialect);

/* What to say about an unknown function, in a clause that begins with "; "; or "". */
const char *promql_function_hint(struct str name, enum promql_dialect dialect, char *space,
                                 size_t size);

/* All rows, for documentation and completion. */
const struct promql_aggregate *promql_aggregates(size_t *ret_count);
const struct promql_function *promql_functions(size_t *ret_count);

#endif
