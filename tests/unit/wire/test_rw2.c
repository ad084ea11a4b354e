/* Requests of 2.0, built by hand: what becomes of them as 1.0, and what is refused. */
#include "base/mem.h"
#include "wire/pb.h"
#include "wire/rw2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SYMBOL = 4, SERIES = 5, REFS = 1, SAMPLE = 2, HISTOGRAM = 3, EXEMPLAR = 4, META = 5 };

#define SYMBOLS_COUNT 8
static const char *const symbols[SYMBOLS_COUNT] = {
    "", "__name__", "http_seconds_count", "job", "node", "a help", "seconds", "trace"};

/* What a request is made of. */
struct made {
    const char *refs; /* of the series: a byte each */
    size_t ref_count;
    uint64_t start_ms; /* of its sample; 0: none */
    bool no_sample;
    bool histogram;
    bool exemplar;
    uint64_t type; /* of its metadata; 0: none */
    bool symbols_last;
    bool first_symbol_is_text;
};

static void add_symbols(struct buf *out, const struct made *m)
{
    for (size_t i = 0; i < SYMBOLS_COUNT; i++) {
        pb_add_bytes(out, SYMBOL,
                     i == 0 && m->first_symbol_is_text ? STR("x") : str_of(symbols[i]));
    }
}

static void add_sample(struct buf *out, const struct made *m)
{
    size_t begun = pb_begin(out, SAMPLE);

    pb_add_double(out, 1, 1.5);
    pb_add_i64(out, 2, 1000);
    pb_add_u64(out, 3, m->start_ms);
    pb_end(out, begun);
}

static void add_series(struct buf *out, const struct made *m)
{
    size_t series = pb_begin(out, SERIES);

    pb_add_str(out, REFS, str_make(m->refs, m->ref_count));
    if (!m->no_sample) {
        add_sample(out, m);
    }
    if (m->histogram) {
        pb_add_bytes(out, HISTOGRAM, STR("\x19\0\0\0\0\0\0\xf0\x3f"));
    }
    if (m->exemplar) {
        pb_add_bytes(out, EXEMPLAR, STR("\x0a\x02\x07\x04\x11\0\0\0\0\0\0\xf0\x3f\x18\x05"));
    }
    if (m->type != 0) {
        size_t meta = pb_begin(out, META);
        pb_add_u64(out, 1, m->type);
        pb_add_u64(out, 3, 5);
        pb_add_u64(out, 4, 6);
        pb_end(out, meta);
    }
    pb_end(out, series);
}

static void make(const struct made *m, struct buf *out)
{
    if (!m->symbols_last) {
        add_symbols(out, m);
    }
    add_series(out, m);
    if (m->symbols_last) {
        add_symbols(out, m);
    }
}

#define REFERS(text) .refs = (text), .ref_count = sizeof(text) - 1
#define TWO_LABELS REFERS("\x01\x02\x03\x04")

static const struct {
    const char *what;
    struct made made;
    const char *error; /* NULL: it is taken */
    struct rw2_summary want;
} rows[] = {
    {"a sample", {TWO_LABELS}, NULL, {{.series = 1, .samples = 1}, 0}},
    {"symbols behind", {TWO_LABELS, .symbols_last = true}, NULL, {{.series = 1, .samples = 1}, 0}},
    {"a start time", {TWO_LABELS, .start_ms = 5}, NULL, {{.series = 1, .samples = 1}, 1}},
    {"a histogram",
     {TWO_LABELS, .no_sample = true, .histogram = true},
     NULL,
     {{.extras = {.histograms = 1}}, 0}},
    {"an exemplar",
     {TWO_LABELS, .exemplar = true},
     NULL,
     {{.series = 1, .samples = 1, .extras = {.exemplars = 1}}, 0}},
    {"metadata",
     {TWO_LABELS, .type = 3},
     NULL,
     {{.series = 1, .samples = 1, .extras = {.metadata = 1}}, 0}},
    {"an odd number of references", {REFERS("\x01\x02\x03")}, "an odd number", {{0}, 0}},
    {"a symbol that is not there", {REFERS("\x01\x09")}, "not there in series 0", {{0}, 0}},
    {"an empty label name", {REFERS("\x00\x02")}, "empty name", {{0}, 0}},
    {"the same label twice", {REFERS("\x01\x02\x01\x04")}, "twice", {{0}, 0}},
    {"a cut reference", {REFERS("\x01\x82")}, "cut off", {{0}, 0}},
    {"a first symbol that is a text",
     {TWO_LABELS, .first_symbol_is_text = true},
     "expected the first symbol to be empty",
     {{0}, 0}},
};

