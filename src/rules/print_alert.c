/*
 * Active alerts as JSON. What alerts of a rule have in common is made once. Nobody is asked for it: the text of an
 * annotation that queries is what was written, since this runs for whoever opens a page, on threads that must not
 * wait.
 */
#include "rules/print.h"

#include "base/env.h"
#include "base/number.h"
#include "base/timetext.h"

struct alert_printer {
    struct rule_run *run;
    const struct engine_filter *filter; /* NULL: all are wanted */
    struct evaluation ev;
    struct template_world world;
    struct buf common; /* members that all alerts of the rule have */
    struct buf text;
    int64_t active_ns;
    struct buf active; /* that time as text: alerts of a rule have often begun together */
    struct err ignored;
};

bool alert_state_is_active(enum alert_state state)
{
    return state == ALERT_PENDING || state == ALERT_ALERTING || state == ALERT_SUPPRESSING;
}

uint64_t alert_api_id(const struct rule_run *run, const struct alert_item *item)
{
    return str_hash(run->id, item->head.labels->hash);
}

/* ---- what they have in common ---- */

static void begin_printing(struct alert_printer *p, struct rule_run *run,
                           const struct engine_filter *filter)
{
    const struct rule *rule = run->rule;
    int64_t now_ns = clock_wall_ns(run->engine->env->clock);
    struct json_writer w;

    *p = (struct alert_printer){.run = run,
                                .filter = filter,
                                .common = BUF_INIT(BUF_UNLIMITED),
                                .active = BUF_INIT(BUF_UNLIMITED),
                                .text = BUF_INIT(BUF_UNLIMITED)};
    evaluation_begin(&p->ev, run, now_ns, (struct wait){0, NULL});
    p->world = evaluation_world(&p->ev);
    p->world.query = NULL;
    json_write_init(&w, &p->common);
    json_begin_object(&w);
    show_text(&w, "name", rule->name);
    show_text(&w, "rule_id", rule->id);
    show_text(&w, "group_id", rule->group->id);
    show_text(&w, "expression", rule->expr);
    json_end_object(&w);
}

static void end_printing(struct alert_printer *p)
{
    evaluation_end(&p->ev);
    buf_release(&p->active);
    buf_release(&p->common);
    buf_release(&p->text);
}

/* ---- one of them ---- */

static void print_labels(struct json_writer *w, const struct labels *labels)
{
    struct label pair;

    json_key(w, STR("labels"));
    json_begin_object(w);
    for (uint32_t at = 0; labels_next(labels, &at, &pair);) {
        json_key(w, pair.name);
        json_add_str(w, pair.value);
    }
    json_end_object(w);
}

static void print_annotation(struct alert_printer *p, struct json_writer *w,
                             const struct rule_text *annotation, const struct template_data *data)
{
    struct str plain;

    json_key(w, annotation->name);
    if (template_is_text(annotation->text, &plain)) {
        json_add_str(w, plain);
    } else if ((template_uses(annotation->text) & USES_QUERY) != 0) {
        json_add_str(w, annotation->source);
    } else {
        buf_clear(&p->text);
        (void)template_render(annotation->text, data, &p->world, &p->text, &p->ignored);
        json_add_str(w, buf_str(&p->text));
    }
}

static void print_source(struct alert_printer *p, struct json_writer *w,
                         const struct alert_item *item)
{
    buf_clear(&p->text);
    alert_add_source(&p->ev, item, &p->text);
    show_text(w, "source", buf_str(&p->text));
}

static void print_annotations(struct alert_printer *p, struct json_writer *w,
                              const struct alert_item *item)
{
    const struct rule *rule = p->run->rule;
    struct template_data data = alert_template_data(&p->ev, item, &item->status);

    json_key(w, STR("annotations"));
    json_begin_object(w);
    for (size_t i = 0; i < rule->annotation_count; i++) {
        print_annotation(p, w, &rule->annotations[i], &data);
    }
    json_end_object(w);
}

static void add_active_at(struct alert_printer *p, struct buf *out, int64_t active_ns)
{
    if (active_ns != p->active_ns || p->active.len == 0) {
        buf_clear(&p->active);
        buf_add_rfc3339(&p->active, active_ns);
        p->active_ns = active_ns;
    }
    buf_add_str(out, buf_str(&p->active));
}

static void add_bool(struct buf *out, bool value)
{
    buf_add_str(out, value ? STR("true") : STR("false"));
}

