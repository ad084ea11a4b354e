/* Which rules read what rules of other groups give, in which order groups begin, and which share their slots. */
#include "rules/across.h"

#include "engine_bench.h"

#include "base/mem.h"

#include <string.h>

#define G(name) "- name: " name "\n  rules:\n"
#define H(name, more) "- name: " name "\n  " more "\n  rules:\n"
#define R(name, expr) "  - {record: " name ", expr: '" expr "'}\n"
#define A(name, expr) "  - {alert: " name ", expr: '" expr "'}\n"

static const struct {
    const char *rules;
    const char *want; /* per rule, in file order: what it reads as group.rule; then ';' */
} rows[] = {
    {G("g") R("a", "x") R("b", "a"), ";;"}, /* one group: not our business */
    {G("g") R("a", "x") G("h") R("b", "a"), ";0.0;"},
    {G("g") R("b", "a") G("h") R("a", "x"), "1.0;;"}, /* file order is of no account */
    {G("g") R("b", "a + a") G("h") R("a", "x"), "1.0;;"},
    {G("g") R("a", "x") G("h") R("a", "y") G("i") R("b", "a"), ";;1.0 0.0;"},
    {G("g") R("a", "x") A("X", "x") G("h") R("n", "count(ALERTS)") R("m", "a"), ";;0.1;0.0;"},
    {G("g") A("X", "x") A("Y", "x") G("h") R("n", "ALERTS_FOR_STATE{alertname=\"Y\"}"), ";;0.1;"},
    {G("g") R("job:a", "x") R("b", "x") G("h") R("n", "sum({__name__=~\"job:.*\"})"), ";;0.0;"},
    {G("g") R("job:a", "x") R("job:a", "y") G("h") R("n", "{__name__=~\"job:.*\"}"), ";;0.1 0.0;"},
    {G("g") R("a", "x") G("h") R("n", "sum({job=\"j\"})"), ";;"}, /* no name: nobody elsewhere */
    {G("g") R("a", "b") G("h") R("b", "a"), ";;"},                /* a circle */
    {G("g") R("a", "x or a") G("h") R("b", "a"), ";0.0;"},        /* who reads itself is none */
    {G("g") R("a", "b") G("h") R("b", "c") G("i") R("c", "a") R("d", "a"), ";;;0.0;"},
    {G("g") R("a", "x") R("c", "b") G("h") R("b", "a"), ";1.0;0.0;"}, /* to and fro is none */
    {G("g") R("a", "b") R("c", "a") G("h") R("b", "c"), ";;;"},       /* this is, through a group */
    {G("g") R("a", "b") R("c", "{job=\"j\"}") G("h") R("b", "c"), ";;;"}, /* and this */
    {G("g") R("a", "x") H("h", "datasource: self") R("b", "a"), ";;"},
};

static void print_reads(const struct rule_set *set, struct buf *out)
{
    for (size_t g = 0; g < set->group_count; g++) {
        for (size_t r = 0; r < set->groups[g].rule_count; r++) {
            struct across_reads reads = across_reads(set->across, g, r);
            for (uint32_t i = 0; i < reads.count; i++) {
                buf_addf(out, "%s%u.%u", i > 0 ? " " : "", reads.items[i].group,
                         reads.items[i].rule);
            }
            buf_add_byte(out, ';');
        }
    }
}

static struct rule_set *parse(const char *groups)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&text, "groups:\n");
    buf_add_text(&text, groups);
    return parse_rules(buf_text(&text));
}

static void rules_read_other_groups(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        struct rule_set *set = parse(rows[i].rules);
        print_reads(set, &text);
        if (strcmp(buf_text(&text), rows[i].want) != 0) {
            fail_msg("%sgot %s expected %s", rows[i].rules, buf_text(&text), rows[i].want);
        }
        rule_set_unref(set);
    }
}

static void givers_begin_first(void **state)
{
    (void)state;
    struct rule_set *set =
        parse(G("c") R("c", "b") G("b") R("b", "a") G("a") R("a", "x") G("o") R("o", "x"));

    assert_true(across_rank(set->across, 2) < across_rank(set->across, 1));
    assert_true(across_rank(set->across, 1) < across_rank(set->across, 0));
    rule_set_unref(set);
}

/* Where the slots of groups are, as the distance of their next ones from a whole hour. */
static int64_t slot_of(const struct rule_set *set, size_t group)
{
    const int64_t hour_ns = INT64_C(472222) * 3600 * NS_PER_S;

    return (group_next_slot(&set->groups[group], hour_ns) - hour_ns) / NS_PER_MS;
}

