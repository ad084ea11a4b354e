/*
 * Labels in the manner of node-exporter: a metric name, instance, job and two more, sorted.
 *
 * Invariants:
 * 1. A sample's time takes TIME_BYTES bytes, so it can be written over another.
 */
#include "bench/bodies.h"

#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_BYTES_MAX = 400, TIME_BYTES = 6, VALUE_MAX = 100000, LITERAL_MAX = 65536 };

static const uint64_t first_ms = UINT64_C(1790000000000);

struct writer {
    char *at;
};

static void put_varint(struct writer *w, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *w->at++ = (char)(value | 0x80);
    }
    *w->at++ = (char)value;
}

static void put_bytes(struct writer *w, char tag, const char *bytes, size_t len)
{
    *w->at++ = tag;
    put_varint(w, len);
    memcpy(w->at, bytes, len);
    w->at += len;
}

static void put_label(struct writer *w, const char *name, const char *value)
{
    char pair[256];
    struct writer in = {pair};
    put_bytes(&in, 0x0A, name, strlen(name));
    put_bytes(&in, 0x12, value, strlen(value));
    put_bytes(w, 0x0A, pair, (size_t)(in.at - pair));
}

static void put_labels(struct writer *w, uint32_t number)
{
    static const char *const metrics[] = {
        "node_cpu_seconds_total", "node_disk_read_bytes_total", "node_filesystem_avail_bytes",
        "node_network_receive_bytes_total", "node_memory_MemAvailable_bytes"};
    static const char *const modes[] = {"idle", "iowait", "irq", "nice", "system", "user"};
    char instance[64];
    char cpu[16];
    put_label(w, "__name__", metrics[number % 5]);
    (void)snprintf(cpu, sizeof cpu, "%u", number / 30 % 64);
    put_label(w, "cpu", cpu);
    (void)snprintf(instance, sizeof instance, "node-%05u.dc1.example.org:9100", number / 1920);
    put_label(w, "instance", instance);
    put_label(w, "job", "node-exporter");
    put_label(w, "mode", modes[number / 5 % 6]);
}

/* A series with one sample, whose value and time are written later. */
static size_t put_series(struct writer *w, uint32_t number)
{
    static const char sample[2 + 9 + 1] = "\x12\x10\x09\0\0\0\0\0\0\0\0\x10";
    char series[SERIES_BYTES_MAX];
    struct writer in = {series};
    put_labels(&in, number);
    size_t value_at = (size_t)(in.at - series) + 3;
    memcpy(in.at, sample, sizeof sample);
    in.at += sizeof sample + TIME_BYTES;
    size_t len = (size_t)(in.at - series);
    *w->at++ = 0x0A;
    put_varint(w, len);
    memcpy(w->at, series, len);
    w->at += len;
    return len - value_at;
}

bool bodies_init(struct bodies *b, uint32_t first, uint32_t series)
{
    *b = (struct bodies){.series = series};
    b->message = calloc(series, SERIES_BYTES_MAX);
    b->values = calloc(series, sizeof *b->values);
    if (b->message == NULL || b->values == NULL) {
        return false;
    }
    struct writer w = {b->message};
    for (uint32_t i = 0; i < series; i++) {
        size_t back = put_series(&w, first + i);
        b->values[i] = (size_t)(w.at - b->message) - back;
    }
    b->message_len = (size_t)(w.at - b->message);
    b->packed_cap = snappy_max_compressed_length(b->message_len);
    b->packed = malloc(b->packed_cap);
    return b->packed != NULL;
}

void bodies_release(struct bodies *b)
{
    free(b->message);
    free(b->values);
    free(b->packed);
}

/* A snappy block of nothing but literals. */
static void store(struct bodies *b)
{
    struct writer w = {b->packed};
    size_t left = b->message_len;
    put_varint(&w, left);
    while (left > 0) {
        size_t len = left < LITERAL_MAX ? left : LITERAL_MAX;
        *w.at++ = (char)(61 << 2);
        *w.at++ = (char)((len - 1) & 0xFF);
        *w.at++ = (char)((len - 1) >> 8);
        memcpy(w.at, b->message + (b->message_len - left), len);
        w.at += len;
        left -= len;
    }
    b->packed_len = (size_t)(w.at - b->packed);
}

void bodies_make(struct bodies *b, uint64_t number, struct sent *sent)
{
    uint64_t ms = first_ms + number * 1000;
    for (uint32_t i = 0; i < b->series; i++) {
        struct writer w = {b->message + b->values[i]};
        uint64_t whole = (number * 7919 + i * UINT64_C(31)) % VALUE_MAX;
        double value = (double)whole;
        memcpy(w.at, &value, sizeof value);
        w.at += sizeof value + 1;
        put_varint(&w, ms);
        sent->whole_sum += whole;
        sent->time_sum_ms += ms;
    }
    sent->samples += b->series;
    if (b->is_stored) {
        store(b);
        return;
    }
    b->packed_len = b->packed_cap;
    (void)snappy_compress(b->message, b->message_len, b->packed, &b->packed_len);
}
