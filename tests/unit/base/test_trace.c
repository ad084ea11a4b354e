#include "base/trace.h"

#include "base/buf.h"
#include "base/mem.h"
#include "fake/clock.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* A sink into a pipe, and what came out of it. */
struct capture {
    struct fake_clock clock;
    struct trace_sink *sink;
    struct trace trace;
    int ends[2];
    char got[64 * 1024];
};

static struct capture *capture_new(enum trace_format format)
{
    struct capture *c = mem_new(struct capture);

    fake_clock_init(&c->clock, INT64_C(1700000000) * NS_PER_S, NS_PER_S);
    INVARIANT(pipe2(c->ends, O_NONBLOCK) == 0);
    c->sink = trace_sink_new(c->ends[1], format, &c->clock.clock);
    trace_init(&c->trace, c->sink, "test", TRACE_INFO);
    return c;
}

static void capture_free(struct capture **c)
{
    trace_sink_free((*c)->sink);
    (void)close((*c)->ends[0]);
    (void)close((*c)->ends[1]);
    mem_free(*c);
}

static const char *read_all(struct capture *c)
{
    ssize_t n = read(c->ends[0], c->got, sizeof(c->got) - 1);

    c->got[n > 0 ? n : 0] = '\0';
    return c->got;
}

#define HEAD "ts=2023-11-14T22:13:20Z level=warn component=test "

static void logfmt_fields(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    struct err e = ERR_INIT;

    trace_warn(&c->trace, "queue full", T_TEXT("exporter", "vm"), T_U64("dropped", UINT64_MAX),
               T_I64("delta", -5), T_F64("ratio", 0.25), T_F64("nan", (double)NAN),
               T_STR("none", STR_NONE));
    assert_string_equal(read_all(c),
                        HEAD "msg=\"queue full\" exporter=vm dropped=18446744073709551615 "
                             "delta=-5 ratio=0.25 nan=NaN none=\"\"\n");
    trace_warn(&c->trace, "plain");
    assert_string_equal(read_all(c), HEAD "msg=plain\n");
    (void)err_set(&e, ERR_IO, "disk \"full\"");
    (void)err_wrap(&e, "writing");
    trace_warn(&c->trace, "x", T_ERR(&e));
    assert_string_equal(read_all(c), HEAD "msg=x error=\"writing: disk \\\"full\\\"\"\n");
}

static void json_fields(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_JSON);

    trace_error(&c->trace, "a\nb", T_TEXT("s", "q\"\\\x01\xFFz"), T_U64("n", 3),
                T_F64("inf", (double)INFINITY));
    assert_string_equal(
        read_all(c),
        "{\"ts\":\"2023-11-14T22:13:20Z\",\"level\":\"error\",\"component\":\"test\","
        "\"msg\":\"a\\nb\",\"s\":\"q\\\"\\\\\\u0001\xEF\xBF\xBDz\",\"n\":3,\"inf\":\"+Inf\"}\n");
}

static void outsiders_cannot_forge(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    static const struct {
        const char *value, *want;
    } rows[] = {
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"x\nlevel=error", "\"x\\nlevel=error\""},
        {"\x1b[31m", "\"\\u001b[31m\""},
        {"\x7f", "\"\\u007f\""},
        {"\xC3\xA9", "\xC3\xA9"},
        {"\xC3", "\"\xEF\xBF\xBD\""},
        {"\xE2\x82z", "\"\xEF\xBF\xBD\xEF\xBF\xBDz\""},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char want[256];
        (void)snprintf(want, sizeof(want), HEAD "msg=m v=%s\n", rows[i].want);
        trace_warn(&c->trace, "m", T_TEXT("v", rows[i].value));
        assert_string_equal(read_all(c), want);
    }
}

