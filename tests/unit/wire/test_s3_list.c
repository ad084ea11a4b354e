/* Listings of buckets, and what a store says when it refuses. */
#include "wire/s3_list.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct list_case {
    const char *xml;
    const char *keys; /* a line each; NULL: refused */
    const char *next;
};

#define LIST(inner) \
    "<?xml version=\"1.0\"?>\n<ListBucketResult xmlns=\"x\">" inner "</ListBucketResult>"

static const struct list_case cases[] = {
    {LIST(""), "", ""},
    {LIST(
         "<Name>b</Name><Contents><Key>a</Key></Contents>\n<Contents><Size>1</Size><Key>b c</Key></Contents>"),
     "a\nb c\n", ""},
    {LIST(
         "<Contents><Key>&lt;a&amp;b&gt;&quot;&apos;&#65;&#xe9;&#x20AC;&#x1F600;</Key></Contents>"),
     "<a&b>\"'A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\n", ""},
    {LIST("<IsTruncated>true</IsTruncated><NextContinuationToken>t&amp;</NextContinuationToken>"),
     "", "t&"},
    {LIST("<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>"), "",
     ""},
    {LIST("<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><Key>no</Key><Empty/>"), "", ""},
    {"", NULL, NULL},
    {"nothing", NULL, NULL},
    {"<Error><Code>X</Code></Error>", NULL, NULL},
    {"<ListBucketResult>", NULL, NULL},
    {"<ListBucketResult></Other>", NULL, NULL},
    {"<ListBucketResult", NULL, NULL},
    {"<!DOCTYPE x [<!ENTITY a \"b\">]><ListBucketResult></ListBucketResult>", NULL, NULL},
    {LIST("<IsTruncated>true</IsTruncated>"), NULL, NULL},
    {LIST("<Contents><Key>&a;</Key></Contents>"), NULL, NULL},
    {LIST("<Contents><Key>&#0;</Key></Contents>"), NULL, NULL},
    {LIST("<Contents><Key>&#xD800;</Key></Contents>"), NULL, NULL},
    {LIST("<Contents><Key>&#x;</Key></Contents>"), NULL, NULL},
    {LIST("<Contents><Key>a&</Key></Contents>"), NULL, NULL},
    {LIST("<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>"), NULL, NULL},
};

static void take(void *arg, struct str key)
{
    buf_add_str(arg, key);
    buf_add_byte(arg, '\n');
}

static void each_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena arena;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        const struct s3_keys keys = {take, &out};
        struct str next = STR_NONE;
        struct err e = ERR_INIT;
        arena_init(&arena, ARENA_UNLIMITED);
        bool ok = s3_list_decode(str_of(cases[i].xml), &arena, &keys, &next, &e);
        if (ok != (cases[i].keys != NULL)) {
            fail_msg("%s: %s", cases[i].xml, e.message);
        }
        if (ok) {
            assert_string_equal(buf_text(&out), cases[i].keys);
            assert_true(str_eq(next, str_of(cases[i].next)));
        }
    }
}

static void errors_say_why(void **state)
{
    AUTO(arena_release) struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_UNLIMITED);
    struct str said = s3_error_text(
        STR("<?xml?><Error><Code>NoSuchKey</Code><Message>a &amp; b</Message></Error>"), &arena);
    assert_true(str_eq(said, STR("NoSuchKey: a & b")));
    assert_true(str_eq(s3_error_text(STR(" gone "), &arena), STR("gone")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page),
        cmocka_unit_test(errors_say_why),
    };

    return cmocka_run_group_tests_name("wire/s3_list", tests, NULL, NULL);
}
