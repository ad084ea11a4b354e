/*
 * One pass over a message. Nearly all series have the usual form and are checked where they stand;
 * anything else that protobuf allows goes the long way, which is also where errors are worded.
 */
#include "wire/pb.h"
#include "wire/remote_write.h"
#include "wire/rw1_series.h"

#include <inttypes.h>

enum { FIELD_SERIES = 1, FIELD_METADATA = 3 };
enum { FIELD_LABEL = 1, FIELD_SAMPLE = 2, FIELD_EXEMPLAR = 3, FIELD_HISTOGRAM = 4 };
enum { FIELD_TIME = 2 };
enum { NS_PER_MS = 1000 * 1000 };

struct scan {
    const char *start; /* of the message */
    struct rw1_summary found;
    uint64_t samples;
    struct err *err;
};

static bool fail(struct scan *s, const char *at, const char *what)
{
    return err_set(s->err, ERR_PARSE, "%s at byte %zu of the message", what,
                   (size_t)(at - s->start));
}

static bool check_time(struct scan *s, const char *at, uint64_t value)
{
    int64_t ms = (int64_t)value;

    return likely(ms <= INT64_MAX / NS_PER_MS && ms >= INT64_MIN / NS_PER_MS) ||
           err_set(s->err, ERR_PARSE,
                   "time %" PRId64 " ms is out of range at byte %zu of the message", ms,
                   (size_t)(at - s->start));
}

/* A sample with its fields in any order, some twice or missing. */
static bool scan_sample(struct scan *s, struct str bytes)
{
    struct pb_reader r;
    struct pb_field f;
    uint64_t ms = 0;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.number == FIELD_TIME && f.type == PB_VARINT) {
            ms = f.value;
        }
    }
    if (!pb_ok(&r)) {
        return fail(s, r.at, "expected a protobuf field");
    }
    s->samples++;
    return check_time(s, r.start, ms);
}

/* The fields of a series from <r> on; labels are added to <labels>. */
static bool scan_fields(struct scan *s, struct pb_reader *r, struct buf *labels)
{
    struct pb_field f;

    for (const char *from = r->at; pb_next(r, &f); from = r->at) {
        if (f.type != PB_BYTES) {
            continue;
        }
        if (f.number == FIELD_LABEL) {
            buf_add(labels, from, (size_t)(r->at - from));
        } else if (f.number == FIELD_SAMPLE && !scan_sample(s, f.bytes)) {
            return false;
        }
        s->found.extras.exemplars += f.number == FIELD_EXEMPLAR;
        s->found.extras.histograms += f.number == FIELD_HISTOGRAM;
    }
    return pb_ok(r) || fail(s, r->at, "expected a protobuf field");
}

static bool check_labels(struct scan *s, const char *at, struct str labels)
{
    return likely(labels_check_bytes(labels, s->err)) ||
           err_wrap(s->err, "series at byte %zu of the message", (size_t)(at - s->start));
}

/* What stands behind the usual part of a series, which ends at <rest> with labels before <labels_end>. */
static bool scan_rest(struct scan *s, struct str bytes, const char *labels_end, const char *rest)
{
    AUTO(buf_release) struct buf more = BUF_INIT(BUF_UNLIMITED);
    size_t len = (size_t)(labels_end - bytes.ptr);
    struct pb_reader r;

    pb_read_init(&r, bytes);
    r.at = rest;
    buf_add(&more, bytes.ptr, len);
    return scan_fields(s, &r, &more) && check_labels(s, bytes.ptr, buf_str(&more));
}

static bool scan_series(struct scan *s, struct str bytes)
{
    struct rw1_series parts = rw1_series_split(bytes);

    s->samples += parts.count;
    if (likely(rw1_series_is_all(&parts, bytes))) {
        return check_labels(s, bytes.ptr, parts.labels);
    }
    return scan_rest(s, bytes, parts.samples.ptr, parts.samples.ptr + parts.samples.len);
}

bool rw1_scan(struct str message, struct rw1_summary *ret_summary, struct err *e)
{
    struct scan s = {.err = e};
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    s.start = r.start;
    while (pb_next(&r, &f)) {
        uint64_t before = s.samples;
        if (f.type != PB_BYTES) {
            continue;
        }
        if (f.number == FIELD_SERIES && !scan_series(&s, f.bytes)) {
            return false;
        }
        s.found.series += s.samples > before;
        s.found.extras.metadata += f.number == FIELD_METADATA;
    }
    if (!pb_ok(&r)) {
        return fail(&s, r.at, "expected a protobuf field");
    }
    if (s.samples > BATCH_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "message of more than %d samples", BATCH_ROWS_MAX);
    }
    if (s.found.extras.metadata > SERIES_FAMILIES_MAX) {
        return err_set(e, ERR_LIMIT, "message of more than %d metadata", SERIES_FAMILIES_MAX);
    }
    s.found.samples = (uint32_t)s.samples;
    *ret_summary = s.found;
    return true;
}
