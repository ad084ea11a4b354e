/* Which rows go to which outputs. */
#include "export/routing.h"

#include "fake/plan_kit.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct route_text {
    const char *match;
    uint64_t to;
    bool also_next;
};

/* What a batch looks like once routed: "OUTPUTS:rows;", outputs in hex, rows "all" or listed. */
static char *split(struct plan_kit *k, struct batch *b)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct routed *groups = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    size_t count = 0;

    const struct routing how = {.config = &k->config};

    arena_init(&arena, ARENA_UNLIMITED);
    assert_true(routing_split(&how, b, &arena, &groups, &count, &e));
    for (size_t i = 0; i < count; i++) {
        buf_addf(&text, "%llx:%s", (unsigned long long)groups[i].outputs,
                 groups[i].rows == NULL ? "all" : "");
        for (uint32_t r = 0; groups[i].rows != NULL && r < groups[i].count; r++) {
            buf_addf(&text, "%s%u", r > 0 ? " " : "", groups[i].rows[r]);
        }
        buf_add_byte(&text, ';');
    }
    arena_release(&arena);
    batch_unref(b);
    return mem_dup_text(buf_str(&text).ptr, text.len);
}

static void add_outputs(struct plan_kit *k)
{
    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind, 1);
    plan_kit_output(k, "c", &fake_kind, 2);
}

static void expect(const char *match, struct batch *b, const char *expected)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    add_outputs(k);
    plan_kit_route(k, match, 1, false);
    plan_kit_route(k, NULL, 2, false);
    char *got = split(k, b);
    print_message("%s\n", match);
    assert_string_equal(got, expected);
    mem_free(got);
    plan_kit_stop(k);
    mem_free(k);
}

/* Rows 0 to 3 of samples (m), and of alerts (a). */
static const struct {
    const char *match;
    const char *samples;
    const char *alerts;
} fields[] = {
    {"kind == \"sample\"", "1:all;", "2:all;"},
    {"kind == \"alert\"", "2:all;", "1:all;"},
    {"rule == \"r\"", "1:all;", "1:all;"},
    {"rule == \"other\"", "2:all;", "2:all;"},
    {"group == \"\"", "1:all;", "1:all;"},
    {"name == \"m\"", "1:all;", "2:all;"},
    {"name == \"a\"", "2:all;", "1:all;"},
    {"alertname == \"a\"", "2:all;", "1:all;"},
    {"state == \"firing\"", "2:all;", "1:all;"},
    {"state == \"resolved\"", "2:all;", "2:all;"},
    {"value >= 2", "2:0 1;1:2 3;", "2:0 1;1:2 3;"},
    {"value >= 0", "1:all;", "1:all;"},
    {"n == \"1\" or labels.n == \"3\"", "2:0 2;1:1 3;", "2:0 2;1:1 3;"},
    {"kind == \"sample\" and value == 0", "1:0;2:1 2 3;", "2:all;"},
    {"annotations.n == \"1\"", "2:all;", "2:all;"},
    {"m > 1", "2:0 1;1:2 3;", "2:all;"}, /* its own name is its value */
};

static void conditions_name_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        expect(fields[i].match, sample_batch(0, 4), fields[i].samples);
        expect(fields[i].match, alert_batch(0, 4), fields[i].alerts);
    }
}

/* Samples with labels named as fields are, which no rule made. */
static struct batch *labelled_batch(void)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    static const char *const groups[] = {"x", "y"};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct labels **series = arena_array(batch_arena(b), struct labels *, 2);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, 2);
    struct err e = ERR_INIT;

    for (uint32_t i = 0; i < 2; i++) {
        struct labels_builder builder;
        labels_builder_init(&builder);
        labels_builder_set(&builder, STR("group"), str_of(groups[i]));
        labels_builder_set(&builder, STR("state"), STR("idle"));
        assert_true(labels_build(&builder, &series[i], &e));
        labels_builder_release(&builder);
        series_of[i] = i;
    }
    batch_set_samples(b, (struct samples){.series = series,
                                          .series_count = 2,
                                          .count = 2,
                                          .series_of = series_of,
                                          .time_ns = arena_array(batch_arena(b), int64_t, 2),
                                          .value = arena_array(batch_arena(b), double, 2)});
    return b;
}

static void a_field_that_is_lacking_leaves_its_name_to_labels(void **state)
{
    (void)state;
    expect("group == \"x\"", labelled_batch(), "1:0;2:1;");
    expect("state == \"idle\"", labelled_batch(), "1:all;");
    expect("labels.group == \"y\"", labelled_batch(), "2:0;1:1;");
}

static const struct {
    struct route_text routes[3];
    size_t count;
    const char *expected;
} orders[] = {
    {{{NULL, 0, false}}, 0, "7:all;"},
    {{{NULL, 1, false}, {NULL, 2, false}}, 2, "1:all;"},
    {{{NULL, 1, true}, {NULL, 2, false}, {NULL, 4, false}}, 3, "3:all;"},
    {{{"value < 2", 1, true}, {"value > 0", 2, true}, {NULL, 4, false}}, 3, "5:0;7:1;6:2 3;"},
    {{{"value < 2", 1, false}, {"value > 2", 2, false}}, 2, "1:0 1;0:2;2:3;"},
    {{{"value > 9", 1, false}}, 1, "0:all;"},
};

static void the_first_match_wins_unless_it_continues(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct plan_kit *k = mem_new(struct plan_kit);
        plan_kit_start(k);
        add_outputs(k);
        for (size_t r = 0; r < orders[i].count; r++) {
            const struct route_text *t = &orders[i].routes[r];
            plan_kit_route(k, t->match, t->to, t->also_next);
        }
        char *got = split(k, sample_batch(0, 4));
        assert_string_equal(got, orders[i].expected);
        mem_free(got);
        plan_kit_stop(k);
        mem_free(k);
    }
}

static void takers_are_known_by_kind(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    (void)state;
    plan_kit_start(k);
    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind_series, 1);
    plan_kit_output(k, "c", &fake_kind_alerts, 2);
    assert_int_equal(routing_takers(&k->config, RECORD_SAMPLE, false), 3);
    assert_int_equal(routing_takers(&k->config, RECORD_SAMPLE, true), 2);
    assert_int_equal(routing_takers(&k->config, RECORD_ALERT, false), 5);
    assert_int_equal(routing_takers(&k->config, RECORD_EVENT, false), 0);
    plan_kit_stop(k);
    mem_free(k);
}

/* Bytes that hold no rows are an error where rows decide, and nothing leaks. */
static void what_does_not_decode_is_an_error(void **state)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct plan_kit *k = mem_new(struct plan_kit);
    const struct routed *groups = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    size_t count = 0;

    (void)state;
    plan_kit_start(k);
    plan_kit_route(k, "value > 0", 1, false);
    const struct routing how = {.config = &k->config};
    struct batch *b = batch_from_bytes(&codec_rw1, STR("\x0a\xff\xff"), true, &info, 2);
    arena_init(&arena, ARENA_UNLIMITED);
    assert_false(routing_split(&how, b, &arena, &groups, &count, &e));
    arena_release(&arena);
    batch_unref(b);
    plan_kit_stop(k);
    mem_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_name_fields),
        cmocka_unit_test(a_field_that_is_lacking_leaves_its_name_to_labels),
        cmocka_unit_test(the_first_match_wins_unless_it_continues),
        cmocka_unit_test(takers_are_known_by_kind),
        cmocka_unit_test(what_does_not_decode_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
