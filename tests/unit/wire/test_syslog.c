#include "wire/syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TIME_NS_PART = 123456789 };
#define TIME_NS (INT64_C(1705314600000000000) + TIME_NS_PART)

static const struct syslog_param params[] = {
    {STR_INIT("instance"), STR_INIT("a\"b\\c]d")},
    {STR_INIT("na me=]"), STR_INIT("x\ny\xC3\xA9")},
    {STR_INIT("a_name_that_is_longer_than_thirty_two_bytes"), STR_INIT("\xFF")},
};

static struct syslog_message message(void)
{
    return (struct syslog_message){.facility = 16,
                                   .severity = 2,
                                   .time_ns = TIME_NS,
                                   .host = STR("web 1"),
                                   .app = STR("telex"),
                                   .msgid = STR("alert"),
                                   .sd_id = STR("telex@32473"),
                                   .params = params,
                                   .param_count = 3,
                                   .text = STR("hot\r\nvery")};
}

static void test_5424(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct syslog_message m = message();
    struct syslog_parts parts;

    (void)state;
    assert_false(syslog_write(&m, SYSLOG_5424, 8192, &out));
    assert_string_equal(buf_text(&out),
                        "<130>1 2024-01-15T10:30:00.123456Z web_1 telex - alert "
                        "[telex@32473 instance=\"a\\\"b\\\\c\\]d\" na_me__=\"x y\xC3\xA9\" "
                        "a_name_that_is_longer_than_thirt=\"?\"] hot  very");
    assert_true(syslog_read(buf_str(&out), &parts));
    assert_int_equal(parts.priority, 130);
    assert_true(str_eq(parts.text, STR("hot  very")));
    assert_true(str_ends(parts.sd, STR("=\"?\"]")));
    buf_clear(&out);
    m.sd_id = STR("");
    m.text = STR("");
    m.host = STR("");
    assert_false(syslog_write(&m, SYSLOG_5424, 8192, &out));
    assert_string_equal(buf_text(&out), "<130>1 2024-01-15T10:30:00.123456Z - telex - alert -");
    assert_true(syslog_read(buf_str(&out), &parts));
}

static void test_3164(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct syslog_message m = message();

    (void)state;
    assert_false(syslog_write(&m, SYSLOG_3164, 8192, &out));
    assert_string_equal(buf_text(&out), "<130>Jan 15 10:30:00 web_1 telex: hot  very");
}

/* At every limit: never longer, always UTF-8, always a message. */
static void test_what_is_too_long(void **state)
{
    char text[1201];
    struct syslog_message m = message();
    struct syslog_parts parts;

    (void)state;
    for (size_t i = 0; i < 1200; i += 2) {
        memcpy(text + i, "\xC3\xA9", 2);
    }
    AUTO(buf_release) struct buf whole = BUF_INIT(BUF_UNLIMITED);

    m.text = str_make(text, 1200);
    assert_false(syslog_write(&m, SYSLOG_5424, 8192, &whole));
    for (size_t max = SYSLOG_BYTES_LEAST; max < whole.len + 9; max++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        bool is_cut = syslog_write(&m, SYSLOG_5424, max, &out);
        assert_true(out.len <= max && str_is_utf8(buf_str(&out)));
        assert_int_equal(is_cut, max < whole.len);
        assert_true(syslog_read(buf_str(&out), &parts));
    }
}

/* Structured data that leave no room are left out as a whole. */
static void test_too_many_labels(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct syslog_param many[40];
    struct syslog_message m = message();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) {
        many[i] = params[1];
    }
    m.params = many;
    m.param_count = ARRAY_LEN(many);
    assert_true(syslog_write(&m, SYSLOG_5424, SYSLOG_BYTES_LEAST, &out));
    assert_true(str_ends(buf_str(&out), STR(" alert - hot  very")));
}

static const struct {
    const char *word;
    int severity;
} words[] = {{"critical", 2}, {"CRITICAL", 2}, {"page", 1}, {"warn", 4}, {"", -1}, {"P1", -1}};

static void test_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        assert_int_equal(syslog_severity_of(str_of(words[i].word)), words[i].severity);
    }
    assert_null(syslog_severities[SYSLOG_SEVERITIES]);
    assert_null(syslog_facilities[SYSLOG_FACILITIES]);
    assert_string_equal(syslog_facilities[16], "local0");
}

static const char *const broken[] = {
    "",
    "<130>1",
    "130 1",
    "<192>1 2024-01-15T10:30:00Z h a - m - x",
    "<130>1 yesterday h a - m - x",
    "<130>1 2024-01-15T10:30:00Z h a - m [x a=\"]",
    "<1>1 - - - - -",
};

static void test_broken(void **state)
{
    struct syslog_parts parts;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        if (syslog_read(str_of(broken[i]), &parts)) {
            fail_msg("%s", broken[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_5424),
        cmocka_unit_test(test_3164),
        cmocka_unit_test(test_what_is_too_long),
        cmocka_unit_test(test_too_many_labels),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
