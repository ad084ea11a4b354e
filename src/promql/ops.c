#include "promql/tables.h"

#include "base/attr.h"

const struct promql_op_info promql_ops[PROMQL_OPS] = {
    [PROMQL_ADD] = {STR_INIT("+"), PROMQL_ARITHMETIC, 6, false, false},
    [PROMQL_SUB] = {STR_INIT("-"), PROMQL_ARITHMETIC, 6, false, false},
    [PROMQL_MUL] = {STR_INIT("*"), PROMQL_ARITHMETIC, 7, false, false},
    [PROMQL_DIV] = {STR_INIT("/"), PROMQL_ARITHMETIC, 7, false, false},
    [PROMQL_MOD] = {STR_INIT("%"), PROMQL_ARITHMETIC, 7, false, false},
    [PROMQL_POW] = {STR_INIT("^"), PROMQL_ARITHMETIC, PROMQL_PRECEDENCE_POW, true, false},
    [PROMQL_ATAN2] = {STR_INIT("atan2"), PROMQL_ARITHMETIC, 7, false, false},
    [PROMQL_EQL] = {STR_INIT("=="), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_NEQ] = {STR_INIT("!="), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_GTR] = {STR_INIT(">"), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_LSS] = {STR_INIT("<"), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_GTE] = {STR_INIT(">="), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_LTE] = {STR_INIT("<="), PROMQL_COMPARISON, 5, false, false},
    [PROMQL_AND] = {STR_INIT("and"), PROMQL_SET, 4, false, false},
    [PROMQL_OR] = {STR_INIT("or"), PROMQL_SET, 3, false, false},
    [PROMQL_UNLESS] = {STR_INIT("unless"), PROMQL_SET, 4, false, false},
    [PROMQL_DEFAULT] = {STR_INIT("default"), PROMQL_CHOICE, 1, false, true},
    [PROMQL_IF] = {STR_INIT("if"), PROMQL_CHOICE, 2, false, true},
    [PROMQL_IFNOT] = {STR_INIT("ifnot"), PROMQL_CHOICE, 2, false, true},
};

static const char *const type_names[] = {
    [PROMQL_TYPE_NONE] = "nothing",         [PROMQL_TYPE_SCALAR] = "a scalar",
    [PROMQL_TYPE_STRING] = "a string",      [PROMQL_TYPE_INSTANT] = "an instant vector",
    [PROMQL_TYPE_RANGE] = "a range vector",
};

const char *promql_type_name(enum promql_type type)
{
    return (size_t)type < ARRAY_LEN(type_names) ? type_names[type] : "nothing";
}
