#include "log/frame.h"

#include "log/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct frame_header sample = {
    .length = 0x01020304,
    .type = 0x0506,
    .flags = 0x0708,
    .seq = UINT64_C(0x1112131415161718),
    .mask = UINT64_C(0x2122232425262728),
    .time_ns = INT64_C(0x3132333435363738),
    .payload_crc = 0x41424344,
};

/* The very bytes of format version 1. They never change. */
static void header_bytes_are_fixed(void **state)
{
    (void)state;
    static const unsigned char want[] = {
        'T',  'L',  'X',  'f',  0x00, 0x00, 0x00, 0x00, 0x04, 0x03, 0x02, 0x01,
        0x06, 0x05, 0x08, 0x07, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
        0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x38, 0x37, 0x36, 0x35,
        0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41, 0x00, 0x00, 0x00, 0x00,
    };
    unsigned char got[FRAME_HEADER_BYTES];

    frame_header_encode(&sample, 0x99, got);
    memset(got + 4, 0, 4); /* the CRC is checked below */
    assert_memory_equal(got, want, sizeof(want));
}

static void headers_come_back(void **state)
{
    (void)state;
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame_header got;

    frame_header_encode(&sample, 0x99, bytes);
    assert_true(frame_header_decode(bytes, 0x99, &got));
    assert_int_equal(got.length, sample.length);
    assert_int_equal(got.type, sample.type);
    assert_int_equal(got.flags, sample.flags);
    assert_int_equal(got.seq, sample.seq);
    assert_int_equal(got.mask, sample.mask);
    assert_int_equal(got.time_ns, sample.time_ns);
    assert_int_equal(got.payload_crc, sample.payload_crc);
    assert_false(frame_header_decode(bytes, 0x98, &got)); /* another file's salt */
}

static void every_flipped_bit_is_seen(void **state)
{
    (void)state;
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame_header got;

    frame_header_encode(&sample, 0x99, bytes);
    for (size_t i = 0; i < sizeof(bytes) * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_false(frame_header_decode(bytes, 0x99, &got));
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void too_long_a_frame_is_none(void **state)
{
    (void)state;
    unsigned char bytes[FRAME_HEADER_BYTES];
    struct frame_header header = sample;

    header.length = LOG_PAYLOAD_MAX;
    frame_header_encode(&header, 1, bytes);
    assert_true(frame_header_decode(bytes, 1, &header));
    header.length = LOG_PAYLOAD_MAX + 1;
    frame_header_encode(&header, 1, bytes);
    assert_false(frame_header_decode(bytes, 1, &header));
}

static void either_copy_of_the_file_header_does(void **state)
{
    (void)state;
    const struct file_header header = {.version = LOG_FORMAT_VERSION,
                                       .kind = FILE_SEGMENT,
                                       .compatible = 1,
                                       .salt = 5,
                                       .serial = 7,
                                       .first_seq = 9,
                                       .created_ns = -1};
    unsigned char bytes[FILE_DATA_START];
    struct file_header got;
    struct str all = str_make((const char *)bytes, sizeof(bytes));

    file_header_encode(&header, bytes);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] ^= 0x40;
        assert_int_equal(file_header_decode(all, &got), FILE_HEADER_OK);
        assert_int_equal(got.salt, 5);
        assert_int_equal(got.serial, 7);
        assert_int_equal(got.first_seq, 9);
        assert_int_equal(got.created_ns, -1);
        bytes[i] ^= 0x40;
    }
    assert_int_equal(file_header_decode(str_slice(all, 0, FILE_HEADER_BYTES), &got),
                     FILE_HEADER_OK);
    assert_int_equal(file_header_decode(str_slice(all, 0, FILE_HEADER_BYTES - 1), &got),
                     FILE_HEADER_BAD);
    assert_int_equal(file_header_decode(STR(""), &got), FILE_HEADER_BAD);
    bytes[3] ^= 1;
    bytes[FILE_HEADER_BYTES + 3] ^= 1;
    assert_int_equal(file_header_decode(all, &got), FILE_HEADER_BAD);
}

