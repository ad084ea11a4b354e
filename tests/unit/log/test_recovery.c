/*
 * What is left of a small segment when it is cut anywhere, or any of its bytes is changed: every frame that was not hit,
 * in order, and nothing else.
 */
#include "kit.h"

#include "base/mem.h"
#include "log/frame.h"

#include <stdio.h>

static const char segment_path[] = "/log/0000000000000001.segment";

/* Frame numbers whose payloads are short, one empty but for its number, one longer. */
static const uint64_t numbers[] = {73, 7, 20, 146, 365, 292};
enum { FRAMES = ARRAY_LEN(numbers), SUMS_BYTES = FRAME_HEADER_BYTES + 16 + 32 /* of one bit */ };

struct original {
    struct buf segment;
    struct buf consumers;
    int64_t starts[FRAMES]; /* in the file */
    int64_t ends[FRAMES];   /* of the payloads */
    int64_t frames_end;
    bool sealed;
    uint64_t mask;
};

static void peek(struct kit *k, const char *path, struct buf *out)
{
    *out = BUF_INIT(BUF_UNLIMITED);
    assert_true(simfs_peek(k->sim, path, out));
}

static void original_make(struct original *o, bool sealed)
{
    struct kit k;
    uint64_t seq;
    int64_t at = FILE_DATA_START;

    kit_init(&k, 3);
    kit_open(&k);
    o->mask = UINT64_C(1) << kit_consumer(&k, "a");
    o->sealed = sealed;
    for (size_t i = 0; i < FRAMES; i++) {
        char payload[KIT_PAYLOAD_MAX];
        size_t length = kit_payload(numbers[i], payload);
        assert_true(kit_append(&k, numbers[i], o->mask, &seq));
        o->starts[i] = at;
        o->ends[i] = at + FRAME_HEADER_BYTES + (int64_t)length;
        at += frame_bytes((uint32_t)length);
    }
    if (sealed) {
        kit_close(&k);
    }
    peek(&k, segment_path, &o->segment);
    peek(&k, "/log/consumers", &o->consumers);
    o->frames_end = at;
    assert_int_equal(o->segment.len, at + (sealed ? SUMS_BYTES + FOOTER_BYTES : 0));
    kit_release(&k);
}

static void original_release(struct original *o)
{
    buf_release(&o->segment);
    buf_release(&o->consumers);
}

/* A log whose only segment is <bytes>. */
static void open_damaged(struct kit *k, const struct original *o, struct str bytes)
{
    kit_init(k, 4);
    simfs_put(k->sim, "/log/consumers", buf_str(&o->consumers));
    simfs_put(k->sim, segment_path, bytes);
    kit_open(k);
}

/* The frames for which <survives> says so, and no others, are read; twice, and appending goes on. */
static void expect(struct kit *k, const struct original *o, const bool *survives, const char *what,
                   size_t at)
{
    static struct kit_numbers got;
    uint64_t seq = 0;

    for (int pass = 0; pass < 2; pass++) {
        size_t n = 0;
        kit_read_all(k, o->mask, &got);
        for (size_t i = 0; i < FRAMES; i++) {
            if (!survives[i]) {
                continue;
            }
            if (n >= got.len || got.items[n] != numbers[i]) {
                fail_msg("%s at %zu, pass %d: frame %zu is missing", what, at, pass, i);
            }
            n++;
        }
        if (pass == 0 && n != got.len) {
            fail_msg("%s at %zu: %zu frames too many", what, at, got.len - n);
        }
        if (pass == 0) {
            assert_true(kit_append(k, 1000, o->mask, &seq));
            kit_close(k);
            kit_open(k);
            assert_int_equal(k->report.segments_scanned, 0);
        } else if (got.len != n + 1 || got.items[n] != 1000) {
            fail_msg("%s at %zu: what was appended later is gone", what, at);
        }
    }
}

static void cut_everywhere(bool sealed)
{
    struct original o;

    original_make(&o, sealed);
    for (size_t len = 0; len < o.segment.len; len++) {
        struct kit k;
        bool survives[FRAMES];
        for (size_t i = 0; i < FRAMES; i++) {
            survives[i] = (int64_t)len >= o.ends[i];
        }
        open_damaged(&k, &o, str_slice(buf_str(&o.segment), 0, len));
        expect(&k, &o, survives, "cut", len);
        kit_release(&k);
    }
    original_release(&o);
}

static void cut_anywhere_unsealed(void **state)
{
    (void)state;
    cut_everywhere(false);
}

static void cut_anywhere_sealed(void **state)
{
    (void)state;
    cut_everywhere(true);
}

struct wanted {
    const char *name;
    double value;
};

static void visit(void *arg, const struct metrics_sample *s)
{
    struct wanted *w = arg;

    if (strcmp(s->name, w->name) == 0) {
        w->value = s->value;
    }
}

static double metric_named(struct kit *k, const char *name)
{
    struct wanted w = {name, -1};

    metrics_walk(k->metrics, visit, &w);
    return w.value;
}