static void check(size_t i)
{
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct rw2_summary got = {0};
    struct err e = ERR_INIT;

    make(&rows[i].made, &request);
    bool ok = rw2_to_rw1(buf_str(&request), &out, &got, &e);
    print_message("%s: %s\n", rows[i].what, e.message);
    assert_int_equal(ok, rows[i].error == NULL);
    if (!ok) {
        assert_non_null(strstr(e.message, rows[i].error));
        return;
    }
    assert_memory_equal(&got, &rows[i].want, sizeof(got));
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check(i);
    }
}

/* Byte by byte what a sender of 1.0 would have sent. */
static void test_bytes(void **state)
{
    (void)state;
    const struct made all = {TWO_LABELS, .exemplar = true, .histogram = true, .type = 3,
                             .start_ms = 9};
    const struct str want = STR(
        "\x1a\x21\x08\x03\x12\x0chttp_seconds\x22\x06"
        "a help\x2a\x07seconds"
        "\x0a\x62\x0a\x1e\x0a\x08__name__\x12\x12http_seconds_count\x0a\x0b\x0a\x03job\x12\x04node"
        "\x12\x0c\x09\0\0\0\0\0\0\xf8\x3f\x10\xe8\x07\x22\x09\x19\0\0\0\0\0\0\xf0\x3f"
        "\x1a\x1a\x0a\x0d\x0a\x05trace\x12\x04node\x11\0\0\0\0\0\0\xf0\x3f\x18\x05");
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct rw2_summary got;
    struct err e = ERR_INIT;

    make(&all, &request);
    assert_true(rw2_to_rw1(buf_str(&request), &out, &got, &e));
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.ptr, want.ptr, want.len);
}

/* Texts that are said once are written out, and that is bounded. */
static void test_limit(void **state)
{
    (void)state;
    const struct made m = {TWO_LABELS};
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(1000);
    struct rw2_summary got;
    struct err e = ERR_INIT;

    for (int i = 0; i < 100; i++) {
        add_series(&request, &m);
    }
    add_symbols(&request, &m);
    assert_false(rw2_to_rw1(buf_str(&request), &out, &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

/* What we encode, turned into 1.0 and decoded, is what it was. */
static void test_encode(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf one = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf two = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
    const struct made m = {TWO_LABELS};
    struct rw2_summary summary;
    struct samples s;
    struct samples again;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    make(&m, &one);
    assert_true(rw2_to_rw1(buf_str(&one), &two, &summary, &e));
    assert_true(rw1_decode(buf_str(&two), RW1_STRICT, &a, &s, NULL, &e));
    buf_clear(&one);
    assert_int_equal(rw2_encode(&s, (struct view){.n = s.count}, 0, 10, 1, &one), 1);
    assert_true(rw2_to_rw1(buf_str(&one), &back, &summary, &e));
    assert_int_equal(back.len, two.len);
    assert_memory_equal(back.ptr, two.ptr, two.len);
    assert_true(rw1_decode(buf_str(&back), RW1_STRICT, &a, &again, NULL, &e));
    labels_unref(s.series[0]);
    labels_unref(again.series[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_encode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
