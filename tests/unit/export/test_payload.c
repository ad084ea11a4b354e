/* Payloads: what a YAML map of templates makes of a record's JSON object. */
#include "export/payload.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static const char record[] =
    "{\"kind\":\"profile\",\"timestamp\":\"2024-01-02T03:04:05Z\",\"messages_per_second\":14523.75,"
    "\"total_messages\":9007199254740993,\"ok\":true,\"none\":null,\"text\":\"a \\\"b\\\"\\n\","
    "\"big\":1e21,\"nan\":\"NaN\",\"labels\":{\"service\":\"web\",\"app.io/name\":\"x\"},"
    "\"list\":[1,\"two\",{\"three\":3}]}";

/* The node is parsed into <a>; the source has to live as long. */
static const struct yaml_node *parse(struct arena *a, struct yaml_source *source, const char *yaml)
{
    const struct yaml_node *documents = NULL;
    struct err e = ERR_INIT;

    *source = (struct yaml_source){.file = STR("telex.yaml"), .text = str_of(yaml)};
    assert_true(yaml_parse(a, source, &documents, &e));
    return documents->first;
}

static const struct {
    const char *yaml;
    const char *want;
} cases[] = {
    /* of every type, and nested */
    {"a: '{{ .messages_per_second }}'\nb: {c: '{{ .total_messages }}', d: ['{{ .ok }}', x]}\n",
     "{\"a\":14523.75,\"b\":{\"c\":9007199254740993,\"d\":[true,\"x\"]}}"},
    {"a: '{{ .none }}'\nb: '{{ .not_there }}'\nc: '{{ .not_there.deeper }}'\n",
     "{\"a\":null,\"b\":null,\"c\":null}"},
    {"a: '{{ .labels }}'\nb: '{{ .list }}'\n",
     "{\"a\":{\"service\":\"web\",\"app.io/name\":\"x\"},\"b\":[1,\"two\",{\"three\":3}]}"},
    {"a: '{{ . }}'\n",
     "{\"a\":{\"kind\":\"profile\",\"timestamp\":\"2024-01-02T03:04:05Z\",\"messages_per_second\":"
     "14523.75,\"total_messages\":9007199254740993,\"ok\":true,\"none\":null,\"text\":\"a "
     "\\\"b\\\"\\n\",\"big\":1e21,\"nan\":\"NaN\",\"labels\":{\"service\":\"web\",\"app.io/"
     "name\":\"x\"},\"list\":[1,\"two\",{\"three\":3}]}}"},
    /* a leaf with text around it is a text */
    {"a: 'of {{ .labels.service }}: {{ .messages_per_second }}'\n", "{\"a\":\"of web: 14523.75\"}"},
    {"a: '{{ .text }}'\n", "{\"a\":\"a \\\"b\\\"\\n\"}"},
    {"a: '{{ .messages_per_second | printf \"%.1f\" }}'\n", "{\"a\":\"14523.8\"}"},
    {"a: '{{ index .labels \"app.io/name\" }}'\nb: '{{ index .list 0 }}'\n",
     "{\"a\":\"x\",\"b\":1}"},
    {"a: '{{ range $k, $v := .labels }}{{ $k }}={{ $v }};{{ end }}'\n",
     "{\"a\":\"service=web;app.io/name=x;\"}"},
    {"a: '{{ len .list }}'\nb: '{{ if .labels }}yes{{ end }}'\n", "{\"a\":3,\"b\":\"yes\"}"},
    {"a: '{{ .big }}'\nb: '{{ .nan }}'\n", "{\"a\":1e+21,\"b\":\"NaN\"}"},
    /* what YAML says stands */
    {"a: 1\nb: 1.50\nc: true\nd: null\ne: '1'\nf: no\ng: {}\nh: []\ni: 0x10\n",
     "{\"a\":1,\"b\":1.50,\"c\":true,\"d\":null,\"e\":\"1\",\"f\":\"no\",\"g\":{},\"h\":[],"
     "\"i\":\"0x10\"}"},
    {"- '{{ .kind }}'\n- x\n", "[\"profile\",\"x\"]"},
    {"\"quoted \\\"key\\\"\": 1\n", "{\"quoted \\\"key\\\"\":1}"},
    /* a text as a whole is rendered as it stands */
    {"'{{ .kind }} {{ .messages_per_second }}'", "profile 14523.75"},
    {"|\n  {\"text\": {{ toJson .text }}, \"n\": {{ toJson .total_messages }}, \"l\": {{ .labels | "
     "toJson }}, \"x\": {{ toJson .none }}}",
     "{\"text\": \"a \\\"b\\\"\\u000a\", \"n\": 9007199254740993, \"l\": "
     "{\"service\":\"web\",\"app.io/name\":\"x\"}, \"x\": null}"},
    {"plain", "plain"},
};

