#include "wire/record_text.h"

#include "base/number.h"
#include "wire/compress.h"
#include "wire/influx_line.h"
#include "wire/prom_text.h"
#include "wire/record_gather.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

/* ---- samples from lines ---- */

struct line_reader {
    struct record_gather gather;
    struct record_text_counts *counts;
    struct labels_builder labels;
    struct buf name;
    int64_t now_ns;
    struct arena metas; /* what the text says of its metrics */
    struct series_families families;
};

static bool start(struct line_reader *r, int64_t now_ns, const struct record_text_taker *taker,
                  struct record_text_counts *counts)
{
    *r = (struct line_reader){.counts = counts, .name = BUF_INIT(BUF_SMALL), .now_ns = now_ns};
    record_gather_init(&r->gather, taker, counts);
    labels_builder_init(&r->labels);
    arena_init(&r->metas, ARENA_UNLIMITED);
    series_families_init(&r->families, (uint64_t)(uintptr_t)taker);
    return true;
}

static bool finish(struct line_reader *r, bool ok, struct err *e)
{
    ok = ok && record_gather_flush(&r->gather, e);
    record_gather_release(&r->gather);
    labels_builder_release(&r->labels);
    buf_release(&r->name);
    series_families_release(&r->families);
    arena_release(&r->metas);
    return ok;
}

/* A sample of the labels in the builder. */
struct named_sample {
    struct str name;
    bool has_time;
    int64_t time_ns;
    double value;
};

static bool add_sample(struct line_reader *r, const struct named_sample *s, struct err *e)
{
    struct gathered_sample sample = {.time_ns = s->has_time ? s->time_ns : r->now_ns,
                                     .value = s->value};

    labels_builder_push(&r->labels, STR("__name__"), s->name);
    if (!labels_build(&r->labels, &sample.labels, e)) {
        return false;
    }
    sample.meta = series_families_find(&r->families, labels_get(sample.labels, STR("__name__")));
    r->families.last = STR(""); /* the set goes with its batch */
    return record_gather_sample(&r->gather, &sample, e);
}

/* ---- Prometheus text ---- */

static struct series_meta *meta_of(struct line_reader *r, struct str family)
{
    struct series_meta *m = map_get(&r->families.by_name, family);

    if (m == NULL) {
        m = arena_new(&r->metas, struct series_meta);
        *m = (struct series_meta){SERIES_UNKNOWN, STR(""), STR("")};
        if (!series_families_add(&r->families, arena_dup(&r->metas, family), m)) {
            return NULL;
        }
    }
    return m;
}

static bool take_prom_meta(void *arg, const struct prom_meta *said, struct err *e)
{
    static const enum series_type types[PROM_TYPES] = {
        [PROM_TYPE_UNKNOWN] = SERIES_UNKNOWN,
        [PROM_TYPE_COUNTER] = SERIES_COUNTER,
        [PROM_TYPE_GAUGE] = SERIES_GAUGE,
        [PROM_TYPE_HISTOGRAM] = SERIES_HISTOGRAM,
        [PROM_TYPE_GAUGEHISTOGRAM] = SERIES_GAUGE_HISTOGRAM,
        [PROM_TYPE_SUMMARY] = SERIES_SUMMARY,
        [PROM_TYPE_INFO] = SERIES_INFO,
        [PROM_TYPE_STATESET] = SERIES_STATE_SET,
    };
    struct line_reader *r = arg;
    struct series_meta *m = meta_of(r, said->name);

    (void)e;
    if (m != NULL && said->kind == PROM_META_TYPE) {
        m->type = types[said->type];
    } else if (m != NULL) {
        *(said->kind == PROM_META_HELP ? &m->help : &m->unit) = arena_dup(&r->metas, said->text);
    }
    return true;
}

static bool take_prom_sample(void *arg, const struct prom_sample *s, struct err *e)
{
    struct line_reader *r = arg;

    labels_builder_clear(&r->labels);
    for (size_t i = 0; i < s->label_count; i++) {
        labels_builder_push(&r->labels, s->labels[i].name, s->labels[i].value);
    }
    const struct named_sample sample = {s->name, s->has_time, s->time_ns, s->value};
    return add_sample(r, &sample, e);
}

static bool read_prom(struct str text, enum prom_text_form form, int64_t now_ns,
                      const struct record_text_taker *taker, struct record_text_counts *counts,
                      struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct line_reader r;
    const struct prom_lines lines = {.sample = take_prom_sample, .meta = take_prom_meta, .arg = &r};

    arena_init(&a, ARENA_UNLIMITED);
    return start(&r, now_ns, taker, counts) &&
           finish(&r, prom_text_read(text, form, &a, &lines, e), e);
}

static bool read_prometheus(struct str text, int64_t now_ns, const struct record_text_taker *taker,
                            struct record_text_counts *counts, struct err *e)
{
    return read_prom(text, PROM_TEXT_PLAIN, now_ns, taker, counts, e);
}

static bool read_openmetrics(struct str text, int64_t now_ns, const struct record_text_taker *taker,
                             struct record_text_counts *counts, struct err *e)
{
    return read_prom(text, PROM_TEXT_OPENMETRICS, now_ns, taker, counts, e);
}

