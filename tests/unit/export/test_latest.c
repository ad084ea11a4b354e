/* The table of last values: what stays, what leaves, and what a push is made of. */
#include "export/latest.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/rand.h"
#include "fake/clock.h"
#include "fake/export_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SECOND_MS = 1000 };

struct scene {
    struct fake_clock clock;
    struct rng rng;
    struct env env;
    struct latest *table;
    struct outcome out;
};

static void start(struct scene *s, int64_t max_series)
{
    fake_clock_init(&s->clock, KIT_TIME_NS, 0);
    rng_seed(&s->rng, 1);
    s->env = (struct env){.clock = &s->clock.clock, .rng = &s->rng};
    s->table = latest_new(&s->env, &(struct latest_limits){.stale_after_ns = 300 * NS_PER_S,
                                                           .max_series = max_series,
                                                           .passes_over_old = true});
    outcome_init(&s->out);
}

static void stop(struct scene *s)
{
    outcome_release(&s->out);
    latest_free(s->table);
}

static struct batch *one(const char *labels, int64_t time_ns, double value)
{
    const struct kit_sample row = {labels, time_ns, value};

    return kit_samples(NULL, &(struct batch_info){0}, &row, 1);
}

static void note(struct scene *s, const char *labels, int64_t time_ns, double value)
{
    AUTO(batch_autounref) struct batch *b = one(labels, time_ns, value);

    latest_note(s->table, view_all(b), &s->out);
}

static void assert_page(struct scene *s, const char *expected)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    latest_render(s->table, PROM_TEXT_PLAIN, &out);
    assert_string_equal(buf_text(&out), expected);
}

static void test_newer_values_win(void **state)
{
    (void)state;
    struct scene s;

    start(&s, 10);
    note(&s, "a,x=1", KIT_TIME_NS, 1);
    assert_page(&s, "a{x=\"1\"} 1\n");
    note(&s, "a,x=1", KIT_TIME_NS + 1, 2);
    note(&s, "a,x=1", KIT_TIME_NS, 3);
    assert_page(&s, "a{x=\"1\"} 2\n");
    assert_int_equal(s.out.except.list.len, 0);
    stop(&s);
}

static void test_series_leave(void **state)
{
    (void)state;
    struct scene s;

    start(&s, 10);
    note(&s, "a,x=1", KIT_TIME_NS, 1);
    note(&s, "b", KIT_TIME_NS, 1);
    note(&s, "a,x=1", KIT_TIME_NS + 1, number_stale_nan());
    assert_page(&s, "b 1\n");
    note(&s, "c", KIT_TIME_NS + 1, number_stale_nan());
    fake_clock_advance_ms(&s.clock, 200 * SECOND_MS);
    note(&s, "c", KIT_TIME_NS + 200 * NS_PER_S, 3);
    fake_clock_advance_ms(&s.clock, 101 * SECOND_MS);
    assert_page(&s, "c 3\n");
    note(&s, "d", KIT_TIME_NS, 1); /* too old when it comes */
    assert_page(&s, "c 3\n");
    assert_int_equal(s.out.dropped, 1);
    stop(&s);
}

static void test_limit_and_names(void **state)
{
    (void)state;
    struct scene s;

    start(&s, 1);
    note(&s, "a", KIT_TIME_NS, 1);
    note(&s, "b", KIT_TIME_NS, 1);
    note(&s, "", KIT_TIME_NS, 1);
    assert_int_equal(latest_count(s.table), 1);
    assert_int_equal(s.out.except.list.len, 2);
    assert_int_equal(s.out.except.list.items[0].verdict, VERDICT_REJECTED);
    fake_clock_advance_ms(&s.clock, 301 * SECOND_MS);
    note(&s, "b", KIT_TIME_NS + 301 * NS_PER_S, 1);
    assert_page(&s, "b 1\n");
    stop(&s);
}

/* The rows of a push as "series=value" in order, and where the rows of the view stand in it. */
static void assert_push(struct scene *s, const struct kit_sample *rows, uint32_t count,
                        const struct latest_push *push, const char *expected)
{
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &(struct batch_info){0}, rows, count);
    AUTO(batch_autounref) struct batch *made = NULL;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    AUTO(mem_autofree) uint32_t *row_of = NULL;
    struct err e = ERR_INIT;

    assert_true(latest_note_for_push(s->table, view_all(b), push, &s->out, &made, &row_of, &e));
    const struct samples *samples = made != NULL ? batch_own_samples(made) : NULL;
    for (uint32_t i = 0; samples != NULL && i < samples->count; i++) {
        labels_print(samples->series[i], &out);
        buf_addf(&out, "=%g ", samples->value[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        buf_addf(&out, row_of[i] == UINT32_MAX ? "-" : "%u", row_of[i]);
    }
    assert_string_equal(buf_text(&out), expected);
}

static void test_push(void **state)
{
    (void)state;
    static const struct str by_g[] = {STR_INIT("g")};
    const struct option_list none = {NULL, 0};
    const struct option_list groups = {by_g, 1};
    const struct latest_push plain = {&none, false};
    const struct latest_push whole = {&none, true};
    const struct latest_push grouped = {&groups, false};
    const struct kit_sample first[] = {
        {"a,g=2", KIT_TIME_NS, 1}, {"b,g=1", KIT_TIME_NS, 2}, {"a,g=1", KIT_TIME_NS, 3}};
    const struct kit_sample again[] = {{"a,g=2", KIT_TIME_NS + 1, 4},
                                       {"a,g=2", KIT_TIME_NS + 2, 5}};
    const struct kit_sample gone[] = {{"a,g=2", KIT_TIME_NS + 3, number_stale_nan()}};
    struct scene s;

    start(&s, 10);
    assert_push(&s, first, 3, &grouped, "a{g=\"1\"}=3 b{g=\"1\"}=2 a{g=\"2\"}=1 210");
    assert_push(&s, again, 2, &grouped, "a{g=\"2\"}=5 00");
    assert_push(&s, again, 2, &plain, "a{g=\"1\"}=3 a{g=\"2\"}=5 11");
    assert_push(&s, again, 2, &whole, "a{g=\"1\"}=3 a{g=\"2\"}=5 b{g=\"1\"}=2 11");
    assert_push(&s, gone, 1, &plain, "a{g=\"1\"}=3 -");
    assert_push(&s, gone, 1, &plain, "-");
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newer_values_win),
        cmocka_unit_test(test_series_leave),
        cmocka_unit_test(test_limit_and_names),
        cmocka_unit_test(test_push),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