static void records_become_payloads(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(payload_autofree) struct payload *p = NULL;
        struct payload_writer w;
        struct yaml_source source;
        struct err e = ERR_INIT;

        arena_init(&a, ARENA_UNLIMITED);
        if (!payload_compile(parse(&a, &source, cases[i].yaml), &p, &e)) {
            fail_msg("%s: %s", cases[i].yaml, e.message);
        }
        payload_writer_init(&w, p);
        buf_add_text(&out, "before:");
        bool ok = payload_add(&w, STR(record), 0, &out, &e);
        payload_writer_release(&w);
        assert_true(ok);
        assert_string_equal(buf_text(&out) + 7, cases[i].want);
    }
}

static void host_and_process_are_known(void **state)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
    AUTO(payload_autofree) struct payload *p = NULL;
    struct payload_writer w;
    struct yaml_source source;
    struct err e = ERR_INIT;
    char hostname[256] = "";

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_int_equal(gethostname(hostname, sizeof(hostname) - 1), 0);
    assert_true(payload_compile(
        parse(&a, &source, "host: '{{ hostname }}'\npid: '{{ pid }}'\nos: '{{ os }}'\n"), &p, &e));
    payload_writer_init(&w, p);
    assert_true(payload_add(&w, STR("{}"), 0, &out, &e));
    payload_writer_release(&w);
    buf_addf(&want, "{\"host\":\"%s\",\"pid\":%d,\"os\":\"Linux\"}", hostname, getpid());
    assert_string_equal(buf_text(&out), buf_text(&want));
}

static const struct {
    const char *yaml;
    const char *message; /* a part of it */
    uint32_t line;
} mistakes[] = {
    {"a: 1\nb: '{{ .x '\n", "", 2},
    {"a:\n  b: '{{ nonsense .x }}'\n", "unknown function 'nonsense'", 2},
    {"a: '{{ $value }}'\n", "$value is of rules", 1},
    {"a: '{{ $labels.x }}'\n", "$labels is of rules", 1},
    {"- '{{ if .x }}'\n", "", 1},
};

static void mistakes_have_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        AUTO(arena_release) struct arena a;
        struct yaml_source source;
        struct err e = ERR_INIT;

        arena_init(&a, ARENA_UNLIMITED);
        assert_false(payload_check(parse(&a, &source, mistakes[i].yaml), &e));
        assert_non_null(strstr(e.message, mistakes[i].message));
        assert_int_equal(e.pos.line, mistakes[i].line);
    }
}

/* What fails for a record alone leaves nothing behind. */
static void a_record_that_fails_adds_nothing(void **state)
{
    static const char *const yamls[] = {"a: 1\nb: '{{ index .list 9 }}'\n",
                                        "'x {{ index .list 9 }}'"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(yamls); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(payload_autofree) struct payload *p = NULL;
        struct payload_writer w;
        struct yaml_source source;
        struct err e = ERR_INIT;

        arena_init(&a, ARENA_UNLIMITED);
        assert_true(payload_compile(parse(&a, &source, yamls[i]), &p, &e));
        payload_writer_init(&w, p);
        bool ok = payload_add(&w, STR(record), 0, &out, &e);
        payload_writer_release(&w);
        assert_false(ok);
        assert_non_null(strstr(e.message, "out of range"));
        assert_int_equal(out.len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_become_payloads),
        cmocka_unit_test(host_and_process_are_known),
        cmocka_unit_test(mistakes_have_their_place),
        cmocka_unit_test(a_record_that_fails_adds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
