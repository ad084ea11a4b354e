#include "model/labels.h"

#include "base/mem.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAIRS_MAX = 6 };

typedef const char *const pairs[PAIRS_MAX * 2 + 1];

static void push_all(struct labels_builder *b, const char *const *p)
{
    for (; p[0] != NULL; p += 2) {
        labels_builder_push(b, str_of(p[0]), str_of(p[1]));
    }
}

static struct labels *make(const char *const *p)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    push_all(&b, p);
    assert_true(labels_build(&b, &l, &e));
    return l;
}

static void test_printed_and_sorted(void **state)
{
    (void)state;
    static const struct {
        pairs in;
        const char *printed;
    } rows[] = {
        {{NULL}, "{}"},
        {{"__name__", "up", NULL}, "up"},
        {{"b", "2", "a", "1", NULL}, "{a=\"1\", b=\"2\"}"},
        {{"job", "x", "__name__", "up", "a", "", NULL}, "up{job=\"x\"}"},
        {{"__name__", "a.b", "c d", "1", NULL}, "{\"a.b\", \"c d\"=\"1\"}"},
        {{"a", "q\"\\\n\x01\xff\xc3\xa9", NULL}, "{a=\"q\\\"\\\\\\n\\x01\\xff\xc3\xa9\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(labels_autounref) struct labels *l = make(rows[i].in);
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        labels_print(l, &out);
        assert_string_equal(buf_text(&out), rows[i].printed);
    }
}

static void test_packed_as_remote_write_has_it(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *l = make((pairs){"b", "22", "a", "1", NULL});
    const struct str want = STR("\x0a\x06\x0a\x01"
                                "a\x12\x01"
                                "1\x0a\x07\x0a\x01"
                                "b\x12\x02"
                                "22");
    assert_true(str_eq(labels_bytes(l), want));
    assert_int_equal(l->count, 2);
    assert_true(l->hash == str_hash(want, 0));
}

static void test_empty_is_one_and_hashed(void **state)
{
    (void)state;
    struct labels *l = make((pairs){"a", "", NULL});
    assert_ptr_equal(l, labels_empty());
    assert_true(l->hash == str_hash(STR(""), 0));
    labels_unref(labels_ref(l));
    labels_unref(l);
    labels_unref(l);
    labels_unref(NULL);
    assert_int_equal(labels_empty()->count, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        pairs in;
        const char *message;
    } rows[] = {
        {{"a", "1", "b", "2", "a", "3", NULL}, "label \"a\" stands twice in one set"},
        {{"b", "1", "b", "1", NULL}, "label \"b\" stands twice in one set"},
        {{"", "1", NULL}, "label with an empty name"},
        {{"a", "1", "", "1", NULL}, "label with an empty name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(labels_builder_release) struct labels_builder b;
        struct labels *l = NULL;
        struct err e = ERR_INIT;
        labels_builder_init(&b);
        push_all(&b, rows[i].in);
        assert_false(labels_build(&b, &l, &e));
        assert_null(l);
        assert_int_equal(e.code, ERR_PARSE);
        assert_string_equal(e.message, rows[i].message);
    }
}

/* <count> labels with values of <size> bytes. */
static bool build_many(size_t count, size_t size, bool backwards)
{
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;
    char(*names)[8] = mem_alloc0(count, sizeof(*names));
    char *value = mem_alloc0(size, 1);
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "l%06zu", backwards ? count - i : i);
        labels_builder_push(&b, str_of(names[i]), str_make(value, size));
    }
    bool ok = labels_build(&b, &l, &e);
    assert_true(ok ? l->count == count : e.code == ERR_LIMIT);
    mem_free(names);
    mem_free(value);
    return ok;
}

static void test_limits(void **state)
{
    (void)state;
    assert_true(build_many(LABELS_MAX, 1, false));
    assert_true(build_many(LABELS_MAX, 1, true));
    assert_false(build_many(LABELS_MAX + 1, 1, false));
    assert_true(build_many(1, LABELS_BYTES_MAX - 64, false));
    assert_false(build_many(1, LABELS_BYTES_MAX, false));
    assert_false(build_many(3, LABELS_BYTES_MAX / 2, false));
}

static void test_get_walks_long_lengths(void **state)
{
    (void)state;
    enum { TEXT_MAX = 20000 };
    AUTO(mem_autofree) char *text = mem_alloc(TEXT_MAX);
    memset(text, 'x', TEXT_MAX);
    for (size_t len = 1; len < TEXT_MAX; len = len * 2 + 1) {
        struct str value = str_make(text, len);
        AUTO(labels_builder_release) struct labels_builder b;
        AUTO(labels_autounref) struct labels *l = NULL;
        struct err e = ERR_INIT;
        labels_builder_init(&b);
        labels_builder_push(&b, STR("z"), STR("last"));
        labels_builder_push(&b, STR("m"), value);
        labels_builder_push(&b, value, STR("first"));
        assert_true(labels_build(&b, &l, &e));
        assert_true(str_eq(labels_get(l, STR("z")), STR("last")));
        assert_true(str_eq(labels_get(l, STR("m")), value));
        assert_true(str_eq(labels_get(l, value), STR("first")));
        assert_int_equal(labels_get(l, STR("absent")).len, 0);
    }
}

