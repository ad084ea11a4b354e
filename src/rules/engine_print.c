/* Whole answers about rules and alerts: lists for who has room for them, and single ones. */
#include "rules/listing.h"

#include "rules/print.h"

static void print_all(struct engine *en, enum listing_kind kind, const struct engine_filter *filter,
                      struct buf *out)
{
    struct err ignored = ERR_INIT;
    struct listing *l = NULL;

    if (listing_open(en, kind, filter, NULL, &l, &ignored)) {
        while (listing_next(l, en, out) == LISTING_MORE) {
        }
    }
    listing_free(l);
}

void engine_print_rules(struct engine *en, const struct engine_filter *filter, struct buf *out)
{
    print_all(en, LISTING_RULES, filter, out);
}

void engine_print_alerts(struct engine *en, const struct engine_filter *filter, struct buf *out)
{
    print_all(en, LISTING_ALERTS, filter, out);
}

/* ---- single ones ---- */

static struct group_run *find_group(struct engine *en, struct str id)
{
    for (size_t i = 0; i < en->group_count; i++) {
        if (str_eq(en->groups[i].group->id, id)) {
            return &en->groups[i];
        }
    }
    return NULL;
}

static struct rule_run *find_rule(struct engine *en, struct str group_id, struct str rule_id)
{
    struct rule_run *run = map_get(&en->runs, rule_id);
    bool fits = run != NULL && run->rule != NULL &&
                (group_id.len == 0 || str_eq(run->rule->group->id, group_id));

    return fits ? run : NULL;
}

static void print_whole_rule(struct json_writer *w, struct rule_run *run, uint32_t *counts)
{
    static const struct engine_filter all = {0};
    struct rule_look look;
    uint32_t at = 0;

    rule_look_begin(run, &look);
    counts[look.condition]++;
    show_rule_begin(w, run, &look, &all);
    rule_look_end(run, &look);
    if (run->kind == RULE_ALERT) {
        (void)show_alerts(w, run, NULL, &at, UINT32_MAX);
    }
}

bool engine_print_group(struct engine *en, struct str group_id, struct buf *out)
{
    uint32_t counts[CONDITION_COUNT] = {0};
    struct json_writer w;

    engine_view_begin(en);
    struct group_run *g = find_group(en, group_id);
    if (g != NULL) {
        json_write_init(&w, out);
        show_group_begin(&w, g);
        for (size_t i = 0; i < g->group->rule_count; i++) {
            print_whole_rule(&w, g->runs[i], counts);
            show_rule_end(&w, g->runs[i]);
        }
        show_group_end(&w, counts);
    }
    engine_view_end(en);
    return g != NULL;
}

static void print_request(struct json_writer *w, struct rule_run *run, int64_t at_ns)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct datasource *d = run_datasource(run);
    struct query q = rule_query(run->rule, run->rule->expr, at_ns);

    if (d != NULL) {
        (void)datasource_print_request(d, &q, &text);
    }
    show_text(w, "curl", buf_str(&text));
}

static void print_update(struct json_writer *w, struct rule_run *run, const struct rule_update *u)
{
    json_begin_object(w);
    show_time(w, "time", u->time_ns);
    show_time(w, "at", u->at_ns);
    show_number(w, "duration", u->duration_ns);
    json_key(w, STR("error"));
    if (u->failed) {
        json_add_str(w, u->error);
    } else {
        json_add_null(w);
    }
    show_number(w, "samples", u->samples);
    if (u->series_fetched >= 0) {
        show_number(w, "series_fetched", u->series_fetched);
    }
    print_request(w, run, u->at_ns);
    json_end_object(w);
}

static void print_updates(struct json_writer *w, struct rule_run *run)
{
    AUTO(arena_release) struct arena arena = {0};
    const struct rule_update *updates = NULL;

    arena_init(&arena, ARENA_UNLIMITED);
    lock_take(&run->lock);
    size_t count = updates_read(&run->updates, &arena, &updates);
    lock_give(&run->lock);
    json_key(w, STR("updates"));
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        print_update(w, run, &updates[i]);
    }
    json_end_array(w);
}

bool engine_print_rule(struct engine *en, struct str group_id, struct str rule_id, struct buf *out)
{
    uint32_t counts[CONDITION_COUNT] = {0};
    struct json_writer w;

    engine_view_begin(en);
    struct rule_run *run = find_rule(en, group_id, rule_id);
    if (run != NULL) {
        json_write_init(&w, out);
        print_whole_rule(&w, run, counts);
        if (run->kind == RULE_ALERT) {
            json_end_array(&w);
        }
        print_updates(&w, run);
        json_end_object(&w);
    }
    engine_view_end(en);
    return run != NULL;
}

bool engine_print_alert(struct engine *en, struct str group_id, uint64_t alert_id, struct buf *out)
{
    struct json_writer w;
    bool found = false;

    engine_view_begin(en);
    struct group_run *g = find_group(en, group_id);
    json_write_init(&w, out);
    for (size_t i = 0; g != NULL && i < g->group->rule_count && !found; i++) {
        found = g->runs[i]->kind == RULE_ALERT && show_alert_by_id(&w, g->runs[i], alert_id);
    }
    engine_view_end(en);
    return found;
}
