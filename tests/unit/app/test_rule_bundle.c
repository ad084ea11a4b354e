/* Rules that were fetched, as they are kept: what comes back, and what is no such file. */
#include "app/rule_bundle.h"
#include "app/rule_servers.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void fill(struct rule_bundle *b)
{
    const struct bundle_file files[] = {
        {STR("http://h/a.yaml"), STR("\"e\""), STR("Mon"), STR("groups:\n- 1,2:3\n")},
        {STR("http://h/b.yaml"), STR(""), STR(""), STR("")},
    };

    rule_bundle_init(b);
    b->fetched_ns = 1700000000123456789;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        rule_bundle_add(b, &files[i]);
    }
}

static void what_is_kept_comes_back(void **state)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct rule_bundle b;
    struct rule_bundle back;
    struct err e = ERR_INIT;

    (void)state;
    fill(&b);
    rule_bundle_print(&b, STR("http://h/"), &bytes);
    rule_bundle_init(&back);
    assert_true(rule_bundle_parse(&back, STR("http://h/"), buf_str(&bytes), &e));
    assert_true(back.fetched_ns == b.fetched_ns && back.files.len == 2);
    assert_true(rule_bundle_hash(&back) == rule_bundle_hash(&b));
    const struct bundle_file *f = rule_bundle_find(&back, STR("http://h/a.yaml"));
    assert_true(str_eq(f->etag, STR("\"e\"")) && str_eq(f->modified, STR("Mon")));
    assert_true(str_eq(f->text, b.files.items[0].text));
    assert_null(rule_bundle_find(&back, STR("http://h/c.yaml")));
    rule_bundle_release(&back);
    rule_bundle_init(&back);
    assert_false(rule_bundle_parse(&back, STR("http://other/"), buf_str(&bytes), &e));
    rule_bundle_release(&back);
    rule_bundle_release(&b);
}

/* Each prefix, and each byte changed. */
static void damage_is_noticed(void **state)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct rule_bundle b;

    (void)state;
    fill(&b);
    rule_bundle_print(&b, STR("p"), &bytes);
    for (size_t i = 0; i < bytes.len; i++) {
        struct rule_bundle back;
        struct err e = ERR_INIT;
        rule_bundle_init(&back);
        assert_false(rule_bundle_parse(&back, STR("p"), str_slice(buf_str(&bytes), 0, i), &e));
        bytes.ptr[i] ^= 1;
        assert_false(rule_bundle_parse(&back, STR("p"), buf_str(&bytes), &e));
        bytes.ptr[i] ^= 1;
        rule_bundle_release(&back);
    }
    rule_bundle_release(&b);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void files_are_replaced(void **state)
{
    char folder[] = "/tmp/telex-bundle-XXXXXX";
    char below[64];
    struct rule_bundle b;
    struct rule_bundle back;
    struct err e = ERR_INIT;

    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(below, sizeof(below), "%s/a/rules", folder);
    fill(&b);
    rule_bundle_init(&back);
    assert_false(rule_bundle_load(&back, str_of(below), STR("p"), &e));
    assert_true(rule_bundle_save(&b, str_of(below), STR("p"), &e));
    assert_true(rule_bundle_save(&b, str_of(below), STR("p"), &e));
    assert_true(rule_bundle_load(&back, str_of(below), STR("p"), &e));
    assert_int_equal(back.files.len, 2);
    rule_bundle_release(&back);
    rule_bundle_release(&b);
    assert_int_equal(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- who fetches what ---- */

static const struct {
    const char *place;
    int server; /* -1: the fallback */
} choices[] = {
    {"https://host/rules/a.yaml", 1},
    {"https://host/other.yaml", 0},
    {"https://host", 0},
    {"https://host.evil/a.yaml", -1},
    {"https://host/rulesx", 0},
    {"https://host?x", 0},
    {"s3://bucket/x", 2},
    {"s3://bucket2/x", -1},
};

static void the_longest_url_below_which_it_lies(void **state)
{
    struct rule_server items[] = {{.url = STR("https://host")},
                                  {.url = STR("https://host/rules")},
                                  {.url = STR("s3://bucket/")}};
    const struct rule_servers servers = {.items = items, .count = ARRAY_LEN(items)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
        const struct rule_server *found = rule_servers_find(&servers, str_of(choices[i].place));
        const struct rule_server *want =
            choices[i].server < 0 ? &servers.fallback : &items[choices[i].server];
        if (found != want) {
            fail_msg("%s", choices[i].place);
        }
    }
    assert_true(rule_place_is_elsewhere(STR("-")) && !rule_place_is_elsewhere(STR("a-b")));
    assert_true(!rule_place_is_elsewhere(STR("rules/http://x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_comes_back),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(files_are_replaced),
        cmocka_unit_test(the_longest_url_below_which_it_lies),
    };

    return cmocka_run_group_tests_name("app/rule_bundle", tests, NULL, NULL);
}
