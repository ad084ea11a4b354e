/* Tries that are used up by an answer: rows that are not at fault do not end with one that is. */
#include "export/direct.h"
#include "fake/export_kit.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct plan_kit kit;
    struct direct *direct;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    plan_kit_start(&f->kit);
    plan_kit_output(&f->kit, "out", &fake_kind, 0);
    f->kit.configs[0].common.retry.max_retries = 1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    plan_kit_stop(&f->kit);
    mem_free(f);
    return 0;
}

static struct destination *sink_of(struct fixture *f)
{
    return &f->kit.destinations[0];
}

static void open_direct(struct fixture *f)
{
    struct err e = ERR_INIT;

    plan_kit_open(&f->kit);
    assert_true(direct_open(f->kit.plan, STR("out"), 1, &f->direct, &e));
}

/* The destination answers so the next <times> times. */
static void answer(struct fixture *f, int status, uint32_t times)
{
    struct destination_step step = {
        .rest = VERDICT_RETRY, .message = "no", .status = status, .times = times};

    if (status == 200) {
        step = (struct destination_step){
            .rest = VERDICT_DELIVERED, .settled = SETTLED_ALL, .times = times};
    }
    destination_plan(sink_of(f), step);
}

/* Delivers rows <first>.. until all have ended. */
static void deliver(struct fixture *f, int first, uint32_t count)
{
    AUTO(batch_autounref) struct batch *b = sample_batch(first, count);
    const struct view view = {.batch = b, .n = count};

    assert_int_equal(direct_run(f->direct, 0, view, INT64_MAX, NULL), 0);
}

static void assert_tried(struct fixture *f, const char *want)
{
    char *tried = destination_tried(sink_of(f));

    assert_string_equal(tried, want);
    mem_free(tried);
}

/* What came, and what is among the dead letters; at the end. */
static void assert_ended(struct fixture *f, const char *got, const char *dead)
{
    char *text = destination_got(sink_of(f));

    assert_string_equal(text, got);
    mem_free(text);
    direct_close(f->direct);
    plan_kit_close(&f->kit);
    text = plan_kit_dead(&f->kit, "out");
    assert_string_equal(text, dead);
    mem_free(text);
}

static void one_row_is_at_fault(void **state)
{
    struct fixture *f = *state;

    answer(f, 500, 2); /* all */
    answer(f, 200, 1); /* the first half */
    answer(f, 500, 1);
    answer(f, 200, 1);
    answer(f, 500, 2); /* 6 7, 6 */
    open_direct(f);
    deliver(f, 0, 8);
    assert_tried(f, "0 1 2 3 4 5 6 7|0 1 2 3 4 5 6 7|0 1 2 3|4 5 6 7|4 5|6 7|6|7");
    assert_ended(f, "0 1 2 3 4 5 7", "after 3 tries: no: 6;");
}

/* A destination that refuses everything is not asked for every row, and not again for parts until it takes something. */
static void all_are_refused(void **state)
{
    struct fixture *f = *state;
    struct output_status status;

    answer(f, 500, UINT32_MAX);
    open_direct(f);
    deliver(f, 0, 100);
    assert_int_equal(plan_status(f->kit.plan, &status, 1), 1);
    assert_int_equal(status.calls, 2 + 16);
    destination_forget(sink_of(f));
    answer(f, 500, 2);
    answer(f, 200, 1);
    answer(f, 500, 2);
    answer(f, 200, 1);
    answer(f, 500, 1);
    deliver(f, 200, 3);
    deliver(f, 300, 1);
    deliver(f, 400, 2);
    assert_tried(f, "200 201 202|200 201 202|300|400 401|400 401|400|401");
    direct_close(f->direct);
    plan_kit_close(&f->kit);
    char *dead = plan_kit_dead(&f->kit, "out");
    assert_non_null(strstr(dead, "after 2 tries: no: 200 201 202;after 3 tries: no: 401;"));
    mem_free(dead);
}

/* Only an answer may be about a row. */
static void nobody_is_there(void **state)
{
    static const int statuses[] = {0, 429, 503};
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        answer(f, statuses[i], 2);
    }
    answer(f, 500, 2);
    answer(f, 0, 1); /* it went away meanwhile */
    open_direct(f);
    for (int i = 0; i < 4; i++) {
        deliver(f, i * 2, 2);
    }
    assert_tried(f, "0 1|0 1|2 3|2 3|4 5|4 5|6 7|6 7|6");
    assert_ended(f, "",
                 "after 2 tries: no: 0 1;after 2 tries: no: 2 3;after 2 tries: no: 4 5;"
                 "after 2 tries: no: 6 7;");
}

/* What is left has its tries again. */
static void it_goes_away_in_the_middle(void **state)
{
    struct fixture *f = *state;

    answer(f, 500, 2);
    answer(f, 200, 1);
    answer(f, 503, 2);
    open_direct(f);
    deliver(f, 0, 4);
    assert_tried(f, "0 1 2 3|0 1 2 3|0 1|2 3|2 3|2 3");
    assert_ended(f, "0 1 2 3", "");
}

/* A limit of ours in the middle ends nothing. */
static void held_back_in_the_middle(void **state)
{
    struct fixture *f = *state;

    answer(f, 500, 2);
    destination_plan(
        sink_of(f),
        (struct destination_step){.rest = VERDICT_RETRY, .held_back = true, .retry_after_ms = 1});
    open_direct(f);
    deliver(f, 0, 2);
    assert_tried(f, "0 1|0 1|0|0 1");
    assert_ended(f, "0 1", "");
}

/* Rows of a part that were taken are not sent again. */
static void a_part_is_taken_in_part(void **state)
{
    struct fixture *f = *state;

    answer(f, 500, 2);
    destination_plan(sink_of(f), (struct destination_step){.rest = VERDICT_RETRY,
                                                           .settled = 3,
                                                           .except = {{1, VERDICT_RETRY, "no"},
                                                                      {2, VERDICT_REJECTED, "bad"}},
                                                           .message = "no",
                                                           .status = 500});
    open_direct(f);
    deliver(f, 0, 8);
    assert_tried(f, "0 1 2 3 4 5 6 7|0 1 2 3 4 5 6 7|0 1 2 3|1 3|4 5 6 7");
    assert_ended(f, "0 1 3 4 5 6 7", "bad: 2;");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(one_row_is_at_fault),     CASE(all_are_refused),
        CASE(nobody_is_there),         CASE(it_goes_away_in_the_middle),
        CASE(held_back_in_the_middle), CASE(a_part_is_taken_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
