/* Merge patches, the file they are kept in, and what a config makes of it. */
#include "app/overrides.h"

#include "app/config.h"
#include "export/exporter_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The text with all white space that JSON does not need taken out. */
static void add_squeezed(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \n", text.ptr[i]) == NULL) {
            buf_add_byte(out, text.ptr[i]);
        }
    }
}

/* ---- merging ---- */

static const struct {
    const char *exporter;
    const char *patch;
    const char *want; /* the exporters, or the error */
} patches[] = {
    {"vm", "{}", "{}"},
    {"vm", "{\"a\":1,\"t\":{\"x\":true,\"y\":null}}", "{\"vm\":{\"a\":1,\"t\":{\"x\":true}}}"},
    {"vm", "{\"t\":{\"z\":[1,\"b\"]}}", "{\"vm\":{\"a\":1,\"t\":{\"x\":true,\"z\":[1,\"b\"]}}}"},
    {"in", "{\"s\":\"q\\\"\"}",
     "{\"vm\":{\"a\":1,\"t\":{\"x\":true,\"z\":[1,\"b\"]}},\"in\":{\"s\":\"q\\\"\"}}"},
    {"vm", "{\"t\":null,\"a\":{}}", "{\"vm\":{\"a\":{}},\"in\":{\"s\":\"q\\\"\"}}"},
    {"vm", "{\"a\":2}", "{\"vm\":{\"a\":2},\"in\":{\"s\":\"q\\\"\"}}"},
    {"vm", "{\"a\":null,\"none\":null}", "{\"in\":{\"s\":\"q\\\"\"}}"},
    {"vm", "[1]", "expected an object of options, such as {\"retry\": {\"max_retries\": 3}}"},
    {"in", "", "{}"},
    {"in", "", "{}"},
};

static void patches_are_merged(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(OVERRIDES_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(patches); i++) {
        AUTO(buf_release) struct buf next = BUF_INIT(OVERRIDES_MAX);
        AUTO(buf_release) struct buf got = BUF_INIT(OVERRIDES_MAX);
        AUTO(buf_release) struct buf want = BUF_INIT(OVERRIDES_MAX);
        struct err e = ERR_INIT;
        if (!overrides_patch(buf_str(&text), str_of(patches[i].exporter), str_of(patches[i].patch),
                             &next, &e)) {
            assert_string_equal(e.message, patches[i].want);
            continue;
        }
        buf_clear(&text);
        buf_add_str(&text, buf_str(&next));
        add_squeezed(buf_str(&text), &got);
        buf_addf(&want, "{\"version\":1,\"exporters\":%s}", patches[i].want);
        assert_string_equal(buf_text(&got), buf_text(&want));
    }
}

static void a_broken_patch_says_where(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(OVERRIDES_MAX);
    struct err e = ERR_INIT;

    (void)state;
    assert_false(overrides_patch(STR(""), STR("vm"), STR("{\"a\": 1,\n \"b\": x}"), &out, &e));
    assert_int_equal(e.pos.line, 2);
    assert_int_equal(out.len, 0);
}

