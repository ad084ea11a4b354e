#include "export/measures.h"

#include "base/mem.h"
#include "base/vec.h"
#include "wire/remote_write.h"

/* One metric that a field makes. */
struct measure {
    struct str field;
    struct str name;
    struct series_meta meta;
};

struct measures {
    VEC(struct measure) items;
    struct str prefix;
    bool only_mapped;
    bool has_legacy_names; /* of labels */
    bool has_distributions;
};

const char *const measure_names[] = {"any", "legacy", NULL};

/* ---- the mapping ---- */

static bool take_type(const struct measures *m, const struct yaml_node *node, enum series_type *ret,
                      struct err *e)
{
    static const struct {
        const char *name;
        enum series_type type;
    } types[] = {{"gauge", SERIES_GAUGE},
                 {"counter", SERIES_COUNT},
                 {"count", SERIES_COUNT},
                 {"rate", SERIES_RATE},
                 {"distribution", SERIES_DISTRIBUTION}};

    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        bool is_there = types[i].type != SERIES_DISTRIBUTION || m->has_distributions;
        if (is_there && str_eq(node->text, str_of(types[i].name))) {
            *ret = types[i].type;
            return true;
        }
    }
    return yaml_err(node, e, ERR_CONFIG,
                    "'%.*s' is no type of a metric%s; expected gauge, counter%s",
                    STR_FMT(node->text), str_eq(node->text, STR("distribution")) ? " here" : "",
                    m->has_distributions ? ", rate or distribution" : " or rate");
}

/* Where the values of an entry's keys go to. */
struct entry {
    const struct measures *all;
    struct measure *m;
    const struct yaml_node *type;
};

static struct str *text_of(struct entry *x, struct str key)
{
    const struct {
        const char *key;
        struct str *text;
    } texts[] = {
        {"name", &x->m->name},
        {"metric_name", &x->m->name},
        {"source_field", &x->m->field},
        {"help", &x->m->meta.help},
        {"description", &x->m->meta.help},
        {"unit", &x->m->meta.unit},
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (str_eq(key, str_of(texts[i].key))) {
            return texts[i].text;
        }
    }
    return NULL;
}

static bool take_key(struct entry *x, const struct yaml_node *value, struct err *e)
{
    struct str *text = text_of(x, value->key);

    if (str_eq(value->key, STR("type")) || str_eq(value->key, STR("metric_type"))) {
        return take_type(x->all, value, &x->m->meta.type, e);
    }
    if (text == NULL) {
        return yaml_key_err(value, e, ERR_CONFIG,
                            "'%.*s' is nothing that a metric has; expected name, type, help, unit "
                            "or source_field",
                            STR_FMT(value->key));
    }
    return yaml_text(value, text, e);
}

static bool take_entry(const struct measures *all, const struct yaml_node *node, struct measure *m,
                       struct err *e)
{
    struct entry x = {.all = all, .m = m};

    if (node->kind == YAML_SCALAR) {
        return yaml_text(node, &m->name, e);
    }
    if (node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG, "expected the name of a metric, or a mapping");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!take_key(&x, n, e)) {
            return false;
        }
    }
    return true;
}

static bool check_names(const struct measures *m, const struct measure *one,
                        const struct yaml_node *node, struct err *e)
{
    if (one->name.len == 0 || one->field.len == 0) {
        return yaml_err(node, e, ERR_CONFIG, "a metric and its field need names");
    }
    return !m->has_legacy_names || metric_name_is_legacy(one->name) ||
           yaml_key_err(
               node, e, ERR_CONFIG,
               "'%.*s' is no name of a metric here: expected letters, digits, '_' and ':', no digit "
               "first; give it another 'name'",
               STR_FMT(one->name));
}

/* A metric is called as its entry, and measures the field of that name, where it says nothing else. */
static bool take_mapping(struct measures *m, const struct yaml_node *mapping, struct err *e)
{
    if (mapping == NULL || yaml_is_null(mapping)) {
        return true;
    }
    if (mapping->kind != YAML_MAPPING) {
        return yaml_err(mapping, e, ERR_CONFIG, "expected a mapping from fields to metrics");
    }
    for (const struct yaml_node *n = mapping->first; n != NULL; n = n->next) {
        struct measure one = {.field = n->key, .name = n->key};
        one.meta = (struct series_meta){SERIES_UNKNOWN, STR(""), STR("")};
        if (m->items.len >= MEASURES_MAX) {
            return yaml_err(n, e, ERR_LIMIT, "more than %d metrics", MEASURES_MAX);
        }
        if (!take_entry(m, n, &one, e)) {
            return false;
        }
        if (!check_names(m, &one, n, e)) {
            return false;
        }
        vec_push(&m->items, one);
    }
    return true;
}

void measures_free(struct measures *m)
{
    if (m != NULL) {
        vec_release(&m->items);
        mem_free(m);
    }
}

bool measures_compile(const struct measure_options *options, struct measures **ret_measures,
                      struct err *e)
{
    struct measures *m = mem_new(struct measures);

    m->prefix = options->metric_prefix;
    m->only_mapped = options->only_mapped;
    m->has_legacy_names = options->label_names == MEASURE_NAMES_LEGACY;
    m->has_distributions = options->has_distributions;
    if (!take_mapping(m, options->metrics_mapping, e) ||
        !take_mapping(m, options->custom_metrics, e)) {
        measures_free(m);
        return false;
    }
    *ret_measures = m;
    return true;
}

