/* One delivery by hand: every row ends as the destination says, and what it blames is found. */
#include "export/one_shot.h"

#include "base/mem.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct told {
    char text[512];
    size_t len;
};

static bool refused(void *arg, struct view view, struct str output, struct str reason,
                    struct err *e)
{
    struct told *t = arg;
    const struct samples *samples = NULL;

    assert_true(batch_samples(view.batch, &samples, e));
    for (uint32_t i = 0; i < view.n; i++) {
        t->len +=
            (size_t)snprintf(t->text + t->len, sizeof(t->text) - t->len, "%.*s %.0f %.*s;",
                             STR_FMT(output), samples->value[view_row(view, i)], STR_FMT(reason));
    }
    return true;
}

struct stand {
    struct plan_kit k;
    struct one_shot *shot;
    struct told told;
};

static void stand_open(struct stand *s)
{
    struct err e = ERR_INIT;

    memset(s, 0, sizeof(*s));
    plan_kit_start(&s->k);
    plan_kit_output(&s->k, "out", &fake_kind, 0);
    plan_kit_compile(&s->k);
    s->k.config.state_path = STR("unused");
    if (!one_shot_open(&s->k.env, &s->k.config, 0, &s->shot, &e)) {
        fail_msg("%s", e.message);
    }
}

static void stand_close(struct stand *s)
{
    one_shot_close(s->shot);
    plan_kit_stop(&s->k);
}

static bool give(struct stand *s, struct batch *b, int64_t ms, struct err *e)
{
    const struct one_shot_refusal refusal = {refused, &s->told};
    struct wait w = {clock_deadline_ms(clock_system(), ms), NULL};
    bool ok = one_shot_deliver(s->shot, b, w, &refusal, e);

    batch_unref(b);
    return ok;
}

static void expect_got(struct stand *s, const char *want)
{
    char *got = destination_got(&s->k.destinations[0]);

    assert_string_equal(got, want);
    mem_free(got);
}

static void what_is_taken_is_delivered_once(void **state)
{
    (void)state;
    static struct stand s;
    struct err e = ERR_INIT;

    stand_open(&s);
    assert_true(give(&s, sample_batch(0, 4), 5000, &e));
    assert_true(one_shot_flush(s.shot, &e));
    expect_got(&s, "0 1 2 3");
    assert_int_equal(one_shot_counts(s.shot).delivered, 4);
    assert_string_equal(s.told.text, "");
    stand_close(&s);
}

static void a_try_that_fails_is_made_again(void **state)
{
    (void)state;
    static struct stand s;
    struct err e = ERR_INIT;

    stand_open(&s);
    destination_plan(&s.k.destinations[0],
                     (struct destination_step){.rest = VERDICT_RETRY, .times = 3});
    assert_true(give(&s, sample_batch(0, 2), 5000, &e));
    expect_got(&s, "0 1");
    assert_int_equal(one_shot_counts(s.shot).retries, 3);
    stand_close(&s);
}

/* Everything at once is refused; halving finds that all but one go by themselves. */
static void a_refused_batch_is_halved(void **state)
{
    (void)state;
    static struct stand s;
    struct err e = ERR_INIT;
    struct destination *d = &s.k.destinations[0];

    stand_open(&s);
    destination_plan(d, (struct destination_step){.rest = VERDICT_REJECTED}); /* 0 1 2 3 */
    destination_plan(d, (struct destination_step){.settled = 100});           /* 0 1 */
    destination_plan(d, (struct destination_step){.rest = VERDICT_REJECTED}); /* 2 3 */
    destination_plan(d, (struct destination_step){.rest = VERDICT_REJECTED}); /* 2 */
    assert_true(give(&s, sample_batch(0, 4), 5000, &e));
    expect_got(&s, "0 1 3");
    assert_non_null(strstr(s.told.text, "out 2 "));
    assert_int_equal(one_shot_counts(s.shot).rejected, 1);
    assert_int_equal(one_shot_counts(s.shot).delivered, 3);
    stand_close(&s);
}

static void patience_ends_and_a_halt_is_final(void **state)
{
    (void)state;
    static struct stand s;
    struct err e = ERR_INIT;

    stand_open(&s);
    destination_refuse(&s.k.destinations[0], VERDICT_RETRY);
    assert_false(give(&s, sample_batch(0, 2), 30, &e));
    assert_non_null(strstr(e.context, "exporter 'out'"));
    destination_forget(&s.k.destinations[0]);
    destination_refuse(&s.k.destinations[0], VERDICT_HALT);
    assert_false(give(&s, sample_batch(0, 2), 60000, &e)); /* at once */
    assert_int_equal(one_shot_counts(s.shot).delivered, 0);
    stand_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_is_delivered_once),
        cmocka_unit_test(a_try_that_fails_is_made_again),
        cmocka_unit_test(a_refused_batch_is_halved),
        cmocka_unit_test(patience_ends_and_a_halt_is_final),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
