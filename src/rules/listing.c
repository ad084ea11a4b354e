/*
 * Invariants
 *   1. <set> is the set that places in <groups> are of; an engine that has another one is not looked at.
 *   2. Between two pieces the writer's open containers are those of <where>.
 *   3. Alerts are copied under their rule's lock, ALERTS_AT_ONCE at a time, and rendered without it. An alert that comes
 *      or goes between two such copies may be missed, or be there twice when the table was compacted; rules with
 *      fewer alerts are shown as of one moment.
 */
#include "rules/listing.h"

#include "base/mem.h"
#include "rules/print.h"

enum { ALERTS_AT_ONCE = 1024 };

enum where { BEFORE, BETWEEN_GROUPS, IN_GROUP, IN_RULE, BEHIND };

struct listing {
    enum listing_kind kind;
    const struct engine_filter *filter;
    struct rule_set *set;
    VEC(uint32_t) groups; /* of the set */
    struct listing_totals totals;
    bool is_page;
    struct str next_token; /* the id of the group behind the page; or empty */
    enum where where;
    size_t at_group; /* place in <groups> */
    size_t at_rule;
    uint32_t at_alert;
    uint32_t counts[CONDITION_COUNT];
    struct json_writer w;
};

/* ---- which groups ---- */

static bool is_in_condition(const struct listing *l, struct rule_run *run)
{
    struct rule_look look;

    if (l->filter->conditions == 0) {
        return true;
    }
    rule_look_begin(run, &look);
    rule_look_end(run, &look);
    return engine_filter_condition(l->filter, look.condition);
}

static bool is_wanted(const struct listing *l, struct rule_run *run)
{
    if (!engine_filter_rule(l->filter, run->rule)) {
        return false;
    }
    return l->kind == LISTING_ALERTS
               ? run->kind == RULE_ALERT
               : engine_filter_rule_labels(l->filter, run->rule) && is_in_condition(l, run);
}

static int64_t count_wanted(const struct listing *l, struct group_run *g)
{
    int64_t count = 0;

    for (size_t i = 0; i < g->group->rule_count; i++) {
        count += is_wanted(l, g->runs[i]);
    }
    return count;
}

static void find_groups(struct listing *l, struct engine *en)
{
    bool is_narrow = engine_filter_is_narrow(l->filter);

    for (size_t i = 0; i < en->group_count; i++) {
        int64_t rules = count_wanted(l, &en->groups[i]);
        if (rules > 0 || !is_narrow) {
            vec_push(&l->groups, (uint32_t)i);
            l->totals.rules += rules;
        }
    }
    l->totals.groups = (int64_t)l->groups.len;
}

static struct str group_id(const struct listing *l, size_t place)
{
    return l->set->groups[l->groups.items[place]].id;
}

static bool find_token(const struct listing *l, struct str token, size_t *ret_first, struct err *e)
{
    for (size_t i = 0; i < l->groups.len; i++) {
        if (str_eq(group_id(l, i), token)) {
            *ret_first = i;
            return true;
        }
    }
    return err_set(e, ERR_PARSE,
                   "group_next_token '%.*s' is none; were the rules changed since? Begin with the "
                   "first page",
                   STR_FMT(str_slice(token, 0, 64)));
}

static bool find_first(const struct listing *l, const struct listing_page *page, size_t *ret_first,
                       struct err *e)
{
    int64_t number = page->number > 0 ? page->number : 1;

    if (page->token.len > 0) {
        return find_token(l, page->token, ret_first, e);
    }
    if (number > 1 && number > l->totals.pages) {
        return err_set(e, ERR_PARSE, "page_num is %lld, and there are %lld pages",
                       (long long)number, (long long)l->totals.pages);
    }
    *ret_first = (size_t)((number - 1) * page->group_limit);
    return true;
}

/* Keeps the groups of the page. */
static bool cut_page(struct listing *l, const struct listing_page *page, struct err *e)
{
    size_t limit = (size_t)page->group_limit;
    size_t first = 0;

    l->is_page = true;
    l->totals.pages = (l->totals.groups + page->group_limit - 1) / page->group_limit;
    if (!find_first(l, page, &first, e)) {
        return false;
    }
    l->totals.page = (int64_t)(first / limit) + 1;
    size_t left = l->groups.len - first;
    if (left > limit) {
        l->next_token = group_id(l, first + limit);
        l->groups.len = first + limit;
    }
    l->at_group = first;
    return true;
}

