/* What the engine tells of one rule: its last evaluations, its request, and what debug writes. */
#include "base/trace.h"
#include "engine_bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char rules[] = "groups:\n"
                            "- name: g\n"
                            "  query_offset: 5s\n"
                            "  debug: true\n"
                            "  rules:\n"
                            "  - alert: High\n"
                            "    expr: x > 80\n"
                            "    update_entries_limit: 3\n"
                            "  - record: quiet\n"
                            "    expr: y\n"
                            "    debug: false\n";

static struct str rule_id(struct bench *b, size_t i)
{
    return group_run_rules(engine_group(b->engine, 0))->rules[i].id;
}

static void the_last_evaluations_are_kept(void **state)
{
    const struct rule_update *got = NULL;
    struct arena arena;
    struct bench b;

    (void)state;
    arena_init(&arena, ARENA_UNLIMITED);
    bench_start(&b, rules);
    for (int slot = 1; slot <= 5; slot++) {
        answer_one(&b, "{\"i\":\"a\"}", 90);
        b.source.fails = slot == 4;
        evaluate(&b, slot);
    }
    assert_int_equal(engine_rule_updates(b.engine, rule_id(&b, 0), &arena, &got), 3);
    for (int i = 0; i < 3; i++) {
        assert_true(got[i].at_ns == START_NS + (5 - i) * SLOT_NS - 5 * NS_PER_S);
        assert_int_equal(got[i].samples, i != 1);
        assert_int_equal(got[i].failed, i == 1);
    }
    assert_true(str_find(got[1].error, STR("connection refused")) < got[1].error.len);
    assert_int_equal(engine_rule_updates(b.engine, rule_id(&b, 1), &arena, &got), 5);
    assert_int_equal(engine_rule_updates(b.engine, STR("no such rule"), &arena, &got), 0);
    bench_stop(&b);
    arena_release(&arena);
}

static void requests_are_those_of_the_rule(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    assert_true(engine_print_request(b.engine, rule_id(&b, 0), START_NS, &out));
    assert_string_equal(buf_text(&out), "ask x > 80 at 1700000000");
    assert_false(engine_print_request(b.engine, STR("no such rule"), START_NS, &out));
    bench_stop(&b);
}

/* What the log got from <ends>. */
static void read_log(const int ends[2], char *text, size_t size)
{
    ssize_t n = read(ends[0], text, size - 1);

    text[n > 0 ? n : 0] = '\0';
}

static void debug_tells_requests_and_changes(void **state)
{
    static char text[64 * 1024];
    struct bench b;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    struct trace_sink *sink = trace_sink_new(ends[1], TRACE_LOGFMT, clock_system());
    trace_sink_set_level(sink, STR_NONE, TRACE_ERROR);
    bench_start(&b, rules);
    engine_free(b.engine);
    rule_set_unref(b.set);
    b.env.trace = sink;
    bench_engine(&b, rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    read_log(ends, text, sizeof(text));
    assert_non_null(strstr(text, "msg=\"debug: evaluated\" rule=High group=g"));
    assert_non_null(strstr(text, "request=\"ask x > 80 at 1700000005\""));
    assert_non_null(strstr(text, "msg=\"debug: alert changed\" rule=High"));
    assert_non_null(strstr(text, "to=alerting value=90"));
    assert_null(strstr(text, "quiet"));
    bench_stop(&b);
    trace_sink_free(sink);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_evaluations_are_kept),
        cmocka_unit_test(requests_are_those_of_the_rule),
        cmocka_unit_test(debug_tells_requests_and_changes),
    };

    return cmocka_run_group_tests_name("rules/engine_look", tests, NULL, NULL);
}
