/* Lists of groups and alerts: what filters and pages leave, what readers of both peers find. */
#include "engine_bench.h"

#include "base/number.h"
#include "rules/listing.h"
#include "wire/json.h"

#include <string.h>

static const char rules_text[] = "groups:\n"
                                 "- name: one\n"
                                 "  interval: 10s\n"
                                 "  eval_offset: 2s\n"
                                 "  params: {nocache: ['1']}\n"
                                 "  headers: ['Authorization: Bearer s3cret']\n"
                                 "  rules:\n"
                                 "  - alert: High\n"
                                 "    expr: x > 80\n"
                                 "    keep_firing_for: 1m\n"
                                 "    labels: {severity: page}\n"
                                 "    annotations:\n"
                                 "      summary: '{{ $labels.host }} is at {{ $value }}'\n"
                                 "      asked: '{{ query \"y\" | first | value }}'\n"
                                 "  - record: job:x:sum\n"
                                 "    expr: sum(x)\n"
                                 "- name: two\n"
                                 "  rules:\n"
                                 "  - alert: Slow\n"
                                 "    expr: x > 70\n"
                                 "    for: 1h\n"
                                 "    labels: {severity: ticket}\n"
                                 "- name: three\n"
                                 "  rules:\n"
                                 "  - record: three:x\n"
                                 "    expr: x\n";

static void start(struct bench *b)
{
    bench_start(b, rules_text);
    answer_one(b, "{\"host\":\"a\"}", 90.123456789012);
    evaluate(b, 0);
}

/* Appends the whole list; in pieces, as a server sends it. */
static bool list(struct bench *b, enum listing_kind kind, const struct engine_filter *filter,
                 const struct listing_page *page, struct buf *out, struct err *e)
{
    struct listing *l = NULL;

    if (!listing_open(b->engine, kind, filter, page, &l, e)) {
        return false;
    }
    while (listing_next(l, b->engine, out) == LISTING_MORE) {
    }
    listing_free(l);
    return true;
}

static const struct json_node *parse(struct arena *a, const struct buf *json)
{
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    if (!json_parse(buf_str(json), a, &root, &e)) {
        fail_msg("%s in %s", e.message, buf_text((struct buf *)(uintptr_t)json));
    }
    return root;
}

/* "one: High job:x:sum; two: Slow": groups with their rules. */
static void add_names(const struct json_node *groups, struct buf *out)
{
    for (const struct json_node *g = groups->first; g != NULL; g = g->next) {
        buf_add_text(out, out->len > 0 ? "; " : "");
        buf_add_str(out, json_get_str(g, STR("name")));
        buf_add_text(out, ":");
        const struct json_node *rules = json_get(g, STR("rules"));
        for (const struct json_node *r = rules->first; r != NULL; r = r->next) {
            buf_add_text(out, " ");
            buf_add_str(out, json_get_str(r, STR("name")));
        }
    }
}

static void expect_rules(struct bench *b, const struct engine_filter *filter,
                         const struct listing_page *page, const char *want)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf names = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena arena = {0};
    struct err e = ERR_INIT;

    arena_init(&arena, ARENA_UNLIMITED);
    assert_true(list(b, LISTING_RULES, filter, page, &json, &e));
    add_names(json_get(parse(&arena, &json), STR("groups")), &names);
    assert_string_equal(buf_text(&names), want);
}

struct filter_case {
    const char *rule;
    const char *group;
    const char *search;
    const char *match;
    const char *state;
    const char *type;
    const char *want;
};

static const struct filter_case cases[] = {
    {.want = "one: High job:x:sum; two: Slow; three: three:x"},
    {.rule = "Slow", .want = "two: Slow"},
    {.group = "one", .want = "one: High job:x:sum"},
    {.group = "none", .want = ""},
    {.search = "HIGH", .want = "one: High"},
    {.search = "three", .want = "three: three:x"},
    {.match = "{severity=\"page\"}", .want = "one: High"},
    {.match = "{severity=~\"pa.*|ticket\"}", .want = "one: High; two: Slow"},
    {.match = "{severity!=\"page\"}", .want = "one: job:x:sum; two: Slow; three: three:x"},
    {.state = "firing", .want = "one: High"},
    {.state = "pending,ok", .want = "one: job:x:sum; two: Slow; three: three:x"},
    {.state = "alerting", .want = "one: High"},
    {.state = "unhealthy", .want = ""},
    {.type = "record", .want = "one: job:x:sum; three: three:x"},
};