bool measures_check(const struct measure_options *options, struct err *e)
{
    struct measures *m = NULL;

    if (!measures_compile(options, &m, e)) {
        return false;
    }
    measures_free(m);
    return true;
}

/* ---- samples ---- */

struct maker {
    const struct measures *measures;
    struct batch *batch;
    struct labels_builder labels;
    struct buf name;
    VEC(struct labels *) series;
    VEC(const struct series_meta *) metas;
    VEC(double) values;
    VEC(int64_t) times;
};

static const struct series_meta gauge = {SERIES_GAUGE, STR_INIT(""), STR_INIT("")};

/* A name that every store takes: letters, digits and '_', no digit first, and ':' where it may. */
static void add_plain_name(struct str name, bool with_colon, struct buf *out)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                        (c == ':' && with_colon) || (is_digit && out->len > 0);
        buf_add_byte(out, is_plain ? c : '_');
    }
}

/* The labels of a profile; one that is there by its plain name already keeps its value. */
static void start_labels(struct maker *k, const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    labels_builder_start(&k->labels, l);
    while (k->measures->has_legacy_names && labels_next(l, &at, &pair)) {
        if (label_name_is_legacy(pair.name)) {
            continue;
        }
        buf_clear(&k->name);
        add_plain_name(pair.name, false, &k->name);
        struct str plain = arena_dup(batch_arena(k->batch), buf_str(&k->name));
        labels_builder_del(&k->labels, pair.name);
        if (labels_builder_get(&k->labels, plain).len == 0) {
            labels_builder_set(&k->labels, plain, pair.value);
        }
    }
}

static bool add_sample(struct maker *k, const struct note *n, struct str name,
                       const struct series_meta *meta, double value)
{
    struct labels *labels = NULL;
    struct err ignored = ERR_INIT;

    name = arena_dup(batch_arena(k->batch), name); /* it may stand where plain names are made */
    start_labels(k, n->labels);
    labels_builder_set(&k->labels, STR("__name__"), name);
    if (n->name.len > 0) {
        labels_builder_set(&k->labels, STR("profile"), n->name);
    }
    if (!labels_build(&k->labels, &labels, &ignored)) {
        return false; /* more than a label set holds */
    }
    vec_push(&k->series, labels);
    vec_push(&k->metas, meta);
    vec_push(&k->values, value);
    vec_push(&k->times, n->time_ns);
    return true;
}

static struct str plain_name(struct maker *k, struct str field)
{
    buf_clear(&k->name);
    buf_add_str(&k->name, k->measures->prefix);
    add_plain_name(field, true, &k->name);
    return buf_str(&k->name);
}

static void add_field(struct maker *k, const struct note *n, const struct note_field *f)
{
    const struct measures *m = k->measures;
    bool is_mapped = false;
    double value = 0;

    if (!note_field_number(f, &value)) {
        return;
    }
    for (size_t i = 0; i < m->items.len; i++) {
        const struct measure *one = &m->items.items[i];
        if (str_eq(one->field, f->name)) {
            is_mapped = true;
            (void)!add_sample(k, n, one->name, &one->meta, value);
        }
    }
    if (!is_mapped && !m->only_mapped) {
        (void)!add_sample(k, n, plain_name(k, f->name), &gauge, value);
    }
}

/* Each sample has a series of its own: a profile has no two of one. */
static void finish(struct maker *k)
{
    struct arena *a = batch_arena(k->batch);
    size_t n = k->series.len;
    uint32_t *series_of = arena_array(a, uint32_t, n);
    struct labels **series = arena_array(a, struct labels *, n);
    const struct series_meta **metas = arena_array(a, const struct series_meta *, n);
    double *values = arena_array(a, double, n);
    int64_t *times = arena_array(a, int64_t, n);

    for (size_t i = 0; i < n; i++) {
        series_of[i] = (uint32_t)i;
        series[i] = k->series.items[i];
        metas[i] = k->metas.items[i];
        values[i] = k->values.items[i];
        times[i] = k->times.items[i];
    }
    batch_set_samples(k->batch, (struct samples){.series = series,
                                                 .series_count = (uint32_t)n,
                                                 .count = (uint32_t)n,
                                                 .series_of = series_of,
                                                 .time_ns = times,
                                                 .value = values,
                                                 .meta = metas});
}

static void make_rows(struct maker *k, struct view view, const struct notes *notes, uint32_t *first)
{
    for (uint32_t i = 0; i < view.n; i++) {
        const struct note *n = &notes->rows[view_row(view, i)];
        first[i] = (uint32_t)k->series.len;
        for (size_t f = 0; f < n->field_count; f++) {
            add_field(k, n, &n->fields[f]);
        }
    }
    first[view.n] = (uint32_t)k->series.len;
}

bool measures_make(const struct measures *m, struct view view, struct batch **ret_samples,
                   uint32_t **ret_first, struct err *e)
{
    struct batch_info info = *batch_info(view.batch);
    const struct notes *notes = NULL;
    struct maker k = {.measures = m, .name = BUF_INIT(BUF_SMALL)};

    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    info.kind = RECORD_SAMPLE;
    k.batch = batch_new(&codec_rw1, &info);
    labels_builder_init(&k.labels);
    *ret_first = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    make_rows(&k, view, notes, *ret_first);
    finish(&k);
    labels_builder_release(&k.labels);
    buf_release(&k.name);
    vec_release(&k.series);
    vec_release(&k.metas);
    vec_release(&k.values);
    vec_release(&k.times);
    *ret_samples = k.batch;
    return true;
}
