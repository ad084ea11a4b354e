/* Groups of targets, as files and URLs give them. */
#include "discover/target_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* "{__address__=...} {...}" or the error. */
static void read_text(const char *text, bool json, struct buf *out)
{
    AUTO(target_list_release) struct target_list list = {0};
    struct err e = ERR_INIT;
    bool ok = json ? target_groups_read_json(&list, str_of(text), STR("f"), "__meta_filepath", &e)
                   : target_groups_read_yaml(&list, str_of(text), STR("f"), NULL, &e);

    for (size_t i = 0; ok && i < list.sets.len; i++) {
        buf_add_text(out, i > 0 ? " " : "");
        labels_print(list.sets.items[i], out);
    }
    buf_add_text(out, ok ? "" : e.message);
}

static void json_and_yaml(void **state)
{
    static const struct {
        bool json;
        const char *text;
        const char *want;
    } cases[] = {
        {true, "[{\"targets\":[\"a:1\",\"b:2\"],\"labels\":{\"k\":\"v\"}}]",
         "{__address__=\"a:1\", __meta_filepath=\"f\", k=\"v\"} {__address__=\"b:2\", "
         "__meta_filepath=\"f\", k=\"v\"}"},
        {true, "[]", ""},
        {true, "null", ""},
        {true, "[{\"targets\":[\"a:1\"],\"labels\":null}]",
         "{__address__=\"a:1\", __meta_filepath=\"f\"}"},
        {true, "[{\"targets\":[\"a:1\"],\"labels\":{\"__address__\":\"x\",\"gone\":\"\"}}]",
         "{__address__=\"a:1\", __meta_filepath=\"f\"}"},
        {true, "{}", "expected an array of groups of targets"},
        {true, "[{}]", "expected a group of targets"},
        {true, "[{\"targets\":[1]}]", "expected a text: host:port"},
        {true, "[{\"targets\":[\"\"]}]", "a target is empty"},
        {true, "[{\"targets\":[\"a\"],\"labels\":{\"k\":1}}]", "expected a text"},
        {true, "[{\"targets\":[\"a\"", "end"},
        {false, "- targets: [a:1, 'b:2']\n  labels: {k: v}\n- {targets: []}",
         "{__address__=\"a:1\", k=\"v\"} {__address__=\"b:2\", k=\"v\"}"},
        {false, "", ""},
        {false, "[{\"targets\":[\"a:1\"]}]", "{__address__=\"a:1\"}"},
        {false, "targets: [a]", "expected a list of groups of targets"},
        {false, "- targets: a", "expected a group of targets"},
        {false, "- {targets: [a], labels: [b]}", "expected a mapping of labels"},
        {false, "- {targets: ['']}", "a target is empty"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        read_text(cases[i].text, cases[i].json, &out);
        if (cases[i].want[0] == '{' || cases[i].want[0] == '\0') {
            assert_string_equal(buf_text(&out), cases[i].want);
        } else if (strstr(buf_text(&out), cases[i].want) == NULL) {
            fail_msg("%s: %s", cases[i].text, buf_text(&out));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_and_yaml)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