static void secrets_are_refused(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    struct err e = ERR_INIT;
    static const char *const keys[] = {"password",      "Basic_Password", "token",
                                       "client_secret", "Authorization",  "api_key"};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        trace_warn(&c->trace, "m", T_TEXT(keys[i], "hunter2"));
        assert_null(strstr(read_all(c), "hunter2"));
        assert_non_null(strstr(c->got, "=[redacted]"));
        fake_clock_advance_ms(&c->clock, 20000);
    }
    trace_warn(&c->trace, "m", T_TEXT("url", "http://joe:pw@h@db:1/p@q?a=b"),
               T_TEXT("clean", "https://h/x@y"));
    assert_non_null(strstr(read_all(c), "url=\"http://db:1/p@q?a=b\" clean=https://h/x@y\n"));
    (void)err_set(&e, ERR_NET, "cannot reach ftp://u:p@host: refused");
    trace_warn(&c->trace, "m", T_ERR(&e));
    assert_non_null(strstr(read_all(c), "error=\"cannot reach ftp://host: refused\"\n"));
}

static void levels_filter(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    struct trace silent;
    enum trace_level level = TRACE_OFF;

    trace_debug(&c->trace, "hidden");
    assert_string_equal(read_all(c), "");
    atomic_store(&c->trace.level, (int)TRACE_DEBUG);
    trace_debug(&c->trace, "shown");
    assert_non_null(strstr(read_all(c), "level=debug"));
    trace_init(&silent, NULL, "none", TRACE_DEBUG);
    trace_error(&silent, "nowhere");
    assert_true(trace_level_parse(STR("WARN"), &level));
    assert_int_equal(level, TRACE_WARN);
    assert_false(trace_level_parse(STR("warning"), &level));
    assert_int_equal(level, TRACE_WARN);
}

static void sink_says_levels(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    struct trace rules, others;

    trace_sink_set_level(c->sink, STR("rules"), TRACE_DEBUG);
    trace_sink_set_level(c->sink, STR_NONE, TRACE_INFO);
    trace_sink_set_level(c->sink, STR_NONE, TRACE_ERROR);
    trace_init(&rules, c->sink, "rules", TRACE_INFO);
    trace_init(&others, c->sink, "others", TRACE_INFO);
    trace_debug(&rules, "shown");
    trace_warn(&others, "hidden");
    assert_string_equal(read_all(c),
                        "ts=2023-11-14T22:13:20Z level=debug component=rules msg=shown\n");
    for (int i = 0; i < 2 * TRACE_COMPONENTS_MAX; i++) {
        trace_sink_set_level(
            c->sink,
            str_make("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", (size_t)i % 52),
            TRACE_OFF);
    }
}

/* "a=debug b/c=warn", as trace_sink_levels() says. */
static void add_level(void *arg, struct str component, enum trace_level level)
{
    buf_addf(arg, "%.*s=%s ", STR_FMT(component), trace_level_name(level));
}

static void assert_levels(struct capture *c, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    trace_sink_levels(c->sink, &(struct trace_level_visitor){add_level, &got});
    assert_string_equal(buf_text(&got), want);
}

static void levels_change_under_way(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    const struct trace_named_level named[] = {
        {STR("export/vm"), TRACE_DEBUG}, {STR("export"), TRACE_ERROR}, {STR_NONE, TRACE_WARN}};
    struct trace export, vm, inner;

    trace_init(&export, c->sink, "export", TRACE_INFO);
    trace_init_part(&vm, c->sink, "export", STR("vm"), TRACE_INFO);
    trace_init_part(&inner, c->sink, "export", STR("vm/a"), TRACE_DEBUG);
    assert_levels(c, "=info test=info export=info export/vm=info export/vm/a=info ");
    assert_false(trace_is_on(&vm, TRACE_DEBUG));
    assert_true(trace_is_on(&inner, TRACE_DEBUG));
    trace_sink_set_levels(c->sink, named, ARRAY_LEN(named));
    assert_levels(c, "=warn test=warn export=error export/vm=debug export/vm/a=debug ");
    trace_debug(&vm, "shown");
    trace_warn(&export, "hidden");
    assert_non_null(strstr(read_all(c), "component=export/vm msg=shown\n"));
    assert_null(strstr(c->got, "hidden"));
    trace_sink_set_levels(c->sink, named + 1, 1);
    assert_levels(c, "=info test=info export=error export/vm=error export/vm/a=error ");
    trace_sink_set_format(c->sink, TRACE_JSON);
    trace_error(&vm, "as JSON");
    assert_non_null(strstr(read_all(c), "\"component\":\"export/vm\""));
}

