/* The decoder is the oracle: the scan takes and counts what it takes, and refuses what it refuses. */
#include "base/mem.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LABEL_A "\x0a\x06\x0a\x01x\x12\x01y"
#define LABEL_B "\x0a\x06\x0a\x01z\x12\x01y"
#define SAMPLE "\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x05"
#define OVER "\x12\x13\x09\0\0\0\0\0\0\xf0\x3f\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f"

#define TEXT(text)               \
    {                            \
        (text), sizeof(text) - 1 \
    }

static const struct {
    struct str message;
    const char *error; /* NULL: it is taken */
    struct rw1_summary want;
} rows[] = {
    {TEXT(""), NULL, {0}},
    {TEXT("\x0a\x15" LABEL_A SAMPLE), NULL, {.series = 1, .samples = 1}},
    {TEXT("\x0a\x22" LABEL_A SAMPLE SAMPLE), NULL, {.series = 1, .samples = 2}},
    {TEXT("\x0a\x1d" LABEL_A SAMPLE LABEL_B), NULL, {.series = 1, .samples = 1}},
    {TEXT("\x0a\x1d" LABEL_B LABEL_A SAMPLE), NULL, {.series = 1, .samples = 1}},
    {TEXT("\x0a\x1d" LABEL_A LABEL_A SAMPLE), "series at byte 2", {0}},
    {TEXT("\x0a\x08" LABEL_A), NULL, {0}},
    {TEXT("\x0a\x0a" LABEL_A "\x12\x00"), NULL, {.series = 1, .samples = 1}},
    {TEXT("\x0a\x0a" LABEL_A "\x1a\x00"), NULL, {.extras = {.exemplars = 1}}},
    {TEXT("\x0a\x17" LABEL_A SAMPLE "\x22\x00"),
     NULL,
     {.series = 1, .samples = 1, .extras = {.histograms = 1}}},
    {TEXT("\x1a\x00\x1a\x00"), NULL, {.extras = {.metadata = 2}}},
    {TEXT("\x0a\x1d" LABEL_A OVER), "out of range at byte 12", {0}},
    {TEXT("\x0a\x15" LABEL_A "\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x85"), "at byte 21", {0}},
    {TEXT("\x0a\x40" LABEL_A), "at byte 0", {0}},
    {TEXT("garbage"), "at byte 0", {0}},
};

static bool decodes(struct str message, struct samples *ret)
{
    AUTO(arena_release) struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!rw1_decode(message, RW1_LENIENT, &a, ret, NULL, &e)) {
        return false;
    }
    for (uint32_t i = 0; i < ret->series_count; i++) {
        labels_unref(ret->series[i]);
    }
    return true;
}

static void check(struct str message, const char *error, const struct rw1_summary *want)
{
    struct rw1_summary got = {0};
    struct samples s = {0};
    struct err e = ERR_INIT;

    assert_int_equal(rw1_scan(message, &got, &e), error == NULL);
    assert_int_equal(decodes(message, &s), error == NULL);
    if (error == NULL) {
        assert_memory_equal(&got, want, sizeof(got));
        assert_int_equal(got.samples, s.count);
        assert_int_equal(got.series, s.series_count);
    } else if (strstr(e.message, error) == NULL && strstr(e.context, error) == NULL) {
        fail_msg("'%s' (%s) does not say '%s'", e.message, e.context, error);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_message("row %zu\n", i);
        check(rows[i].message, rows[i].error, &rows[i].want);
    }
}

/* Every cut and every changed byte of a message: both agree. */
static void test_agrees_on_damage(void **state)
{
    (void)state;
    const struct str message = STR("\x0a\x22" LABEL_A SAMPLE SAMPLE "\x0a\x1f" LABEL_A SAMPLE
                                   "\x22\x00" LABEL_B "\x1a\x00");
    char bytes[128];

    for (size_t i = 0; i < message.len; i++) {
        for (int flip = 0; flip < 256; flip++) {
            struct rw1_summary got = {0};
            struct samples s = {0};
            struct err e = ERR_INIT;
            memcpy(bytes, message.ptr, message.len);
            bytes[i] = (char)(bytes[i] ^ flip);
            struct str damaged = str_make(bytes, flip == 0 ? i : message.len);
            bool ok = decodes(damaged, &s);
            assert_int_equal(rw1_scan(damaged, &got, &e), ok);
            assert_true(!ok || got.samples == s.count);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_agrees_on_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