/* Alerts are active from the time that was asked for, which lies before the evaluation. */
static bool is_restored(const struct rule_run *run, const struct alert_status *s)
{
    return s->active_at_ns + run->rule->group->query_offset_ns < run->engine->started_ns;
}

/* The members behind labels and annotations, which need no escapes. */
static void add_status(struct alert_printer *p, struct buf *out, const struct alert_item *item)
{
    const struct alert_status *s = &item->status;
    char value[NUMBER_TEXT_MAX];

    buf_add_str(out, STR(",\"state\":\""));
    buf_add_text(out, alert_state_prometheus(s->state));
    buf_add_str(out, STR("\",\"activeAt\":\""));
    add_active_at(p, out, s->active_at_ns);
    if (s->keep_since_ns != 0) {
        buf_add_str(out, STR("\",\"keepFiringSince\":\""));
        buf_add_rfc3339(out, s->keep_since_ns);
    }
    buf_add_str(out, STR("\",\"value\":\""));
    buf_add(out, value, number_format_go(s->value, value));
    buf_add_str(out, STR("\",\"id\":\""));
    buf_add_u64(out, alert_api_id(p->run, item));
    buf_add_str(out, STR("\",\"restored\":"));
    add_bool(out, is_restored(p->run, s));
    buf_add_str(out, STR(",\"stabilizing\":"));
    add_bool(out, s->state == ALERT_SUPPRESSING);
}

/* <item> is a copy with references of its own, so nothing is locked while texts are rendered. */
static void print_alert(struct alert_printer *p, struct json_writer *w,
                        const struct alert_item *item)
{
    json_begin_object(w);
    print_labels(w, item->head.labels);
    if (p->filter == NULL || !p->filter->plain_alerts) {
        print_annotations(p, w, item);
    }
    print_source(p, w, item);
    add_status(p, w->out, item);
    buf_add_byte(w->out, ',');
    buf_add_str(w->out, str_slice(buf_str(&p->common), 1, p->common.len - 2));
    json_end_object(w);
}

/* ---- lists ---- */

struct copied_items {
    VEC(struct alert_item) items;
};

static void release_copies(struct copied_items *copies)
{
    for (size_t i = 0; i < copies->items.len; i++) {
        labels_unref(copies->items.items[i].head.labels);
        labels_unref(copies->items.items[i].series);
    }
    vec_release(&copies->items);
}

static bool is_wanted(const struct rule_run *run, const struct alert_item *item,
                      const struct engine_filter *filter, const uint64_t *id)
{
    return item->head.labels != NULL && alert_state_is_active(item->status.state) &&
           (filter == NULL || engine_filter_labels(filter, item->head.labels)) &&
           (id == NULL || alert_api_id(run, item) == *id);
}

/* Copies of wanted alerts from place *at on, which moves; false when the table has no more. */
static bool copy_wanted(struct rule_run *run, const struct engine_filter *filter,
                        const uint64_t *id, uint32_t max, uint32_t *at, struct copied_items *copies)
{
    lock_take(&run->lock);
    for (; *at < run->table.count && copies->items.len < max; (*at)++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, *at);
        if (is_wanted(run, item, filter, id)) {
            struct alert_item copy = alert_item_copy(item);
            vec_push(&copies->items, copy);
        }
    }
    bool more = *at < run->table.count;
    lock_give(&run->lock);
    return more;
}

static void print_copies(struct json_writer *w, struct rule_run *run,
                         const struct engine_filter *filter, const struct copied_items *copies)
{
    struct alert_printer p;

    if (copies->items.len == 0) {
        return;
    }
    begin_printing(&p, run, filter);
    for (size_t i = 0; i < copies->items.len; i++) {
        print_alert(&p, w, &copies->items.items[i]);
    }
    end_printing(&p);
}

bool show_alerts(struct json_writer *w, struct rule_run *run, const struct engine_filter *filter,
                 uint32_t *at, uint32_t max)
{
    struct copied_items copies = {0};

    bool more = copy_wanted(run, filter, NULL, max, at, &copies);
    print_copies(w, run, filter, &copies);
    release_copies(&copies);
    return more;
}

bool show_alert_by_id(struct json_writer *w, struct rule_run *run, uint64_t id)
{
    struct copied_items copies = {0};
    uint32_t at = 0;

    (void)copy_wanted(run, NULL, &id, 1, &at, &copies);
    bool found = copies.items.len > 0;
    print_copies(w, run, NULL, &copies);
    release_copies(&copies);
    return found;
}
