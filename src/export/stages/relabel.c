/*
 * Labels changed, and records left out, as Prometheus' relabel config says.
 *
 * Each series of a batch is relabelled once, and a series that was seen lately not even that. What was
 * made of a batch is kept until the batch is done: a view that is tried again costs nothing more, and
 * shows stages below the same batch.
 */
#include "export/exporters/exporters.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "export/combinator.h"
#include "export/stages/around.h"
#include "model/relabel.h"

enum { SLOTS = 16 * 1024, SLOT_BYTES_MAX = 512 };

struct relabel_config {
    struct combinator_common common;
    const struct yaml_node *rules;
};

/* A set and what the rules made of it: NULL for dropped. */
struct slot {
    struct labels *in;
    struct labels *out;
};

struct relabel_sink {
    struct around around;
    struct relabel *rules;
    struct relabel_work work;
    struct slot *slots;
    struct batch *from; /* the last batch, and what it was made into */
    struct batch *to;
    VEC(bool) is_out; /* of each series or alert of <from> */
    bool any_out;
    struct kept_rows kept;
    struct metric *filtered;
};

static const char *const alias_rules[] = {"write_relabel_configs", "rules", NULL};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    {.name = "relabel_configs",
     .aliases = alias_rules,
     .type = OPTION_NODE,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct relabel_config, rules),
     .help = "Rules as in Prometheus' `write_relabel_configs`: source_labels, separator, regex, "
             "modulus, target_label, replacement and action (replace, keep, drop, hashmod, "
             "labelmap, labeldrop, labelkeep, lowercase, uppercase, keepequal, dropequal)."},
};

static const struct option_table option_table = {
    .name = "exporter relabel",
    .help = "Changes the labels of samples and alerts, and leaves records out by them.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct relabel_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct relabel_config *c = config;
    AUTO(relabel_autofree) struct relabel *rules = NULL;

    (void)node;
    return relabel_compile(c->rules, &rules, e);
}

/* ---- sets ---- */

static void slot_set(struct slot *slot, struct labels *in, struct labels *out)
{
    labels_unref(slot->in);
    labels_unref(slot->out);
    slot->in = labels_ref(in);
    slot->out = out != NULL ? labels_ref(out) : NULL;
}

/* A reference to what the rules make of <in>; NULL: dropped. */
static struct labels *relabel(struct relabel_sink *s, struct labels *in)
{
    struct slot *slot = &s->slots[in->hash % SLOTS];

    if (slot->in != NULL && labels_eq(slot->in, in)) {
        return slot->out != NULL ? labels_ref(slot->out) : NULL;
    }
    struct labels *out = relabel_apply(s->rules, &s->work, in);
    if (in->len <= SLOT_BYTES_MAX && (out == NULL || out->len <= SLOT_BYTES_MAX)) {
        slot_set(slot, in, out);
    }
    return out;
}

/* As relabel(); a set that is dropped is noted and stands as the empty one. */
static struct labels *relabel_row(struct relabel_sink *s, struct labels *in)
{
    struct labels *out = relabel(s, in);

    vec_push(&s->is_out, out == NULL);
    s->any_out = s->any_out || out == NULL;
    return out != NULL ? out : labels_empty();
}

/* ---- batches ---- */

/* Times, values and the series of each row are those of <from>. */
static bool make_samples(struct relabel_sink *s, struct batch *from, struct batch *to,
                         struct err *e)
{
    const struct samples *in = NULL;

    if (!batch_samples(from, &in, e)) {
        return false;
    }
    struct samples out = *in;
    out.series = arena_array(batch_arena(to), struct labels *, in->series_count);
    for (uint32_t i = 0; i < in->series_count; i++) {
        out.series[i] = relabel_row(s, in->series[i]);
    }
    batch_set_samples(to, out);
    return true;
}

/* What an alert's query gave is relabelled too, and left out where it is dropped. */
static void make_exports(struct relabel_sink *s, struct arena *arena, struct alert *a)
{
    struct alert_export *exports = arena_array(arena, struct alert_export, a->export_count);
    size_t count = 0;

    for (size_t i = 0; i < a->export_count; i++) {
        struct labels *out = relabel(s, a->exports[i].labels);
        if (out != NULL) {
            exports[count] = a->exports[i];
            exports[count++].labels = out;
        }
    }
    a->exports = exports;
    a->export_count = count;
}