static void write_one(struct trace *t, uint64_t n)
{
    trace_warn(t, "again", T_U64("n", n));
}

static void sites_are_limited(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    uint64_t written = 0;
    uint64_t suppressed = 0;

    for (uint64_t i = 0; i < TRACE_BURST + 7; i++) {
        write_one(&c->trace, i);
    }
    trace_warn(&c->trace, "another site");
    assert_null(strstr(read_all(c), "n=10"));
    assert_non_null(strstr(c->got, "n=9"));
    assert_non_null(strstr(c->got, "another site"));
    trace_sink_counts(c->sink, &written, &suppressed);
    assert_int_equal(written, TRACE_BURST + 1);
    assert_int_equal(suppressed, 7);
    fake_clock_advance_ms(&c->clock, TRACE_WINDOW_S * 1000);
    write_one(&c->trace, 99);
    assert_non_null(
        strstr(read_all(c), "msg=\"lines like this one were suppressed\" of=again lines=7\n"));
    assert_non_null(strstr(c->got, "n=99"));
}

/* Twenty exporters that break at once say so, each of them. */
static void components_are_limited_apart(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    struct trace quiet;

    trace_init_part(&quiet, c->sink, "export", STR("quiet"), TRACE_INFO);
    for (uint64_t i = 0; i < TRACE_BURST + 7; i++) {
        write_one(&c->trace, i);
    }
    write_one(&quiet, 1000);
    assert_null(strstr(read_all(c), "n=10\n"));
    assert_non_null(strstr(c->got, "component=export/quiet msg=again n=1000"));
}

static void what_was_asked_for_is_written_at_any_level(void **state)
{
    (void)state;
    AUTO(capture_free) struct capture *c = capture_new(TRACE_LOGFMT);
    size_t lines = 0;

    atomic_store(&c->trace.level, TRACE_ERROR);
    for (uint64_t i = 0; i < 3 * TRACE_BURST; i++) {
        trace_asked(&c->trace, "one", T_U64("n", i));
    }
    for (const char *at = read_all(c); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, 3 * TRACE_BURST);
}

static void long_values_are_cut(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf value = BUF_INIT(BUF_UNLIMITED);

    for (int format = TRACE_LOGFMT; format <= TRACE_JSON; format++) {
        AUTO(capture_free) struct capture *c = capture_new((enum trace_format)format);
        buf_clear(&value);
        buf_add_repeat(&value, '\x01', 3 * TRACE_LINE_MAX);
        trace_warn(&c->trace, "m", T_STR("a", buf_str(&value)), T_STR("b", buf_str(&value)));
        struct str line = str_of(read_all(c));
        assert_in_range(line.len, TRACE_LINE_MAX - 100, TRACE_LINE_MAX);
        assert_true(str_ends(line, format == TRACE_JSON ? STR("...\"}\n") : STR("...\"\n")));
        assert_int_equal(str_find_byte(line, '\n'), line.len - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt_fields),
        cmocka_unit_test(json_fields),
        cmocka_unit_test(outsiders_cannot_forge),
        cmocka_unit_test(secrets_are_refused),
        cmocka_unit_test(levels_filter),
        cmocka_unit_test(sites_are_limited),
        cmocka_unit_test(components_are_limited_apart),
        cmocka_unit_test(what_was_asked_for_is_written_at_any_level),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(sink_says_levels),
        cmocka_unit_test(levels_change_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