static void flip_everywhere(bool sealed, unsigned char bits)
{
    static struct kit_numbers got;
    struct original o;

    original_make(&o, sealed);
    for (size_t at = 0; at < o.segment.len; at++) {
        struct kit k;
        bool survives[FRAMES];
        size_t hit = 0;
        for (size_t i = 0; i < FRAMES; i++) {
            survives[i] = (int64_t)at < o.starts[i] || (int64_t)at >= o.ends[i];
            hit += !survives[i];
        }
        o.segment.ptr[at] = (char)(o.segment.ptr[at] ^ bits);
        open_damaged(&k, &o, buf_str(&o.segment));
        o.segment.ptr[at] = (char)(o.segment.ptr[at] ^ bits);
        bool torn = !sealed && !survives[FRAMES - 1];
        assert_int_equal(k.report.segments_refused, 0);
        assert_int_equal(k.report.torn_bytes > 0,
                         torn || (sealed && at >= o.segment.len - FOOTER_BYTES));
        kit_read_all(&k, o.mask, &got); /* in a sealed segment it is the reader who finds it */
        assert_true(metric_named(&k, "telex_log_damaged_total") == (torn ? 0 : (double)hit));
        expect(&k, &o, survives, "flip", at);
        kit_release(&k);
    }
    original_release(&o);
}

/* Each frame is written over each other one that is as long at least: only that one is lost, and counted. */
static void misplace_everywhere(bool sealed)
{
    static struct kit_numbers got;
    struct original o;

    original_make(&o, sealed);
    for (size_t to = 0; to < FRAMES; to++) {
        for (size_t from = 0; from < FRAMES; from++) {
            AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
            size_t length = (size_t)(o.ends[from] - o.starts[from]);
            bool survives[FRAMES];
            struct kit k;
            if (from == to || o.ends[to] - o.starts[to] < (int64_t)length) {
                continue;
            }
            for (size_t i = 0; i < FRAMES; i++) {
                survives[i] = i != to;
            }
            buf_add_str(&bytes, buf_str(&o.segment));
            memcpy(bytes.ptr + o.starts[to], o.segment.ptr + o.starts[from], length);
            open_damaged(&k, &o, buf_str(&bytes));
            kit_read_all(&k, o.mask, &got);
            bool torn = !sealed && to == FRAMES - 1;
            assert_true(torn || metric_named(&k, "telex_log_damaged_total") > 0);
            expect(&k, &o, survives, "misplaced", to * 1000 + from);
            kit_release(&k);
        }
    }
    original_release(&o);
}

static void misplace_any_frame_unsealed(void **state)
{
    (void)state;
    misplace_everywhere(false);
}

static void misplace_any_frame_sealed(void **state)
{
    (void)state;
    misplace_everywhere(true);
}

static void flip_any_byte_unsealed(void **state)
{
    (void)state;
    flip_everywhere(false, 0x01);
    flip_everywhere(false, 0xFF);
}

static void flip_any_byte_sealed(void **state)
{
    (void)state;
    flip_everywhere(true, 0x80);
}

/* Any run of bytes zeroed, as a lost page would leave it. */
static void zero_any_run(void **state)
{
    (void)state;
    static const size_t lengths[] = {8, 60, 200};
    struct original o;

    original_make(&o, false);
    for (size_t n = 0; n < ARRAY_LEN(lengths); n++) {
        for (size_t at = FILE_DATA_START; at + lengths[n] <= o.segment.len; at += 4) {
            struct kit k;
            bool survives[FRAMES];
            char *copy = mem_dup(o.segment.ptr, o.segment.len);
            memset(copy + at, 0, lengths[n]);
            for (size_t i = 0; i < FRAMES; i++) {
                size_t start = (size_t)o.starts[i];
                survives[i] =
                    memcmp(copy + start, o.segment.ptr + start, (size_t)o.ends[i] - start) == 0;
            }
            open_damaged(&k, &o, str_make(copy, o.segment.len));
            expect(&k, &o, survives, "zeros", at);
            kit_release(&k);
            mem_free(copy);
        }
    }
    original_release(&o);
}

static void both_headers_lost_moves_the_file_aside(void **state)
{
    (void)state;
    struct original o;
    struct kit k;
    static const bool none[FRAMES];
    AUTO(buf_release) struct buf aside = BUF_INIT(BUF_UNLIMITED);

    original_make(&o, true);
    o.segment.ptr[20] ^= 1;
    o.segment.ptr[84] ^= 1;
    open_damaged(&k, &o, buf_str(&o.segment));
    assert_int_equal(k.report.segments_refused, 1);
    assert_true(simfs_peek(k.sim, "/log/quarantine/0000000000000001.segment", &aside));
    assert_true(str_eq(buf_str(&aside), buf_str(&o.segment)));
    expect(&k, &o, none, "header", 0);
    kit_release(&k);
    original_release(&o);
}

