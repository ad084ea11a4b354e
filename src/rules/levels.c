/*
 * Alerts as level outputs see them: a walk under each run's lock, texts rendered afterwards.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/rand.h"
#include "wire/json.h"

#include <stdio.h>

uint64_t alert_level_key(const struct labels *labels, int64_t episode_ns)
{
    uint64_t parts[2] = {labels->hash, (uint64_t)episode_ns};

    return str_hash(str_make((const char *)parts, sizeof(parts)), 0);
}

/* As it was before groups could move. */
static uint64_t old_key(const struct rule_run *run, const struct alert_item *item)
{
    uint64_t parts[3] = {str_hash(run->id, 0), item->head.labels->hash,
                         (uint64_t)item->status.episode_ns};

    return str_hash(str_make((const char *)parts, sizeof(parts)), 0);
}

/* The slot that the alert is as of: that of the rule's last evaluation, or of the one that is about to be. */
static int64_t slot_of(const struct rule_run *run, const struct alert_status *s)
    REQUIRES(&run->lock)
{
    int64_t changed_ns = s->state == ALERT_RESOLVED ? s->resolved_at_ns : s->fired_at_ns;

    changed_ns += run->rule->group->query_offset_ns;
    return run->outcome.time_ns > changed_ns ? run->outcome.time_ns : changed_ns;
}

/* How long a query of its texts may take. */
static int64_t asks_ns(const struct rule_run *run)
{
    return (run->rule->annotation_uses & USES_QUERY) != 0 ? rule_query_timeout_ns(run) : 0;
}

static bool level_of(const struct rule_run *run, const struct alert_item *item,
                     struct level_alert *ret) REQUIRES(&run->lock)
{
    const struct alert_status *s = &item->status;
    bool firing = s->state == ALERT_ALERTING || s->state == ALERT_SUPPRESSING;
    bool resolved = s->state == ALERT_RESOLVED && s->fired_at_ns != 0;

    *ret = (struct level_alert){.key = alert_level_key(item->head.labels, s->episode_ns),
                                .old_key = old_key(run, item),
                                .labels = item->head.labels,
                                .firing = firing,
                                .asks_ns = asks_ns(run),
                                .starts_at_ns = s->fired_at_ns,
                                .ends_at_ns = firing ? 0 : s->resolved_at_ns,
                                .interval_ns = run->rule->group->interval_ns,
                                .slot_ns = slot_of(run, s),
                                .rule = run->rule->name,
                                .group = run->rule->group->name,
                                .headers = run->rule->group->notifier_headers,
                                .header_count = run->rule->group->notifier_header_count};
    (void)snprintf(ret->rule_id, sizeof(ret->rule_id), "%.*s", STR_FMT(run->id));
    return firing || resolved;
}

static void walk_run(struct rule_run *run, void (*visit)(void *, const struct level_alert *),
                     void *visit_arg)
{
    struct level_alert alert;

    lock_take(&run->lock);
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels != NULL && level_of(run, item, &alert)) {
            visit(visit_arg, &alert);
        }
    }
    lock_give(&run->lock);
}

/* Alerts that were restored and whose rule is not there: nobody knows whether they fire. */
static void walk_orphans(struct engine *en, void (*visit)(void *, const struct level_alert *),
                         void *visit_arg)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        for (uint32_t i = 0; run->rule == NULL && i < run->table.count; i++) {
            const struct alert_item *item =
                (const struct alert_item *)(const void *)series_at(&run->table, i);
            if (run->kind == RULE_ALERT && item->head.labels != NULL) {
                visit(visit_arg,
                      &(struct level_alert){
                          .key = alert_level_key(item->head.labels, item->status.episode_ns),
                          .old_key = old_key(run, item),
                          .labels = item->head.labels,
                          .unwatched = true,
                      });
            }
        }
    }
}