static void test_cmp_orders_by_names_then_values(void **state)
{
    (void)state;
    static const pairs in_order[] = {
        {NULL}, {"a", "1", NULL}, {"a", "1", "b", "1", NULL}, {"a", "2", NULL}, {"b", "0", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(in_order); i++) {
        for (size_t j = 0; j < ARRAY_LEN(in_order); j++) {
            AUTO(labels_autounref) struct labels *x = make(in_order[i]);
            AUTO(labels_autounref) struct labels *y = make(in_order[j]);
            int order = labels_cmp(x, y);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(labels_eq(x, y), i == j);
        }
    }
}

static void test_builder_set_get_del(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *base = make((pairs){"a", "1", "c", "3", NULL});
    AUTO(labels_autounref) struct labels *want = make((pairs){"a", "9", "b", "2", "d", "4", NULL});
    AUTO(labels_autounref) struct labels *got = NULL;
    AUTO(labels_builder_release) struct labels_builder b;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("zzz"), STR("forgotten"));
    labels_builder_start(&b, base);
    labels_builder_set(&b, STR("d"), STR("4"));
    labels_builder_set(&b, STR("b"), STR("2"));
    labels_builder_set(&b, STR("a"), STR("9"));
    labels_builder_set(&b, STR("c"), STR(""));
    labels_builder_del(&b, STR("nothing"));
    assert_true(b.sorted);
    assert_true(str_eq(labels_builder_get(&b, STR("b")), STR("2")));
    assert_int_equal(labels_builder_get(&b, STR("c")).len, 0);
    assert_true(labels_build(&b, &got, &e));
    assert_true(labels_eq(got, want));
}

static void test_builder_sets_in_an_unsorted_one(void **state)
{
    (void)state;
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(labels_autounref) struct labels *got = NULL;
    AUTO(labels_autounref) struct labels *want = make((pairs){"a", "2", "b", "1", "c", "1", NULL});
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    push_all(&b, (pairs){"c", "1", "a", "1", NULL});
    labels_builder_set(&b, STR("a"), STR("2"));
    labels_builder_set(&b, STR("b"), STR("1"));
    assert_true(labels_build(&b, &got, &e));
    assert_true(labels_eq(got, want));
}

static void test_from_bytes_accepts(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *want = make((pairs){"a", "1", "b", "2", NULL});
    const struct str forms[] = {
        /* As a set holds them. */
        STR_INIT("\x0a\x06\x0a\x01"
                 "a\x12\x01"
                 "1\x0a\x06\x0a\x01"
                 "b\x12\x01"
                 "2"),
        /* Out of order. */
        STR_INIT("\x0a\x06\x0a\x01"
                 "b\x12\x01"
                 "2\x0a\x06\x0a\x01"
                 "a\x12\x01"
                 "1"),
        /* Value before name, a long varint, an unknown varint field in a label. */
        STR_INIT("\x0a\x06\x12\x01"
                 "1\x0a\x01"
                 "a\x0a\x09\x0a\x81\x00"
                 "b\x12\x01"
                 "2\x18\x07"),
        /* An empty value is no label; unknown fields of all wire types are passed over. */
        STR_INIT("\x0a\x06\x0a\x01"
                 "a\x12\x01"
                 "1\x0a\x03\x0a\x01"
                 "x\x0a\x06\x0a\x01"
                 "b\x12\x01"
                 "2\x12\x01\x00\x19"
                 "12345678\x25"
                 "1234"),
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        AUTO(labels_autounref) struct labels *got = NULL;
        struct err e = ERR_INIT;
        assert_true(labels_from_bytes(forms[i], &got, &e));
        assert_true(labels_eq(got, want));
    }
}

static void test_from_bytes_refuses(void **state)
{
    (void)state;
    const struct str forms[] = {
        STR_INIT("\x0a"),
        STR_INIT("\x0a\x07\x0a\x01"
                 "a\x12\x01"
                 "1"),
        STR_INIT("\x0a\x06\x0a\x01"
                 "a\x12\x02"
                 "1"),
        STR_INIT("\x00\x01"),
        STR_INIT("\x0b"),
        STR_INIT("\x11"
                 "1234567"),
        STR_INIT("\x0a\x06\x0a\x01"
                 "a\x12\x01"
                 "1\x0a\x06\x0a\x01"
                 "a\x12\x01"
                 "1"),
        STR_INIT("\x0a\x03\x12\x01"
                 "1"),
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct labels *got = NULL;
        struct err e = ERR_INIT;
        assert_false(labels_from_bytes(forms[i], &got, &e));
        assert_null(got);
        assert_int_equal(e.code, ERR_PARSE);
    }
}

static void test_legacy_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool label;
        bool metric;
    } rows[] = {
        {"a", true, true},     {"_9Z", true, true}, {"a:b", false, true},
        {"9a", false, false},  {"", false, false},  {"a-b", false, false},
        {"a b", false, false}, {":", false, true},  {"\xc3\xa9", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(label_name_is_legacy(str_of(rows[i].name)), rows[i].label);
        assert_int_equal(metric_name_is_legacy(str_of(rows[i].name)), rows[i].metric);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printed_and_sorted),
        cmocka_unit_test(test_packed_as_remote_write_has_it),
        cmocka_unit_test(test_empty_is_one_and_hashed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_get_walks_long_lengths),
        cmocka_unit_test(test_cmp_orders_by_names_then_values),
        cmocka_unit_test(test_builder_set_get_del),
        cmocka_unit_test(test_builder_sets_in_an_unsorted_one),
        cmocka_unit_test(test_from_bytes_accepts),
        cmocka_unit_test(test_from_bytes_refuses),
        cmocka_unit_test(test_legacy_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
