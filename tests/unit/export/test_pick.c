/* A batch of some rows of another: equal rows, shared labels, nothing of the others. */
#include "export/pick.h"

#include "fake/plan_kit.h"
#include "wire/compress.h"
#include "wire/edges.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct batch *pick(struct batch *b, const uint32_t *rows, uint32_t n, uint32_t first)
{
    struct view view = {.batch = b, .rows = rows, .n = n, .first = first};
    struct batch *picked = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_pick(view, &picked, &e));
    batch_unref(b); /* what was picked outlives it */
    return picked;
}

/* As it comes out of a log. */
static struct batch *through_frame(struct batch *b)
{
    AUTO(buf_release) struct buf frame = BUF_INIT(BUF_UNLIMITED);
    struct batch *copy = NULL;
    struct err e = ERR_INIT;
    struct str payload;

    assert_true(batch_to_frame(b, &frame, &payload, &e));
    buf_add_str(&frame, payload);
    assert_true(batch_from_frame(buf_str(&frame), &copy, &e));
    batch_unref(b);
    return copy;
}

static void a_whole_view_is_the_batch(void **state)
{
    struct batch *b = sample_batch(0, 3);

    (void)state;
    struct batch *picked = pick(batch_ref(b), NULL, 3, 0);
    assert_ptr_equal(picked, b);
    batch_unref(picked);
    batch_unref(b);
}

static void assert_samples(struct batch *b, const double *values, uint32_t n)
{
    const struct samples *s = NULL;
    struct err e = ERR_INIT;
    char text[16];

    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(s->count, n);
    assert_int_equal(batch_rows(b), n);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(s->value[i] == values[i]);
        assert_int_equal(s->time_ns[i], NS_PER_S);
        (void)snprintf(text, sizeof(text), "%.0f", values[i]);
        assert_true(str_eq(labels_get(s->series[s->series_of[i]], STR("n")), str_of(text)));
    }
}

static void samples_are_picked(void **state)
{
    static const uint32_t rows[] = {1, 3, 4};
    static const double values[] = {1, 3, 4};
    static const double sliced[] = {2, 3};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    struct batch *b = pick(sample_batch(0, 6), rows, 3, 0);
    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(s->series_count, 3); /* of those that are used */
    assert_true(str_eq(batch_info(b)->rule, STR("r")));
    assert_samples(b, values, 3);
    b = through_frame(b);
    assert_samples(b, values, 3);
    batch_unref(b);
    b = through_frame(pick(through_frame(sample_batch(0, 6)), NULL, 2, 2));
    assert_samples(b, sliced, 2);
    batch_unref(b);
}

/* What is known of series goes with those that are picked, and outlives the batch they were of. */
static void what_is_known_is_picked(void **state)
{
    static const uint32_t rows[] = {1, 2};
    static const char message[] =
        "\x0a\x1c\x0a\x0d\x0a\x08__name__\x12\x01x\x12\x0b\x09\0\0\0\0\0\0\xf0"
        "\x3f\x10\x05"
        "\x0a\x1c\x0a\x0d\x0a\x08__name__\x12\x01y\x12\x0b\x09\0\0\0\0\0\0\xf0"
        "\x3f\x10\x05"
        "\x0a\x1c\x0a\x0d\x0a\x08__name__\x12\x01z\x12\x0b\x09\0\0\0\0\0\0\xf0"
        "\x3f\x10\x05"
        "\x1a\x0c\x08\x01\x12\x01y\x22\x01h\x2a\x02"
        "By";
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(compression_snappy.pack(str_make(message, sizeof(message) - 1), &packed, &e));
    struct batch *b =
        pick(batch_from_bytes(&codec_rw1, buf_str(&packed), true, &info, 3), rows, 2, 0);
    for (int round = 0; round < 2; round++) {
        assert_true(batch_samples(b, &s, &e));
        assert_int_equal(s->meta[0]->type, SERIES_COUNTER);
        assert_true(str_eq(s->meta[0]->help, STR("h")) && str_eq(s->meta[0]->unit, STR("By")));
        assert_null(s->meta[1]);
        b = through_frame(b);
    }
    batch_unref(b);
}

/* An alert with everything that an alert may have. */
static struct batch *full_alerts(void)
{
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("r")};
    struct batch *b = batch_new(&codec_edges, &info);
    struct alert *alerts = arena_array(batch_arena(b), struct alert, 2);
    static const struct label notes[] = {{STR_INIT("summary"), STR_INIT("it burns")},
                                         {STR_INIT("empty"), STR_INIT("")}};
    struct alert_export *exports = arena_array(batch_arena(b), struct alert_export, 2);

    for (uint32_t i = 0; i < 2; i++) {
        exports[i] = (struct alert_export){labels_ref(labels_empty()), 5 * NS_PER_S, 7.5 + i};
        alerts[i] = (struct alert){.rule_id = STR("0123456789abcdef0123456789abcdef"),
                                   .labels = labels_ref(labels_empty()),
                                   .from = ALERT_ALERTING,
                                   .to = ALERT_RESOLVED,
                                   .resolved_at_ns = 9 * NS_PER_S,
                                   .value = i};
    }
    alerts[1].annotations = notes;
    alerts[1].annotation_count = ARRAY_LEN(notes);
    alerts[1].exports = exports;
    alerts[1].export_count = 2;
    batch_set_alerts(b, (struct alerts){alerts, 2});
    return b;
}

static void assert_full_alert(struct batch *b)
{
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_alerts(b, &alerts, &e));
    assert_int_equal(alerts->count, 1);
    const struct alert *a = &alerts->rows[0];
    assert_true(a->value == 1);
    assert_int_equal(a->to, ALERT_RESOLVED);
    assert_int_equal(a->resolved_at_ns, 9 * NS_PER_S);
    assert_int_equal(a->annotation_count, 2);
    assert_true(str_eq(a->annotations[0].value, STR("it burns")));
    assert_int_equal(a->export_count, 2);
    assert_true(a->exports[1].value == 8.5);
}

static void alerts_are_picked_with_all_they_have(void **state)
{
    static const uint32_t rows[] = {1};

    (void)state;
    struct batch *b = pick(full_alerts(), rows, 1, 0);
    assert_full_alert(b);
    b = through_frame(b);
    assert_full_alert(b);
    batch_unref(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_view_is_the_batch),
        cmocka_unit_test(samples_are_picked),
        cmocka_unit_test(what_is_known_is_picked),
        cmocka_unit_test(alerts_are_picked_with_all_they_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
