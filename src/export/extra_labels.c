#include "export/extra_labels.h"

static bool is_label_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool is_digit = c >= '0' && c <= '9';
        if (!is_letter && !(is_digit && i > 0)) {
            return false;
        }
    }
    return name.len > 0;
}

static bool err_name(const struct option_pair *pair, struct err *e)
{
#define BAD_NAME "'%.*s' cannot be a label's name; expected letters, digits and '_', no digit first"
    return pair->node != NULL
               ? yaml_key_err(pair->node, e, ERR_CONFIG, BAD_NAME, STR_FMT(pair->name))
               : err_set(e, ERR_CONFIG, BAD_NAME, STR_FMT(pair->name));
}

bool extra_labels_check(const struct option_map *extra, struct err *e)
{
    for (size_t i = 0; i < extra->count; i++) {
        if (!is_label_name(extra->items[i].name)) {
            return err_name(&extra->items[i], e);
        }
    }
    return true;
}

static bool has_all(const struct option_map *extra, const struct labels *labels)
{
    for (size_t i = 0; i < extra->count; i++) {
        if (extra->items[i].value.len > 0 && labels_get(labels, extra->items[i].name).len == 0) {
            return false;
        }
    }
    return true;
}

static struct labels *merge(struct labels_builder *b, const struct option_map *extra,
                            struct labels *labels)
{
    struct labels *merged = NULL;
    struct err ignored = ERR_INIT;

    if (has_all(extra, labels)) {
        return labels_ref(labels);
    }
    labels_builder_start(b, labels);
    for (size_t i = 0; i < extra->count; i++) {
        if (labels_get(labels, extra->items[i].name).len == 0) {
            labels_builder_set(b, extra->items[i].name, extra->items[i].value);
        }
    }
    return labels_build(b, &merged, &ignored) ? merged : labels_ref(labels);
}

struct labels *extra_labels_merge(const struct option_map *extra, struct labels *labels)
{
    struct labels_builder b;

    labels_builder_init(&b);
    struct labels *merged = merge(&b, extra, labels);
    labels_builder_release(&b);
    return merged;
}

/* Times, values and the series of each row are those of <from>. */
static bool label_samples(struct labels_builder *b, const struct option_map *extra,
                          struct batch *from, struct batch *to, struct err *e)
{
    const struct samples *s = NULL;

    if (!batch_samples(from, &s, e)) {
        return false;
    }
    struct samples labelled = *s;
    labelled.series = arena_array(batch_arena(to), struct labels *, s->series_count);
    for (uint32_t i = 0; i < s->series_count; i++) {
        labelled.series[i] = merge(b, extra, s->series[i]);
    }
    batch_set_samples(to, labelled);
    return true;
}

static void label_exports(struct labels_builder *b, const struct option_map *extra,
                          struct arena *arena, struct alert *a)
{
    struct alert_export *exports = arena_array(arena, struct alert_export, a->export_count);

    for (size_t i = 0; i < a->export_count; i++) {
        exports[i] = a->exports[i];
        exports[i].labels = merge(b, extra, a->exports[i].labels);
    }
    a->exports = exports;
}

static bool label_alerts(struct labels_builder *b, const struct option_map *extra,
                         struct batch *from, struct batch *to, struct err *e)
{
    const struct alerts *alerts = NULL;

    if (!batch_alerts(from, &alerts, e)) {
        return false;
    }
    struct alert *rows = arena_array(batch_arena(to), struct alert, alerts->count);
    for (uint32_t i = 0; i < alerts->count; i++) {
        rows[i] = alerts->rows[i];
        rows[i].labels = merge(b, extra, alerts->rows[i].labels);
        label_exports(b, extra, batch_arena(to), &rows[i]);
    }
    batch_set_alerts(to, (struct alerts){.rows = rows, .count = alerts->count});
    return true;
}

static bool label_notes(struct labels_builder *b, const struct option_map *extra,
                        struct batch *from, struct batch *to, struct err *e)
{
    const struct notes *notes = NULL;

    if (!batch_notes(from, &notes, e)) {
        return false;
    }
    struct note *rows = arena_array(batch_arena(to), struct note, notes->count);
    for (uint32_t i = 0; i < notes->count; i++) {
        rows[i] = notes->rows[i];
        rows[i].labels = merge(b, extra, notes->rows[i].labels);
    }
    batch_set_notes(to, (struct notes){.rows = rows, .count = notes->count});
    return true;
}

static bool (*const labellers[RECORD_KINDS])(struct labels_builder *, const struct option_map *,
                                             struct batch *, struct batch *, struct err *) = {
    [RECORD_SAMPLE] = label_samples,
    [RECORD_ALERT] = label_alerts,
    [RECORD_SPAN] = label_notes,
    [RECORD_PROFILE] = label_notes,
};

bool extra_labels_view(const struct option_map *extra, struct view *view, struct batch **ret_batch,
                       struct err *e)
{
    const struct batch_info *info = batch_info(view->batch);
    struct labels_builder b;

    if (extra->count == 0 || labellers[info->kind] == NULL) {
        *ret_batch = NULL;
        return true;
    }
    struct batch *labelled = batch_new(NULL, info);
    labels_builder_init(&b);
    bool ok = labellers[info->kind](&b, extra, view->batch, labelled, e);
    labels_builder_release(&b);
    if (!ok) {
        batch_unref(labelled);
        return false;
    }
    view->batch = labelled;
    *ret_batch = labelled;
    return true;
}
