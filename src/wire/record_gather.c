#include "wire/record_gather.h"

#include "wire/edges.h"
#include "wire/events.h"
#include "wire/notes.h"
#include "wire/remote_write.h"

void record_gather_init(struct record_gather *g, const struct record_text_taker *taker,
                        struct record_text_counts *counts)
{
    *g = (struct record_gather){
        .taker = taker, .counts = counts, .info_key = BUF_INIT(BUF_UNLIMITED)};
    g->info.kind = RECORD_SAMPLE;
    arena_init(&g->info_arena, ARENA_UNLIMITED);
    arena_init(&g->row_arena, ARENA_UNLIMITED);
}

static void forget_rows(struct record_gather *g)
{
    vec_clear(&g->series);
    vec_clear(&g->times);
    vec_clear(&g->values);
    vec_clear(&g->metas);
    g->has_metas = false;
    vec_clear(&g->alerts);
    vec_clear(&g->notes);
    vec_clear(&g->events);
    arena_reset(&g->row_arena);
}

void record_gather_release(struct record_gather *g)
{
    for (size_t i = 0; i < g->series.len; i++) {
        labels_unref(g->series.items[i]);
    }
    for (size_t i = 0; i < g->alerts.len; i++) {
        labels_unref(g->alerts.items[i].labels);
        for (size_t x = 0; x < g->alerts.items[i].export_count; x++) {
            labels_unref(g->alerts.items[i].exports[x].labels);
        }
    }
    for (size_t i = 0; i < g->notes.len; i++) {
        labels_unref(g->notes.items[i].labels);
    }
    vec_release(&g->notes);
    vec_release(&g->events);
    vec_release(&g->series);
    vec_release(&g->times);
    vec_release(&g->values);
    vec_release(&g->metas);
    vec_release(&g->alerts);
    buf_release(&g->info_key);
    arena_release(&g->info_arena);
    arena_release(&g->row_arena);
}

/* ---- batches ---- */

/* What is known of each series; NULL: nothing of any. */
static const struct series_meta *const *make_metas(const struct record_gather *g, struct arena *a)
{
    const struct series_meta **metas = NULL;
    const struct series_meta *last = NULL; /* was copied last: series of a family stand together */
    const struct series_meta *copy = NULL;

    if (g->has_metas) {
        metas = arena_array(a, const struct series_meta *, g->metas.len);
    }
    for (size_t i = 0; metas != NULL && i < g->metas.len; i++) {
        if (g->metas.items[i] != last) {
            last = g->metas.items[i];
            copy = last != NULL ? series_meta_dup(a, last) : NULL;
        }
        metas[i] = copy;
    }
    return metas;
}

/* Each row has its own series: nothing is gained by finding those that are alike. */
static struct batch *make_samples(struct record_gather *g)
{
    struct batch *b = batch_new(&codec_rw1, &g->info);
    struct arena *a = batch_arena(b);
    size_t n = g->series.len;
    uint32_t *series_of = arena_array(a, uint32_t, n);
    int64_t *times = arena_array(a, int64_t, n);
    double *values = arena_array(a, double, n);
    struct labels **series = arena_array(a, struct labels *, n);

    for (size_t i = 0; i < n; i++) {
        series[i] = g->series.items[i];
        series_of[i] = (uint32_t)i;
        times[i] = g->times.items[i];
        values[i] = g->values.items[i];
    }
    batch_set_samples(b, (struct samples){.series = series,
                                          .series_count = (uint32_t)n,
                                          .count = (uint32_t)n,
                                          .series_of = series_of,
                                          .time_ns = times,
                                          .value = values,
                                          .meta = make_metas(g, a)});
    return b;
}

static void copy_alert(struct arena *a, struct alert *to, const struct alert *from)
{
    struct alert_export *exports = arena_array(a, struct alert_export, from->export_count);

    *to = *from;
    to->rule_id = arena_dup(a, from->rule_id);
    to->annotations = label_pairs_dup(a, from->annotations, from->annotation_count);
    for (size_t i = 0; i < from->export_count; i++) {
        exports[i] = from->exports[i];
    }
    to->exports = exports;
}

static struct batch *make_alerts(struct record_gather *g)
{
    struct batch *b = batch_new(&codec_edges, &g->info);
    struct alert *rows = arena_array(batch_arena(b), struct alert, g->alerts.len);