static void make_filter(const struct filter_case *c, struct engine_filter *f)
{
    struct err e = ERR_INIT;

    *f = (struct engine_filter){.type = str_of(c->type), .search = str_of(c->search)};
    if (c->rule != NULL) {
        assert_true(engine_filter_name(f, &f->rules, str_of(c->rule), &e));
    }
    if (c->group != NULL) {
        assert_true(engine_filter_name(f, &f->groups, str_of(c->group), &e));
    }
    if (c->match != NULL) {
        assert_true(engine_filter_match(f, str_of(c->match), &e));
    }
    if (c->state != NULL) {
        assert_true(engine_filter_conditions(f, str_of(c->state), &e));
    }
}

static void filters_leave_what_is_wanted(void **state)
{
    struct bench b;
    (void)state;

    start(&b);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct engine_filter filter;
        make_filter(&cases[i], &filter);
        expect_rules(&b, &filter, NULL, cases[i].want);
        engine_filter_release(&filter);
    }
    bench_stop(&b);
}

static void bad_filters_are_refused(void **state)
{
    struct engine_filter f = {0};
    struct err e = ERR_INIT;
    (void)state;

    assert_false(engine_filter_match(&f, STR("sum(x)"), &e));
    assert_false(engine_filter_match(&f, STR("{a=~\"(\"}"), &e));
    assert_false(engine_filter_match(&f, STR("{a="), &e));
    assert_false(engine_filter_conditions(&f, STR("firing,angry"), &e));
    engine_filter_release(&f);
}

static void pages_follow_each_other(void **state)
{
    static const struct engine_filter all = {0};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena arena = {0};
    struct err e = ERR_INIT;
    struct bench b;
    (void)state;

    arena_init(&arena, ARENA_UNLIMITED);
    start(&b);
    expect_rules(&b, &all, &(struct listing_page){.group_limit = 2},
                 "one: High job:x:sum; two: Slow");
    expect_rules(&b, &all, &(struct listing_page){.group_limit = 2, .number = 2}, "three: three:x");
    assert_true(list(&b, LISTING_RULES, &all, &(struct listing_page){.group_limit = 1}, &json, &e));
    struct str token = json_get_str(parse(&arena, &json), STR("groupNextToken"));
    assert_int_equal(token.len, 32);
    expect_rules(&b, &all, &(struct listing_page){.group_limit = 2, .token = token},
                 "two: Slow; three: three:x");
    assert_false(list(&b, LISTING_RULES, &all,
                      &(struct listing_page){.group_limit = 2, .number = 3}, &json, &e));
    assert_false(list(&b, LISTING_RULES, &all,
                      &(struct listing_page){.group_limit = 2, .token = STR("nobody")}, &json, &e));
    assert_false(list(&b, LISTING_RULES, &all, &(struct listing_page){.number = 1}, &json, &e));
    bench_stop(&b);
}

static void expect_text(const struct json_node *of, const char *member, const char *want)
{
    struct str found = json_get_str(of, str_of(member));

    if (!str_eq(found, str_of(want))) {
        fail_msg("%s is '%.*s', not '%s'", member, STR_FMT(found), want);
    }
}

static void alerts_please_both_readers(void **state)
{
    static const struct engine_filter all = {0};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena arena = {0};
    struct err e = ERR_INIT;
    struct bench b;
    (void)state;

    arena_init(&arena, ARENA_UNLIMITED);
    start(&b);
    unsigned asked = b.source.queries;
    assert_true(list(&b, LISTING_ALERTS, &all, NULL, &json, &e));
    assert_int_equal(b.source.queries, asked); /* nobody is asked for a page */
    const struct json_node *alert = json_get(parse(&arena, &json), STR("alerts"))->first;
    expect_text(alert, "state", "firing");
    expect_text(alert, "name", "High");
    expect_text(alert, "value", "90.123456789012"); /* all 64 bits of it */
    expect_text(alert, "expression", "x > 80");
    const struct json_node *annotations = json_get(alert, STR("annotations"));
    expect_text(annotations, "summary", "a is at 90.123456789012");
    expect_text(annotations, "asked", "{{ query \"y\" | first | value }}");
    assert_int_equal(json_get(alert, STR("stabilizing"))->kind, JSON_FALSE);
    assert_non_null(json_get(alert, STR("source")));
    expect_text(alert->next, "state", "pending");
    bench_stop(&b);
}

