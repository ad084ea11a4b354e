/* Places in the log of a server of PostgreSQL as text, and what rows of it are called. */
#include "events/sources/postgresql_place.h"
#include "events/sources/postgresql_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_places(void **state)
{
    static const struct {
        const char *text;
        struct pg_place place;
        const char *printed; /* NULL: as it was */
    } good[] = {
        {"0/0/0@0", {0, 0, 0}, NULL},
        {"16/B374D848/3@1", {UINT64_C(0x16B374D848), 3, 1}, NULL},
        {"16/B374D848", {UINT64_C(0x16B374D848), 0, 0}, "16/B374D848/0@0"},
        {"16/b374d848/7", {UINT64_C(0x16B374D848), 7, 0}, "16/B374D848/7@0"},
        {"0/10@4294967295", {16, 0, UINT32_MAX}, "0/10/0@4294967295"},
        {"FFFFFFFF/FFFFFFFF/18446744073709551615@4294967295",
         {UINT64_MAX, UINT64_MAX, UINT32_MAX},
         NULL},
    };
    static const char *const bad[] = {"",      "16",     "16/",      "/1",      "1/1/",
                                      "1/1/x", "1/1@",   "1/1@x",    "1/1/1/1", "1/1@4294967296",
                                      "@1",    "1/1 /1", "1/1/-1@1", "x/1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct pg_place p = {1, 1, 1};
        assert_true(pg_place_parse(str_of(good[i].text), &p));
        assert_int_equal(p.lsn, good[i].place.lsn);
        assert_int_equal(p.ordinal, good[i].place.ordinal);
        assert_int_equal(p.timeline, good[i].place.timeline);
        pg_place_add(&out, p);
        assert_string_equal(buf_text(&out),
                            good[i].printed != NULL ? good[i].printed : good[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct pg_place p;
        if (pg_place_parse(str_of(bad[i]), &p)) {
            fail_msg("%s", bad[i]);
        }
    }
}

/* As numbers, and as the text that orders events. */
static void test_order(void **state)
{
    static const struct pg_place rising[] = {
        {9, 0, 3}, {9, 1, 1}, {9, 10, 1}, {10, 0, 1}, {0x100, 2, 1}, {UINT64_C(0x100000000), 1, 1}};

    (void)state;
    for (size_t i = 1; i < ARRAY_LEN(rising); i++) {
        char before[PG_SEQUENCE_LEN];
        char behind[PG_SEQUENCE_LEN];
        assert_true(pg_place_is_before(rising[i - 1], rising[i]));
        assert_false(pg_place_is_before(rising[i], rising[i - 1]));
        assert_false(pg_place_is_before(rising[i], rising[i]));
        pg_place_print_sequence(rising[i - 1], before);
        pg_place_print_sequence(rising[i], behind);
        assert_true(memcmp(before, behind, PG_SEQUENCE_LEN) < 0);
    }
}

static void test_timelines(void **state)
{
    static const char history[] = "1\t0/3000000\tno recovery target specified\n\n"
                                  "2\t0/5000148\tno recovery target specified\n";
    uint64_t lsn = 0;

    (void)state;
    assert_true(pg_place_timeline_end(STR(history), 1, &lsn));
    assert_int_equal(lsn, 0x3000000);
    assert_true(pg_place_timeline_end(STR(history), 2, &lsn));
    assert_int_equal(lsn, 0x5000148);
    assert_false(pg_place_timeline_end(STR(history), 3, &lsn));
    assert_false(pg_place_timeline_end(STR(""), 1, &lsn));
    assert_false(pg_place_timeline_end(STR("1\tx\t\n"), 1, &lsn));
}

static void test_lists(void **state)
{
    static const char *const bad[] = {
        "", "1", "1:", "1:a", "2:a,", "1:a;", "x:a,", "-1:a,", "18446744073709551615:a,"};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct str rest;
    struct str item;

    (void)state;
    pg_list_add(&out, STR("a,b:c"));
    pg_list_add(&out, STR(""));
    rest = buf_str(&out);
    assert_true(pg_list_next(&rest, &item));
    assert_true(str_eq(item, STR("a,b:c")));
    assert_true(pg_list_next(&rest, &item));
    assert_int_equal(item.len, 0);
    assert_false(pg_list_next(&rest, &item));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rest = str_of(bad[i]);
        if (pg_list_next(&rest, &item)) {
            fail_msg("%s", bad[i]);
        }
    }
}

static void lay_out(struct pg_layout *l, const struct pg_wishes *wishes)
{
    pg_layout_init(l, STR("t"));
    pg_layout_begin(l, 3);
    pg_layout_column(l, 0, STR("a"), 25);
    pg_layout_column(l, 1, STR("b"), 23);
    pg_layout_column(l, 2, STR("at"), 1184);
    pg_layout_end(l, wishes);
}

static void test_ids(void **state)
{
    static const struct str names[] = {STR_INIT("b"), STR_INIT("a")};
    static const struct str nothing[] = {STR_INIT("nothing")};
    static const struct {
        struct pg_wishes wishes;
        const char *id;
        bool is_broken;
    } cases[] = {
        {{.ids = names, .id_count = 1}, "7", false},
        {{.ids = names, .id_count = 2}, "7/x%2Fy%25", false},
        {{.ids = names, .id_count = 2, .is_primary_key = true}, "x%2Fy%25/7", false},
        {{.ids = names, .id_count = 1, .prefix = STR_INIT("s.t")}, "s.t/7", false},
        {{.ids = names}, "", false},
        {{.ids = nothing, .id_count = 1}, "", true},
        {{.ids = names, .id_count = 1, .time_column = STR_INIT("nothing")}, "", true},
    };
    const struct pgoutput_cell cells[] = {{STR("x/y%"), PGOUTPUT_TEXT},
                                          {STR("7"), PGOUTPUT_TEXT},
                                          {STR("2026-01-02 03:04:05+00"), PGOUTPUT_TEXT}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pg_layout l;
        struct changes batch;
        changes_init(&batch);
        lay_out(&l, &cases[i].wishes);
        struct change *ch = changes_add(&batch);
        pg_layout_fill(&l, cells, 1, &batch, ch);
        if (!str_eq(ch->id, str_of(cases[i].id))) {
            fail_msg("%zu: %.*s", i, STR_FMT(ch->id));
        }
        assert_int_equal(ch->form == CHANGE_BROKEN, cases[i].is_broken);
        changes_release(&batch);
        pg_layout_release(&l);
    }
}

static void test_columns(void **state)
{
    const struct pg_wishes wishes = {.key_column = STR("a"), .time_column = STR("at")};
    const struct pgoutput_cell cells[] = {{STR("k"), PGOUTPUT_TEXT},
                                          {STR(""), PGOUTPUT_UNCHANGED},
                                          {STR("2026-01-02 03:04:05+00"), PGOUTPUT_TEXT}};
    struct pg_layout l;
    struct changes batch;

    (void)state;
    lay_out(&l, &wishes);
    for (uint64_t number = 1; number <= 2; number++) {
        changes_init(&batch); /* its memory is another: names may not be those of the first */
        struct change *ch = changes_add(&batch);
        pg_layout_fill(&l, cells, number, &batch, ch);
        assert_int_equal(ch->time_ns, INT64_C(1767323045) * 1000000000);
        assert_true(str_eq(ch->key, STR("k")));
        assert_int_equal(change_column(ch, STR("b"))->type, COLUMN_UNSENT);
        assert_true(str_eq(change_column(ch, STR("at"))->text, STR("2026-01-02T03:04:05Z")));
        changes_release(&batch);
    }
    pg_layout_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_timelines), cmocka_unit_test(test_lists),
        cmocka_unit_test(test_ids),       cmocka_unit_test(test_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
