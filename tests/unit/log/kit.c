#include "kit.h"

#include <inttypes.h>
#include <stdio.h>

const struct wait kit_forever = {.deadline_mono_ns = DEADLINE_NEVER};

struct wait kit_ms(int64_t ms)
{
    return (struct wait){.deadline_mono_ns = clock_deadline_ms(clock_system(), ms)};
}

void kit_init(struct kit *k, uint64_t seed)
{
    *k = (struct kit){0};
    rng_seed(&k->rng, seed);
    k->metrics = metrics_new();
    k->env = (struct env){.clock = clock_system(), .rng = &k->rng, .metrics = k->metrics};
    k->sim = simfs_new(seed);
    k->options = (struct log_options){
        .name = STR("test"),
        .path = STR("/log"),
        .min_free_bytes = -1,
        .fs = simfs_fs(k->sim),
        .env = &k->env,
    };
}

void kit_release(struct kit *k)
{
    kit_close(k);
    simfs_free(k->sim);
    metrics_free(k->metrics);
}

void kit_open(struct kit *k)
{
    struct err e = ERR_INIT;

    if (!log_open(&k->options, &k->log, &k->report, &e)) {
        fail_msg("%s: %s", e.context, e.message);
    }
}

void kit_close(struct kit *k)
{
    log_close(k->log);
    k->log = NULL;
}

unsigned kit_consumer(struct kit *k, const char *name)
{
    struct err e = ERR_INIT;
    unsigned bit = LOG_CONSUMERS_MAX;

    if (!log_consumer_add(k->log, str_of(name), &bit, &e)) {
        fail_msg("%s", e.message);
    }
    return bit;
}

size_t kit_payload(uint64_t number, char *payload)
{
    size_t length = number % 7 == 0 ? 0 : (size_t)(number * 37 % 300);
    int head = snprintf(payload, KIT_PAYLOAD_MAX, "%" PRIu64 ":", number);

    for (size_t i = 0; i < length; i++) {
        payload[(size_t)head + i] = (char)(number * 31 + i * 7);
    }
    return (size_t)head + length;
}

bool kit_append(struct kit *k, uint64_t number, uint64_t mask, uint64_t *ret_seq)
{
    char payload[KIT_PAYLOAD_MAX];
    size_t length = kit_payload(number, payload);
    struct iovec parts[] = {{payload, 1}, {payload + 1, length - 1}};
    struct log_record record = {
        .type = 7, .flags = (uint16_t)number, .mask = mask, .parts = parts, .part_count = 2};
    struct err e = ERR_INIT;

    return log_append(k->log, &record, kit_ms(5000), ret_seq, &e);
}

uint64_t kit_number(const struct log_frame *f)
{
    char want[KIT_PAYLOAD_MAX];
    uint64_t number = 0;

    for (size_t i = 0; i < f->payload.len && f->payload.ptr[i] != ':'; i++) {
        number = number * 10 + (uint64_t)(f->payload.ptr[i] - '0');
    }
    assert_int_equal(kit_payload(number, want), f->payload.len);
    assert_memory_equal(want, f->payload.ptr, f->payload.len);
    assert_int_equal(f->type, 7);
    assert_int_equal(f->flags, (uint16_t)number);
    assert_int_equal((uintptr_t)f->payload.ptr % 16, 0);
    return number;
}

void kit_read_all(struct kit *k, uint64_t mask, struct kit_numbers *ret_numbers)
{
    AUTO(log_reader_autofree) struct log_reader *r = log_reader_new(k->log, 0, mask);
    const struct log_frame *f = NULL;
    struct err e = ERR_INIT;
    uint64_t last_seq = 0;

    ret_numbers->len = 0;
    for (;;) {
        if (!log_reader_next(r, (struct wait){.deadline_mono_ns = 0}, &f, &e)) {
            fail_msg("%s", e.message);
        }
        if (f == NULL) {
            return;
        }
        assert_true(f->seq > last_seq);
        last_seq = f->seq;
        assert_true(ret_numbers->len < ARRAY_LEN(ret_numbers->items));
        ret_numbers->items[ret_numbers->len++] = kit_number(f);
        log_frame_drop(f);
    }
}
