#include "base/crc32c.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* One bit at a time: the definition. */
static uint32_t crc_by_bits(uint32_t crc, const unsigned char *p, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? UINT32_C(0x82F63B78) : 0);
        }
    }
    return ~crc;
}

/* RFC 3720, B.4, and the check value of the catalogues. */
static void published_vectors(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0};
    unsigned char ones[32];
    unsigned char rising[32];

    memset(ones, 0xFF, sizeof(ones));
    for (size_t i = 0; i < sizeof(rising); i++) {
        rising[i] = (unsigned char)i;
    }
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, zeros, sizeof(zeros)), 0x8A9136AA);
    assert_int_equal(crc32c(0, ones, sizeof(ones)), 0x62A8AB43);
    assert_int_equal(crc32c(0, rising, sizeof(rising)), 0x46DD794E);
    assert_int_equal(crc32c(0, "", 0), 0);
    assert_int_equal(crc32c_portable(0, "123456789", 9), 0xE3069283);
}

static void both_forms_follow_the_definition(void **state)
{
    (void)state;
    static const size_t lengths[] = {0,    1,    7,    8,    9,    63,   1023, 1024,
                                     3071, 3072, 3073, 3079, 6143, 6144, 9999};
    static unsigned char bytes[10016];
    struct rng r;

    rng_seed(&r, 5);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)rng_u64(&r);
    }
    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        for (size_t shift = 0; shift < 9; shift += 4) {
            uint32_t want = crc_by_bits(7, bytes + shift, lengths[i]);
            assert_int_equal(crc32c(7, bytes + shift, lengths[i]), want);
            assert_int_equal(crc32c_portable(7, bytes + shift, lengths[i]), want);
        }
    }
}

static void parts_join(void **state)
{
    (void)state;
    static unsigned char bytes[8000];
    struct rng r;

    rng_seed(&r, 6);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)rng_u64(&r);
    }
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));
    for (int i = 0; i < 200; i++) {
        size_t cut = (size_t)rng_below(&r, sizeof(bytes));
        assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof(bytes) - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(both_forms_follow_the_definition),
        cmocka_unit_test(parts_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