    for (size_t i = 0; i < g->alerts.len; i++) {
        copy_alert(batch_arena(b), &rows[i], &g->alerts.items[i]);
    }
    batch_set_alerts(b, (struct alerts){.rows = rows, .count = (uint32_t)g->alerts.len});
    return b;
}

static struct batch *make_notes(struct record_gather *g)
{
    struct batch *b = batch_new(notes_codec(g->info.kind), &g->info);
    struct note *rows = arena_array(batch_arena(b), struct note, g->notes.len);

    for (size_t i = 0; i < g->notes.len; i++) {
        rows[i] = note_copy(batch_arena(b), &g->notes.items[i]);
        labels_unref(g->notes.items[i].labels);
    }
    batch_set_notes(b, (struct notes){.rows = rows, .count = (uint32_t)g->notes.len});
    return b;
}

static struct batch *make_events(struct record_gather *g)
{
    struct batch *b = batch_new(&codec_events, &g->info);
    struct event *rows = arena_array(batch_arena(b), struct event, g->events.len);

    for (size_t i = 0; i < g->events.len; i++) {
        rows[i] = event_copy(batch_arena(b), &g->events.items[i]);
    }
    batch_set_events(b, (struct events){.rows = rows, .count = (uint32_t)g->events.len});
    return b;
}

bool record_gather_flush(struct record_gather *g, struct err *e)
{
    AUTO(batch_autounref) struct batch *b = NULL;

    if (g->series.len > 0) {
        b = make_samples(g);
    } else if (g->alerts.len > 0) {
        b = make_alerts(g);
    } else if (g->notes.len > 0) {
        b = make_notes(g);
    } else if (g->events.len > 0) {
        b = make_events(g);
    } else {
        return true;
    }
    forget_rows(g);
    g->counts->rows += batch_rows(b);
    return g->taker->take(g->taker->arg, b, e);
}

/* ---- records ---- */

static void keep_texts(struct batch_info *info, struct arena *a)
{
    struct str *const texts[] = {
        &info->rule,        &info->group,  &info->file,   &info->database, &info->measurement,
        &info->metric_type, &info->tenant, &info->origin, &info->expr,     &info->generator_url};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = texts[i]->len > 0 ? arena_dup(a, *texts[i]) : STR("");
    }
    info->annotations = label_pairs_dup(a, info->annotations, info->annotation_count);
}

bool record_gather_info(struct record_gather *g, struct str key, const struct batch_info *info,
                        struct err *e)
{
    if (str_eq(buf_str(&g->info_key), key) && g->info.kind == info->kind) {
        return true;
    }
    if (!record_gather_flush(g, e)) {
        return false;
    }
    arena_reset(&g->info_arena);
    buf_clear(&g->info_key);
    buf_add_str(&g->info_key, key);
    g->info = *info;
    keep_texts(&g->info, &g->info_arena);
    return true;
}

bool record_gather_sample(struct record_gather *g, const struct gathered_sample *sample,
                          struct err *e)
{
    vec_push(&g->series, sample->labels);
    vec_push(&g->times, sample->time_ns);
    vec_push(&g->values, sample->value);
    vec_push(&g->metas, sample->meta);
    g->has_metas = g->has_metas || sample->meta != NULL;
    return g->series.len < RECORD_TEXT_ROWS || record_gather_flush(g, e);
}

bool record_gather_alert(struct record_gather *g, const struct alert *a, struct err *e)
{
    struct alert kept;

    copy_alert(&g->row_arena, &kept, a);
    vec_push(&g->alerts, kept);
    return g->alerts.len < RECORD_TEXT_ROWS || record_gather_flush(g, e);
}

bool record_gather_note(struct record_gather *g, const struct note *n, struct err *e)
{
    struct note kept = note_copy(&g->row_arena, n);

    labels_unref(n->labels); /* the copy has its own */
    vec_push(&g->notes, kept);
    return g->notes.len < RECORD_TEXT_ROWS || record_gather_flush(g, e);
}

bool record_gather_event(struct record_gather *g, const struct event *ev, struct err *e)
{
    struct event kept = event_copy(&g->row_arena, ev);

    vec_push(&g->events, kept);
    return g->events.len < RECORD_TEXT_ROWS || record_gather_flush(g, e);
}
