/* How many rows a transaction takes: more while it is quick, few after trouble, never out of bounds. */
#include "export/table_pace.h"

#include "base/attr.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FAILED = -1 };

/* From 100 to 1000 rows: what a transaction of <rows> did, and how many the next one takes. */
static const struct {
    uint32_t rows;
    int took_ms;
    uint32_t next;
} steps[] = {
    {100, 10, 200},  {200, 10, 400},     {150, 10, 400}, /* it was not full: nothing is known */
    {400, 600, 400}, {400, 499, 800},    {800, 10, 1000},  {1000, 10, 1000}, {1000, 2500, 500},
    {30, 9000, 250}, {250, 3000, 125},   {125, 3000, 100}, {100, 3000, 100}, {100, 10, 200},
    {200, 10, 400},  {400, FAILED, 100}, {100, 10, 200},
};

static void it_doubles_and_begins_anew(void **state)
{
    struct table_pace p;

    (void)state;
    table_pace_init(&p, 100, 1000);
    assert_int_equal(p.rows, 100);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i].took_ms == FAILED) {
            table_pace_failed(&p);
        } else {
            table_pace_took(&p, steps[i].rows, steps[i].took_ms * NS_PER_MS);
        }
        assert_int_equal(p.rows, steps[i].next);
    }
}

static void a_batch_is_the_least(void **state)
{
    struct table_pace p;

    (void)state;
    table_pace_init(&p, 100, 10);
    table_pace_took(&p, 100, 1);
    assert_int_equal(p.rows, 100);
    table_pace_init(&p, 1, UINT32_MAX);
    for (int i = 0; i < 100; i++) {
        table_pace_took(&p, p.rows, 1);
    }
    assert_true(p.rows == UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_doubles_and_begins_anew),
        cmocka_unit_test(a_batch_is_the_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
