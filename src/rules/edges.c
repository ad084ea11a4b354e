/*
 * Edges as a batch: what is delivered, and what a restart replays. Texts are rendered here, once
 * per edge that is told; a text that fails becomes an error text, never a lost alert.
 *
 * export_query runs once per evaluation and distinct text, at the evaluation's time. An alert gets
 * the series of the answer that agree with its labels on every name that both have, up to a cap per
 * alert and per evaluation: a query that shares no label with the rule would give each alert all of
 * it, and a frame that no log takes.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "wire/edges.h"

#include <stdio.h>

enum {
    EXPORT_QUERIES_MAX = 10000,     /* asked in one evaluation */
    EXPORT_ROWS_KEPT_MAX = 100000,  /* of answers that may be wanted again */
    EXPORT_ROWS_MAX = 10000,        /* of one answer */
    EXPORT_ROWS_ALERT_MAX = 1000,   /* attached to one alert */
    EXPORT_ROWS_BATCH_MAX = 100000, /* attached in one evaluation */
};

/* A batch ends where it has either: far below what a log takes, so that no storm is too large to be told. */
enum { BATCH_ALERTS = 16384, BATCH_BYTES = 8 << 20, ALERT_BYTES = 96, EXPORT_BYTES = 24 };

/* One answer of export_query. */
struct export_answer_set {
    struct str expr;
    VEC(struct alert_export) rows;
    bool failed;
};

struct edge_builder {
    struct evaluation *ev;
    struct arena *arena; /* of the batch under way */
    struct template_world world;
    struct map answers; /* by expr, of struct export_answer_set */
    size_t kept;        /* rows in them */
    size_t asked;
    struct export_answer_set *filling;
    VEC(struct alert_export) agreeing; /* of the alert under way */
    size_t attached;                   /* rows, to all alerts */
    uint64_t cut;                      /* alerts that did not get all their rows */
    uint64_t unasked;                  /* alerts whose query was one too many */
};

/* ---- annotations ---- */

static struct str render_text(struct evaluation *ev, const struct rule_text *text,
                              const struct template_data *data, const struct template_world *world,
                              struct arena *arena)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    struct str plain;

    if (template_is_text(text->text, &plain)) {
        return arena_dup(arena, plain);
    }
    if (!template_render(text->text, data, world, &out, &e)) {
        metric_add(ev->run->engine->template_errors, 1);
        trace_warn(&ev->run->engine->trace, "an annotation's template failed",
                   T_STR("rule", ev->run->rule->name), T_STR("annotation", text->name), T_ERR(&e));
    }
    return arena_dup(arena, buf_str(&out));
}

struct template_data alert_template_data(const struct evaluation *ev, const struct alert_item *item,
                                         const struct alert_status *status)
{
    const struct labels *own = item->series != NULL ? item->series : item->head.labels;

    struct template_data data = rule_template_data(ev->run, own, item->head.labels, status->value,
                                                   ev->slot_ns, status->active_at_ns);
    (void)snprintf(data.alert_id, sizeof(data.alert_id), "%llu",
                   (unsigned long long)alert_api_id(ev->run, item));
    data.is_partial = ev->info.is_partial;
    return data;
}

const struct label *alert_annotations(struct evaluation *ev, const struct alert_item *item,
                                      const struct alert_status *status, struct arena *arena,
                                      size_t *ret_count)
{
    const struct rule *rule = ev->run->rule;
    struct template_world world = evaluation_world(ev);
    struct template_data data = alert_template_data(ev, item, status);
    struct label *pairs = arena_array(arena, struct label, rule->annotation_count);

    for (size_t i = 0; i < rule->annotation_count; i++) {
        pairs[i].name = arena_dup(arena, rule->annotations[i].name);
        pairs[i].value = render_text(ev, &rule->annotations[i], &data, &world, arena);
    }
    *ret_count = rule->annotation_count;
    return pairs;
}

/* ---- export_query ---- */

static bool export_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct edge_builder *eb = arg;
    struct evaluation *ev = eb->ev;
    struct alert_export row = {.time_ns = time_ns, .value = value};

    if (eb->filling->rows.len >= EXPORT_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "export_query gave more than %d series", EXPORT_ROWS_MAX);
    }
    labels_builder_clear(&ev->query_builder);
    if (!datasource_parse_labels(run_datasource(ev->run), raw, eb->arena, &ev->query_builder, e) ||
        !labels_build(&ev->query_builder, &row.labels, e)) {
        return false;
    }
    vec_push(&eb->filling->rows, row);
    return true;
}

