/*
 * A rule file from outside, in both dialects. It loads or there is an error with a place in it; what
 * loads is whole, has ids of its own, and is the same when it is loaded stopping at errors.
 */
#include "base/map.h"
#include "rules/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counts {
    size_t errors;
    size_t without_place;
};

static void count(void *arg, bool is_warning, const struct err *problem)
{
    struct counts *counts = arg;

    if (!is_warning) {
        counts->errors++;
        counts->without_place += problem->pos.line == 0 && problem->code != ERR_LIMIT;
        INVARIANT(problem->message[0] != '\0');
    }
}

static void check_rule(const struct rule *r, const struct rule_group *g, struct map *ids)
{
    INVARIANT(r->group == g && r->expr.len > 0 && r->name.len > 0);
    INVARIANT((r->tree == NULL) == (r->language == RULE_GRAPHITE));
    INVARIANT(r->id.len == 32 && map_put(ids, r->id, ids) == NULL);
    INVARIANT(r->kind == RULE_ALERT || r->policy.for_ns == 0);
    INVARIANT(r->pos.line > 0 && r->policy.for_ns >= 0 && r->export.interval_ns >= 0);
    for (size_t i = 0; i < r->label_count; i++) {
        INVARIANT((r->labels[i].text != NULL) == (r->kind == RULE_ALERT));
        INVARIANT(i == 0 || str_cmp(r->labels[i - 1].name, r->labels[i].name) < 0);
    }
    for (size_t i = 0; i < r->annotation_count; i++) {
        INVARIANT(r->annotations[i].text != NULL);
    }
}

static void check_set(const struct rule_set *set)
{
    AUTO(map_release) struct map ids;
    size_t rules = 0;

    map_init(&ids, 0);
    for (size_t i = 0; i < set->group_count; i++) {
        const struct rule_group *g = &set->groups[i];
        INVARIANT(g->name.len > 0 && g->id.len == 32 && g->interval_ns > 0);
        INVARIANT(g->eval_offset_ns >= 0 && g->eval_offset_ns < g->interval_ns);
        INVARIANT(map_put(&ids, g->id, &ids) == NULL);
        for (size_t r = 0; r < g->rule_count; r++) {
            check_rule(&g->rules[r], g, &ids);
        }
        rules += g->rule_count;
    }
    INVARIANT(rules == set->rule_count);
}

static bool load(struct str text, enum promql_dialect dialect, bool check_only)
{
    const struct rule_options options = {
        .dialect = dialect, .check_only = check_only, .any_source = true};
    struct counts counts = {0};
    const struct rule_problems problems = {count, &counts};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    bool ok = rule_set_parse(STR("f"), text, &options, &problems, &set, &e);
    INVARIANT(ok == (counts.errors == 0) && counts.without_place == 0);
    INVARIANT(check_only || counts.errors <= 1);
    if (ok) {
        check_set(set);
    }
    rule_set_unref(set);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);

    for (int dialect = PROMQL_PROMETHEUS; dialect <= PROMQL_METRICSQL; dialect++) {
        bool ok = load(text, (enum promql_dialect)dialect, true);
        INVARIANT(load(text, (enum promql_dialect)dialect, false) == ok);
    }
    return 0;
}
