/*
 * Two passes: the first checks the form and counts, the second fills arrays of just that size. So the
 * first is where sizes are refused, and the second cannot run over.
 */
#include "wire/pb.h"
#include "wire/remote_write.h"
#include "wire/rw1_metadata.h"
#include "wire/rw1_series.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { FIELD_SERIES = 1, FIELD_METADATA = RW1_FIELD_METADATA };
enum { FIELD_LABEL = 1, FIELD_SAMPLE = 2, FIELD_EXEMPLAR = 3, FIELD_HISTOGRAM = 4 };
enum { FIELD_VALUE = 1, FIELD_TIME = 2 };
enum { NS_PER_MS = 1000 * 1000 };

struct decoder {
    struct str message;
    enum rw1_mode mode;
    const char *series_at; /* the series being read */
    struct err *err;
    struct rw1_extras extras;
    uint32_t series_max; /* counted in the first pass */
    uint64_t samples_max;
    struct samples out;
    uint32_t *series_of;
    int64_t *time_ns;
    double *value;
    struct series_families families; /* what the metadata say */
    const struct series_meta **meta; /* of each series; NULL: there are no metadata */
};

PRINTF_LIKE(3, 4) static bool fail(struct decoder *d, const char *at, const char *fmt, ...)
{
    char message[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return err_set(d->err, ERR_PARSE, "%s at byte %zu of the message", message,
                   (size_t)(at - d->message.ptr));
}

static bool fail_form(struct decoder *d, const struct pb_reader *r)
{
    return fail(d, r->at, "expected a protobuf field");
}

/* Is <f> an embedded message? */
static bool is_message(const struct pb_field *f, uint32_t number)
{
    return f->number == number && f->type == PB_BYTES;
}

static bool count_in_series(struct decoder *d, struct str bytes)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    r.at = rw1_pass_labels(bytes);
    while (pb_next(&r, &f)) {
        d->samples_max += is_message(&f, FIELD_SAMPLE);
        d->extras.exemplars += is_message(&f, FIELD_EXEMPLAR);
        d->extras.histograms += is_message(&f, FIELD_HISTOGRAM);
    }
    return pb_ok(&r) || fail_form(d, &r);
}

static bool count_all(struct decoder *d)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, d->message);
    while (pb_next(&r, &f)) {
        d->extras.metadata += is_message(&f, FIELD_METADATA);
        if (is_message(&f, FIELD_SERIES)) {
            d->series_max++;
            if (!count_in_series(d, f.bytes)) {
                return false;
            }
        }
    }
    if (!pb_ok(&r)) {
        return fail_form(d, &r);
    }
    return d->samples_max <= BATCH_ROWS_MAX ||
           err_set(d->err, ERR_LIMIT, "message of more than %d samples", BATCH_ROWS_MAX);
}

static bool take_arrays(struct decoder *d, struct arena *a)
{
    size_t n = (size_t)d->samples_max;

    d->out.series = arena_try_alloc(a, d->series_max, sizeof(struct labels *));
    d->series_of = arena_try_alloc(a, n, sizeof(*d->series_of));
    d->time_ns = arena_try_alloc(a, n, sizeof(*d->time_ns));
    d->value = arena_try_alloc(a, n, sizeof(*d->value));
    if (d->out.series == NULL || d->series_of == NULL || d->time_ns == NULL || d->value == NULL) {
        return err_set(d->err, ERR_LIMIT, "no room for %zu samples", n);
    }
    if (d->extras.metadata > 0 &&
        (d->meta = arena_try_alloc(a, d->series_max, sizeof(struct series_meta *))) == NULL) {
        return err_set(d->err, ERR_LIMIT, "no room for what %u series are", d->series_max);
    }
    d->out.series_of = d->series_of;
    d->out.time_ns = d->time_ns;
    d->out.value = d->value;
    return true;
}

/* Appends one sample of the series being read. */
static bool take_sample(struct decoder *d, struct str bytes)
{
    struct pb_reader r;
    struct pb_field f;
    int64_t ms = 0;
    double value = 0;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_VALUE && f.type == PB_FIXED64) {
            value = pb_double(&f);
        } else if (f.number == FIELD_TIME && f.type == PB_VARINT) {
            ms = (int64_t)f.value;
        }
    }
    if (!pb_ok(&r)) {
        return fail_form(d, &r);
    }
    if (ms > INT64_MAX / NS_PER_MS || ms < INT64_MIN / NS_PER_MS) {
        return fail(d, r.start, "time %" PRId64 " ms is out of range", ms);
    }
    uint32_t row = d->out.count++;
    d->series_of[row] = d->out.series_count;
    d->time_ns[row] = ms * NS_PER_MS;
    d->value[row] = value;
    return true;
}

/*
 * The label fields of a TimeSeries as one run of bytes. They nearly always stand together; otherwise
 * they are gathered in <scratch>.
 */
