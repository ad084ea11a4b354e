/* Which rules of a group read what earlier ones give. */
#include "rules/rule_graph.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ONE "groups:\n- name: g\n  rules:\n"

static const struct {
    const char *rules;
    const char *want; /* per rule: numbers read, "*": all earlier; then ';' */
} rows[] = {
    {ONE "  - {record: a, expr: x}\n  - {record: b, expr: y}\n", ";;"},
    {ONE "  - {record: a, expr: x}\n  - {record: b, expr: sum(a)}\n  - {alert: C, expr: b > a}\n",
     ";0;0 1;"},
    {ONE "  - {record: a, expr: b}\n  - {record: b, expr: x}\n", ";;"},
    {ONE "  - {record: a, expr: a or x}\n", ";"},
    {ONE
     "  - {record: a, expr: x}\n  - {record: a, expr: y}\n  - {record: b, expr: 'a offset 5m'}\n",
     ";;0 1;"},
    {ONE "  - {alert: A, expr: x > 1}\n  - {alert: B, expr: x > 2}\n"
         "  - {record: n, expr: 'count(ALERTS{alertname=\"B\"})'}\n",
     ";;1;"},
    {ONE "  - {alert: A, expr: x > 1}\n  - {record: n, expr: 'ALERTS_FOR_STATE'}\n", ";0;"},
    {ONE "  - {record: a, expr: x}\n  - {record: n, expr: 'count({job=\"x\"})'}\n"
         "  - {record: b, expr: x}\n",
     ";*1;;"},
    {ONE "  - {record: job:a, expr: x}\n  - {record: b, expr: x}\n"
         "  - {record: n, expr: 'count({__name__=~\"job:.*\"})'}\n",
     ";;0;"},
    {ONE "  - {record: a, expr: x}\n  - {record: b, expr: 'vector(1)'}\n", ";;"},
};

static void print_reads(const struct rule_graph *graph, size_t rule, struct buf *out)
{
    struct rule_reads reads = rule_graph_reads(graph, rule);

    if (reads.all) {
        buf_addf(out, "*%u", reads.count);
    }
    for (uint32_t i = 0; !reads.all && i < reads.count; i++) {
        buf_addf(out, "%s%u", i > 0 ? " " : "", rule_reads_at(&reads, i));
    }
    buf_add_byte(out, ';');
}

static void rules_read_earlier_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        const struct rule_options options = {0};
        struct rule_set *set = NULL;
        struct err e = ERR_INIT;
        assert_true(rule_set_parse(STR("t.yaml"), str_of(rows[i].rules), &options, NULL, &set, &e));
        struct rule_graph *graph = rule_graph_new(&set->groups[0]);
        for (size_t r = 0; r < set->rule_count; r++) {
            print_reads(graph, r, &text);
        }
        assert_string_equal(buf_text(&text), rows[i].want);
        rule_graph_free(graph);
        rule_set_unref(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_read_earlier_ones)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
