/*
 * Remote write 1.0: WriteRequest{1: TimeSeries{1: Label{1 name, 2 value}, 2: Sample{1 double,
 * 2 int64}}}. Unknown fields are passed over. A label set is hashed as it came: writers send labels
 * sorted, so the same series has the same bytes.
 *
 * Invariants:
 * 1. The samples of a body count wholly or, when any part of it is malformed, not at all.
 * 2. totals and seen change only under lock.
 */
#include "bench/sink.h"

#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>

enum { DECODED_MAX_BYTES = 256 << 20, WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static const uint64_t stale_bits = UINT64_C(0x7ff0000000000002);

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
};

struct field {
    uint32_t number;
    uint32_t wire;
    uint64_t scalar;     /* varint and 64-bit fields */
    struct cursor bytes; /* length-delimited fields */
};

/* ---- protobuf ---- */

static bool read_varint(struct cursor *c, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        unsigned char byte = *c->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool read_bytes(struct cursor *c, uint64_t len, struct cursor *ret)
{
    if (len > (uint64_t)(c->end - c->at)) {
        return false;
    }
    *ret = (struct cursor){c->at, c->at + len};
    c->at += len;
    return true;
}

static bool read_fixed(struct cursor *c, size_t len, uint64_t *ret)
{
    struct cursor bytes;
    if (!read_bytes(c, len, &bytes)) {
        return false;
    }
    *ret = 0;
    memcpy(ret, bytes.at, len);
    return true;
}

static bool read_field(struct cursor *c, struct field *ret)
{
    uint64_t tag;
    uint64_t len;
    if (!read_varint(c, &tag)) {
        return false;
    }
    *ret = (struct field){.number = (uint32_t)(tag >> 3), .wire = (uint32_t)(tag & 7)};
    switch (ret->wire) {
    case WIRE_VARINT:
        return read_varint(c, &ret->scalar);
    case WIRE_64:
        return read_fixed(c, 8, &ret->scalar);
    case WIRE_32:
        return read_fixed(c, 4, &ret->scalar);
    case WIRE_BYTES:
        return read_varint(c, &len) && read_bytes(c, len, &ret->bytes);
    default:
        return false;
    }
}

/* ---- one series ---- */

struct series {
    uint64_t hash;
    enum sink_class class;
    struct sink_count count;
};

static bool bytes_are(struct cursor c, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(c.end - c.at) == len && memcmp(c.at, text, len) == 0;
}

static enum sink_class class_of(struct cursor metric)
{
    if (bytes_are(metric, "ALERTS")) {
        return SINK_ALERTS;
    }
    return bytes_are(metric, "ALERTS_FOR_STATE") ? SINK_ALERTS_FOR_STATE : SINK_RECORDED;
}

static bool take_label(struct cursor c, struct series *s)
{
    struct cursor name = {0};
    struct cursor value = {0};
    struct field f;
    s->hash = seen_hash(s->hash, c.at, (size_t)(c.end - c.at));
    while (c.at < c.end) {
        if (!read_field(&c, &f)) {
            return false;
        }
        name = f.number == 1 ? f.bytes : name;
        value = f.number == 2 ? f.bytes : value;
    }
    if (name.at && bytes_are(name, "__name__")) {
        s->class = class_of(value);
    }
    return true;
}

static bool take_sample(struct cursor c, struct series *s)
{
    uint64_t bits = 0;
    uint64_t time_ms = 0;
    struct field f;
    double value;
    while (c.at < c.end) {
        if (!read_field(&c, &f)) {
            return false;
        }
        bits = f.number == 1 ? f.scalar : bits;
        time_ms = f.number == 2 ? f.scalar : time_ms;
    }
    if (bits == stale_bits) {
        s->count.stale++;
        return true;
    }
    memcpy(&value, &bits, sizeof value);
    s->count.samples++;
    s->count.time_sum_ms += time_ms;
    if (value >= 0 && value < 1e15 && value == (double)(uint64_t)value) {
        s->count.whole_sum += (uint64_t)value;
    }
    return true;
}

static bool take_series(struct cursor c, struct series *s)
{
    struct field f;
    while (c.at < c.end) {
        if (!read_field(&c, &f)) {
            return false;
        }
        if (f.number == 1 && !take_label(f.bytes, s)) {
            return false;
        }
        if (f.number == 2 && !take_sample(f.bytes, s)) {
            return false;
        }
    }
    return true;
}

/* ---- one request ---- */

static void add_count(struct sink_count *to, const struct sink_count *from)
{
    to->series += from->series;
    to->samples += from->samples;
    to->stale += from->stale;
    to->whole_sum += from->whole_sum;
    to->time_sum_ms += from->time_sum_ms;
}

static bool take_request(struct sink *s, struct cursor c)
{
    struct sink_count by_class[SINK_CLASSES] = {0};
    struct field f;
    while (c.at < c.end) {
        struct series series = {.class = SINK_RECORDED};
        if (!read_field(&c, &f)) {
            return false;
        }
        if (f.number != 1) {
            continue;
        }
        if (!take_series(f.bytes, &series)) {
            return false;
        }
        series.count.series = seen_add(&s->seen, series.hash) ? 1 : 0;
        add_count(&by_class[series.class], &series.count);
    }
    for (int i = 0; i < SINK_CLASSES; i++) {
        add_count(&s->totals.by_class[i], &by_class[i]);
    }
    return true;
}

static bool make_room(struct sink *s, size_t len)
{
    if (len <= s->decoded_cap) {
        return true;
    }
    char *grown = len <= DECODED_MAX_BYTES ? realloc(s->decoded, len) : NULL;
    if (!grown) {
        return false;
    }
    s->decoded = grown;
    s->decoded_cap = len;
    return true;
}

static bool write_locked(struct sink *s, const void *body, size_t len)
{
    size_t decoded_len;
    if (snappy_uncompressed_length(body, len, &decoded_len) != SNAPPY_OK ||
        !make_room(s, decoded_len) ||
        snappy_uncompress(body, len, s->decoded, &decoded_len) != SNAPPY_OK) {
        return false;
    }
    const unsigned char *start = (const unsigned char *)s->decoded;
    s->totals.bytes_decoded += decoded_len;
    return decoded_len == 0 || take_request(s, (struct cursor){start, start + decoded_len});
}

bool sink_write(struct sink *s, const void *body, size_t len)
{
    pthread_mutex_lock(&s->lock);
    bool good = write_locked(s, body, len);
    s->totals.requests++;
    s->totals.bytes_wire += len;
    s->totals.bad += good ? 0 : 1;
    pthread_mutex_unlock(&s->lock);
    return good;
}

void sink_init(struct sink *s)
{
    *s = (struct sink){0};
    pthread_mutex_init(&s->lock, NULL);
}

struct sink_totals sink_totals(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    struct sink_totals totals = s->totals;
    pthread_mutex_unlock(&s->lock);
    return totals;
}
