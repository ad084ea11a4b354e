/* How much goes out when, with a clock of the test's own; and that holding back is no failure. */
#include "fake/stage_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const ten[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", NULL};

/* One delivery of ten rows, some time after the one before. */
struct
try {
    int64_t after_ms;
    uint32_t from;
    struct destination_step step;
    const char *text;
    bool held_back;
    int64_t retry_after_ms;
};

enum { TRIES = 5 };

static const struct {
    const char *yaml;
    struct try tries[TRIES];
} rows[] = {
    {"records_per_second: 10",
     {{0, 0, {.settled = SETTLED_ALL}, "10 of 10", false, 0},
      {0, 0, {.settled = SETTLED_ALL}, "0 of 10, then retry", true, 101},
      {350, 0, {.settled = SETTLED_ALL}, "3 of 10, then retry", true, 51},
      {50, 0, {.settled = SETTLED_ALL}, "1 of 10, then retry", true, 101}}},
    {"records_per_second: 10\nburst: 4",
     {{0, 0, {.settled = SETTLED_ALL}, "4 of 10, then retry", true, 101},
      {60000, 4, {.settled = SETTLED_ALL}, "4 of 6, then retry", true, 101}}},
    /* many a second: not one by one, but a tenth of a second's */
    {"records_per_second: 100\nburst: 8",
     {{0, 0, {.settled = SETTLED_ALL}, "8 of 10, then retry", true, 21},
      {30, 0, {.settled = SETTLED_ALL}, "0 of 10, then retry", true, 51},
      {55, 8, {.settled = SETTLED_ALL}, "2 of 2", false, 0}}},
    /* bytes are known afterwards: a debt */
    {"bytes_per_second: 1000",
     {{0, 0, {.settled = SETTLED_ALL, .bytes = 3000}, "10 of 10", false, 0},
      {0, 0, {.settled = SETTLED_ALL}, "0 of 10, then retry", true, 2002},
      {2002, 0, {.settled = SETTLED_ALL, .bytes = 1}, "10 of 10", false, 0}}},
    /* what the destination says of its part */
    {"records_per_second: 4",
     {{0, 0, {.rest = VERDICT_RETRY, .settled = 1}, "1 of 10, then retry", false, 0},
      {1000, 0, {.rest = VERDICT_HALT}, "0 of 10, then halt", false, 0},
      {1000,
       6,
       {.rest = VERDICT_REJECTED, .settled = 0, .message = "bad"},
       "0 of 4, then rejected",
       false,
       0},
      {1000,
       5,
       {.rest = VERDICT_REJECTED, .settled = 0, .message = "bad"},
       "0 of 5, then rejected; 4 retry: over the exporter's own rate_limit",
       false,
       0},
      {1000,
       0,
       {.settled = SETTLED_ALL, .except = {{2, VERDICT_REJECTED, "old"}}},
       "4 of 10, then retry; 2 rejected: old",
       true,
       251}}},
};

static void each_try(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        buf_addf(&yaml, "type: rate_limit\nexporter: x\n%s\n", rows[i].yaml);
        stage_kit_open(&k, buf_text(&yaml), NULL, 1);
        AUTO(batch_autounref) struct batch *b = stage_kit_samples(ten);
        for (size_t t = 0; t < TRIES && rows[i].tries[t].text != NULL; t++) {
            const struct try *row = &rows[i].tries[t];
            print_message("%s, %zu\n", rows[i].yaml, t);
            fake_clock_advance_ms(&k.clock, row->after_ms);
            destination_forget(&k.destinations[0]);
            destination_plan(&k.destinations[0], row->step);
            assert_string_equal(
                stage_kit_deliver(&k, view_slice(view_all(b), row->from, 10), &text), row->text);
            assert_int_equal(k.out.held_back, row->held_back);
            assert_int_equal(k.out.retry_after_ms, row->retry_after_ms);
        }
        stage_kit_close(&k);
    }
}

static void refused(void **state)
{
    (void)state;
    struct export_kit k;

    assert_false(export_kit_start(&k, "type: rate_limit\nexporter: x\nburst: 5"));
    assert_string_equal(k.err.message, "a rate_limit without a limit; expected records_per_second "
                                       "or bytes_per_second");
    export_kit_stop(&k);
}

/* Lanes and logs side by side send together what the exporter may. */
static void sinks_share_the_limit(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(ten);
    struct err e = ERR_INIT;

    stage_kit_open(&k, "type: rate_limit\nexporter: x\nrecords_per_second: 8\n", NULL, 1);
    for (unsigned i = 0; i < 4; i++) {
        const struct exporter_place place = {.env = &k.env, .name = STR("out"), .shares = 4};
        const struct stage_config config = {.config = k.config.config, .child_count = 1};
        const struct fake_config fake = {.destination = &k.destinations[0]};
        struct sink *child = NULL;
        struct sink *sink = NULL;
        struct outcome out;
        assert_true(fake_kind.open(&place, &fake, &child, &e));
        assert_true(k.config.kind->stage->open(&place, &config, &child, &sink, &e));
        outcome_init(&out);
        sink->ops->deliver(sink, view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &out);
        assert_int_equal(out.settled, 2);
        assert_true(out.held_back);
        outcome_release(&out);
        sink_close(sink);
    }
    stage_kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sinks_share_the_limit),
        cmocka_unit_test(each_try),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
