/* Levels over levels: what the config says, what somebody asks for, and when that ends. */
#include "app/trace_control.h"

#include "fake/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fixture {
    struct fake_clock clock;
    struct env env;
    struct trace rules;
    struct trace vm;
    struct trace_control *control;
};

static struct config *config_of(const char *text)
{
    const struct config_environment environment = config_process_environment();
    struct problems problems = {.report = NULL};
    struct config *c = NULL;
    struct err e = ERR_INIT;

    assert_true(config_parse(STR("t.yaml"), str_of(text), &environment, &problems, &c, &e));
    return c;
}

static void use(struct fixture *f, const char *text)
{
    AUTO(config_autounref) struct config *c = config_of(text);

    trace_control_use(f->control, c);
}

static void set_up(struct fixture *f)
{
    *f = (struct fixture){0};
    fake_clock_init(&f->clock, INT64_C(1700000000) * NS_PER_S, NS_PER_S);
    f->env = (struct env){.clock = &f->clock.clock,
                          .trace = trace_sink_new(-1, TRACE_LOGFMT, &f->clock.clock)};
    trace_init(&f->rules, f->env.trace, "rules", TRACE_INFO);
    trace_init_part(&f->vm, f->env.trace, "export", STR("vm"), TRACE_INFO);
    f->control = trace_control_new(&f->env);
    use(f, "log: { level: warn, levels: { export: error } }\n");
}

static void tear_down(struct fixture *f)
{
    trace_control_free(f->control);
    trace_sink_free(f->env.trace);
}

static void must_change(struct fixture *f, const char *body)
{
    struct err e = ERR_INIT;

    if (!trace_control_change(f->control, str_of(body), &e)) {
        fail_msg("%s", e.message);
    }
}

/* The first level that is on: 'd', 'i', 'w', 'e' or '-'. */
static char level_of(const struct trace *t)
{
    for (int level = TRACE_DEBUG; level < TRACE_OFF; level++) {
        if (trace_is_on(t, (enum trace_level)level)) {
            return "diwe"[level];
        }
    }
    return '-';
}

static void assert_levels(const struct fixture *f, char rules, char vm)
{
    assert_int_equal(level_of(&f->rules), rules);
    assert_int_equal(level_of(&f->vm), vm);
}

static void changes_lie_over_the_config(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    assert_levels(&f, 'w', 'e');
    must_change(&f, "{\"level\": \"debug\"}");
    assert_levels(&f, 'd', 'e');
    must_change(&f, "{\"levels\": {\"export\": \"off\"}}");
    assert_levels(&f, 'w', '-');
    must_change(&f, "{\"levels\": {\"export/vm\": \"debug\"}}");
    assert_levels(&f, 'w', 'd');
    use(&f, "log: { level: error, levels: { export/vm: warn } }\n");
    assert_levels(&f, 'e', 'd');
    trace_control_restore(f.control);
    assert_levels(&f, 'e', 'w');
    use(&f, "");
    assert_levels(&f, 'i', 'i');
    tear_down(&f);
}

static void their_time_ends(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f);
    must_change(&f, "{\"level\": \"debug\", \"for\": \"10m\"}");
    fake_clock_advance_ms(&f.clock, 599 * 1000);
    trace_control_tick(f.control);
    assert_levels(&f, 'd', 'e');
    must_change(&f, "{\"level\": \"info\", \"for\": \"2s\"}");
    fake_clock_advance_ms(&f.clock, 1000);
    trace_control_tick(f.control);
    assert_levels(&f, 'i', 'e');
    fake_clock_advance_ms(&f.clock, 1000);
    trace_control_tick(f.control);
    assert_levels(&f, 'w', 'e');
    must_change(&f, "{\"level\": \"debug\"}");
    fake_clock_advance_ms(&f.clock, 3600 * 1000);
    trace_control_tick(f.control);
    assert_levels(&f, 'd', 'e');
    tear_down(&f);
}

static void what_is_wrong_changes_nothing(void **state)
{
    static const char *const bodies[] = {
        "",
        "[]",
        "{\"level\": 1}",
        "{\"level\": \"debug\", \"levels\": {\"rule\": \"debug\"}}",
        "{\"level\": \"debug\", \"for\": \"0s\"}",
        "{\"level\": \"debug\", \"for\": \"31d\"}",
        "{\"level\": \"debug\", \"more\": 1}"};
    struct fixture f;

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct err e = ERR_INIT;
        assert_false(trace_control_change(f.control, str_of(bodies[i]), &e));
        assert_true(e.message[0] != '\0');
        assert_levels(&f, 'w', 'e');
    }
    tear_down(&f);
}

static void it_is_shown(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct json_writer w;
    struct fixture f;

    (void)state;
    set_up(&f);
    must_change(&f, "{\"level\": \"off\", \"levels\": {\"rules\": \"debug\"}, \"for\": \"1m\"}");
    json_write_init(&w, &out);
    trace_control_print(f.control, &w);
    assert_string_equal(
        buf_text(&out),
        "{\"level\":\"off\",\"levels\":{\"rules\":\"debug\",\"export/vm\":\"error\",\"app\":\"off\","
        "\"export\":\"error\"},\"changed\":{\"level\":\"off\",\"levels\":{\"rules\":\"debug\"}},"
        "\"until\":\"2023-11-14T22:14:20Z\"}");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_lie_over_the_config),
        cmocka_unit_test(their_time_ends),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(it_is_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