static bool make_alerts(struct relabel_sink *s, struct batch *from, struct batch *to, struct err *e)
{
    const struct alerts *in = NULL;

    if (!batch_alerts(from, &in, e)) {
        return false;
    }
    struct alert *rows = arena_array(batch_arena(to), struct alert, in->count);
    for (uint32_t i = 0; i < in->count; i++) {
        rows[i] = in->rows[i];
        rows[i].labels = relabel_row(s, in->rows[i].labels);
        make_exports(s, batch_arena(to), &rows[i]);
    }
    batch_set_alerts(to, (struct alerts){.rows = rows, .count = in->count});
    return true;
}

static bool (*const makers[RECORD_KINDS])(struct relabel_sink *, struct batch *, struct batch *,
                                          struct err *) = {
    [RECORD_SAMPLE] = make_samples,
    [RECORD_ALERT] = make_alerts,
};

static void forget_batch(struct relabel_sink *s)
{
    batch_unref(TAKE(s->to)); /* borrows columns of the other */
    batch_unref(TAKE(s->from));
    vec_clear(&s->is_out);
    s->any_out = false;
}

/* Has s->to made of <from>, unless it is there already. */
static bool make_batch(struct relabel_sink *s, struct batch *from, struct err *e)
{
    const struct batch_info *info = batch_info(from);

    if (s->from == from) {
        return true;
    }
    forget_batch(s);
    struct batch *to = batch_new(NULL, info);
    if (!makers[info->kind](s, from, to, e)) {
        batch_unref(to);
        return false;
    }
    s->from = batch_ref(from);
    s->to = to;
    return true;
}

/* ---- delivering ---- */

static void keep_rows(struct relabel_sink *s, struct view view)
{
    const uint32_t *series_of =
        batch_info(view.batch)->kind == RECORD_SAMPLE ? batch_own_samples(s->to)->series_of : NULL;

    kept_rows_clear(&s->kept);
    for (uint32_t i = 0; i < view.n; i++) {
        uint32_t row = view_row(view, i);
        if (!s->is_out.items[series_of != NULL ? series_of[row] : row]) {
            kept_rows_add(&s->kept, view, i);
        }
    }
}

static void deliver_made(struct relabel_sink *s, struct view view, struct wait wait,
                         struct outcome *ret)
{
    if (!s->any_out) {
        view.batch = s->to;
        s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
        return;
    }
    keep_rows(s, view);
    metric_add(s->filtered, around_deliver(&s->around, view, s->to, &s->kept, wait, ret));
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct relabel_sink *s = (struct relabel_sink *)sink;

    if (makers[batch_info(view.batch)->kind] == NULL) {
        s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
        return;
    }
    if (!make_batch(s, view.batch, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    deliver_made(s, view, wait, ret);
    if (ret->settled >= view.n && ret->except.list.len == 0) {
        forget_batch(s);
    }
}

static void close_sink(struct sink *sink)
{
    struct relabel_sink *s = (struct relabel_sink *)sink;

    sink_close(s->around.inner);
    forget_batch(s);
    for (size_t i = 0; i < SLOTS; i++) {
        labels_unref(s->slots[i].in);
        labels_unref(s->slots[i].out);
    }
    mem_free(s->slots);
    vec_release(&s->is_out);
    kept_rows_release(&s->kept);
    relabel_work_release(&s->work);
    relabel_free(s->rules);
    metric_drop(s->filtered);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = deliver, .probe = around_probe, .flush = around_flush, .close = close_sink};

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    const struct relabel_config *c = config->config;
    struct relabel *rules = NULL;

    if (!relabel_compile(c->rules, &rules, e)) {
        return false;
    }
    struct relabel_sink *s = mem_new(struct relabel_sink);
    s->around = (struct around){{&ops}, children[0]};
    s->rules = rules;
    relabel_work_init(&s->work);
    s->slots = mem_alloc0(SLOTS, sizeof(struct slot));
    s->filtered = around_filtered_metric(place, "relabel");
    *ret_sink = &s->around.sink;
    return true;
}

static const struct stage_kind stage = {open_stage};

const struct exporter_kind exporter_relabel = {
    .name = "relabel",
    .help = "Changes labels, and leaves records out by them, as Prometheus' relabel config does.",
    .example = "type: relabel\nexporter: { type: file, output_directory: out }\n"
               "relabel_configs:\n"
               "  - { source_labels: [__name__], regex: 'go_.*', action: drop }\n"
               "  - { regex: pod_template_hash, action: labeldrop }\n",
    .not_above_conditional = "its conditions would see the labels as they were before; put relabel "
                             "around the exporters below it",
    .options = &option_table,
    .check = check,
    .stage = &stage,
};