bool listing_open(struct engine *en, enum listing_kind kind, const struct engine_filter *filter,
                  const struct listing_page *page, struct listing **ret_listing, struct err *e)
{
    struct listing *l = mem_new(struct listing);
    bool ok = true;

    l->kind = kind;
    l->filter = filter;
    engine_view_begin(en);
    l->set = rule_set_ref(en->set);
    find_groups(l, en);
    engine_view_end(en);
    l->totals.page = 1;
    l->totals.pages = 1;
    if (page != NULL && page->group_limit > 0) {
        ok = cut_page(l, page, e);
    } else if (page != NULL && (page->token.len > 0 || page->number > 0)) {
        ok = err_set(e, ERR_PARSE, "a page needs group_limit, the groups of one");
    }
    if (!ok) {
        listing_free(l);
        return false;
    }
    *ret_listing = l;
    return true;
}

void listing_free(struct listing *l)
{
    if (l != NULL) {
        rule_set_unref(l->set);
        vec_release(&l->groups);
        mem_free(l);
    }
}

struct listing_totals listing_totals(const struct listing *l)
{
    return l->totals;
}

/* ---- step by step: each prints a little and says where the listing is then ---- */

static enum where step_before(struct listing *l, struct engine *en)
{
    (void)en;
    json_begin_object(&l->w);
    json_key(&l->w, l->kind == LISTING_RULES ? STR("groups") : STR("alerts"));
    json_begin_array(&l->w);
    return BETWEEN_GROUPS;
}

static enum where end_list(struct listing *l)
{
    json_end_array(&l->w);
    if (l->next_token.len > 0) {
        show_text(&l->w, "groupNextToken", l->next_token);
    }
    json_end_object(&l->w);
    return BEHIND;
}

static enum where step_group(struct listing *l, struct engine *en)
{
    if (l->at_group == l->groups.len) {
        return end_list(l);
    }
    if (l->kind == LISTING_RULES) {
        show_group_begin(&l->w, &en->groups[l->groups.items[l->at_group]]);
    }
    memset(l->counts, 0, sizeof(l->counts));
    l->at_rule = 0;
    return IN_GROUP;
}

static enum where end_group(struct listing *l)
{
    if (l->kind == LISTING_RULES) {
        show_group_end(&l->w, l->counts);
    }
    l->at_group++;
    return BETWEEN_GROUPS;
}

static void begin_rule(struct listing *l, struct rule_run *run)
{
    struct rule_look look;

    if (l->kind == LISTING_RULES) {
        rule_look_begin(run, &look);
        l->counts[look.condition]++;
        show_rule_begin(&l->w, run, &look, l->filter);
        rule_look_end(run, &look);
    }
}

static enum where step_rule(struct listing *l, struct engine *en)
{
    struct group_run *g = &en->groups[l->groups.items[l->at_group]];

    if (l->at_rule == g->group->rule_count) {
        return end_group(l);
    }
    if (!is_wanted(l, g->runs[l->at_rule])) {
        l->at_rule++;
        return IN_GROUP;
    }
    begin_rule(l, g->runs[l->at_rule]);
    l->at_alert = 0;
    return IN_RULE;
}

/* The selectors of a list of rules are for the rules. */
static bool step_alerts(struct listing *l, struct rule_run *run)
{
    struct engine_filter all = {.plain_alerts = l->filter->plain_alerts};

    return run->kind == RULE_ALERT && !l->filter->exclude_alerts &&
           show_alerts(&l->w, run, l->kind == LISTING_ALERTS ? l->filter : &all, &l->at_alert,
                       ALERTS_AT_ONCE);
}

static enum where step_in_rule(struct listing *l, struct engine *en)
{
    struct rule_run *run = en->groups[l->groups.items[l->at_group]].runs[l->at_rule];

    if (step_alerts(l, run)) {
        return IN_RULE;
    }
    if (l->kind == LISTING_RULES) {
        show_rule_end(&l->w, run);
    }
    l->at_rule++;
    return IN_GROUP;
}

enum listing_step listing_next(struct listing *l, struct engine *en, struct buf *out)
{
    static enum where (*const steps[])(struct listing *, struct engine *) = {
        [BEFORE] = step_before,
        [BETWEEN_GROUPS] = step_group,
        [IN_GROUP] = step_rule,
        [IN_RULE] = step_in_rule,
    };
    size_t start = out->len;

    engine_view_begin(en);
    bool is_same = en->set == l->set;
    l->w.out = out;
    while (is_same && l->where != BEHIND && out->len - start < LISTING_PIECE) {
        l->where = steps[l->where](l, en);
    }
    engine_view_end(en);
    if (!is_same) {
        return LISTING_BROKEN;
    }
    return l->where == BEHIND ? LISTING_END : LISTING_MORE;
}
