#include "export/pick.h"

/* Some series of a batch, each copied once. */
struct series_pick {
    const struct samples *in;
    struct samples *out;
    struct arena *arena;
    uint32_t *moved;                 /* where each one went */
    const struct series_meta **meta; /* NULL: nothing is known of any */
    const struct series_meta *last;  /* was copied last: series of a family stand together */
    const struct series_meta *copy;
};

static void pick_meta(struct series_pick *p, uint32_t to, const struct series_meta *m)
{
    if (m != p->last) {
        p->last = m;
        p->copy = m != NULL ? series_meta_dup(p->arena, m) : NULL;
    }
    p->meta[to] = p->copy;
}

/* The series that a row refers to, in the new table. */
static uint32_t pick_series(struct series_pick *p, uint32_t series)
{
    if (p->moved[series] == UINT32_MAX) {
        uint32_t to = p->out->series_count++;
        p->moved[series] = to;
        p->out->series[to] = labels_ref(p->in->series[series]);
        if (p->meta != NULL) {
            pick_meta(p, to, p->in->meta[series]);
        }
    }
    return p->moved[series];
}

static bool pick_samples(struct view view, struct batch *b, struct err *e)
{
    const struct samples *in = NULL;
    struct arena *a = batch_arena(b);

    if (!batch_samples(view.batch, &in, e)) {
        return false;
    }
    uint32_t *moved = arena_alloc(a, in->series_count * sizeof(uint32_t));
    uint32_t *series_of = arena_alloc(a, view.n * sizeof(uint32_t));
    int64_t *time_ns = arena_alloc(a, view.n * sizeof(int64_t));
    double *value = arena_alloc(a, view.n * sizeof(double));
    struct samples out = {.series = arena_alloc(a, in->series_count * sizeof(struct labels *)),
                          .count = view.n,
                          .series_of = series_of,
                          .time_ns = time_ns,
                          .value = value};
    struct series_pick p = {.in = in, .out = &out, .arena = a, .moved = moved};
    memset(moved, 0xFF, in->series_count * sizeof(uint32_t));
    if (in->meta != NULL) {
        out.meta = p.meta = arena_array(a, const struct series_meta *, in->series_count);
    }
    for (uint32_t i = 0; i < view.n; i++) {
        uint32_t row = view_row(view, i);
        series_of[i] = pick_series(&p, in->series_of[row]);
        time_ns[i] = in->time_ns[row];
        value[i] = in->value[row];
    }
    batch_set_samples(b, out);
    return true;
}

static struct str dup(struct arena *a, struct str s)
{
    return s.len > 0 ? arena_dup(a, s) : STR("");
}

static struct alert pick_alert(struct arena *a, const struct alert *in)
{
    struct alert out = *in;
    struct label *annotations = arena_array(a, struct label, in->annotation_count);
    struct alert_export *exports = arena_array(a, struct alert_export, in->export_count);

    out.rule_id = dup(a, in->rule_id);
    out.labels = labels_ref(in->labels);
    for (size_t i = 0; i < in->annotation_count; i++) {
        annotations[i] =
            (struct label){dup(a, in->annotations[i].name), dup(a, in->annotations[i].value)};
    }
    for (size_t i = 0; i < in->export_count; i++) {
        exports[i] = in->exports[i];
        (void)labels_ref(exports[i].labels);
    }
    out.annotations = annotations;
    out.exports = exports;
    return out;
}

static bool pick_alerts(struct view view, struct batch *b, struct err *e)
{
    const struct alerts *in = NULL;

    if (!batch_alerts(view.batch, &in, e)) {
        return false;
    }
    struct alert *rows = arena_array(batch_arena(b), struct alert, view.n);
    for (uint32_t i = 0; i < view.n; i++) {
        rows[i] = pick_alert(batch_arena(b), &in->rows[view_row(view, i)]);
    }
    batch_set_alerts(b, (struct alerts){rows, view.n});
    return true;
}

static bool pick_notes(struct view view, struct batch *b, struct err *e)
{
    const struct notes *in = NULL;

    if (!batch_notes(view.batch, &in, e)) {
        return false;
    }
    struct note *rows = arena_array(batch_arena(b), struct note, view.n);
    for (uint32_t i = 0; i < view.n; i++) {
        rows[i] = note_copy(batch_arena(b), &in->rows[view_row(view, i)]);
    }
    batch_set_notes(b, (struct notes){rows, view.n});
    return true;
}

static bool pick_events(struct view view, struct batch *b, struct err *e)
{
    const struct events *in = NULL;

    if (!batch_events(view.batch, &in, e)) {
        return false;
    }
    struct event *rows = arena_array(batch_arena(b), struct event, view.n);
    for (uint32_t i = 0; i < view.n; i++) {
        rows[i] = event_copy(batch_arena(b), &in->rows[view_row(view, i)]);
    }
    batch_set_events(b, (struct events){rows, view.n});
    return true;
}

static bool (*const pickers[RECORD_KINDS])(struct view, struct batch *, struct err *) = {
    [RECORD_SAMPLE] = pick_samples, [RECORD_ALERT] = pick_alerts,  [RECORD_EVENT] = pick_events,
    [RECORD_SPAN] = pick_notes,     [RECORD_PROFILE] = pick_notes,
};

bool batch_pick(struct view view, struct batch **ret_batch, struct err *e)
{
    const struct batch_info *info = batch_info(view.batch);

    if (view_is_whole(view)) {
        *ret_batch = batch_ref(view.batch);
        return true;
    }
    struct batch *b = batch_new(batch_codec(view.batch), info);
    if (!pickers[info->kind](view, b, e)) {
        batch_unref(b);
        return false;
    }
    *ret_batch = b;
    return true;
}
