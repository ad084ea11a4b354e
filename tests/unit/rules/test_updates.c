/* The last evaluations of a rule: what was put in comes out, newest first, the oldest goes. */
#include "rules/updates.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TIME_NS (INT64_C(1700000000) * NS_PER_S)

struct kit {
    struct error_texts texts;
    struct updates updates;
    struct arena arena;
};

static int setup(void **state)
{
    struct kit *k = mem_new(struct kit);

    error_texts_init(&k->texts);
    arena_init(&k->arena, ARENA_UNLIMITED);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct kit *k = *state;

    updates_release(&k->updates, &k->texts);
    assert_null(map_get(&k->texts.map, STR("refused"))); /* nobody holds it any more */
    error_texts_release(&k->texts);
    arena_release(&k->arena);
    mem_free(k);
    return 0;
}

static void add(struct kit *k, size_t limit, const struct rule_update *u, const char *error)
{
    struct error_text *text = error != NULL ? error_text_get(&k->texts, str_of(error)) : NULL;

    updates_add(&k->updates, &k->texts, limit, u, text);
    error_text_unref(&k->texts, text);
}

static struct rule_update numbered(int64_t n)
{
    return (struct rule_update){.time_ns = TIME_NS + n * 15 * NS_PER_S,
                                .at_ns = TIME_NS + (n * 15 - 30) * NS_PER_S,
                                .duration_ns = (n + 1) * NS_PER_MS,
                                .samples = n * 100,
                                .series_fetched = n - 1};
}

static void what_was_put_in_comes_out(void **state)
{
    struct kit *k = *state;
    const struct rule_update *got = NULL;

    assert_int_equal(updates_read(&k->updates, &k->arena, &got), 0);
    for (int64_t n = 0; n < 50; n++) {
        struct rule_update u = numbered(n);
        add(k, 20, &u, n % 3 == 0 ? "refused" : NULL);
    }
    assert_int_equal(updates_read(&k->updates, &k->arena, &got), 20);
    for (int64_t i = 0; i < 20; i++) {
        struct rule_update want = numbered(49 - i);
        assert_true(got[i].time_ns == want.time_ns && got[i].at_ns == want.at_ns);
        assert_true(got[i].duration_ns == want.duration_ns);
        assert_int_equal(got[i].samples, want.samples);
        assert_int_equal(got[i].series_fetched, want.series_fetched);
        assert_int_equal(got[i].failed, (49 - i) % 3 == 0);
        assert_true(str_eq(got[i].error, got[i].failed ? STR("refused") : STR("")));
    }
}

static void a_clock_that_runs_back_is_kept_too(void **state)
{
    struct kit *k = *state;
    const struct rule_update *got = NULL;
    const struct rule_update entries[] = {{.time_ns = TIME_NS, .at_ns = TIME_NS + NS_PER_S},
                                          {.time_ns = -5 * NS_PER_S, .at_ns = 0}};

    add(k, 2, &entries[0], NULL);
    add(k, 2, &entries[1], "x");
    assert_int_equal(updates_read(&k->updates, &k->arena, &got), 2);
    assert_true(got[0].time_ns == -5 * NS_PER_S && got[0].at_ns == 0 && got[0].failed);
    assert_true(got[1].time_ns == TIME_NS && got[1].at_ns == TIME_NS + NS_PER_S);
    add(k, 1, &entries[0], NULL); /* a lower limit lets the others go */
    assert_int_equal(updates_read(&k->updates, &k->arena, &got), 1);
    assert_true(got[0].time_ns == TIME_NS && !got[0].failed);
}

/* Ten thousand rules that fail alike keep one text, and few bytes each. */
static void they_take_little(void **state)
{
    enum { RULES = 10000 };
    struct kit *k = *state;
    struct updates *all = mem_alloc0(RULES, sizeof(*all));
    uint64_t bytes = 0;

    for (size_t r = 0; r < RULES; r++) {
        for (int64_t n = 0; n < 25; n++) {
            struct rule_update u = numbered(n);
            struct error_text *text = error_text_get(&k->texts, STR("connection refused"));
            updates_add(&all[r], &k->texts, UPDATES_DEFAULT, &u, text);
            error_text_unref(&k->texts, text);
        }
        bytes += all[r].cap;
        assert_ptr_equal(all[r].errors[0], all[0].errors[0]);
    }
    assert_in_range(bytes / RULES, 1, 400);
    for (size_t r = 0; r < RULES; r++) {
        updates_release(&all[r], &k->texts);
    }
    mem_free(all);
}

static void long_errors_are_cut(void **state)
{
    struct kit *k = *state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_repeat(&text, 'x', (size_t)3 * ERROR_TEXT_MAX);
    struct error_text *e = error_text_get(&k->texts, buf_str(&text));
    assert_int_equal(e->text.len, ERROR_TEXT_MAX);
    assert_ptr_equal(error_text_get(&k->texts, buf_str(&text)), e);
    error_text_unref(&k->texts, e);
    error_text_unref(&k->texts, e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_in_comes_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_runs_back_is_kept_too, setup, teardown),
        cmocka_unit_test_setup_teardown(they_take_little, setup, teardown),
        cmocka_unit_test_setup_teardown(long_errors_are_cut, setup, teardown),
    };

    return cmocka_run_group_tests_name("rules/updates", tests, NULL, NULL);
}