static void what_is_newer_is_refused_by_name(void **state)
{
    (void)state;
    struct file_header header = {.version = LOG_FORMAT_VERSION + 1, .kind = FILE_SEGMENT};
    unsigned char bytes[FILE_DATA_START];
    struct str all = str_make((const char *)bytes, sizeof(bytes));
    struct file_header got;

    file_header_encode(&header, bytes);
    assert_int_equal(file_header_decode(all, &got), FILE_HEADER_UNKNOWN);
    assert_int_equal(got.version, LOG_FORMAT_VERSION + 1);
    header =
        (struct file_header){.version = LOG_FORMAT_VERSION, .kind = FILE_SEGMENT, .required = 4};
    file_header_encode(&header, bytes);
    assert_int_equal(file_header_decode(all, &got), FILE_HEADER_UNKNOWN);
    header =
        (struct file_header){.version = LOG_FORMAT_VERSION, .kind = FILE_SEGMENT, .compatible = 4};
    file_header_encode(&header, bytes);
    assert_int_equal(file_header_decode(all, &got), FILE_HEADER_OK);
}

static void footers_add_up_and_come_back(void **state)
{
    (void)state;
    struct footer footer = {.end = 4096};
    struct footer got;
    unsigned char bytes[FOOTER_BYTES];
    struct frame_header h = {.seq = 10, .mask = 5, .time_ns = 70};

    footer_add(&footer, &h);
    h = (struct frame_header){.seq = 12, .mask = UINT64_C(1) << 63, .time_ns = 60};
    footer_add(&footer, &h);
    footer_encode(&footer, 3, bytes);
    assert_true(footer_decode(bytes, 3, &got));
    assert_int_equal(got.first_seq, 10);
    assert_int_equal(got.last_seq, 12);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.mask, UINT64_C(1) << 63 | 5);
    assert_int_equal(got.end, 4096);
    assert_int_equal(got.newest_ns, 70);
    assert_int_equal(got.last_of_bit[0], 10);
    assert_int_equal(got.last_of_bit[1], 0);
    assert_int_equal(got.last_of_bit[2], 10);
    assert_int_equal(got.last_of_bit[63], 12);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] ^= 0x10;
        assert_false(footer_decode(bytes, 3, &got));
        bytes[i] ^= 0x10;
    }
}

static void sums_come_back(void **state)
{
    (void)state;
    struct footer footer = {.end = 4096};
    unsigned char bytes[SUMS_BYTES_MAX];
    const struct frame_header frames[] = {
        {.length = 3, .seq = 10, .mask = 5, .time_ns = 70},
        {.length = 8, .seq = 12, .mask = UINT64_C(1) << 63 | 1, .time_ns = 60}};

    footer_add(&footer, &frames[0]);
    footer_add(&footer, &frames[1]);
    uint32_t len = sums_encode(&footer, 3, bytes);
    assert_true(len % FRAME_ALIGN == 0 && len == FRAME_HEADER_BYTES + 16 + 3 * 32);
    struct footer got = {.end = 4096, .mask = footer.mask, .count = 2};
    assert_true(sums_decode(bytes, len, 3, &got));
    assert_memory_equal(got.of_bit, footer.of_bit, sizeof(got.of_bit));
    assert_int_equal(got.of_bit[0].count, 2);
    assert_int_equal(got.of_bit[0].bytes, 2 * (FRAME_HEADER_BYTES + 8));
    assert_int_equal(got.of_bit[63].first_seq, 12);
    assert_int_equal(got.of_bit[2].first_ns, 70);
    for (uint32_t i = 0; i < len; i++) {
        bytes[i] ^= 0x10;
        assert_false(sums_decode(bytes, len, 3, &got));
        bytes[i] ^= 0x10;
        assert_false(sums_decode(bytes, i, 3, &got));
    }
    got.mask = 1; /* a footer that they do not belong to */
    assert_false(sums_decode(bytes, len, 3, &got));
}

static void frames_are_padded(void **state)
{
    (void)state;
    assert_int_equal(frame_bytes(0), FRAME_HEADER_BYTES);
    assert_int_equal(frame_bytes(1), FRAME_HEADER_BYTES + 8);
    assert_int_equal(frame_bytes(8), FRAME_HEADER_BYTES + 8);
    assert_int_equal(frame_bytes(9), FRAME_HEADER_BYTES + 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_bytes_are_fixed),
        cmocka_unit_test(headers_come_back),
        cmocka_unit_test(every_flipped_bit_is_seen),
        cmocka_unit_test(too_long_a_frame_is_none),
        cmocka_unit_test(either_copy_of_the_file_header_does),
        cmocka_unit_test(what_is_newer_is_refused_by_name),
        cmocka_unit_test(footers_add_up_and_come_back),
        cmocka_unit_test(sums_come_back),
        cmocka_unit_test(frames_are_padded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
