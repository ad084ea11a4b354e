/* A patched message is the message that encoding the new values would have made. */
#include "wire/rw1_patch.h"

#include "base/mem.h"
#include "base/rand.h"
#include "wire/remote_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SERIES = 200, ROUNDS = 30, MS = 1000000 };

static struct labels *numbered(uint32_t number)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", number);
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), STR("m"));
    labels_builder_set(&b, STR("n"), str_of(text));
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

/* Series with <values> at <time_ns>, encoded. */
static void encode(const double *values, uint32_t count, int64_t time_ns, struct buf *out)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct batch *b = batch_new(&codec_rw1, &info);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, count);
    int64_t *times = arena_array(batch_arena(b), int64_t, count);
    struct labels **series = arena_array(batch_arena(b), struct labels *, count);

    for (uint32_t i = 0; i < count; i++) {
        series[i] = numbered(i * i);
        series_of[i] = i;
        times[i] = time_ns;
    }
    struct samples s = {series, count, count, series_of, times, values, NULL};
    batch_set_samples(b, s);
    assert_int_equal(rw1_encode(&s, view_all(b), 0, RW1_MESSAGE_MAX, out), count);
    batch_unref(b);
}

static void random_values(struct rng *rng, double *values)
{
    static const double odd[] = {0, -0.0, 1, INFINITY, -INFINITY, NAN};

    for (uint32_t i = 0; i < SERIES; i++) {
        uint64_t pick = rng_below(rng, 20);
        values[i] = pick < ARRAY_LEN(odd) ? odd[pick] : rng_unit(rng) * 1e6;
    }
}

static void a_patch_equals_an_encoding(void **state)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    AUTO(buf_release) struct buf fresh = BUF_INIT(RW1_MESSAGE_MAX);
    double values[SERIES];
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    random_values(&rng, values);
    encode(values, SERIES, INT64_C(1700000000000) * MS, &message);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t time_ns = (INT64_C(1700000000000) + (int64_t)rng_below(&rng, 1 << 30)) * MS +
                          (int64_t)rng_below(&rng, MS);
        random_values(&rng, values);
        buf_clear(&fresh);
        encode(values, SERIES, time_ns, &fresh);
        assert_true(rw1_patch(&message, values, SERIES, time_ns));
        assert_true(str_eq(buf_str(&message), buf_str(&fresh)));
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    AUTO(buf_release) struct buf message = BUF_INIT(RW1_MESSAGE_MAX);
    static const double values[] = {1, 2, 3};
    const int64_t time_ns = INT64_C(1700000000000) * MS;

    (void)state;
    encode(values, 3, time_ns, &message);
    struct str whole = buf_str(&message);
    assert_true(rw1_patch(&message, values, 3, time_ns));
    assert_false(rw1_patch(&message, values, 2, time_ns)); /* more series than values */
    assert_false(rw1_patch(&message, values, 3, 1 * MS));  /* a shorter time */
    assert_false(rw1_patch(&message, values, 3, -MS));     /* a longer one */
    for (size_t cut = 0; cut < whole.len; cut++) {
        AUTO(buf_release) struct buf part = BUF_INIT(RW1_MESSAGE_MAX);
        buf_add(&part, whole.ptr, cut);
        assert_false(rw1_patch(&part, values, 3, time_ns));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_patch_equals_an_encoding),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
