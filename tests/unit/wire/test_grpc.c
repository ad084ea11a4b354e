/* gRPC's frames, codes and texts of headers. */
#include "wire/grpc.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void frames(void **state)
{
    char prefix[GRPC_PREFIX_BYTES];
    struct str rest = STR("\x00\x00\x00\x00\x02hi\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02h");
    struct str message;
    bool is_compressed;

    (void)state;
    grpc_prefix(true, 0x01020304, prefix);
    assert_memory_equal(prefix, "\x01\x01\x02\x03\x04", sizeof(prefix));
    assert_int_equal(grpc_prefix_length(prefix), 0x01020304);
    assert_true(grpc_next(&rest, &is_compressed, &message));
    assert_false(is_compressed);
    assert_true(str_eq(message, STR("hi")));
    assert_true(grpc_next(&rest, &is_compressed, &message));
    assert_true(is_compressed);
    assert_int_equal(message.len, 0);
    assert_false(grpc_next(&rest, &is_compressed, &message));
    rest = STR("\x02\x00\x00\x00\x00");
    assert_false(grpc_next(&rest, &is_compressed, &message));
}

static void codes(void **state)
{
    (void)state;
    assert_string_equal(grpc_code_name(GRPC_UNAVAILABLE), "UNAVAILABLE");
    assert_string_equal(grpc_code_name(99), "UNKNOWN");
    assert_int_equal(grpc_code_to_http(GRPC_UNAUTHENTICATED), 401);
    assert_int_equal(grpc_code_from_http(503), GRPC_UNAVAILABLE);
    assert_int_equal(grpc_code_from_http(200), GRPC_UNKNOWN);
    assert_int_equal(grpc_code_read(STR("14")), GRPC_UNAVAILABLE);
    assert_int_equal(grpc_code_read(STR("17")), GRPC_UNKNOWN);
    assert_int_equal(grpc_code_read(STR("x")), GRPC_UNKNOWN);
}

static void texts(void **state)
{
    static const char *const rows[][2] = {
        {"full", "full"}, {"sp\xc3\xa4t %\n", "sp%C3%A4t %25%0A"}, {"", ""}};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        grpc_add_text(&out, str_of(rows[i][0]));
        assert_string_equal(buf_text(&out), rows[i][1]);
        buf_clear(&out);
        grpc_read_text(str_of(rows[i][1]), &out);
        assert_string_equal(buf_text(&out), rows[i][0]);
    }
    buf_clear(&out);
    grpc_read_text(STR("%4 %zz %41%"), &out);
    assert_string_equal(buf_text(&out), "%4 %zz A%");
}

static void timeouts(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {{1, "1n"},
                {99999999, "99999999n"},
                {10 * NS_PER_S, "10000000u"},
                {3600 * NS_PER_S, "3600000m"},
                {INT64_C(4000000) * NS_PER_S, "4000000S"}};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf_clear(&out);
        grpc_add_timeout(&out, rows[i].ns);
        assert_string_equal(buf_text(&out), rows[i].text);
        assert_true(grpc_read_timeout(str_of(rows[i].text), &ns));
        assert_int_equal(ns, rows[i].ns);
    }
    assert_true(grpc_read_timeout(STR("99999999H"), &ns));
    assert_int_equal(ns, INT64_MAX);
    assert_false(grpc_read_timeout(STR("5"), &ns));
    assert_false(grpc_read_timeout(STR("5x"), &ns));
    assert_false(grpc_read_timeout(STR("123456789n"), &ns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(codes),
        cmocka_unit_test(texts),
        cmocka_unit_test(timeouts),
    };

    return cmocka_run_group_tests_name("wire/grpc", tests, NULL, NULL);
}
