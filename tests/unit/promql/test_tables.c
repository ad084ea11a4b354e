#include "promql/tables.h"

#include "base/attr.h"
#include "promql/lex.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* Letters, at most one '?', and a '*' only at the end. */
static bool is_signature(const char *letters)
{
    size_t len = strlen(letters);
    size_t before_star = strcspn(letters, "*");

    return strspn(letters, "stvmx?*") == len && before_star + 1 >= len &&
           strchr(letters, '?') == strrchr(letters, '?');
}

static void check_signatures(const char *name, const struct promql_signature *one,
                             const struct promql_signature *other)
{
    if (!is_signature(one->letters) || (other->letters != NULL && !is_signature(other->letters))) {
        fail_msg("the signature of %s", name);
    }
    assert_true(is_plain_label(str_of(name)));
}

static void functions_are_well_formed(void **state)
{
    (void)state;
    size_t count;
    const struct promql_function *functions = promql_functions(&count);

    assert_true(count > 200);
    for (size_t i = 0; i < count; i++) {
        const struct promql_function *f = &functions[i];
        check_signatures(f->name, &f->args, &f->metricsql_args);
        assert_true(f->returns == PROMQL_TYPE_SCALAR || f->returns == PROMQL_TYPE_INSTANT);
        for (enum promql_dialect d = PROMQL_PROMETHEUS; d <= PROMQL_METRICSQL; d++) {
            const struct promql_function *found = promql_function_find(str_of(f->name), d);
            assert_ptr_equal(found, (f->dialects & (1u << d)) != 0 ? f : NULL);
        }
    }
}

static void aggregations_are_well_formed(void **state)
{
    (void)state;
    size_t count;
    const struct promql_aggregate *aggregates = promql_aggregates(&count);

    for (size_t i = 0; i < count; i++) {
        const struct promql_aggregate *a = &aggregates[i];
        check_signatures(a->name, &a->args, &a->metricsql_args);
        assert_ptr_equal(promql_aggregate_find(str_of(a->name), PROMQL_PROMETHEUS),
                         (a->dialects & PROMQL_IN_PROMETHEUS) != 0 ? a : NULL);
        assert_null(promql_function_find(str_of(a->name), PROMQL_METRICSQL));
    }
}

static void operators_are_well_formed(void **state)
{
    (void)state;

    for (enum promql_op op = 0; op < PROMQL_OPS; op++) {
        assert_true(promql_ops[op].text.len > 0);
        assert_true(promql_ops[op].precedence >= PROMQL_PRECEDENCE_MIN);
        assert_true(promql_ops[op].precedence <= PROMQL_PRECEDENCE_POW);
    }
}

static void case_matters_in_promql_only(void **state)
{
    (void)state;

    assert_null(promql_function_find(STR("Rate"), PROMQL_PROMETHEUS));
    assert_non_null(promql_function_find(STR("Rate"), PROMQL_METRICSQL));
    assert_non_null(promql_aggregate_find(STR("Sum"), PROMQL_PROMETHEUS));
}

static void gives_hints(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum promql_dialect dialect;
        const char *hint;
    } rows[] = {
        {"rates", PROMQL_PROMETHEUS, "; did you mean rate?"},
        {"Rate", PROMQL_PROMETHEUS, "; did you mean rate?"},
        {"avg_overtime", PROMQL_PROMETHEUS, "; did you mean avg_over_time?"},
        {"holt_winters", PROMQL_PROMETHEUS, "; use double_exponential_smoothing"},
        {"rollup", PROMQL_PROMETHEUS, "; only MetricsQL has it"},
        {"summ", PROMQL_METRICSQL, "; did you mean sum?"},
        {"range_medain", PROMQL_METRICSQL, "; did you mean range_median?"},
        {"completely_unknown", PROMQL_PROMETHEUS, ""},
        {"q", PROMQL_PROMETHEUS, ""},
        {"", PROMQL_PROMETHEUS, ""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char space[128];
        assert_string_equal(
            promql_function_hint(str_of(rows[i].name), rows[i].dialect, space, sizeof(space)),
            rows[i].hint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_well_formed),
        cmocka_unit_test(aggregations_are_well_formed),
        cmocka_unit_test(operators_are_well_formed),
        cmocka_unit_test(case_matters_in_promql_only),
        cmocka_unit_test(gives_hints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
