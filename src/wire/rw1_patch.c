#include "wire/rw1_patch.h"

#include "base/number.h"
#include "base/varint.h"
#include "wire/pb.h"
#include "wire/rw1_metadata.h"

enum {
    SERIES_TAG = 0x0A,
    SAMPLE_TAG = 0x12,
    VALUE_TAG = 0x09,
    TIME_TAG = 0x10,
    TIME_AT = 2 + 9, /* of the time's tag in a sample field: tag, size, tag and value before it */
    MS_AS_NS = 1000000,
};

/* Patches the sample that ends at <end>; <time> are the bytes of the time's varint. */
static bool patch_sample(char *start, char *end, double value, const char *time, size_t time_len)
{
    size_t whole = TIME_AT + 1 + time_len;

    if ((size_t)(end - start) < whole) {
        return false;
    }
    char *sample = end - whole;
    if (sample[0] != SAMPLE_TAG || (unsigned char)sample[1] != whole - 2 ||
        sample[2] != VALUE_TAG || sample[TIME_AT] != TIME_TAG) {
        return false;
    }
    (void)pb_store64(sample + 3, number_bits(value));
    memcpy(sample + TIME_AT + 1, time, time_len);
    return true;
}

/* What is known of the series does not change. */
static char *pass_metadata(char *at, const char *end)
{
    while (at < end && *at == RW1_TAG_METADATA) {
        uint64_t size = 0;
        const char *body = at + 1;
        if (!varint_get(&body, end, &size) || size > (uint64_t)(end - body)) {
            break;
        }
        at += body - at + (ptrdiff_t)size;
    }
    return at;
}

bool rw1_patch(struct buf *message, const double *values, uint32_t count, int64_t time_ns)
{
    int64_t ms = time_ns / MS_AS_NS - (time_ns % MS_AS_NS < 0);
    char time[VARINT_MAX];
    size_t time_len = (size_t)(varint_put(time, (uint64_t)ms) - time);
    char *end = message->ptr + message->len;
    char *at = pass_metadata(message->ptr, end);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = 0;
        const char *body = at + 1;
        if (at == end || *at != SERIES_TAG || !varint_get(&body, end, &size) ||
            size > (uint64_t)(end - body)) {
            return false;
        }
        char *start = at + (body - at);
        at = start + size;
        if (!patch_sample(start, at, values[i], time, time_len)) {
            return false;
        }
    }
    return at == end;
}