static void clear_rows(struct export_answer_set *set)
{
    for (size_t i = 0; i < set->rows.len; i++) {
        labels_unref(set->rows.items[i].labels);
    }
    vec_release(&set->rows);
}

static void release_answers(struct edge_builder *eb)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&eb->answers, &at, NULL, &value)) {
        struct export_answer_set *set = value;
        clear_rows(set);
        mem_free(set->expr.ptr);
        mem_free(set);
    }
    map_release(&eb->answers);
}

/* Answers to questions that each alert asks in its own words are not wanted again. */
static void make_room(struct edge_builder *eb)
{
    if (eb->kept > EXPORT_ROWS_KEPT_MAX) {
        release_answers(eb);
        map_init(&eb->answers, 0);
        eb->kept = 0;
    }
}

static struct export_answer_set *ask(struct edge_builder *eb, struct str expr)
{
    struct evaluation *ev = eb->ev;
    struct export_answer_set *set = mem_new(struct export_answer_set);
    struct query q = evaluation_make_query(ev, expr);
    struct answer_sink sink = {export_row, eb};
    struct answer_info info;
    struct err e = ERR_INIT;

    make_room(eb);
    set->expr = str_make(mem_dup_text(expr.ptr, expr.len), expr.len);
    eb->filling = set;
    eb->asked++;
    if (!run_query(ev->run, &q, &sink, &info, &e)) {
        set->failed = true;
        clear_rows(set);
        trace_warn(&ev->run->engine->trace,
                   "export_query failed; the alert's own value is exported",
                   T_STR("rule", ev->run->rule->name), T_ERR(&e));
    }
    eb->kept += set->rows.len;
    (void)map_put(&eb->answers, set->expr, set);
    return set;
}

/* The text of export_query for this alert. */
static struct str export_text(struct edge_builder *eb, const struct alert_item *item,
                              const struct alert_status *status)
{
    const struct rule_export *x = &eb->ev->run->rule->export;
    struct template_data data = alert_template_data(eb->ev, item, status);
    struct rule_text text = {.name = STR("export_query"), .text = x->query_text};

    return x->query_text != NULL ? render_text(eb->ev, &text, &data, &eb->world, eb->arena)
                                 : x->query;
}

/* Do the two agree on every name that both have? The metric name says nothing. */
static bool agree(const struct labels *row, const struct labels *alert)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(row, &at, &pair);) {
        struct str other = labels_get(alert, pair.name);
        if (other.len != 0 && !str_eq(other, pair.value) && !str_eq(pair.name, STR("__name__"))) {
            return false;
        }
    }
    return true;
}

/* Attaches the rows that agree, as many as the caps allow. */
static void attach_agreeing(struct edge_builder *eb, const struct export_answer_set *set,
                            struct alert *alert)
{
    size_t left = EXPORT_ROWS_BATCH_MAX - eb->attached;
    size_t max = left < EXPORT_ROWS_ALERT_MAX ? left : EXPORT_ROWS_ALERT_MAX;
    bool cut = false;

    vec_clear(&eb->agreeing);
    for (size_t i = 0; !cut && i < set->rows.len; i++) {
        if (agree(set->rows.items[i].labels, alert->labels)) {
            cut = eb->agreeing.len == max;
            if (!cut) {
                vec_push(&eb->agreeing, set->rows.items[i]);
            }
        }
    }
    size_t count = eb->agreeing.len;
    struct alert_export *rows = arena_array(eb->arena, struct alert_export, count);
    for (size_t i = 0; i < count; i++) {
        rows[i] = eb->agreeing.items[i];
        rows[i].labels = labels_ref(rows[i].labels);
        rows[i].time_ns = eb->ev->slot_ns;
    }
    alert->exports = rows;
    alert->export_count = count;
    eb->attached += count;
    eb->cut += cut;
}

/* Says and counts that alerts did not get all that export_query gave for them. */
static void tell_cut(const struct edge_builder *eb)
{
    struct engine *en = eb->ev->run->engine;

    if (eb->cut > 0) {
        metric_add(en->exports_cut, eb->cut);
        trace_warn(&en->trace,
                   "export_query gave more series than an alert takes (1000, and 100000 for all); "
                   "let it share labels with the alert, or aggregate",
                   T_STR("rule", eb->ev->run->rule->name), T_U64("alerts", eb->cut));
    }
    if (eb->unasked > 0) {
        metric_add(en->exports_cut, eb->unasked);
        trace_warn(
            &en->trace,
            "export_query has more different texts in one evaluation than are asked (10000); the "
            "alerts' own values are exported instead; say less of the alert in the query",
            T_STR("rule", eb->ev->run->rule->name), T_U64("alerts", eb->unasked));
    }
}