/* ---- line protocol ---- */

static bool number_of(const struct influx_field *f, double *ret_value)
{
    const double values[] = {
        [INFLUX_FLOAT] = f->real,
        [INFLUX_INT] = (double)f->whole,
        [INFLUX_UINT] = (double)f->natural,
        [INFLUX_BOOL] = f->truth ? 1 : 0,
    };
    if ((size_t)f->type >= ARRAY_LEN(values)) {
        return false;
    }
    *ret_value = values[f->type];
    return true;
}

/* A field is a series, named as its measurement and itself; of "value" the measurement alone. */
static bool take_field(struct line_reader *r, const struct influx_point *p,
                       const struct influx_field *f, struct err *e)
{
    double value = 0;

    if (!number_of(f, &value)) {
        r->counts->no_numbers++;
        return true;
    }
    buf_clear(&r->name);
    buf_add_str(&r->name, p->measurement);
    if (!str_eq(f->key, STR("value"))) {
        buf_add_byte(&r->name, '_');
        buf_add_str(&r->name, f->key);
    }
    labels_builder_clear(&r->labels);
    for (size_t i = 0; i < p->tag_count; i++) {
        labels_builder_push(&r->labels, p->tags[i].name, p->tags[i].value);
    }
    const struct named_sample sample = {buf_str(&r->name), p->has_time, p->time_ns, value};
    return add_sample(r, &sample, e);
}

static bool take_point(void *arg, const struct influx_point *p, struct err *e)
{
    bool ok = true;

    for (size_t i = 0; ok && i < p->field_count; i++) {
        ok = take_field(arg, p, &p->fields[i], e);
    }
    return ok;
}

static bool read_influx(struct str text, int64_t now_ns, const struct record_text_taker *taker,
                        struct record_text_counts *counts, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct line_reader r;
    const struct influx_points points = {.point = take_point, .arg = &r};

    arena_init(&a, ARENA_UNLIMITED);
    return start(&r, now_ns, taker, counts) && finish(&r, influx_read(text, &a, &points, e), e);
}

/* ---- a remote-write body ---- */

static bool read_remote_write(struct str text, int64_t now_ns,
                              const struct record_text_taker *taker,
                              struct record_text_counts *counts, struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    AUTO(batch_autounref) struct batch *b = NULL;
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct rw1_summary summary;

    (void)now_ns;
    if (!compression_snappy.unpack(text, RW1_MESSAGE_MAX, &message, e) ||
        !rw1_scan(buf_str(&message), &summary, e)) {
        return false;
    }
    if (summary.samples == 0) {
        return true;
    }
    b = batch_from_bytes(&codec_rw1, text, true, &info, summary.samples);
    counts->rows += summary.samples;
    return taker->take(taker->arg, b, e);
}

/* ---- the table ---- */

static const char *const json_files[] = {".jsonl", ".ndjson", ".json", NULL};
static const char *const prometheus_files[] = {".prom", ".metrics", NULL};
static const char *const openmetrics_files[] = {".om", ".openmetrics", NULL};
static const char *const influx_files[] = {".lp", ".line", ".influx", NULL};
static const char *const remote_write_files[] = {".rw", ".snappy", NULL};

const struct record_text_format record_text_formats[RECORD_TEXT_FORMATS] = {
    {"jsonl", "a JSON object per line, as `file` and `webhook` write them", json_files,
     record_json_read},
    {"prometheus", "Prometheus text 0.0.4", prometheus_files, read_prometheus},
    {"openmetrics", "OpenMetrics 1.0", openmetrics_files, read_openmetrics},
    {"influx", "InfluxDB line protocol", influx_files, read_influx},
    {"remote_write", "the body of a remote-write 1.0 request", remote_write_files,
     read_remote_write},
};

const struct record_text_format *record_text_find(struct str name)
{
    for (size_t i = 0; i < RECORD_TEXT_FORMATS; i++) {
        if (str_eq(name, str_of(record_text_formats[i].name))) {
            return &record_text_formats[i];
        }
    }
    return NULL;
}

static bool has_extension(const struct record_text_format *f, struct str path)
{
    for (const char *const *x = f->extensions; *x != NULL; x++) {
        if (str_ends(path, str_of(*x))) {
            return true;
        }
    }
    return false;
}

const struct record_text_format *record_text_guess(struct str path, struct str text)
{
    for (size_t i = 0; i < RECORD_TEXT_FORMATS; i++) {
        if (has_extension(&record_text_formats[i], path)) {
            return &record_text_formats[i];
        }
    }
    text = str_trim(text);
    bool is_json = text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '[');
    return &record_text_formats[is_json ? 0 : 1];
}

bool record_text_read(const struct record_text_format *format, struct str text, int64_t now_ns,
                      const struct record_text_taker *taker, struct record_text_counts *ret_counts,
                      struct err *e)
{
    *ret_counts = (struct record_text_counts){0};
    return format->read(text, now_ns, taker, ret_counts, e);
}
