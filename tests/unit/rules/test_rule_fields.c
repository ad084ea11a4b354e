/* The page for users has every field that is read. */
#include "base/fs.h"
#include "rules/rule_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void read_page(struct buf *out)
{
    const char *root = getenv("TELEX_SOURCE_ROOT");
    char path[1024];
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof(path), "%s/docs/rules.md", root != NULL ? root : ".");
    if (!fs_read_file(fs_system(), str_of(path), 1 << 20, out, &e)) {
        fail_msg("%s", e.message);
    }
}

/* Each field begins a row of the table in the part of the page between two headings. */
static void check_table(struct str page, const char *heading, const struct field_table *table)
{
    struct str part = str_slice(page, str_find(page, str_of(heading)), page.len);

    part = str_slice(part, 0, str_find(str_slice(part, 1, part.len), STR("\n## ")) + 1);
    assert_true(part.len > 1);
    for (size_t i = 0; i < table->count; i++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "`%s`", table->names[i]);
        if (str_find(part, str_of(name)) == part.len) {
            fail_msg("docs/rules.md has no %s under \"%s\"", table->names[i], heading);
        }
    }
}

static void the_page_has_every_field(void **state)
{
    AUTO(buf_release) struct buf page = BUF_INIT(1 << 20);

    (void)state;
    read_page(&page);
    check_table(buf_str(&page), "\n## Groups\n", &group_fields);
    check_table(buf_str(&page), "\n## Rules\n", &rule_fields);
}

/* A key that is ours cannot be foreign: the advice would never be given. */
static void foreign_fields_are_not_ours(void **state)
{
    static const struct field_table *const tables[] = {&file_fields, &group_fields, &rule_fields};

    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
        for (const struct foreign_field *f = tables[t]->foreign; f->name != NULL; f++) {
            for (size_t i = 0; i < tables[t]->count; i++) {
                assert_string_not_equal(f->name, tables[t]->names[i]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_every_field),
        cmocka_unit_test(foreign_fields_are_not_ours),
    };

    return cmocka_run_group_tests_name("rules/rule_fields", tests, NULL, NULL);
}
