#include "wire/record_csv.h"

#include "base/number.h"
#include "base/timetext.h"

void record_csv_init(struct record_csv *r, const struct batch_info *info)
{
    *r = (struct record_csv){.info = info};
}

void record_csv_release(struct record_csv *r)
{
    vec_release(&r->columns);
}

/* Where <name> stands or would have to. */
static size_t column_of(const struct record_csv *r, struct str name)
{
    size_t low = 0;
    size_t high = r->columns.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (str_cmp(r->columns.items[middle], name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add_column(struct record_csv *r, struct str name)
{
    size_t at = column_of(r, name);
    bool is_there = at < r->columns.len && str_eq(r->columns.items[at], name);

    if (is_there || r->columns.len >= RECORD_CSV_COLUMNS_MAX || str_eq(name, STR("__name__"))) {
        return;
    }
    vec_push(&r->columns, name);
    memmove(&r->columns.items[at + 1], &r->columns.items[at],
            (r->columns.len - 1 - at) * sizeof(r->columns.items[0]));
    r->columns.items[at] = name;
}

void record_csv_look_at(struct record_csv *r, const struct labels *labels)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(labels, &at, &pair);) {
        add_column(r, pair.name);
    }
}

void record_csv_look_at_alert(struct record_csv *r, const struct alert *a)
{
    record_csv_look_at(r, a->labels);
    for (size_t i = 0; i < a->export_count; i++) {
        record_csv_look_at(r, a->exports[i].labels);
    }
}

static void add_field(struct buf *out, struct str text)
{
    bool needs_quotes =
        str_find_byte(text, ',') < text.len || str_find_byte(text, '"') < text.len ||
        str_find_byte(text, '\n') < text.len || str_find_byte(text, '\r') < text.len;

    if (!needs_quotes) {
        buf_add_str(out, text);
        return;
    }
    buf_add_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') {
            buf_add_byte(out, '"');
        }
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, '"');
}

void record_csv_head(const struct record_csv *r, struct buf *out)
{
    buf_add_text(out, "timestamp,name,value,state,threshold");
    for (size_t i = 0; i < r->columns.len; i++) {
        buf_add_byte(out, ',');
        add_field(out, r->columns.items[i]);
    }
    buf_add_text(out, "\r\n");
}

/* One line; where both have a label, that of <over> (or NULL) counts. */
static void add_line(const struct record_csv *r, int64_t time_ns, struct str name, double value,
                     const char *state, const struct labels *labels, const struct labels *over,
                     struct buf *out)
{
    buf_add_rfc3339(out, time_ns);
    buf_add_byte(out, ',');
    add_field(out, name);
    buf_add_byte(out, ',');
    if (!number_is_stale_nan(value)) { /* an alert of which nobody said one */
        buf_add_double(out, value);
    }
    buf_addf(out, ",%s,", state);
    if (r->info->has_threshold) {
        buf_add_double(out, r->info->threshold);
    }
    for (size_t i = 0; i < r->columns.len; i++) {
        struct str own = over != NULL ? labels_get(over, r->columns.items[i]) : STR_NONE;
        buf_add_byte(out, ',');
        add_field(out, own.len > 0 ? own : labels_get(labels, r->columns.items[i]));
    }
    buf_add_text(out, "\r\n");
}

static struct str name_of(const struct record_csv *r, struct str own)
{
    return r->info->measurement.len > 0 ? r->info->measurement : own;
}

void record_csv_alert(const struct record_csv *r, const struct alert *a, struct buf *out)
{
    const char *state = a->to == ALERT_RESOLVED ? "resolved" : alert_state_prometheus(a->to);
    struct str name = name_of(r, labels_get(a->labels, STR("alertname")));

    if (a->export_count == 0) {
        add_line(r, a->time_ns, name, a->value, state, a->labels, NULL, out);
    }
    for (size_t i = 0; i < a->export_count; i++) {
        const struct alert_export *x = &a->exports[i];
        add_line(r, x->time_ns, name, x->value, state, a->labels, x->labels, out);
    }
}

bool record_csv_sample(const struct record_csv *r, const struct samples *s, uint32_t row,
                       struct buf *out)
{
    const struct labels *labels = s->series[s->series_of[row]];

    if (number_is_stale_nan(s->value[row])) {
        return false;
    }
    add_line(r, s->time_ns[row], name_of(r, labels_get(labels, STR("__name__"))), s->value[row], "",
             labels, NULL, out);
    return true;
}
