/*
 * Broken rule files, each with all that is said about it: tests/golden/rules/broken.txt and
 * warned.txt. With TELEX_GOLDEN_WRITE in the environment the files are written anew, to be looked
 * through before they are committed.
 */
#include "base/fs.h"
#include "fake/problems.h"
#include "rules/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BROKEN_MIN = 60 };

/* A golden file, and what it would be if all that is said were right. */
struct golden {
    char path[1024];
    struct buf text;
    struct buf written;
};

struct golden_case {
    struct str title;
    struct str text;
    struct str expected;
};

/* The next case of <rest>; false when there is none. */
static bool next_case(struct str *rest, struct golden_case *ret)
{
    static const struct str begin = STR_INIT("\n=== ");
    static const struct str middle = STR_INIT("\n---->\n");
    size_t at = str_find(*rest, begin);

    if (at == rest->len) {
        return false;
    }
    *rest = str_slice(*rest, at + begin.len, rest->len);
    struct str all = str_slice(*rest, 0, str_find(*rest, begin) + 1);
    size_t line = str_find_byte(all, '\n');
    size_t arrow = str_find(all, middle);
    assert_true(arrow < all.len);
    ret->title = str_slice(all, 0, line);
    ret->text = str_slice(all, line + 1, arrow - line);
    ret->expected = str_slice(all, arrow + middle.len, all.len);
    *rest = str_slice(*rest, all.len - 1, rest->len);
    return true;
}

static void golden_open(struct golden *g, const char *name)
{
    const char *root = getenv("TELEX_SOURCE_ROOT");
    struct err e = ERR_INIT;

    *g = (struct golden){.text = BUF_INIT(1 << 20), .written = BUF_INIT(1 << 20)};
    (void)snprintf(g->path, sizeof(g->path), "%s/tests/golden/rules/%s", root != NULL ? root : ".",
                   name);
    if (!fs_read_file(fs_system(), str_of(g->path), 1 << 20, &g->text, &e)) {
        fail_msg("%s", e.message);
    }
    buf_add_str(&g->written,
                str_slice(buf_str(&g->text), 0, str_find(buf_str(&g->text), STR("\n=== ")) + 1));
}

static void golden_close(struct golden *g)
{
    struct err e = ERR_INIT;

    if (getenv("TELEX_GOLDEN_WRITE") != NULL &&
        !fs_replace_file(fs_system(), str_of(g->path), buf_str(&g->written), &e)) {
        fail_msg("%s", e.message);
    }
    buf_release(&g->text);
    buf_release(&g->written);
}

/* Stopping at the first error reports it as the last thing, and gives it as the error too. */
static void check_first_only(const struct golden_case *c)
{
    const struct rule_options options = {.interval_ns = 0};
    struct rule_set *set = NULL;
    struct problems p;
    struct err e = ERR_INIT;

    problems_init(&p);
    bool ok = rule_set_parse(STR("rules.yaml"), c->text, &options, &p.sink, &set, &e);
    bool same = str_starts(c->expected, buf_str(&p.text)) || getenv("TELEX_GOLDEN_WRITE") != NULL;
    if (ok || !same || p.errors != 1 || strcmp(e.message, p.last.message) != 0 ||
        e.pos.line != p.last.pos.line) {
        fail_msg("%.*s: stopped at %s", STR_FMT(c->title), buf_text(&p.text));
    }
    problems_release(&p);
}

static void check_case(struct golden *g, const struct golden_case *c, bool loads)
{
    const struct rule_options options = {.check_only = true};
    struct problems p;

    problems_init(&p);
    struct rule_set *set = problems_load(&p, c->text, &options);
    buf_addf(&g->written, "=== %.*s\n%.*s---->\n%s", STR_FMT(c->title), STR_FMT(c->text),
             buf_text(&p.text));
    bool same = str_eq(buf_str(&p.text), c->expected) || getenv("TELEX_GOLDEN_WRITE") != NULL;
    if (!same || (set != NULL) != loads) {
        fail_msg("%.*s:\n%s\nexpected:\n%.*s", STR_FMT(c->title), buf_text(&p.text),
                 STR_FMT(c->expected));
    }
    assert_int_equal(p.errors == 0, loads);
    rule_set_unref(set);
    problems_release(&p);
}

static void each_broken_file_is_explained(void **state)
{
    struct golden g;
    struct golden_case c;
    size_t count = 0;

    (void)state;
    golden_open(&g, "broken.txt");
    for (struct str rest = buf_str(&g.text); next_case(&rest, &c); count++) {
        check_case(&g, &c, false);
        check_first_only(&c);
    }
    assert_true(count >= BROKEN_MIN);
    golden_close(&g);
}

static void each_doubtful_file_is_warned_of(void **state)
{
    struct golden g;
    struct golden_case c;
    size_t count = 0;

    (void)state;
    golden_open(&g, "warned.txt");
    for (struct str rest = buf_str(&g.text); next_case(&rest, &c); count++) {
        check_case(&g, &c, true);
    }
    assert_true(count > 0);
    golden_close(&g);
}

/* A file of a thousand errors and one says so, and no more. */
static void problems_are_capped(void **state)
{
    const struct rule_options options = {.check_only = true};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct problems p;

    (void)state;
    buf_add_text(&text, "groups:\n- name: a\n  rules:\n");
    for (int i = 0; i < 3 * RULE_PROBLEMS_MAX; i++) {
        buf_addf(&text, "  - {record: r%d, expr: }\n", i);
    }
    problems_init(&p);
    assert_null(problems_load(&p, buf_str(&text), &options));
    assert_int_equal(p.errors, RULE_PROBLEMS_MAX + 1);
    assert_int_equal(p.last.code, ERR_LIMIT);
    problems_release(&p);
}

static void nobody_needs_to_listen(void **state)
{
    const struct rule_options options = {.check_only = true};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_false(rule_set_parse(STR("x"), STR("a"), &options, NULL, &set, &e));
    assert_int_equal(e.pos.line, 1);
    assert_string_equal(e.file, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_broken_file_is_explained),
        cmocka_unit_test(each_doubtful_file_is_warned_of),
        cmocka_unit_test(problems_are_capped),
        cmocka_unit_test(nobody_needs_to_listen),
    };

    return cmocka_run_group_tests_name("rules/rule_errors", tests, NULL, NULL);
}