/* Attaches what export_query gave for this alert; nothing when it failed or no series agrees. */
static void attach_exports(struct edge_builder *eb, const struct alert_item *item,
                           struct alert *alert)
{
    const struct rule_export *x = &eb->ev->run->rule->export;
    bool is_asked = alert->to == ALERT_ALERTING || (x->on_resolve && alert->to == ALERT_RESOLVED);
    if (!x->enabled || x->query.len == 0 || !is_asked) {
        return;
    }
    struct alert_status status = item->status;
    status.value = alert->value;
    struct str expr = export_text(eb, item, &status);
    struct export_answer_set *set = map_get(&eb->answers, expr);
    if (set == NULL && eb->asked < EXPORT_QUERIES_MAX) {
        set = ask(eb, expr);
    }
    if (set == NULL) {
        eb->unasked++;
    } else if (!set->failed) {
        attach_agreeing(eb, set, alert);
    }
}

/* ---- the batch ---- */

static struct alert make_alert(struct edge_builder *eb, const struct pending_edge *edge,
                               enum edges_told told)
{
    struct evaluation *ev = eb->ev;
    const struct alert_item *item =
        (const struct alert_item *)(const void *)series_at(&ev->run->table, edge->item);
    const struct alert_status *next = &edge->next;
    struct alert alert = {.rule_id = arena_dup(eb->arena, ev->run->rule->id),
                          .labels = labels_ref(item->head.labels),
                          .from = item->status.state,
                          .to = next->state,
                          .episode_ns = next->episode_ns,
                          .time_ns = ev->slot_ns,
                          .active_at_ns = next->active_at_ns,
                          .fired_at_ns = next->fired_at_ns,
                          .keep_since_ns = next->keep_since_ns,
                          .resolved_at_ns = next->resolved_at_ns,
                          .value = next->value};

    if (told != EDGES_QUIET) {
        alert.annotations = alert_annotations(ev, item, next, eb->arena, &alert.annotation_count);
        attach_exports(eb, item, &alert);
    }
    return alert;
}

/* What the alert takes in the ledger, about. */
static size_t size_of(const struct alert *a)
{
    size_t size = ALERT_BYTES + a->labels->len;

    for (size_t i = 0; i < a->annotation_count; i++) {
        size += a->annotations[i].name.len + a->annotations[i].value.len;
    }
    for (size_t i = 0; i < a->export_count; i++) {
        size += EXPORT_BYTES + a->exports[i].labels->len;
    }
    return size;
}

/* The first of them, at least one. */
static struct batch *build_some(struct edge_builder *eb, const struct pending_edge *edges,
                                size_t count, enum edges_told told)
{
    struct batch_info info = rule_batch_info(eb->ev->run, RECORD_ALERT, eb->ev->slot_ns);
    struct batch *b = batch_new(&codec_edges, &info);
    uint32_t most = count < BATCH_ALERTS ? (uint32_t)count : BATCH_ALERTS;
    uint32_t taken = 0;
    size_t size = 0;

    eb->arena = batch_arena(b);
    struct alert *rows = arena_array(eb->arena, struct alert, most);
    while (taken < most && size < BATCH_BYTES) {
        rows[taken] = make_alert(eb, &edges[taken], told);
        size += size_of(&rows[taken++]);
    }
    batch_set_alerts(b, (struct alerts){rows, taken});
    return b;
}

bool edges_build(struct evaluation *ev, const struct pending_edge *edges, size_t count,
                 enum edges_told told, struct edges_sink sink, struct err *e)
{
    struct edge_builder eb = {.ev = ev, .world = evaluation_world(ev)};
    bool ok = true;

    map_init(&eb.answers, 0);
    for (size_t at = 0; ok && at < count;) {
        struct batch *b = build_some(&eb, edges + at, count - at, told);
        at += batch_rows(b);
        ok = sink.take(sink.arg, b, e);
        batch_unref(b);
    }
    tell_cut(&eb);
    vec_release(&eb.agreeing);
    release_answers(&eb);
    return ok;
}
