/* What may stand in an attribute, held against looking at each byte. */
#include "model/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Printable ASCII alone, the plain way. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < 0x20 || c > 0x7E) {
            return false;
        }
    }
    return true;
}

/* Each byte at each place of texts of up to three blocks, between others. */
static void one_byte_decides(void **state)
{
    char text[24];

    (void)state;
    for (size_t len = 1; len <= sizeof(text); len++) {
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 0x100; byte++) {
                memset(text, (at + len) % 2 != 0 ? '~' : ' ', sizeof(text));
                text[at] = (char)byte;
                struct str all = str_make(text, len);
                assert_int_equal(event_text_is_valid(all), is_plain(all));
            }
        }
    }
}

static void texts(void **state)
{
    static const struct {
        const char *text;
        bool is_valid;
    } rows[] = {
        {"", true},
        {"gpu-node-01", true},
        {"caf\xC3\xA9 and more of it", true},
        {"behind a block\xF0\x9F\x98\x80", true},
        {"a tab \t in it", false},
        {"a C1 control \xC2\x85.", false},
        {"no character \xEF\xBF\xBE.", false},
        {"no character \xEF\xB7\x90.", false},
        {"no UTF-8 \xC3.", false},
        {"half of a surrogate \xED\xA0\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (event_text_is_valid(str_of(rows[i].text)) != rows[i].is_valid) {
            fail_msg("'%s'", rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte_decides),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