static void groups_and_rules_have_the_fields_of_both(void **state)
{
    static const char *const of_group[] = {"name",     "file",        "id",     "type",
                                           "interval", "limit",       "rules",  "lastEvaluation",
                                           "params",   "eval_offset", "states", "evaluationTime",
                                           "headers",  "concurrency"};
    static const char *const of_rule[] = {"state",
                                          "name",
                                          "query",
                                          "duration",
                                          "keepFiringFor",
                                          "keep_firing_for",
                                          "labels",
                                          "annotations",
                                          "alerts",
                                          "health",
                                          "lastError",
                                          "type",
                                          "evaluationTime",
                                          "lastEvaluation",
                                          "datasourceType",
                                          "lastSamples",
                                          "id",
                                          "group_id",
                                          "group_name",
                                          "file",
                                          "debug",
                                          "max_updates_entries"};
    static const struct engine_filter all = {0};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena arena = {0};
    struct err e = ERR_INIT;
    struct bench b;
    (void)state;

    arena_init(&arena, ARENA_UNLIMITED);
    start(&b);
    assert_true(list(&b, LISTING_RULES, &all, NULL, &json, &e));
    assert_null(strstr(buf_text(&json), "s3cret"));
    const struct json_node *group = json_get(parse(&arena, &json), STR("groups"))->first;
    for (size_t i = 0; i < ARRAY_LEN(of_group); i++) {
        assert_non_null(json_get(group, str_of(of_group[i])));
    }
    for (size_t i = 0; i < ARRAY_LEN(of_rule); i++) {
        assert_non_null(json_get(json_get(group, STR("rules"))->first, str_of(of_rule[i])));
    }
    bench_stop(&b);
}

static void one_of_them(void **state)
{
    static const struct engine_filter all = {0};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf one = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena arena = {0};
    struct err e = ERR_INIT;
    struct bench b;
    (void)state;

    arena_init(&arena, ARENA_UNLIMITED);
    start(&b);
    assert_true(list(&b, LISTING_ALERTS, &all, NULL, &json, &e));
    const struct json_node *alert = json_get(parse(&arena, &json), STR("alerts"))->first;
    struct str group = json_get_str(alert, STR("group_id"));
    struct str rule = json_get_str(alert, STR("rule_id"));
    uint64_t id = 0;
    assert_true(number_parse_u64(json_get_str(alert, STR("id")), &id));
    assert_true(engine_print_alert(b.engine, group, id, &one));
    expect_text(parse(&arena, &one), "name", "High");
    assert_false(engine_print_alert(b.engine, group, id + 1, &one));
    buf_clear(&one);
    assert_true(engine_print_rule(b.engine, group, rule, &one));
    const struct json_node *found = parse(&arena, &one);
    assert_int_equal(json_get(found, STR("updates"))->count, 1);
    assert_int_equal(json_get(found, STR("alerts"))->count, 1);
    assert_false(engine_print_rule(b.engine, rule, rule, &one));
    buf_clear(&one);
    assert_true(engine_print_group(b.engine, group, &one));
    assert_int_equal(json_get(parse(&arena, &one), STR("rules"))->count, 2);
    assert_false(engine_print_group(b.engine, STR("nobody"), &one));
    bench_stop(&b);
}

/* Other rules meanwhile: the reader must see that what it has is not whole. */
static void a_reload_breaks_a_listing_off(void **state)
{
    static const struct engine_filter all = {0};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    struct listing *l = NULL;
    struct bench b;
    (void)state;

    start(&b);
    assert_true(listing_open(b.engine, LISTING_RULES, &all, NULL, &l, &e));
    struct rule_set *other = parse_rules("groups: [{name: x, rules: [{record: a, expr: b}]}]");
    assert_true(engine_set_rules(b.engine, other, &e));
    assert_int_equal(listing_next(l, b.engine, &json), LISTING_BROKEN);
    listing_free(l);
    rule_set_unref(other);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_leave_what_is_wanted),
        cmocka_unit_test(bad_filters_are_refused),
        cmocka_unit_test(pages_follow_each_other),
        cmocka_unit_test(alerts_please_both_readers),
        cmocka_unit_test(groups_and_rules_have_the_fields_of_both),
        cmocka_unit_test(one_of_them),
        cmocka_unit_test(a_reload_breaks_a_listing_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
