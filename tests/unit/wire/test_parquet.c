/* Parquet's encodings, read back by a slow reader of their own; and the frame of a file. What foreign readers make of whole
 * files is in tests/e2e/test_files.py. */
#include "wire/parquet.h"

#include "base/attr.h"
#include "base/little.h"
#include "base/varint.h"
#include "wire/parquet_encode.h"
#include "wire/thrift_compact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { VALUES_MAX = 5000 };

/* ---- a reader ---- */

struct reader {
    const char *at;
    const char *end;
};

static uint64_t take_varint(struct reader *r)
{
    uint64_t value = 0;

    assert_true(varint_get(&r->at, r->end, &value));
    return value;
}

static uint64_t bits_at(const char *bytes, size_t bit, unsigned width)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < width; i++) {
        size_t at = bit + i;
        value |= (uint64_t)((unsigned char)bytes[at / 8] >> (at % 8) & 1) << i;
    }
    return value;
}

static void read_hybrid(struct str bytes, unsigned width, uint32_t *ret, size_t count)
{
    struct reader r = {bytes.ptr, bytes.ptr + bytes.len};
    size_t got = 0;

    while (got < count) {
        uint64_t head = take_varint(&r);
        size_t len = (size_t)(head >> 1) * ((head & 1) != 0 ? 8 : 1);
        size_t size = (head & 1) != 0 ? (size_t)(head >> 1) * width : (width + 7) / 8;
        assert_true(len > 0 && (size_t)(r.end - r.at) >= size);
        for (size_t i = 0; i < len && got < count; i++) {
            ret[got++] = (uint32_t)bits_at(r.at, (head & 1) != 0 ? i * width : 0, width);
        }
        r.at += size;
    }
    assert_ptr_equal(r.at, r.end);
}

static void read_deltas(struct str bytes, int64_t *ret, size_t count)
{
    struct reader r = {bytes.ptr, bytes.ptr + bytes.len};

    assert_int_equal(take_varint(&r), 128);
    assert_int_equal(take_varint(&r), 4);
    assert_int_equal(take_varint(&r), count);
    ret[0] = varint_unzigzag(take_varint(&r));
    for (size_t got = 1; got < count;) {
        int64_t least = varint_unzigzag(take_varint(&r));
        const char *widths = r.at;
        r.at += 4;
        for (size_t m = 0; m < 4 && got < count; m++) {
            unsigned width = (unsigned char)widths[m];
            assert_true(r.at + 4 * width <= r.end);
            for (size_t i = 0; i < 32 && got < count; i++, got++) {
                uint64_t delta = bits_at(r.at, i * width, width) + (uint64_t)least;
                ret[got] = (int64_t)((uint64_t)ret[got - 1] + delta);
            }
            r.at += 4 * width;
        }
    }
    assert_ptr_equal(r.at, r.end);
}

/* ---- tests ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return *state >> 20;
}

static void runs_and_packed_bits_come_back(void **state)
{
    static uint32_t values[VALUES_MAX];
    static uint32_t back[VALUES_MAX];
    uint64_t random = 1;

    (void)state;
    for (unsigned width = 1; width <= 32; width++) {
        for (size_t count = 1; count < VALUES_MAX; count = count * 3 + 1) {
            AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
            for (size_t i = 0; i < count; i++) { /* runs of all lengths, and none */
                bool goes_on = i > 0 && next_random(&random) % (1 + count % 7) != 0;
                values[i] = goes_on
                                ? values[i - 1]
                                : (uint32_t)(next_random(&random) & ((UINT64_C(1) << width) - 1));
            }
            parquet_add_hybrid(values, count, width, &out);
            read_hybrid(buf_str(&out), width, back, count);
            assert_memory_equal(values, back, count * sizeof(values[0]));
        }
    }
}

