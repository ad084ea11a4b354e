#include "wire/rw1_series.h"

#include "base/attr.h"
#include "base/varint.h"
#include "model/labels.h"
#include "wire/pb.h"

#include <string.h>

enum { TAG_LABEL = 0x0A, TAG_SAMPLE = 0x12, TAG_VALUE = 0x09, TAG_TIME = 0x10 };
enum { VALUE_FIELD = 1 + 8, TIME_FIELD_MIN = 2 };

enum { FIELD_NAME = 1, FIELD_VALUE = 2 };

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

/* ---- the name ---- */

/* The name where it nearly always stands, in front and short; empty when it does not. */
static struct str first_name(struct str labels)
{
    static const char key[] = "\x0a\x08__name__\x12";
    enum { KEY = sizeof(key) - 1, TEXT_AT = 2 + KEY + 1 };

    if (labels.len < TEXT_AT || memcmp(labels.ptr + 2, key, KEY) != 0) {
        return STR("");
    }
    size_t len = (unsigned char)labels.ptr[TEXT_AT - 1];
    bool is_usual = len < 0x80 && labels.ptr[0] == TAG_LABEL &&
                    (unsigned char)labels.ptr[1] == KEY + 1 + len && labels.len >= TEXT_AT + len;
    return is_usual ? str_make(labels.ptr + TEXT_AT, len) : STR("");
}

static struct label read_label(struct str bytes)
{
    struct label label = {STR_INIT(""), STR_INIT("")};
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.type == PB_BYTES && f.number == FIELD_NAME) {
            label.name = f.bytes;
        } else if (f.type == PB_BYTES && f.number == FIELD_VALUE) {
            label.value = f.bytes;
        }
    }
    return label;
}

struct str rw1_series_name(struct str labels)
{
    struct str name = first_name(labels);
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, labels);
    while (name.len == 0 && pb_next(&r, &f)) {
        struct label label = f.type == PB_BYTES ? read_label(f.bytes) : (struct label){0};
        if (str_eq(label.name, STR("__name__"))) {
            name = label.value;
        }
    }
    return name;
}