struct label_run {
    struct str bytes;
    struct buf scratch;
};

static void run_add(struct label_run *run, const char *from, const char *to)
{
    size_t len = (size_t)(to - from);

    if (run->bytes.len == 0) {
        run->bytes = str_make(from, len);
    } else if (run->scratch.len == 0 && run->bytes.ptr + run->bytes.len == from) {
        run->bytes.len += len;
    } else {
        if (run->scratch.len == 0) {
            buf_add_str(&run->scratch, run->bytes);
        }
        buf_add(&run->scratch, from, len);
        run->bytes = buf_str(&run->scratch);
    }
}

static bool read_fields(struct decoder *d, struct str bytes, struct label_run *run)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    r.at = rw1_pass_labels(bytes);
    run_add(run, bytes.ptr, r.at);
    for (const char *from = r.at; pb_next(&r, &f); from = r.at) {
        if (is_message(&f, FIELD_LABEL)) {
            run_add(run, from, r.at);
        } else if (is_message(&f, FIELD_SAMPLE) && !take_sample(d, f.bytes)) {
            return false;
        }
    }
    return true;
}

/* What the specification asks of the labels a sender writes. */
static bool check_labels(struct decoder *d, struct str raw, const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    if (!str_eq(raw, labels_bytes(l))) {
        return fail(d, d->series_at, "labels are not sorted, unique and without empty values");
    }
    if (!metric_name_is_legacy(labels_get(l, STR("__name__")))) {
        return fail(d, d->series_at, "series without a metric name");
    }
    while (labels_next(l, &at, &pair)) {
        if (!label_name_is_legacy(pair.name) || !str_is_utf8(pair.value)) {
            return fail(d, d->series_at, "label \"%.*s\" has a bad name or value",
                        STR_FMT(pair.name));
        }
    }
    return true;
}

/* ... and of its samples, rows <from> on. */
static bool check_samples(struct decoder *d, uint32_t from)
{
    if (d->out.count == from) {
        return fail(d, d->series_at, "series without a sample");
    }
    for (uint32_t i = from + 1; i < d->out.count; i++) {
        if (d->time_ns[i] <= d->time_ns[i - 1]) {
            return fail(d, d->series_at, "samples of a series are not in order of time");
        }
    }
    return true;
}

static bool take_series(struct decoder *d, struct str bytes)
{
    struct label_run run = {.bytes = STR(""), .scratch = BUF_INIT(BUF_UNLIMITED)};
    struct labels *l = NULL;
    uint32_t from = d->out.count;

    d->series_at = bytes.ptr;
    bool ok = read_fields(d, bytes, &run) && labels_from_bytes(run.bytes, &l, d->err);
    if (ok && d->mode == RW1_STRICT) {
        ok = check_labels(d, run.bytes, l) && check_samples(d, from);
    }
    buf_release(&run.scratch);
    if (!ok || d->out.count == from) {
        labels_unref(l);
        return ok;
    }
    if (d->meta != NULL) {
        d->meta[d->out.series_count] =
            series_families_find(&d->families, labels_get(l, STR("__name__")));
    }
    d->out.series[d->out.series_count++] = l;
    return true;
}

static bool take_all(struct decoder *d)
{
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, d->message);
    while (pb_next(&r, &f)) {
        if (is_message(&f, FIELD_SERIES) && !take_series(d, f.bytes)) {
            return err_wrap(d->err, "series %u", d->out.series_count);
        }
    }
    return true;
}

/* The table of families is read first: metadata may stand behind the series, and nearly always do. */
static bool take_metadata(struct decoder *d, struct arena *a)
{
    if (d->extras.metadata == 0) {
        return true;
    }
    uint32_t bad = rw1_read_metadata(d->message, a, &d->families);
    return bad == 0 || d->mode == RW1_LENIENT ||
           err_set(d->err, ERR_PARSE, "%u metadata are not well formed or without a name", bad);
}

static bool decode(struct decoder *d, struct arena *a)
{
    bool ok = take_metadata(d, a) && take_all(d);

    if (!ok) {
        for (uint32_t i = 0; i < d->out.series_count; i++) {
            labels_unref(d->out.series[i]);
        }
    }
    d->out.meta = d->families.by_name.len > 0 ? d->meta : NULL;
    return ok;
}

bool rw1_decode(struct str message, enum rw1_mode mode, struct arena *a,
                struct samples *ret_samples, struct rw1_extras *ret_extras, struct err *e)
{
    struct decoder d = {.message = message, .mode = mode, .err = e};

    series_families_init(&d.families, (uint64_t)(uintptr_t)message.ptr);
    bool ok = count_all(&d) && take_arrays(&d, a) && decode(&d, a);
    series_families_release(&d.families);
    if (!ok) {
        return false;
    }
    *ret_samples = d.out;
    if (ret_extras != NULL) {
        *ret_extras = d.extras;
    }
    return true;
}
