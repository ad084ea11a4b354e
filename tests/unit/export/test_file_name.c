/* Names of files from templates: what they come to, what they say, and what is refused. */
#include "export/file_name.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct file_name_facts facts = {
    .began_ns = INT64_C(1705314600) * 1000000000,
    .hostname = STR_INIT("web-1"),
    .exporter = STR_INIT("archive"),
    .pid = 42,
};

static const struct {
    const char *pattern;
    struct file_kind kind;
    unsigned again;
    const char *want;
} names[] = {
    {"profiling-{timestamp}-{hostname}.jsonl.gz",
     {FORMAT_JSONL, PACKING_GZIP},
     0,
     "profiling-20240115T103000Z-web-1.jsonl.gz"},
    {"{name}-{date}-{hour}", {FORMAT_PARQUET, PACKING_NONE}, 0, "archive-20240115-10.parquet"},
    {"{name}-{unix}.csv", {FORMAT_CSV, PACKING_ZSTD}, 0, "archive-1705314600.csv.zst"},
    {"{pid}", {FORMAT_CSV, PACKING_NONE}, 2, "42-2.csv"},
    {"x.csv.gz", {FORMAT_CSV, PACKING_GZIP}, 1, "x-1.csv.gz"},
    {"a.b{date}c.d", {FORMAT_JSONL, PACKING_NONE}, 0, "a.b20240115c.d.jsonl"},
    {".hidden/\\\n", {FORMAT_JSONL, PACKING_NONE}, 0, "-hidden---.jsonl"},
    {"{", {FORMAT_JSONL, PACKING_NONE}, 0, ".jsonl"},
};

static void templates_make_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        file_name_add(str_of(names[i].pattern), names[i].kind, &facts, names[i].again, &out);
        assert_string_equal(buf_text(&out), names[i].want);
    }
}

static const struct {
    const char *pattern;
    struct file_kind kind;
    const char *refused; /* a part of why; NULL: it is taken */
} checks[] = {
    {"x-{timestamp}", {FORMAT_JSONL, PACKING_GZIP}, NULL},
    {"x-{timestamp}.jsonl.gz", {FORMAT_JSONL, PACKING_GZIP}, NULL},
    {"x.parquet", {FORMAT_PARQUET, PACKING_NONE}, NULL},
    {"x.jsonl.gz", {FORMAT_CSV, PACKING_GZIP}, "ends in .csv.gz"},
    {"x.jsonl.gz", {FORMAT_JSONL, PACKING_NONE}, "ends in .jsonl"},
    {"x.jsonl", {FORMAT_JSONL, PACKING_ZSTD}, "ends in .jsonl.zst"},
    {"x.gz", {FORMAT_PARQUET, PACKING_NONE}, "ends in .parquet"},
    {"x-{time}.csv", {FORMAT_CSV, PACKING_NONE}, "{time} is not known"},
    {"x-{timestamp", {FORMAT_CSV, PACKING_NONE}, NULL},
    {"a/b", {FORMAT_CSV, PACKING_NONE}, "without folders"},
    {".csv", {FORMAT_CSV, PACKING_NONE}, "expected the name of a file"},
};

static void templates_are_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        struct err e = ERR_INIT;
        bool ok = file_name_check(str_of(checks[i].pattern), checks[i].kind, &e);
        if (ok != (checks[i].refused == NULL) || (!ok && !strstr(e.message, checks[i].refused))) {
            fail_msg("%s: %s", checks[i].pattern, ok ? "was taken" : e.message);
        }
    }
}

static void extensions_say_what_is_in_a_file(void **state)
{
    static const struct {
        const char *name;
        struct file_kind kind;
        bool has;
    } rows[] = {
        {"a.jsonl", {FORMAT_JSONL, PACKING_NONE}, true},
        {"a.jsonl.gz", {FORMAT_JSONL, PACKING_GZIP}, true},
        {"a.csv.zst", {FORMAT_CSV, PACKING_ZSTD}, true},
        {"a.parquet", {FORMAT_PARQUET, PACKING_NONE}, true},
        {"a.gz", {FORMAT_JSONL, PACKING_GZIP}, false},
        {"a", {FORMAT_JSONL, PACKING_NONE}, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct file_kind kind;
        assert_int_equal(file_name_kind(str_of(rows[i].name), &kind), rows[i].has);
        assert_int_equal(kind.format, rows[i].kind.format);
        assert_int_equal(kind.packing, rows[i].kind.packing);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_make_names),
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(extensions_say_what_is_in_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
