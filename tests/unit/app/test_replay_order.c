/* Rules in the order in which they read each other. */
#include "app/replay_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ONE "groups:\n- name: g\n  rules:\n"

static const struct {
    const char *rules;
    const char *want; /* names; "<": reads what is before, "?": in a circle */
} rows[] = {
    {"groups: []\n", ""},
    {ONE "  - {record: a, expr: x}\n  - {record: b, expr: y}\n", "a b "},
    {ONE "  - {record: a, expr: b}\n  - {record: b, expr: x}\n", "b a< "},
    {ONE
     "  - {record: a, expr: 'sum(c) + b'}\n  - {record: b, expr: c}\n  - {record: c, expr: x}\n",
     "c b< a< "},
    {ONE "  - {record: a, expr: a or x}\n", "a "},
    {ONE "  - {record: a, expr: b}\n  - {record: b, expr: a}\n  - {record: c, expr: x}\n",
     "c a? b< "},
    {ONE "  - {record: n, expr: 'count(ALERTS{alertname=\"A\"})'}\n  - {alert: A, expr: x > 1}\n",
     "A n< "},
    {ONE "  - {record: n, expr: 'count(ALERTS{alertname=\"B\"})'}\n  - {alert: A, expr: x > 1}\n",
     "n A "},
    {ONE "  - {record: all, expr: 'count({job=\"x\"})'}\n  - {record: b, expr: x}\n", "b all< "},
    {ONE "  - {record: a, expr: b}\n- name: other\n  rules:\n  - {record: b, expr: x}\n", "b a< "},
};

static void ignore(void *arg, bool is_warning, const struct err *e)
{
    (void)arg;
    (void)is_warning;
    (void)e;
}

static void orders(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        const struct rule_options options = {0};
        const struct rule_problems problems = {ignore, NULL};
        struct rule_set *set = NULL;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        assert_true(
            rule_set_parse(STR("t.yaml"), str_of(rows[i].rules), &options, &problems, &set, &e));
        const struct replay_step *order = replay_order(set, &a);
        for (size_t k = 0; k < set->rule_count; k++) {
            const struct rule *rule = &set->groups[order[k].group].rules[order[k].rule];
            buf_addf(&text, "%.*s%s%s ", STR_FMT(rule->name), order[k].reads_before ? "<" : "",
                     order[k].in_circle ? "?" : "");
        }
        assert_string_equal(buf_text(&text), rows[i].want);
        rule_set_unref(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(orders)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