static void differences_come_back(void **state)
{
    static int64_t values[VALUES_MAX];
    static int64_t back[VALUES_MAX];
    uint64_t random = 1;

    (void)state;
    for (unsigned width = 0; width < 64; width++) {
        for (size_t count = 1; count < VALUES_MAX; count = count * 3 + 2) {
            AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
            for (size_t i = 0; i < count; i++) {
                uint64_t any = next_random(&random) << 32 ^ next_random(&random);
                values[i] = (int64_t)(any & ((UINT64_C(1) << width) - 1)) - (int64_t)(i & 1);
            }
            values[0] = width == 63 ? INT64_MIN : values[0];
            parquet_add_deltas(values, count, &out);
            read_deltas(buf_str(&out), back, count);
            assert_memory_equal(values, back, count * sizeof(values[0]));
        }
    }
}

static void bytes_are_split(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    static const char values[] = "abcdefghABCDEFGH";

    (void)state;
    parquet_add_split(values, 2, &out);
    assert_memory_equal(out.ptr, "aAbBcCdDeEfFgGhH", 16);
}

static void thrift_is_compact(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct thrift_writer w;

    (void)state;
    thrift_init(&w, &out);
    thrift_begin(&w);
    thrift_i32(&w, 1, -1);
    thrift_bool(&w, 2, true);
    thrift_binary(&w, 20, STR("x"));
    thrift_list(&w, 21, THRIFT_I32, 15);
    thrift_struct(&w, 22);
    thrift_i64(&w, 1, 300);
    thrift_end(&w);
    thrift_end(&w);
    static const unsigned char want[] = {0x15, 0x01, 0x11, 0x08, 0x28, 0x01, 'x',  0x19,
                                         0xf5, 0x0f, 0x1c, 0x16, 0xd8, 0x04, 0x00, 0x00};
    assert_int_equal(out.len, sizeof(want));
    assert_memory_equal(out.ptr, want, sizeof(want));
}

static const struct parquet_column columns[] = {
    {STR_INIT("t"), PARQUET_TEXT},
    {STR_INIT("n"), PARQUET_NUMBER},
};

static void write_rows(const struct parquet_config *config, int rows, struct buf *out)
{
    struct parquet_writer *w = NULL;
    struct err e = ERR_INIT;

    assert_true(parquet_open(config, &w, &e));
    for (int i = 0; i < rows; i++) {
        if (i % 3 == 0) {
            parquet_put_null(w, 0);
        } else {
            parquet_put_text(w, 0, i % 2 == 0 ? STR("even") : STR("odd"));
        }
        parquet_put_number(w, 1, i * 0.5);
        assert_true(parquet_end_row(w, out, &e));
    }
    assert_true(parquet_finish(w, out, &e));
    parquet_close(w);
}

static void a_file_has_its_frame(void **state)
{
    struct parquet_config config = {.columns = columns, .column_count = ARRAY_LEN(columns)};

    (void)state;
    for (enum parquet_codec codec = PARQUET_NONE; codec < PARQUET_CODECS; codec++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
        config.codec = codec;
        write_rows(&config, 1000, &out);
        assert_memory_equal(out.ptr, "PAR1", 4);
        assert_memory_equal(out.ptr + out.len - 4, "PAR1", 4);
        assert_true(little_u32(out.ptr + out.len - 8) < out.len - 12);
        write_rows(&config, 1000, &again);
        assert_int_equal(out.len, again.len);
        assert_memory_equal(out.ptr, again.ptr, out.len); /* the same rows are the same bytes */
    }
}

static void memory_is_of_the_budget(void **state)
{
    struct parquet_writer *w = NULL;
    struct budget budget;
    struct err e = ERR_INIT;

    (void)state;
    budget_init(&budget, NULL, "test", 100000);
    struct parquet_config config = {.columns = columns,
                                    .column_count = ARRAY_LEN(columns),
                                    .budget = &budget,
                                    .group_bytes = 40000};
    assert_false(parquet_open(&config, &w, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    config.group_bytes = 30000;
    e = ERR_INIT;
    assert_true(parquet_open(&config, &w, &e));
    assert_int_equal(budget_used(&budget), 90000);
    parquet_close(w);
    assert_int_equal(budget_used(&budget), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_and_packed_bits_come_back),
        cmocka_unit_test(differences_come_back),
        cmocka_unit_test(bytes_are_split),
        cmocka_unit_test(thrift_is_compact),
        cmocka_unit_test(a_file_has_its_frame),
        cmocka_unit_test(memory_is_of_the_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
