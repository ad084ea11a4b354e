#include "base/md5.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void assert_digest(struct str text, const char *want)
{
    uint8_t digest[MD5_BYTES];
    char hex[2 * MD5_BYTES + 1];

    md5(text, digest);
    for (size_t i = 0; i < MD5_BYTES; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    assert_string_equal(hex, want);
}

static void published_vectors(void **state)
{
    (void)state;
    assert_digest(STR_NONE, "d41d8cd98f00b204e9800998ecf8427e");
    assert_digest(STR("abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_digest(STR("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
}

/* Where the length still fits into the last block, and where it does not. */
static void block_edges(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        const char *digest;
    } rows[] = {
        {55, "ef1772b6dff9a122358552954ad0df65"},  {56, "3b0c8ac703f828b04c6c197006d17218"},
        {63, "b06521f39153d618550606be297466d5"},  {64, "014842d480b571495a4a0363793f7367"},
        {119, "8a7bd0732ed6a28ce75f6dabc90e1613"}, {120, "5f61c0ccad4cac44c75ff505e1f1e537"},
    };
    char text[120];

    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_digest(str_make(text, rows[i].len), rows[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(block_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
