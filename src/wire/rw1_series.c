#include "wire/rw1_series.h"

#include "base/attr.h"
#include "base/varint.h"

enum { TAG_LABEL = 0x0A, TAG_SAMPLE = 0x12, TAG_VALUE = 0x09, TAG_TIME = 0x10 };
enum { VALUE_FIELD = 1 + 8, TIME_FIELD_MIN = 2 };

static const int64_t ms_max = INT64_MAX / 1000000;

const char *rw1_pass_labels(struct str series)
{
    const char *p = series.ptr;
    const char *end = p + series.len;

    while (end - p >= 2 && *p == TAG_LABEL) {
        const char *at = p + 1;
        uint64_t len = 0;
        if (!varint_get(&at, end, &len) || len > (uint64_t)(end - at)) {
            break;
        }
        p = at + len;
    }
    return p;
}

/* Is the field a time that nanoseconds can hold? */
static bool is_time(const char *at, const char *end)
{
    uint64_t ms = 0;

    if (*at++ != TAG_TIME || !varint_get(&at, end, &ms) || at != end) {
        return false;
    }
    return likely((int64_t)ms <= ms_max && (int64_t)ms >= -ms_max);
}

/*
 * Passes over one sample: a value, which senders of proto3 leave out when it is 0, and a time. NULL:
 * it is anything else.
 */
static const char *pass_sample(const char *p, const char *end)
{
    if (end - p < 2 + TIME_FIELD_MIN || *p != TAG_SAMPLE) {
        return NULL;
    }
    size_t len = (unsigned char)p[1];
    size_t value = p[2] == TAG_VALUE ? VALUE_FIELD : 0;
    if (len >= 0x80 || len > (size_t)(end - p - 2) || len < value + TIME_FIELD_MIN) {
        return NULL;
    }
    return is_time(p + 2 + value, p + 2 + len) ? p + 2 + len : NULL;
}

struct rw1_series rw1_series_split(struct str series)
{
    const char *end = series.ptr + series.len;
    const char *from = rw1_pass_labels(series);
    struct rw1_series s = {.labels = str_make(series.ptr, (size_t)(from - series.ptr))};
    const char *to = from;

    for (const char *p = from; p != NULL && p < end;) {
        p = pass_sample(p, end);
        if (p != NULL) {
            s.count++;
            to = p;
        }
    }
    s.samples = str_make(from, (size_t)(to - from));
    return s;
}