static void copies_are_made(void **state)
{
    (void)state;
    struct original o;
    struct kit k;
    AUTO(buf_release) struct buf copy = BUF_INIT(BUF_UNLIMITED);
    char path[SIMFS_PATH];

    original_make(&o, false);
    size_t start = (size_t)o.starts[2];
    size_t end = (size_t)o.starts[3];
    o.segment.ptr[start + 60] ^= 1;
    o.segment.ptr[(size_t)o.starts[5] + 1] ^= 1;
    open_damaged(&k, &o, buf_str(&o.segment));
    assert_int_equal(k.report.damaged_ranges, 1);
    assert_int_equal(k.report.damaged_bytes, end - start);
    assert_int_equal(k.report.torn_bytes, o.segment.len - (size_t)o.starts[5]);
    (void)snprintf(path, sizeof(path), "/log/quarantine/0000000000000001-%zu.damaged", start);
    assert_true(simfs_peek(k.sim, path, &copy));
    assert_true(str_eq(buf_str(&copy), str_slice(buf_str(&o.segment), start, end - start)));
    buf_clear(&copy);
    (void)snprintf(path, sizeof(path), "/log/quarantine/0000000000000001-%zu.torn",
                   (size_t)o.starts[5]);
    assert_true(simfs_peek(k.sim, path, &copy));
    assert_true(
        str_eq(buf_str(&copy), str_slice(buf_str(&o.segment), (size_t)o.starts[5], SIZE_MAX)));
    kit_release(&k);
    original_release(&o);
}

/* A full disk: the copy cannot be made, so the torn tail stays, and goes at the next start. */
static void nothing_is_cut_without_a_copy(void **state)
{
    (void)state;
    struct original o;
    struct kit k;
    static const bool all_but_last[FRAMES] = {true, true, true, true, true, false};
    AUTO(buf_release) struct buf after = BUF_INIT(BUF_UNLIMITED);

    original_make(&o, false);
    struct str cut = str_slice(buf_str(&o.segment), 0, o.segment.len - 9);
    kit_init(&k, 4);
    simfs_put(k.sim, "/log/consumers", buf_str(&o.consumers));
    simfs_put(k.sim, segment_path, cut);
    simfs_set_capacity(k.sim, (int64_t)(cut.len + o.consumers.len));
    kit_open(&k);
    assert_int_equal(k.report.frames, FRAMES - 1);
    kit_close(&k);
    assert_true(simfs_peek(k.sim, segment_path, &after));
    assert_true(str_eq(buf_str(&after), cut));
    simfs_set_capacity(k.sim, INT64_MAX);
    kit_open(&k);
    assert_int_equal(k.report.segments_scanned, 1);
    expect(&k, &o, all_but_last, "full", 0);
    kit_release(&k);
    original_release(&o);
}

/* A payload that is a whole segment of another log, and one of this very segment's frames. */
static void frames_inside_payloads_are_payload(void **state)
{
    (void)state;
    struct original o;
    struct kit k;
    struct err e = ERR_INIT;
    uint64_t seq = 0;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);

    original_make(&o, true);
    kit_init(&k, 9);
    kit_open(&k);
    uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
    struct iovec part = {o.segment.ptr, o.segment.len};
    struct log_record record = {.mask = mask, .parts = &part, .part_count = 1};
    assert_true(kit_append(&k, 1, mask, &seq));
    assert_true(log_append(k.log, &record, kit_forever, &seq, &e));
    assert_true(kit_append(&k, 3, mask, &seq));
    assert_true(simfs_peek(k.sim, segment_path, &bytes));
    kit_close(&k);
    /* Damage the header of the frame around it: what is inside must not come out. */
    for (size_t at = FILE_DATA_START; at + FRAME_HEADER_BYTES < bytes.len; at += FRAME_ALIGN) {
        struct frame_header h;
        struct file_header f;
        assert_int_equal(file_header_decode(buf_str(&bytes), &f), FILE_HEADER_OK);
        if (frame_header_decode((const unsigned char *)bytes.ptr + at, f.salt, &h) && h.seq == 2) {
            bytes.ptr[at] ^= 1;
        }
    }
    simfs_put(k.sim, segment_path, buf_str(&bytes));
    static struct kit_numbers got;
    kit_open(&k);
    assert_int_equal(k.report.damaged_ranges, 1);
    kit_read_all(&k, mask, &got);
    assert_int_equal(got.len, 2);
    assert_int_equal(got.items[0], 1);
    assert_int_equal(got.items[1], 3);
    kit_release(&k);
    original_release(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere_unsealed),
        cmocka_unit_test(cut_anywhere_sealed),
        cmocka_unit_test(misplace_any_frame_unsealed),
        cmocka_unit_test(misplace_any_frame_sealed),
        cmocka_unit_test(flip_any_byte_unsealed),
        cmocka_unit_test(flip_any_byte_sealed),
        cmocka_unit_test(zero_any_run),
        cmocka_unit_test(both_headers_lost_moves_the_file_aside),
        cmocka_unit_test(copies_are_made),
        cmocka_unit_test(nothing_is_cut_without_a_copy),
        cmocka_unit_test(frames_inside_payloads_are_payload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
