/*
 * Labels changed, and records left out, as Prometheus' relabel config says.
 *
 * Samples that are still the message they came as stay one: its labels are changed as bytes, and a series
 * that was seen lately costs a look at them. Whatever else is relabelled by its columns. What was made of
 * a batch is kept until the batch is done: a view that is tried again costs nothing more, and shows
 * stages below the same batch.
 */
#include "export/exporters/exporters.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "export/combinator.h"
#include "export/stages/around.h"
#include "export/stages/relabel_cache.h"
#include "model/relabel.h"
#include "wire/compress.h"
#include "wire/remote_write.h"

#define GONE UINT32_MAX /* a row that the rules dropped */

struct relabel_config {
    struct combinator_common common;
    const struct yaml_node *rules;
};

struct relabel_sink {
    struct around around;
    struct relabel *rules;
    struct relabel_work work;
    struct relabel_cache *cache; /* made when it is needed first */
    struct batch *from;          /* the last batch, and what it was made into */
    struct batch *to;
    VEC(uint32_t) rows; /* the row of <to> for each one of <from>, or GONE; empty: the same */
    uint32_t row_in;    /* while it is made: rows read so far, and made */
    uint32_t row_out;
    struct buf message;
    struct buf made;
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
     .help =
         "Rules as in Prometheus' `write_relabel_configs`: source_labels, separator, regex, "
         "modulus, target_label, replacement and action (replace, keep, drop, hashmod, "
         "labelmap, labeldrop, labelkeep, lowercase, uppercase, keepequal, dropequal), and "
         "vmalert's (replace_all, labelmap_all, keep_if_equal, drop_if_equal, keep_if_contains, "
         "drop_if_contains, graphite, and `if`)."},
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

/* ---- rows ---- */

/* The next <n> rows are made, or GONE; <gap>: a row that is gone leaves its number in <to> unused. */
static void note_rows(struct relabel_sink *s, uint32_t n, bool made, bool gap)
{
    if (!made && s->rows.len == 0) {
        for (uint32_t i = 0; i < s->row_in; i++) {
            vec_push(&s->rows, i);
        }
    }
    for (uint32_t i = 0; i < n && (!made || s->rows.len > 0); i++) {
        vec_push(&s->rows, made ? s->row_out + i : GONE);
    }
    s->row_in += n;
    s->row_out += made || gap ? n : 0;
}

static void forget_rows(struct relabel_sink *s)
{
    vec_clear(&s->rows);
    s->row_in = 0;
    s->row_out = 0;
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
        out.series[i] = relabel_apply(s->rules, &s->work, in->series[i]);
    }
    for (uint32_t i = 0; i < in->count; i++) {
        note_rows(s, 1, out.series[in->series_of[i]] != NULL, true);
    }
    for (uint32_t i = 0; i < in->series_count; i++) {
        out.series[i] = out.series[i] != NULL ? out.series[i] : labels_empty();
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
        struct labels *out = relabel_apply(s->rules, &s->work, a->exports[i].labels);
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
        struct labels *labels = relabel_apply(s->rules, &s->work, in->rows[i].labels);
        note_rows(s, 1, labels != NULL, true);
        rows[i].labels = labels != NULL ? labels : labels_empty();
        make_exports(s, batch_arena(to), &rows[i]);
    }
    batch_set_alerts(to, (struct alerts){.rows = rows, .count = in->count});
    return true;
}

static bool make_notes(struct relabel_sink *s, struct batch *from, struct batch *to, struct err *e)
{
    const struct notes *in = NULL;

    if (!batch_notes(from, &in, e)) {
        return false;
    }
    struct note *rows = arena_array(batch_arena(to), struct note, in->count);
    for (uint32_t i = 0; i < in->count; i++) {
        rows[i] = in->rows[i];
        struct labels *labels = relabel_apply(s->rules, &s->work, in->rows[i].labels);
        note_rows(s, 1, labels != NULL, true);
        rows[i].labels = labels != NULL ? labels : labels_empty();
    }
    batch_set_notes(to, (struct notes){.rows = rows, .count = in->count});
    return true;
}

static bool (*const makers[RECORD_KINDS])(struct relabel_sink *, struct batch *, struct batch *,
                                          struct err *) = {
    [RECORD_SAMPLE] = make_samples,
    [RECORD_ALERT] = make_alerts,
    [RECORD_SPAN] = make_notes,
    [RECORD_PROFILE] = make_notes,
};

static void forget_batch(struct relabel_sink *s)
{
    batch_unref(TAKE(s->to)); /* borrows columns of the other */
    batch_unref(TAKE(s->from));
    forget_rows(s);
}

/* ---- messages ---- */

