/* Tables of records: default layouts, mappings, names that need quotes, and what makes no sense. */
#include "wire/table_layout.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct option_map none = {0};

static void check_create(enum record_kind kind, const char *name, const struct option_map *mapping,
                         const struct table_dialect *dialect, const char *sql)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct table_layout l;
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    if (!table_layout_make(kind, str_of(name), mapping, &a, &l, &e)) {
        fail_msg("%s", e.message);
    }
    table_layout_add_create(&l, dialect, &out);
    assert_string_equal(buf_text(&out), sql);
    arena_release(&a);
}

static void test_layouts(void **state)
{
    (void)state;
    check_create(RECORD_SAMPLE, "telex_{kind}", &none, &table_postgresql,
                 "CREATE TABLE IF NOT EXISTS \"telex_samples\" (\"time\" timestamptz NOT NULL, "
                 "\"metric\" text, \"value\" double precision, \"labels\" jsonb, \"rule\" text)");
    check_create(RECORD_ALERT, "ops.telex_{kind}", &none, &table_postgresql,
                 "CREATE TABLE IF NOT EXISTS \"ops\".\"telex_alerts\" (\"time\" timestamptz NOT "
                 "NULL, \"id\" text, \"alert_name\" text, \"state\" text, \"previous_state\" text, "
                 "\"severity\" text, \"value\" double precision, \"threshold\" double precision, "
                 "\"labels\" jsonb, \"annotations\" jsonb, \"active_at\" timestamptz, \"fired_at\" "
                 "timestamptz, \"resolved_at\" timestamptz, \"rule\" text, \"rule_group\" text, "
                 "\"rule_id\" text, \"expr\" text, \"exports\" jsonb)");
    check_create(RECORD_PROFILE, "profiling_metrics", &none, &table_postgresql,
                 "CREATE TABLE IF NOT EXISTS \"profiling_metrics\" (\"time\" timestamptz NOT NULL, "
                 "\"name\" text, \"labels\" jsonb, \"fields\" jsonb)");
    check_create(RECORD_SPAN, "profiling_metrics", &none, &table_sqlite,
                 "CREATE TABLE IF NOT EXISTS \"profiling_metrics_spans\" (\"time\" TEXT NOT NULL, "
                 "\"name\" TEXT, \"duration_ms\" REAL, \"end_time\" TEXT, \"trace_id\" TEXT, "
                 "\"span_id\" TEXT, \"parent_id\" TEXT, \"span_kind\" TEXT, \"status\" TEXT, "
                 "\"status_message\" TEXT, \"labels\" TEXT, \"fields\" TEXT)");
}

static void test_mapping(void **state)
{
    const struct option_pair pairs[] = {
        {STR_INIT("timestamp"), STR_INIT("recorded_at"), NULL},
        {STR_INIT("messages_per_second"), STR_INIT("throughput"), NULL},
        {STR_INIT("total_messages"), STR_INIT("message count bigint"), NULL},
        {STR_INIT("labels.pod"), STR_INIT("po\"d text"), NULL},
        {STR_INIT("profile.name"), STR_INIT(""), NULL},
        {STR_INIT("span.memory_usage_mb"), STR_INIT("memory"), NULL},
    };
    const struct option_map mapping = {pairs, ARRAY_LEN(pairs)};

    (void)state;
    check_create(RECORD_PROFILE, "m", &mapping, &table_postgresql,
                 "CREATE TABLE IF NOT EXISTS \"m\" (\"recorded_at\" timestamptz NOT NULL, "
                 "\"labels\" jsonb, \"fields\" jsonb, \"throughput\" double precision, \"message "
                 "count\" bigint, \"po\"\"d\" text)");
    check_create(RECORD_SAMPLE, "m", &mapping, &table_postgresql,
                 "CREATE TABLE IF NOT EXISTS \"m_samples\" (\"recorded_at\" timestamptz NOT NULL, "
                 "\"metric\" text, \"value\" double precision, \"labels\" jsonb, \"rule\" text, "
                 "\"po\"\"d\" text)");
}

static void test_has_field(void **state)
{
    const struct option_pair pairs[] = {
        {STR_INIT("rate"), STR_INIT("r"), NULL},
        {STR_INIT("labels.pod"), STR_INIT("pod"), NULL},
    };
    const struct option_map mapping = {pairs, ARRAY_LEN(pairs)};
    struct table_layout l;
    struct err e = ERR_INIT;
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(table_layout_make(RECORD_PROFILE, STR("m"), &mapping, &a, &l, &e));
    assert_true(table_layout_has_field(&l, STR("rate")));
    assert_false(table_layout_has_field(&l, STR("pod")));
    assert_false(table_layout_has_field(&l, STR("time")));
    arena_release(&a);
}

static void test_names_and_types(void **state)
{
    static const struct {
        struct option_pair pair;
        const char *sql;
    } rows[] = {
        {{STR_INIT("a"), STR_INIT("n"), NULL}, "\"n\" double precision"},
        {{STR_INIT("a"), STR_INIT("n  BIGINT "), NULL}, "\"n\" bigint"},
        {{STR_INIT("a"), STR_INIT("n double precision"), NULL}, "\"n\" double precision"},
        {{STR_INIT("a"), STR_INIT("\"n m\" text"), NULL}, "\"n m\" text"},
        {{STR_INIT("a"), STR_INIT("n m text"), NULL}, "\"n m\" text"},
        {{STR_INIT("labels.a"), STR_INIT("\"n text\""), NULL}, "\"n text\" text"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct option_map mapping = {&rows[i].pair, 1};
        AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
        struct table_layout l;
        struct err e = ERR_INIT;
        struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        if (!table_layout_make(RECORD_PROFILE, STR("m"), &mapping, &a, &l, &e)) {
            fail_msg("row %zu: %s", i, e.message);
        }
        table_layout_add_create(&l, &table_postgresql, &sql);
        if (strstr(buf_text(&sql), rows[i].sql) == NULL) {
            fail_msg("row %zu: %s", i, buf_text(&sql));
        }
        arena_release(&a);
    }
}

#define SIXTYFOUR "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_nonsense(void **state)
{
    static const struct {
        struct str name;
        struct option_pair pair;
        const char *says;
    } rows[] = {
        {STR_INIT("m"), {STR_INIT("a"), STR_INIT("time"), NULL}, "two columns would be called"},
        {STR_INIT("m"), {STR_INIT("a"), STR_INIT(SIXTYFOUR), NULL}, "1 to 63 bytes"},
        {STR_INIT("m"), {STR_INIT("a"), STR_INIT("n varchar(20)"), NULL}, "type 'varchar(20)'"},
        {STR_INIT("m"), {STR_INIT("timestamp"), STR_INIT("at date"), NULL}, "type 'date'"},
        {STR_INIT("m"), {STR_INIT("a"), STR_INIT("\"n m\" int"), NULL}, "type 'm\" int'"},
        {STR_INIT(SIXTYFOUR), {STR_INIT("a"), STR_INIT("b"), NULL}, "1 to 63 bytes"},
        {STR_INIT("a."), {STR_INIT("a"), STR_INIT("b"), NULL}, "cannot be the name"},
        {STR_INIT(""), {STR_INIT("a"), STR_INIT("b"), NULL}, "cannot be the name"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct option_map mapping = {&rows[i].pair, 1};
        struct err e = ERR_INIT;
        assert_false(table_layout_check(rows[i].name, &mapping, &e));
        if (strstr(e.message, rows[i].says) == NULL) {
            fail_msg("row %zu: %s", i, e.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),   cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_has_field), cmocka_unit_test(test_names_and_types),
        cmocka_unit_test(test_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
