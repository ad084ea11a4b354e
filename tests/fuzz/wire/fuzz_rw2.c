/*
 * Any bytes as a request of remote write 2.0. What turns into 1.0 is read there with as many samples as were
 * said, and, encoded as 2.0 again, gives the same samples.
 */
#include "base/number.h"
#include "wire/rw2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 22 };

static void release(struct samples *s)
{
    for (uint32_t i = 0; i < s->series_count; i++) {
        labels_unref(s->series[i]);
    }
}

static void check_same(const struct samples *s, const struct samples *t)
{
    INVARIANT(s->count == t->count);
    for (uint32_t i = 0; i < s->count; i++) {
        INVARIANT(labels_eq(s->series[s->series_of[i]], t->series[t->series_of[i]]));
        INVARIANT(s->time_ns[i] == t->time_ns[i]);
        INVARIANT(number_bits(s->value[i]) == number_bits(t->value[i]));
    }
}

static void check_again(const struct samples *s, struct arena *a)
{
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct rw2_summary summary;
    struct samples again;
    struct err e = ERR_INIT;

    uint32_t rows = rw2_encode(s, (struct view){.n = s->count}, 0, UINT32_MAX, 1, &request);
    INVARIANT(rows == s->count);
    INVARIANT(rw2_to_rw1(buf_str(&request), &out, &summary, &e));
    INVARIANT(rw1_decode(buf_str(&out), RW1_LENIENT, a, &again, NULL, &e));
    check_same(s, &again);
    release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf out = BUF_INIT(OUT_MAX);
    struct rw2_summary summary;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!rw2_to_rw1(str_make((const char *)data, size), &out, &summary, &e)) {
        INVARIANT(e.code != ERR_NONE);
        return 0;
    }
    INVARIANT(rw1_decode(buf_str(&out), RW1_LENIENT, &a, &s, NULL, &e));
    INVARIANT(s.count == summary.rw1.samples);
    check_again(&s, &a);
    release(&s);
    return 0;
}