static enum rw1_labels make_labels(void *arg, struct str labels, uint32_t samples, struct str *ret)
{
    struct relabel_sink *s = arg;
    enum rw1_labels made = relabel_cached(s->cache, labels, ret);

    note_rows(s, samples, made == RW1_LABELS_MADE, false);
    return made;
}

/* The message of <from> with other labels in s->made; false: it must be decoded to know. */
static bool relabel_message(struct relabel_sink *s, struct batch *from)
{
    const struct rw1_relabeller relabeller = {make_labels, s};
    struct str encoded = STR("");
    struct err ignored = ERR_INIT;
    uint64_t samples = 0;

    buf_clear(&s->message);
    buf_clear(&s->made);
    return batch_encoded(from, &encoded, &ignored) &&
           compression_snappy.unpack(encoded, RW1_MESSAGE_MAX, &s->message, &ignored) &&
           rw1_relabel(buf_str(&s->message), &relabeller, &s->made, &samples) &&
           samples == batch_rows(from);
}

/* NULL: not this way. */
static struct batch *make_message(struct relabel_sink *s, struct batch *from)
{
    AUTO(buf_release) struct buf packed = BUF_INIT(RW1_MESSAGE_MAX);
    struct err ignored = ERR_INIT;

    if (batch_codec(from) != &codec_rw1 || batch_has_columns(from)) {
        return NULL;
    }
    s->cache = s->cache != NULL ? s->cache : relabel_cache_new(s->rules);
    if (!relabel_message(s, from) ||
        !compression_snappy.pack(buf_str(&s->made), &packed, &ignored)) {
        forget_rows(s);
        return NULL;
    }
    struct str bytes = buf_str(&packed);
    (void)buf_take(&packed);
    return batch_from_bytes(&codec_rw1, bytes, false, batch_info(from), s->row_out);
}

/* NULL with the error: the batch cannot be read. */
static struct batch *make_columns(struct relabel_sink *s, struct batch *from, struct err *e)
{
    struct batch *to = batch_new(NULL, batch_info(from));

    if (!makers[batch_info(from)->kind](s, from, to, e)) {
        batch_unref(to);
        return NULL;
    }
    return to;
}

/* The rows of <to> are of the same frames; those that are gone leave gaps between the numbers. */
static void set_parts(const struct relabel_sink *s, const struct batch *from, struct batch *to)
{
    struct frame_parts parts = *batch_parts(from);
    bool is_packed = s->rows.len > 0 && batch_rows(to) < batch_rows(from);

    parts.is_relabelled = true;
    if (parts.count == 0) {
        return;
    }
    if (!is_packed) {
        batch_set_parts(to, &parts, batch_rows(to));
        return;
    }
    uint32_t *rows = mem_alloc(((size_t)batch_rows(to) + 1) * sizeof(*rows));
    for (uint32_t i = 0; i < s->rows.len; i++) {
        if (s->rows.items[i] != GONE) {
            rows[s->rows.items[i]] = parts.rows != NULL ? parts.rows[i] : i;
        }
    }
    parts.rows = rows;
    batch_set_parts(to, &parts, batch_rows(to));
    mem_free(rows);
}

/* Has s->to made of <from>, unless it is there already. */
static bool make_batch(struct relabel_sink *s, struct batch *from, struct err *e)
{
    if (s->from == from) {
        return true;
    }
    forget_batch(s);
    struct batch *to = make_message(s, from);
    if (to == NULL) {
        to = make_columns(s, from, e);
    }
    if (to == NULL) {
        return false;
    }
    set_parts(s, from, to);
    s->from = batch_ref(from);
    s->to = to;
    return true;
}

/* ---- delivering ---- */

static void keep_rows(struct relabel_sink *s, struct view view)
{
    kept_rows_clear(&s->kept);
    for (uint32_t i = 0; i < view.n; i++) {
        uint32_t row = s->rows.items[view_row(view, i)];
        if (row != GONE) {
            kept_rows_add_as(&s->kept, i, row);
        }
    }
}

static void deliver_made(struct relabel_sink *s, struct view view, struct wait wait,
                         struct outcome *ret)
{
    if (s->rows.len == 0) {
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
    relabel_cache_free(s->cache);
    vec_release(&s->rows);
    buf_release(&s->message);
    buf_release(&s->made);
    kept_rows_release(&s->kept);
    relabel_work_release(&s->work);
    relabel_free(s->rules);
    metric_drop(s->filtered);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = around_probe,
                                    .flush = around_flush,
                                    .tend = around_tend,
                                    .close = close_sink};

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
    buf_init(&s->message, RW1_MESSAGE_MAX);
    buf_init(&s->made, RW1_MESSAGE_MAX);
    s->filtered = around_filtered_metric(place, "relabel");
    *ret_sink = &s->around.sink;
    return true;
}

static const struct stage_kind stage = {.open = open_stage};

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