static void there_is_a_cap(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(40);
    struct err e = ERR_INIT;

    (void)state;
    assert_false(overrides_patch(STR(""), STR("vm"), STR("{\"a\": 1}"), &out, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void what_may_be_secret_is_not_shown(void **state)
{
    static const char text[] =
        "{\"version\":1,\"exporters\":{\"vm\":{\"url\":\"http://h:1/p?token=abc\",\"headers\":{\"X\":\"abc\"},"
        "\"api_key_file\":\"f\",\"token\":\"abc\",\"n\":[1,\"x\"]}}}";
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct json_writer w;

    (void)state;
    json_write_init(&w, &out);
    overrides_print(str_of(text), STR("vm"), &w);
    assert_string_equal(buf_text(&out),
                        "{\"url\":\"http://h:1/\xe2\x80\xa6\",\"headers\":{\"X\":\"[redacted]\"},"
                        "\"api_key_file\":\"f\",\"token\":\"[redacted]\",\"n\":[1,\"x\"]}");
    assert_true(overrides_has(str_of(text), STR("vm")));
    assert_false(overrides_has(str_of(text), STR("v")));
}

/* ---- the config ---- */

static const char *lookup(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "TELEX_EXPORTER_VM_RETRY_MAX_RETRIES") == 0 ? "4" : NULL;
}

static void collect(void *arg, bool is_warning, const struct err *e)
{
    struct buf *out = arg;

    buf_add_text(out, is_warning ? "warning: " : "");
    err_print_line(e, out);
    buf_add_byte(out, '\n');
}

#define FILE_OF(exporters) "{\"version\": 1, \"exporters\":\n" exporters "}"
#define AT "ov-data/overrides.json"

static const struct {
    const char *overrides;
    const char *problems;
    int64_t max_retries; /* of vm */
    int64_t inner;       /* buffer_size of the leaf in `two` */
} configs[] = {
    {"", "", 4, 10000},
    {FILE_OF("{\"vm\": {\"retry_config\": {\"max_retries\": 9}}}"), "", 9, 10000},
    {FILE_OF("{\"two/exporter\": {\"buffer\": {\"lanes\": 2}}}"), "", 4, 10000},
    {FILE_OF("{\"gone\": {\"a\": 1}}"),
     "warning: " AT ":2:2: overrides of 'gone', which is no exporter; take them back with DELETE "
     "/api/v1/exporters/gone/overrides\n",
     4, 10000},
    {FILE_OF("{\"vm\": {\"retry\": {\"max_retries\": \"x\"}}}"),
     AT ":2:34: exporter 'vm': max_retries: expected a whole number, found the text 'x' (it is in "
        "quotes)\n",
     0, 0},
    {FILE_OF("{\"vm\": {\"type\": \"file\"}}"),
     AT ":2:9: exporter 'vm': 'type' cannot be overridden: change the config\n", 0, 0},
    {FILE_OF("{\"two\": {\"exporter\": \"vm\"}}"),
     AT ":2:10: exporter 'two': 'exporter' cannot be overridden: change the config\n", 0, 0},
    {"{\"version\": 2, \"exporters\": {}}",
     AT ":1:13: these overrides are of version 2; this program knows version 1\n", 0, 0},
    {"[", NULL, 0, 0},
};

static void a_config_has_them(void **state)
{
    static const char text[] =
        "state: { path: ov-data }\nexporters:\n  vm: { type: remote_write, url: 'http://h', retry: "
        "{ max_retries: 2 } }\n"
        "  two: { type: buffer, exporter: { type: file, output_directory: out } }\n";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        const struct str overrides = str_of(configs[i].overrides);
        const struct config_environment environment = {.lookup = lookup, .overrides = &overrides};
        struct problems problems = {.report = collect, .arg = &out};
        AUTO(config_autounref) struct config *c = NULL;
        struct err e = ERR_INIT;
        bool ok = config_parse(STR("t.yaml"), STR(text), &environment, &problems, &c, &e);
        assert_int_equal(ok, configs[i].inner > 0);
        if (configs[i].problems != NULL) {
            assert_string_equal(buf_text(&out), configs[i].problems);
        }
        if (ok) {
            const struct exporter_common *vm = c->plan.outputs[0].config;
            assert_int_equal(vm->retry.max_retries, configs[i].max_retries);
        }
    }
}

static void the_file_is_read_and_replaced(void **state)
{
    char folder[] = "/tmp/telex-overrides-XXXXXX";
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(OVERRIDES_MAX);
    struct err e = ERR_INIT;

    (void)state;
    assert_non_null(mkdtemp(folder));
    overrides_add_path(str_of(folder), &path);
    assert_true(overrides_load(buf_str(&path), &got, &e));
    assert_int_equal(got.len, 0);
    assert_true(overrides_save(buf_str(&path), STR("{}"), &e));
    assert_true(overrides_load(buf_str(&path), &got, &e));
    assert_string_equal(buf_text(&got), "{}");
    assert_int_equal(unlink(buf_text(&path)), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patches_are_merged), cmocka_unit_test(a_broken_patch_says_where),
        cmocka_unit_test(there_is_a_cap),     cmocka_unit_test(what_may_be_secret_is_not_shown),
        cmocka_unit_test(a_config_has_them),  cmocka_unit_test(the_file_is_read_and_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