static void who_reads_by_name_shares_slots(void **state)
{
    (void)state;
    struct rule_set *set = parse(G("g") R("a", "x") A("X", "x") H("h", "interval: 30s") R("b", "a")
                                     G("i") R("n", "count(ALERTS)") G("o") R("o", "x") G("p")
                                         R("p", "ALERTS{alertname=\"X\"}"));

    assert_int_equal(slot_of(set, 0) % 10000, slot_of(set, 1) % 10000); /* 10s and 30s */
    assert_int_equal(slot_of(set, 0), slot_of(set, 4));
    assert_int_not_equal(slot_of(set, 0), slot_of(set, 2));
    assert_int_not_equal(slot_of(set, 0), slot_of(set, 3));
    rule_set_unref(set);
}

static void an_eval_offset_leads(void **state)
{
    (void)state;
    struct rule_set *set = parse(G("g") R("c", "b") H("h", "eval_offset: 3s") R("b", "a") G("i")
                                     R("a", "x") H("j", "eval_offset: 4s") R("d", "a"));

    for (size_t i = 0; i < 3; i++) {
        assert_true(slot_of(set, i) == 3000 || slot_of(set, i) == 4000);
        assert_int_equal(slot_of(set, i) == slot_of(set, 0), i != 1 || slot_of(set, 0) == 3000);
    }
    assert_int_equal(slot_of(set, 1), 3000);
    assert_int_equal(slot_of(set, 3), 4000);
    rule_set_unref(set);
}

static void too_many_keep_their_own_slots(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);
    int64_t seen = 0;

    for (int i = 0; i <= GROUPS_TOGETHER_MAX; i++) {
        buf_addf(&rules, "- name: g%d\n  rules:\n  - {record: r%d, expr: '%s'}\n", i, i,
                 i > 0 ? "r0" : "x");
    }
    struct rule_set *set = parse(buf_text(&rules));
    for (size_t i = 1; i < set->group_count; i++) {
        seen += slot_of(set, i) != slot_of(set, 0);
        assert_int_equal(across_reads(set->across, i, 0).count, 1);
    }
    assert_true(seen > GROUPS_TOGETHER_MAX / 2);
    rule_set_unref(set);
}

/* A pattern in each of many rules: looked at within a limit, and what has a name is found all the same. */
static void patterns_have_a_limit(void **state)
{
    enum { MANY = 2000 };
    (void)state;
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&rules, G("g"));
    for (int i = 0; i < MANY; i++) {
        buf_addf(&rules, "  - {record: r%d, expr: x}\n", i);
    }
    buf_add_text(&rules, G("h") R("n", "r7"));
    for (int i = 0; i < MANY; i++) {
        buf_addf(&rules, "  - {record: s%d, expr: '{__name__=~\"r%d.*\"}'}\n", i, i);
    }
    struct rule_set *set = parse(buf_text(&rules));
    assert_int_equal(across_reads(set->across, 1, 0).count, 1);
    assert_int_equal(across_reads(set->across, 1, 10).count, 111); /* r9, r90, r900 and on */
    assert_int_equal(across_reads(set->across, 1, MANY).count, 0);
    rule_set_unref(set);
}

/* Thousands of rules, each reading the alert of another: found by name. */
static void many_alerts_are_found(void **state)
{
    enum { MANY = 5000 };
    (void)state;
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);

    for (int g = 0; g < 2; g++) {
        buf_addf(&rules, "- name: g%d\n  rules:\n", g);
        for (int i = 0; i < MANY; i++) {
            buf_addf(&rules, "  - {alert: A%d_%d, expr: 'ALERTS{alertname=\"A%d_%d\"}'}\n", g, i,
                     1 - g, (i + 1) % MANY);
        }
    }
    buf_add_text(&rules, G("last") A("B", "ALERTS{alertname=\"A1_4999\"}"));
    struct rule_set *set = parse(buf_text(&rules));
    assert_int_equal(across_reads(set->across, 2, 0).count, 1);
    assert_int_equal(across_reads(set->across, 2, 0).items[0].rule, 4999);
    rule_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_read_other_groups),        cmocka_unit_test(givers_begin_first),
        cmocka_unit_test(who_reads_by_name_shares_slots), cmocka_unit_test(an_eval_offset_leads),
        cmocka_unit_test(too_many_keep_their_own_slots),  cmocka_unit_test(patterns_have_a_limit),
        cmocka_unit_test(many_alerts_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
