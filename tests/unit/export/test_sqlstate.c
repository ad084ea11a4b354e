/* What PostgreSQL says, as what becomes of rows. */
#include "export/sqlstate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *code;
    enum verdict verdict;
    bool is_lost;
    bool has_todo;
} rows[] = {
    {"", VERDICT_RETRY, true, false},          {"08006", VERDICT_RETRY, true, false},
    {"0A000", VERDICT_HALT, false, true},      {"22001", VERDICT_REJECTED, false, false},
    {"22P05", VERDICT_REJECTED, false, false}, {"23505", VERDICT_REJECTED, false, false},
    {"23514", VERDICT_REJECTED, false, false}, {"25006", VERDICT_RETRY, true, true},
    {"28P01", VERDICT_HALT, true, true},       {"3D000", VERDICT_HALT, true, true},
    {"40001", VERDICT_RETRY, false, false},    {"40003", VERDICT_UNKNOWN, true, false},
    {"40P01", VERDICT_RETRY, false, false},    {"42501", VERDICT_HALT, false, true},
    {"42703", VERDICT_HALT, false, true},      {"42804", VERDICT_HALT, false, true},
    {"42P01", VERDICT_HALT, false, true},      {"44000", VERDICT_REJECTED, false, false},
    {"53300", VERDICT_RETRY, true, false},     {"57P01", VERDICT_RETRY, true, false},
    {"57014", VERDICT_RETRY, false, false},    {"P0001", VERDICT_REJECTED, false, false},
    {"ZZ999", VERDICT_RETRY, true, false},
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct sqlstate *s = sqlstate_find(rows[i].code);
        if (s->verdict != rows[i].verdict || s->is_lost != rows[i].is_lost ||
            (s->todo != NULL) != rows[i].has_todo) {
            fail_msg("'%s' is %s", rows[i].code, verdict_name(s->verdict));
        }
    }
}

/* Who lacks rights is told all that are needed, not one after the other. */
static void test_rights(void **state)
{
    const char *todo = sqlstate_find("42501")->todo;

    (void)state;
    assert_non_null(strstr(todo, "INSERT on the tables"));
    assert_non_null(strstr(todo, "SELECT, INSERT, UPDATE on positions_table"));
    assert_non_null(strstr(todo, "CREATE on the schema"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_rights)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
