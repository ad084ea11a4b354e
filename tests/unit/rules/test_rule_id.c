/*
 * Ids name the state of alerts on disk. The golden ones must never change: a change makes every alert
 * of every user a new one.
 */
#include "fake/problems.h"
#include "rules/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rule_set *load_as(const char *file, const char *text)
{
    const struct rule_options options = {.interval_ns = 0};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    if (!rule_set_parse(str_of(file), str_of(text), &options, NULL, &set, &e)) {
        fail_msg("%s\n%s", e.message, text);
    }
    return set;
}

static void assert_id(struct str id, const char *expected)
{
    if (!str_eq(id, str_of(expected))) {
        fail_msg("found %.*s, expected %s", STR_FMT(id), expected);
    }
}

#define RULES(list) "groups:\n- name: g\n  rules:\n" list

static const char golden_text[] =
    RULES("  - {alert: Down, expr: up == 0, labels: {severity: page, team: '{{ $labels.team }}'}}\n"
          "  - {record: Down, expr: up}\n"
          "  - {record: Down, expr: up}\n");

static void ids_are_golden(void **state)
{
    struct rule_set *set = load_as("rules/a.yaml", golden_text);
    const struct rule_group *g = &set->groups[0];

    (void)state;
    assert_id(g->id, "12e71bf1bbd12bdda1a70277052f924a");
    assert_id(g->rules[0].id, "08f68989817d0218fa291c170caf7462");
    assert_id(g->rules[1].id, "b766cc9b2bbfba9098eb462914f5bc81");
    assert_id(g->rules[2].id, "c7646598de5cd28d78a83a78219f0400");
    rule_set_unref(set);
}

struct pair {
    const char *what;
    const char *file;
    const char *text;
    bool same_rule; /* as the first rule of the base */
};

static const char base_text[] =
    RULES("  - {alert: A, expr: up == 0, for: 1m, labels: {x: y, z: w}}\n");

static const struct pair pairs[] = {
    {"nothing changed", "f", base_text, true},
    {"labels in another order", "f",
     RULES("  - {alert: A, expr: up == 0, for: 1m, labels: {z: w, x: y}}\n"), true},
    {"labels of the group instead", "f",
     "groups:\n- name: g\n  labels: {x: y, z: w}\n  rules: [{alert: A, expr: up}]\n", true},
    {"another expr, for, annotation", "f",
     RULES("  - {alert: A, expr: up < 1, for: 2m, labels: {x: y, z: w}, annotations: {a: b}}\n"),
     true},
    {"another interval", "f",
     "groups:\n- name: g\n  interval: 5m\n  rules:\n"
     "  - {alert: A, expr: up == 0, labels: {x: y, z: w}}\n",
     true},
    {"another name", "f", RULES("  - {alert: B, expr: up == 0, labels: {x: y, z: w}}\n"), false},
    {"another kind", "f", RULES("  - {record: A, expr: up == 0, labels: {x: y, z: w}}\n"), false},
    {"another label", "f", RULES("  - {alert: A, expr: up == 0, labels: {x: y, z: v}}\n"), false},
    {"the same letters, cut elsewhere", "f",
     RULES("  - {alert: A, expr: up == 0, labels: {xy: '', zw: ''}}\n"), false},
    {"another file", "f2", base_text, false},
    {"another group", "f",
     "groups:\n- name: h\n  rules: [{alert: A, expr: up, labels: {x: y, z: w}}]\n", false},
};

static void what_an_id_depends_on(void **state)
{
    struct rule_set *base = load_as("f", base_text);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct rule_set *other = load_as(pairs[i].file, pairs[i].text);
        if (str_eq(base->groups[0].rules[0].id, other->groups[0].rules[0].id) !=
            pairs[i].same_rule) {
            fail_msg("%s", pairs[i].what);
        }
        rule_set_unref(other);
    }
    rule_set_unref(base);
}

/* Rules that differ in expr alone are told apart by their order, like Prometheus does. */
static void namesakes_are_counted(void **state)
{
    struct rule_set *three = load_as("f", RULES("  - {alert: A, expr: up == 0}\n"
                                                "  - {alert: B, expr: up == 0}\n"
                                                "  - {alert: A, expr: up == 1}\n"
                                                "  - {alert: A, expr: up == 2}\n"));
    struct rule_set *edited = load_as("f", RULES("  - {alert: A, expr: up == 5}\n"
                                                 "  - {alert: A, expr: up == 6}\n"
                                                 "  - {alert: A, expr: up == 7}\n"));
    static const size_t places[] = {0, 2, 3};
    const struct rule *a = three->groups[0].rules;
    const struct rule *b = edited->groups[0].rules;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        assert_true(str_eq(a[places[i]].id, b[i].id));
        assert_false(str_eq(a[places[i]].id, b[(i + 1) % 3].id));
    }
    rule_set_unref(three);
    rule_set_unref(edited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_golden),
        cmocka_unit_test(what_an_id_depends_on),
        cmocka_unit_test(namesakes_are_counted),
    };

    return cmocka_run_group_tests_name("rules/rule_id", tests, NULL, NULL);
}