static void walk(void *arg, void (*visit)(void *visit_arg, const struct level_alert *alert),
                 void *visit_arg)
{
    struct engine *en = arg;

    engine_view_begin(en);
    for (size_t i = 0; i < en->group_count; i++) {
        for (size_t r = 0; r < en->groups[i].group->rule_count; r++) {
            if (en->groups[i].runs[r]->kind == RULE_ALERT) {
                walk_run(en->groups[i].runs[r], visit, visit_arg);
            }
        }
    }
    walk_orphans(en, visit, visit_arg);
    departed_walk(en, visit, visit_arg);
    engine_view_end(en);
}

/* A copy of the item, with references of its own; false when it is gone. */
static bool copy_item(struct rule_run *run, const struct labels *labels, struct alert_item *ret)
{
    lock_take(&run->lock);
    uint32_t id = series_find(&run->table, labels);
    if (id != HINDEX_NONE) {
        *ret = alert_item_copy((const struct alert_item *)(const void *)series_at(&run->table, id));
    }
    lock_give(&run->lock);
    return id != HINDEX_NONE;
}

void level_print_annotations(const struct label *pairs, size_t count, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    for (size_t i = 0; i < count; i++) {
        json_key(&w, pairs[i].name);
        json_add_str(&w, pairs[i].value);
    }
    json_end_object(&w);
}

/* Of a rule that is gone there is no page any more. */
static bool describe_departed(struct engine *en, const struct level_alert *alert,
                              struct buf *annotations, struct buf *generator_url)
{
    buf_add_str(generator_url, en->options.external_url);
    return departed_describe(en, alert, annotations);
}

/* As vmalert puts it together: a path below external_url. */
void alert_add_source(struct evaluation *ev, const struct alert_item *item, struct buf *out)
{
    struct engine *en = ev->run->engine;
    struct str url = en->options.external_url;
    struct err e = ERR_INIT;

    if (en->alert_source == NULL) {
        buf_addf(out, "%.*s/?rule=%.*s", STR_FMT(url), STR_FMT(ev->run->rule->id));
        return;
    }
    struct template_data data = alert_template_data(ev, item, &item->status);
    struct template_world world = evaluation_world(ev);
    world.query = NULL; /* nobody is asked for a link */
    buf_addf(out, "%.*s%s", STR_FMT(url), str_ends(url, STR("/")) ? "" : "/");
    if (!template_render(en->alert_source, &data, &world, out, &e)) {
        metric_add(en->template_errors, 1);
        trace_warn(&en->trace, "alert_source failed", T_STR("rule", ev->run->rule->name),
                   T_ERR(&e));
    }
}

/* Texts of the alert, from a copy of its item; releases the copy. What they ask is asked for <slot_ns>, since
 * what decided is what they are to tell. */
static void describe_item(struct rule_run *run, struct alert_item *item, int64_t slot_ns,
                          struct wait wait, struct buf *annotations, struct buf *generator_url)
{
    struct evaluation ev;
    size_t count = 0;

    evaluation_begin(&ev, run, slot_ns - run->rule->group->query_offset_ns, wait);
    const struct label *pairs = alert_annotations(&ev, item, &item->status, &ev.arena, &count);
    level_print_annotations(pairs, count, annotations);
    alert_add_source(&ev, item, generator_url);
    evaluation_end(&ev);
    labels_unref(item->head.labels);
    labels_unref(item->series);
}

static bool describe(void *arg, const struct level_alert *alert, struct wait wait,
                     struct buf *annotations, struct buf *generator_url)
{
    struct engine *en = arg;
    struct alert_item item;

    engine_view_begin(en);
    struct rule_run *run = map_get(&en->runs, str_of(alert->rule_id));
    bool found = run != NULL && run->rule != NULL && copy_item(run, alert->labels, &item);
    if (found) {
        describe_item(run, &item, alert->slot_ns, wait, annotations, generator_url);
    }
    found = found || describe_departed(en, alert, annotations, generator_url);
    engine_view_end(en);
    return found;
}

struct level_source engine_levels(struct engine *en)
{
    return (struct level_source){.walk = walk, .describe = describe, .arg = en};
}
