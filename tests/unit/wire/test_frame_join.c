/* Frames put together without decoding them hold the same rows as one behind the other. */
#include "wire/frame.h"

#include "base/mem.h"
#include "fake/plan_kit.h"
#include "wire/compress.h"
#include "wire/edges.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PARTS = 3 };

static void frame_of(struct batch *b, struct buf *out)
{
    struct str payload = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_to_frame(b, out, &payload, &e));
    buf_add_str(out, payload);
    batch_unref(b);
}

struct parts {
    struct buf bytes[PARTS];
    struct batch_frame frames[PARTS];
};

static void parts_read(struct parts *p, struct batch *(*make)(double, uint32_t))
{
    struct err e = ERR_INIT;

    for (uint32_t i = 0; i < PARTS; i++) {
        buf_init(&p->bytes[i], BUF_UNLIMITED);
        frame_of(make(100 * i, 2 + i), &p->bytes[i]);
        assert_true(batch_frame_read(buf_str(&p->bytes[i]), &p->frames[i], &e));
    }
}

static void parts_release(struct parts *p)
{
    for (uint32_t i = 0; i < PARTS; i++) {
        buf_release(&p->bytes[i]);
    }
}

static double sample_at(struct batch *b, uint32_t row)
{
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    return s->value[row];
}

static double alert_at(struct batch *b, uint32_t row)
{
    const struct alerts *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_alerts(b, &s, &e));
    return s->rows[row].value;
}

static void check_join(struct batch *(*make)(double, uint32_t),
                       double (*at)(struct batch *, uint32_t))
{
    static const double expected[] = {0, 1, 100, 101, 102, 200, 201, 202, 203};
    AUTO(batch_autounref) struct batch *b = NULL;
    struct parts p;
    struct err e = ERR_INIT;

    parts_read(&p, make);
    assert_true(batch_frames_join(&p.frames[0], &p.frames[1]));
    assert_true(batch_from_frames(p.frames, PARTS, &b, &e));
    parts_release(&p);
    assert_int_equal(batch_rows(b), ARRAY_LEN(expected));
    for (uint32_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_true(at(b, i) == expected[i]);
    }
    assert_true(str_eq(batch_info(b)->rule, STR("r")));
}

static void samples_join(void **state)
{
    (void)state;
    check_join(sample_batch, sample_at);
}

static void edges_join(void **state)
{
    (void)state;
    check_join(alert_batch, alert_at);
}

static struct batch *with_info(const struct batch_info *info)
{
    struct batch *b = batch_new(&codec_edges, info);

    batch_set_alerts(b, (struct alerts){NULL, 0});
    return b;
}

static const struct label one_note[] = {{STR_INIT("a"), STR_INIT("b")}};

static const struct {
    const char *name;
    struct batch_info info;
    bool joins;
} infos[] = {
    {"the same", {.kind = RECORD_ALERT, .rule = STR_INIT("r"), .time_ns = 5}, true},
    {"another time", {.kind = RECORD_ALERT, .rule = STR_INIT("r"), .time_ns = 6}, true},
    {"no time", {.kind = RECORD_ALERT, .rule = STR_INIT("r")}, true},
    {"another rule", {.kind = RECORD_ALERT, .rule = STR_INIT("s"), .time_ns = 5}, false},
    {"less", {.kind = RECORD_ALERT, .time_ns = 5}, false},
    {"an epoch", {.kind = RECORD_ALERT, .rule = STR_INIT("r"), .epoch = 1}, false},
    {"a threshold", {.kind = RECORD_ALERT, .rule = STR_INIT("r"), .has_threshold = true}, false},
    {"an annotation",
     {.kind = RECORD_ALERT, .rule = STR_INIT("r"), .annotations = one_note, .annotation_count = 1},
     false},
};

static void what_rows_share_must_be_the_same(void **state)
{
    AUTO(buf_release) struct buf first = BUF_INIT(BUF_SMALL);
    struct batch_frame a;
    struct err e = ERR_INIT;

    (void)state;
    frame_of(with_info(&infos[0].info), &first);
    assert_true(batch_frame_read(buf_str(&first), &a, &e));
    for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
        AUTO(buf_release) struct buf other = BUF_INIT(BUF_SMALL);
        struct batch_frame b;
        frame_of(with_info(&infos[i].info), &other);
        assert_true(batch_frame_read(buf_str(&other), &b, &e));
        print_message("%s\n", infos[i].name);
        assert_int_equal(batch_frames_join(&a, &b), infos[i].joins);
        assert_int_equal(batch_frames_join(&b, &a), infos[i].joins);
    }
}

static void kinds_do_not_join(void **state)
{
    struct parts samples;
    struct parts alerts;

    (void)state;
    parts_read(&samples, sample_batch);
    parts_read(&alerts, alert_batch);
    assert_false(batch_frames_join(&samples.frames[0], &alerts.frames[0]));
    parts_release(&samples);
    parts_release(&alerts);
}

static void a_broken_part_is_refused(void **state)
{
    struct parts p;
    struct batch *b = NULL;
    struct err e = ERR_INIT;

    (void)state;
    parts_read(&p, sample_batch);
    p.frames[1].payload.len--;
    assert_false(batch_from_frames(p.frames, PARTS, &b, &e));
    assert_null(b);
    assert_non_null(strstr(e.message, "broken"));
    parts_release(&p);
}

/* ---- the blocks themselves ---- */

/* Text that repeats itself over more than one of the encoder's fragments. */
static void add_text(struct buf *out, char seed, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        buf_add_byte(out, (char)(seed + (char)(i * i % 23)));
    }
}

static const size_t text_lengths[] = {0, 1, 59, 60, 61, 3000, 70000, 200000};

static void blocks_unpack_to_what_they_held(void **state)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf joined = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
    struct buf packed[ARRAY_LEN(text_lengths)];
    struct str parts[ARRAY_LEN(text_lengths)];
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(text_lengths); i++) {
        size_t from = plain.len;
        add_text(&plain, (char)('a' + i), text_lengths[i]);
        buf_init(&packed[i], BUF_UNLIMITED);
        struct str text = {buf_str(&plain).ptr + from, text_lengths[i]};
        assert_true(compression_snappy.pack(text, &packed[i], &e));
        parts[i] = buf_str(&packed[i]);
    }
    assert_true(snappy_join(parts, ARRAY_LEN(parts), plain.len, &joined, &e));
    assert_true(compression_snappy.unpack(buf_str(&joined), plain.len, &back, &e));
    assert_true(str_eq(buf_str(&back), buf_str(&plain)));
    assert_false(snappy_join(parts, ARRAY_LEN(parts), plain.len - 1, &joined, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(text_lengths); i++) {
        buf_release(&packed[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_join),
        cmocka_unit_test(edges_join),
        cmocka_unit_test(what_rows_share_must_be_the_same),
        cmocka_unit_test(kinds_do_not_join),
        cmocka_unit_test(a_broken_part_is_refused),
        cmocka_unit_test(blocks_unpack_to_what_they_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
