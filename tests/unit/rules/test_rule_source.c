/* Who a rule asks: by type, by name, by tenant; and what is an expression for Graphite. */
#include "fake/problems.h"
#include "rules/rule_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct rule_source sources[] = {
    {.dialect = PROMQL_PROMETHEUS},
    {.name = STR_INIT("vm"), .dialect = PROMQL_METRICSQL, .takes_tenants = true},
    {.name = STR_INIT("carbon"), .language = RULE_GRAPHITE},
    {.name = STR_INIT("prom2")},
};

struct choice {
    const char *group; /* fields of the group */
    const char *rule;  /* fields of the rule */
    int source;
    enum rule_language language;
};

#define PROM "expr: up"
#define CARBON "expr: sumSeries(a.{b,c}.*)|scale(0.1)"

static const struct choice choices[] = {
    {"", PROM, 0, RULE_PROMQL},
    {"  type: prometheus\n", PROM, 0, RULE_PROMQL},
    {"  datasource: ''\n", PROM, 0, RULE_PROMQL},
    {"  datasource: vm\n", "expr: up default 0", 1, RULE_PROMQL},
    {"  datasource: vm\n  tenant: 1:2\n", PROM, 1, RULE_PROMQL},
    {"  type: graphite\n", CARBON, 2, RULE_GRAPHITE},
    {"  datasource: carbon\n", CARBON, 2, RULE_GRAPHITE},
    {"  type: graphite\n  datasource: carbon\n", CARBON, 2, RULE_GRAPHITE},
    {"  datasource: self\n", PROM, RULE_SOURCE_SELF, RULE_PROMQL},
    {"", PROM ";datasource: prom2", 3, RULE_PROMQL},
    {"", CARBON ";datasource: carbon", 2, RULE_GRAPHITE},
    {"  datasource: carbon\n", PROM ";datasource: self", RULE_SOURCE_SELF, RULE_PROMQL},
};

/* A group of one rule with two fields, each on a line of its own. */
static struct rule_set *load(const char *group, const char *fields,
                             const struct rule_options *options, struct problems *p)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct str rest = str_of(fields);
    struct str field;

    buf_addf(&text, "groups:\n- name: g\n%s  rules:\n  - record: r\n", group);
    while (str_split(&rest, ';', &field)) {
        buf_addf(&text, "    %.*s\n", STR_FMT(field));
    }
    return problems_load(p, buf_str(&text), options);
}

static void a_rule_asks_who_it_names(void **state)
{
    const struct rule_options options = {
        .check_only = true, .sources = sources, .source_count = ARRAY_LEN(sources)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        const struct choice *c = &choices[i];
        struct problems p;
        problems_init(&p);
        struct rule_set *set = load(c->group, c->rule, &options, &p);
        if (set == NULL || p.warnings > 0) {
            fail_msg("%s%s: %s", c->group, c->rule, buf_text(&p.text));
        }
        const struct rule *r = &set->groups[0].rules[0];
        assert_int_equal(r->source, c->source);
        assert_int_equal(r->language, c->language);
        assert_int_equal(r->tree == NULL, c->language == RULE_GRAPHITE);
        rule_set_unref(set);
        problems_release(&p);
    }
}

struct refusal {
    const char *group;
    const char *problem;
};

