/* Which consumers targets come to, row by row; and when a target has what it needs. */
#include "export/targets.h"

#include "export/routing.h"
#include "fake/plan_kit.h"
#include "fake/plan_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEAVES                                     \
    "exporters:\n"                                 \
    "  a: { type: file, output_directory: o }\n"   \
    "  b: { type: file, output_directory: o }\n"   \
    "  c: { type: file, output_directory: o }\n"   \
    "  pair: { type: multi, exporters: [a, b] }\n" \
    "  slow:\n"                                    \
    "    type: conditional\n"                      \
    "    conditions:\n"                            \
    "      - { condition: m > 1, exporter: a }\n"  \
    "      - { condition: m > 2, exporter: b }\n"

#define FIRST LEAVES "    match: first\n"
#define ELSE LEAVES "    default: c\n"

/* Consumers a, b and c are 1, 2 and 4; targets in the order of the file. */
static const struct {
    const char *yaml;
    uint64_t only;
    uint64_t except;
    const char *want; /* of samples with values 0 to 3 */
} rows[] = {
    {LEAVES, 0, 0, "7:all;"}, /* a and b get what slow gives them, and all of pair's */
    {LEAVES "routes:\n  - to: slow\n", 0, 0, "0:0 1;1:2;3:3;"},
    {FIRST "routes:\n  - to: slow\n", 0, 0, "0:0 1;1:2 3;"},
    {ELSE "routes:\n  - to: slow\n", 0, 0, "4:0 1;1:2;3:3;"},
    {LEAVES "routes:\n  - { match: n == \"3\", to: [slow, pair] }\n  - to: c\n", 0, 0,
     "4:0 1 2;3:3;"},
    {LEAVES "routes:\n  - to: pair\n", 0, 0, "3:all;"},
    {LEAVES "routes:\n  - to: c\n", 1 << 4, 0, "0:0 1;1:2;3:3;"}, /* a rule names slow */
    {LEAVES "routes:\n  - to: c\n", 1 << 3, 0, "3:all;"},
    {LEAVES "routes:\n  - to: [slow, c]\n", 0, 1 << 4, "4:all;"}, /* slow is left out */
};

static void split(const struct routing *how, struct batch *b, struct buf *out)
{
    const struct routed *groups = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    size_t count = 0;

    arena_init(&arena, ARENA_UNLIMITED);
    assert_true(routing_split(how, b, &arena, &groups, &count, &e));
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "%llx:%s", (unsigned long long)groups[i].outputs,
                 groups[i].rows == NULL ? "all" : "");
        for (uint32_t r = 0; groups[i].rows != NULL && r < groups[i].count; r++) {
            buf_addf(out, "%s%u", r > 0 ? " " : "", groups[i].rows[r]);
        }
        buf_add_byte(out, ';');
    }
    arena_release(&arena);
}

static void rows_come_to_consumers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = sample_batch(0, 4);
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        struct plan_text t;
        if (!plan_text_parse(&t, rows[i].yaml)) {
            fail_msg("row %zu: %s", i, t.err.message);
        }
        const struct routing how = {&t.config, rows[i].only, rows[i].except};
        split(&how, b, &got);
        if (strcmp(buf_text(&got), rows[i].want) != 0) {
            fail_msg("row %zu: got '%s', want '%s'", i, buf_text(&got), rows[i].want);
        }
        plan_text_release(&t);
    }
}

#define DONE_LEAVES                                                          \
    "exporters:\n"                                                           \
    "  a: { type: file, output_directory: o }\n"                             \
    "  b: { type: file, output_directory: o }\n"                             \
    "  c: { type: file, output_directory: o }\n"                             \
    "  one: { type: multi, exporters: [a, b, c] }\n"                         \
    "  two: { type: multi, exporters: [a, b, c], min_success_count: 2 }\n"   \
    "  all: { type: multi, exporters: [a, b, c], failure_policy: stop }\n"   \
    "  nested: { type: multi, exporters: [one, c], min_success_count: 2 }\n" \
    "  chosen: { type: conditional, conditions: [{ condition: value > 1, exporter: one }] }\n"

static const struct {
    const char *target;
    uint64_t done;
    bool want;
} needs[] = {
    {"a", 0, false},     {"a", 1, true},       {"one", 0, false},   {"one", 4, true},
    {"two", 4, false},   {"two", 5, true},     {"all", 6, false},   {"all", 7, true},
    {"nested", 4, true}, {"nested", 3, false}, {"nested", 5, true}, {"chosen", 0, false},
    {"chosen", 2, true},
};

static void a_target_knows_what_it_needs(void **state)
{
    struct plan_text t;

    (void)state;
    assert_true(plan_text_parse(&t, DONE_LEAVES));
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        struct err e = ERR_INIT;
        int target = plan_find_target(&t.config, str_of(needs[i].target), &e);
        assert_true(target >= 0);
        if (expansion_is_done(t.config.targets[target].expansion, needs[i].done) != needs[i].want) {
            fail_msg("row %zu", i);
        }
    }
    plan_text_release(&t);
}

/* ---- at work ---- */

static bool delivered(struct plan_kit *k, size_t target, uint64_t seq)
{
    return plan_target_delivered(k->plan, target, RECORD_SAMPLE, seq);
}

static void a_plan_knows_what_targets_have(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);
    uint64_t seq = 0;

    (void)state;
    plan_kit_start(k);
    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind, 1);
    destination_refuse(&k->destinations[1], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_kit_give(k, sample_batch(0, 3), (struct give){.durable = true}, &seq));
    assert_true(destination_wait(&k->destinations[0], 3));
    assert_true(destination_wait_calls(&k->destinations[1], 1));
    int64_t end_ns = clock_deadline_ms(clock_system(), DESTINATION_PATIENCE_MS);
    while (!delivered(k, 0, seq) && clock_mono_ns(clock_system()) < end_ns) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 1), NULL});
    }
    assert_true(delivered(k, 0, seq));
    assert_false(delivered(k, 1, seq));
    assert_false(delivered(k, 2, seq)); /* there is none */
    assert_true(plan_target_delivered(k->plan, 1, RECORD_ALERT, 1));
    plan_kit_stop(k);
    mem_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_to_consumers),
        cmocka_unit_test(a_target_knows_what_it_needs),
        cmocka_unit_test(a_plan_knows_what_targets_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
