#include "wire/prom_expose.h"

#include "base/number.h"

#include <stdlib.h>

/* One metric of a page. */
struct family {
    struct str name; /* as HELP and TYPE say it */
    struct series_meta meta;
};

const char *prom_expose_refusal(const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    if (!metric_name_is_legacy(labels_get(l, STR("__name__")))) {
        return "its name is none that Prometheus takes";
    }
    while (labels_next(l, &at, &pair)) {
        if (!label_name_is_legacy(pair.name)) {
            return "a label's name is none that Prometheus takes";
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const struct prom_point *x = a;
    const struct prom_point *y = b;
    int by_name = str_cmp(x->name, y->name);

    return by_name != 0 ? by_name : labels_cmp(x->labels, y->labels);
}

void prom_points_sort(struct prom_point *points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        points[i].name = labels_get(points[i].labels, STR("__name__"));
    }
    if (count > 1) {
        qsort(points, count, sizeof(*points), compare);
    }
}

static void add_help(struct buf *out, struct str help, enum prom_text_form form)
{
    for (size_t i = 0; i < help.len; i++) {
        char c = help.ptr[i];
        if (c == '\n') {
            buf_add_text(out, "\\n");
        } else {
            buf_add_text(out, c == '\\' || (c == '"' && form == PROM_TEXT_OPENMETRICS) ? "\\" : "");
            buf_add_byte(out, c);
        }
    }
}

/* Is there a metric called <base><suffix>? */
static bool has_metric(const struct prom_point *points, size_t count, struct str base,
                       const char *suffix)
{
    size_t low = 0;
    size_t high = count;
    struct str tail = str_of(suffix);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct str name = points[middle].name;
        int order = str_cmp(str_slice(name, 0, base.len), base);
        order = order != 0 ? order : str_cmp(str_slice(name, base.len, name.len), tail);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}

static bool is_countable(const struct prom_point *family, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!(family[i].value >= 0)) { /* NaN too */
            return false;
        }
    }
    return true;
}

static bool is_counter(const struct family *f)
{
    return f->meta.type == SERIES_COUNTER || f->meta.type == SERIES_COUNT;
}

/* What OpenMetrics demands of a counter; then its metric is named without the end. */
static void suit_openmetrics(const struct prom_point *points, size_t count,
                             const struct prom_point *first, size_t rows, struct family *f)
{
    struct str tail = STR("_total");

    if (is_counter(f)) {
        struct str base = str_slice(f->name, 0, f->name.len - tail.len);
        if (str_ends(f->name, tail) && base.len > 0 && is_countable(first, rows) &&
            !has_metric(points, count, base, "") && !has_metric(points, count, base, "_created")) {
            f->name = base;
        } else {
            f->meta.type = SERIES_UNKNOWN;
        }
    }
    size_t end = f->name.len - (f->meta.unit.len < f->name.len ? f->meta.unit.len : f->name.len);
    if (f->meta.unit.len > 0 &&
        (end < 2 || !str_ends(f->name, f->meta.unit) || f->name.ptr[end - 1] != '_')) {
        f->meta.unit = STR("");
    }
}

/* What is known of <rows> series of one name: what the first says that says something. */
static struct series_meta meta_of(const struct prom_point *first, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        const struct series_meta *m = first[i].meta;
        if (m != NULL && (m->type != SERIES_UNKNOWN || m->help.len > 0 || m->unit.len > 0)) {
            return *m;
        }
    }
    return (struct series_meta){0};
}

static void add_head(struct buf *out, const struct family *f, enum prom_text_form form)
{
    static const char *const types[SERIES_TYPES] = {
        [SERIES_GAUGE] = "gauge", [SERIES_COUNTER] = "counter",    [SERIES_COUNT] = "counter",
        [SERIES_RATE] = "gauge",  [SERIES_DISTRIBUTION] = "gauge",
    };

    if (f->meta.help.len > 0) {
        buf_addf(out, "# HELP %.*s ", STR_FMT(f->name));
        add_help(out, f->meta.help, form);
        buf_add_byte(out, '\n');
    }
    if (types[f->meta.type] != NULL) {
        buf_addf(out, "# TYPE %.*s %s\n", STR_FMT(f->name), types[f->meta.type]);
    }
    if (f->meta.unit.len > 0 && form == PROM_TEXT_OPENMETRICS) {
        buf_addf(out, "# UNIT %.*s %.*s\n", STR_FMT(f->name), STR_FMT(f->meta.unit));
    }
}

void prom_expose(const struct prom_point *points, size_t count, enum prom_text_form form,
                 struct buf *out)
{
    size_t rows = 0;

    for (size_t i = 0; i < count; i += rows) {
        rows = 1;
        while (i + rows < count && str_eq(points[i + rows].name, points[i].name)) {
            rows++;
        }
        struct family f = {points[i].name, meta_of(points + i, rows)};
        if (form == PROM_TEXT_OPENMETRICS) {
            suit_openmetrics(points, count, points + i, rows, &f);
        }
        add_head(out, &f, form);
        for (size_t r = i; r < i + rows; r++) {
            prom_text_add_sample(out, points[r].labels, points[r].value, NULL);
        }
    }
    buf_add_text(out, form == PROM_TEXT_OPENMETRICS ? "# EOF\n" : "");
}

/* ---- which of the two ---- */

/* One range of an Accept header. */
struct range {
    struct str type;
    struct str version; /* empty: any */
    double quality;
};

static struct range read_range(struct str part)
{
    struct range ret = {STR_NONE, STR_NONE, 1};
    struct str parameter;

    (void)str_split(&part, ';', &ret.type);
    ret.type = str_trim(ret.type);
    while (str_split(&part, ';', &parameter)) {
        parameter = str_trim(parameter);
        struct str value = str_slice(parameter, 2, parameter.len);
        if (str_starts(parameter, STR("version="))) {
            ret.version = str_slice(parameter, 8, parameter.len);
        } else if (str_starts(parameter, STR("q=")) && !number_parse(value, &ret.quality)) {
            ret.quality = 0;
        }
    }
    return ret;
}

static bool is_openmetrics(const struct range *r)
{
    return str_eq_nocase(r->type, STR("application/openmetrics-text")) &&
           (r->version.len == 0 || str_eq(r->version, STR("1.0.0")));
}

static bool is_plain(const struct range *r)
{
    return (str_eq_nocase(r->type, STR("text/plain")) &&
            (r->version.len == 0 || str_eq(r->version, STR("0.0.4")))) ||
           str_eq(r->type, STR("text/*")) || str_eq(r->type, STR("*/*"));
}

enum prom_text_form prom_text_accepted(struct str accept)
{
    double plain = 0;
    double openmetrics = 0;
    struct str part;

    while (str_split(&accept, ',', &part)) {
        struct range r = read_range(part);
        if (is_openmetrics(&r) && r.quality > openmetrics) {
            openmetrics = r.quality;
        } else if (is_plain(&r) && r.quality > plain) {
            plain = r.quality;
        }
    }
    return openmetrics > plain ? PROM_TEXT_OPENMETRICS : PROM_TEXT_PLAIN;
}

const char *prom_text_content_type(enum prom_text_form form)
{
    return form == PROM_TEXT_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}