static const struct refusal refusals[] = {
    {"  datasource: vn\n", "3:15: group 'g': unknown datasource 'vn'; did you mean 'vm'?"},
    {"  datasource: nowhere\n",
     "3:15: group 'g': unknown datasource 'nowhere'; expected 'self' for Telex' own metrics, a name "
     "under 'datasources' of the config, or nothing for its 'datasource'"},
    {"  type: prometheus\n  datasource: carbon\n",
     "4:15: group 'g': this datasource is asked in the language of graphite, not of prometheus"},
    {"  type: graphite\n  datasource: self\n",
     "4:15: group 'g': this datasource is asked in the language of prometheus, not of graphite"},
    {"  tenant: 0\n", "3:11: group 'g': the datasource has no tenants"},
    {"  datasource: vm\n  tenant: a\n",
     "4:11: group 'g': a tenant is \"ACCOUNT\" or \"ACCOUNT:PROJECT\", two numbers, found 'a'"},
    {"  datasource: vm\n  tenant: 1:2:3\n", "4:11: group 'g': a tenant is"},
    {"  datasource: vm\n  tenant: 4294967296\n", "4:11: group 'g': a tenant is"},
    {"  datasource: vm\n  tenant: '-1'\n", "4:11: group 'g': a tenant is"},
};

static void refuse(const char *group, const char *problem, const struct rule_options *options)
{
    char text[512];
    struct problems p;

    problems_init(&p);
    (void)snprintf(text, sizeof(text), "groups:\n- name: g\n%s  rules: []\n", group);
    assert_null(problems_load(&p, str_of(text), options));
    if (strstr(buf_text(&p.text), problem) == NULL) {
        fail_msg("%s\nexpected: %s", buf_text(&p.text), problem);
    }
    problems_release(&p);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    const struct rule_options options = {
        .check_only = true, .sources = sources, .source_count = ARRAY_LEN(sources)};
    const struct rule_options alone = {.check_only = true};
    const struct rule_source two[] = {sources[0], sources[2], sources[2]};
    const struct rule_options several = {
        .check_only = true, .sources = two, .source_count = ARRAY_LEN(two)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        refuse(refusals[i].group, refusals[i].problem, &options);
    }
    refuse("  type: graphite\n", "there is no datasource of type graphite; add one", &alone);
    refuse("  type: graphite\n", "there are several datasources of type graphite", &several);
}

static void rule_files_alone_may_name_anyone(void **state)
{
    const struct rule_options options = {.check_only = true, .any_source = true};
    struct problems p;

    (void)state;
    problems_init(&p);
    struct rule_set *set =
        load("  type: graphite\n  datasource: x\n  tenant: '1'\n", "expr: 'a.*'", &options, &p);
    assert_non_null(set);
    assert_int_equal(set->groups[0].rules[0].language, RULE_GRAPHITE);
    rule_set_unref(set);
    problems_release(&p);
}

static const char *const right[] = {
    "a",
    "a.b-c.*.{d,e}[0-9]",
    "sumSeries(a.b, c.*)",
    "alias(movingAverage(a.b,\"5min\"), 'x, (y)')",
    "seriesByTag('name=cpu','host=~web.*')|summarize('1h', 'sum', alignToFrom=True)",
    "scale( a , -1.5e3 )",
    "randomWalk()",
    "f(\n  a,\n  g(b)\n)",
};

static const char *const wrong[] = {
    "",     "f(",   "f(a", "f(a,",   "f(a))", "a b",   "'x",    "f('",    "f(a)b", "a.{b",
    "a.b}", "|f()", "a|",  "f(a b)", ",",     "f(x=)", "a.b()", "f(\"\\", "=",
};

static void expressions_for_graphite(void **state)
{
    AUTO(buf_release) struct buf deep = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(right); i++) {
        if (!graphite_expr_check(str_of(right[i]), &e)) {
            fail_msg("%s: %s", right[i], e.message);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        e = ERR_INIT;
        if (graphite_expr_check(str_of(wrong[i]), &e) || e.pos.line == 0) {
            fail_msg("taken: %s", wrong[i]);
        }
    }
    for (int i = 0; i < 100000; i++) {
        buf_add_text(&deep, "f(");
    }
    assert_false(graphite_expr_check(buf_str(&deep), &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_asks_who_it_names),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(rule_files_alone_may_name_anyone),
        cmocka_unit_test(expressions_for_graphite),
    };

    return cmocka_run_group_tests_name("rules/rule_source", tests, NULL, NULL);
}
