/* Each gets all rows, once; a row is done when all have it. */
#include "fake/stage_kit.h"

#include "export/combinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define YAML "type: multi\nstrategy: sequential\nexporters: [a, b, c]\n"

static const char *const four[] = {"a", "b", "c", "d", NULL};

/* Two deliveries: of all rows, then of what is owed. Destinations without a step take all. */
static const struct {
    const char *name;
    const char *policy;
    struct destination_step steps[3];
    const char *texts[2];
    const char *tried[3];
} rows[] = {
    {"all take all",
     "",
     {{.settled = SETTLED_ALL}},
     {"4 of 4", NULL},
     {"0 1 2 3", "0 1 2 3", "0 1 2 3"}},
    {"one is down: the others do not get it twice",
     "",
     {{.settled = SETTLED_ALL}, {.rest = VERDICT_RETRY, .message = "down"}},
     {"0 of 4, then retry", "4 of 4"},
     {"0 1 2 3", "0 1 2 3|0 1 2 3", "0 1 2 3"}},
    {"the first fails in the middle, the others go on",
     "",
     {{.rest = VERDICT_UNKNOWN, .settled = 1}},
     {"1 of 4, then unknown", "4 of 4"},
     {"0 1 2 3|1 2 3", "0 1 2 3", "0 1 2 3"}},
    {"it stops those behind it",
     "failure_policy: stop\n",
     {{.rest = VERDICT_UNKNOWN, .settled = 1}},
     {"1 of 4, then unknown", "4 of 4"},
     {"0 1 2 3|1 2 3", "0|1 2 3", "0|1 2 3"}},
    {"one rejects a row",
     "",
     {{.settled = SETTLED_ALL, .except = {{2, VERDICT_REJECTED, "old"}}}},
     {"4 of 4; 2 rejected: a: old", NULL},
     {"0 1 2 3", "0 1 2 3", "0 1 2 3"}},
    {"rejected by one, owed by another: owed first, then rejected",
     "",
     {{.settled = SETTLED_ALL, .except = {{2, VERDICT_REJECTED, "old"}}, .times = 2},
      {.rest = VERDICT_RETRY, .settled = 2, .message = "down"}},
     {"2 of 4, then retry", NULL},
     {"0 1 2 3", "0 1 2 3", "0 1 2 3"}},
    {"retry weighs more than halt",
     "",
     {{.rest = VERDICT_HALT}, {.rest = VERDICT_RETRY, .message = "down"}},
     {"0 of 4, then retry", "4 of 4"},
     {"0 1 2 3|0 1 2 3", "0 1 2 3|0 1 2 3", "0 1 2 3"}},
};

static void each_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        AUTO(batch_autounref) struct batch *b = stage_kit_samples(four);
        print_message("%s\n", rows[i].name);
        buf_addf(&yaml, "%s%s", YAML, rows[i].policy);
        stage_kit_open(&k, buf_text(&yaml), multi_stages[MULTI_SEQUENTIAL], 3);
        for (size_t d = 0; d < 3; d++) {
            const struct destination_step *step = &rows[i].steps[d];
            if (step->rest != VERDICT_DELIVERED || step->settled > 0) {
                destination_plan(&k.destinations[d], *step);
            }
        }
        struct view view = view_all(b);
        assert_string_equal(stage_kit_deliver(&k, view, &text), rows[i].texts[0]);
        if (rows[i].texts[1] != NULL) {
            uint32_t from = k.out.settled;
            char expected[] = {(char)('4' - (char)from), '\0'};
            AUTO(buf_release) struct buf all = BUF_INIT(BUF_SMALL);
            buf_addf(&all, "%s of %s", expected, expected);
            (void)stage_kit_deliver(&k, view_slice(view, from, 4), &text);
            assert_string_equal(buf_text(&text), buf_text(&all));
        }
        for (size_t d = 0; d < 3; d++) {
            assert_true(stage_kit_saw(&k, d, rows[i].tried[d], NULL));
        }
        stage_kit_close(&k);
    }
}

/* What is remembered is of the batch in hand: another one begins anew. */
static void another_batch(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    AUTO(batch_autounref) struct batch *first = stage_kit_samples(four);
    AUTO(batch_autounref) struct batch *second = stage_kit_samples(four);
    const uint32_t some[] = {3, 1};

    stage_kit_open(&k, YAML, multi_stages[MULTI_SEQUENTIAL], 2);
    destination_plan(&k.destinations[1], (struct destination_step){.rest = VERDICT_RETRY});
    (void)stage_kit_deliver(&k, view_all(first), &text);
    (void)stage_kit_deliver(&k, (struct view){.batch = first, .rows = some, .n = 2}, &text);
    assert_true(stage_kit_saw(&k, 0, "0 1 2 3", NULL));
    assert_true(stage_kit_saw(&k, 1, "0 1 2 3|3 1", "3 1"));
    assert_string_equal(stage_kit_deliver(&k, view_all(second), &text), "4 of 4");
    assert_true(stage_kit_saw(&k, 0, "0 1 2 3|0 1 2 3", NULL));
    stage_kit_close(&k);
}

/* A stop before anybody was asked leaves all owed, by those behind too. */
static void stopped(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(four);
    struct cancel *cancel = cancel_new(NULL);

    stage_kit_open(&k, YAML, multi_stages[MULTI_SEQUENTIAL], 2);
    cancel_fire(cancel);
    k.sink->ops->deliver(k.sink, view_all(b), (struct wait){DEADLINE_NEVER, cancel}, &k.out);
    assert_int_equal(k.out.rest, VERDICT_RETRY);
    assert_int_equal(k.out.settled, 0);
    cancel_free(cancel);
    stage_kit_close(&k);
}

/* ---- is it there? ---- */

static const struct {
    enum probed children[3];
    enum probed want;
} probes[] = {
    {{PROBED_THERE, PROBED_THERE, PROBED_THERE}, PROBED_THERE},
    {{PROBED_THERE, PROBED_FAILED, PROBED_NOBODY}, PROBED_FAILED},
    {{PROBED_THERE, PROBED_NOBODY, PROBED_THERE}, PROBED_NOBODY},
    {{PROBED_NOBODY, PROBED_NOBODY, PROBED_NOBODY}, PROBED_NOBODY},
    {{PROBED_NOBODY, PROBED_THERE, PROBED_FAILED}, PROBED_FAILED},
};

static void a_probe_asks_the_children(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct stage_kit k;
        struct err e = ERR_INIT;

        stage_kit_open(&k, YAML, multi_stages[MULTI_SEQUENTIAL], 3);
        for (size_t c = 0; c < 3; c++) {
            destination_set_probed(&k.destinations[c], probes[i].children[c]);
        }
        assert_int_equal(sink_probe(k.sink, (struct wait){DEADLINE_NEVER, NULL}, &e),
                         probes[i].want);
        stage_kit_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_asks_the_children),
        cmocka_unit_test(each_outcome),
        cmocka_unit_test(another_batch),
        cmocka_unit_test(stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
