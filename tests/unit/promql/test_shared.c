/*
 * Expressions of other projects: every one parses, prints, and parses to the same again. The data
 * is in the folder TELEX_SHARED_DATA, or beside the repository; without it the tests say so and
 * skip.
 */
#include "promql/promql.h"

#include "base/attr.h"
#include "base/yaml.h"
#include "fake/promql_tree.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool data_folder(const char *name, char *path, size_t size)
{
    const char *root = getenv("TELEX_SHARED_DATA");
    const char *source = getenv("TELEX_SOURCE_ROOT");

    if (root != NULL) {
        (void)snprintf(path, size, "%s/%s", root, name);
    } else {
        (void)snprintf(path, size, "%s/../shared/data/%s", source != NULL ? source : ".", name);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        print_message("# no %s: set TELEX_SHARED_DATA\n", path);
        return false;
    }
    (void)closedir(folder);
    return true;
}

static void read_all(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char part[4096];
    size_t len;

    if (file == NULL) {
        fail_msg("%s cannot be read", path);
        return;
    }
    while ((len = fread(part, 1, sizeof(part), file)) > 0) {
        buf_add(out, part, len);
    }
    (void)fclose(file);
}

static void check_expression(struct str text, enum promql_dialect dialect, const char *path)
{
    struct arena a;
    const struct promql_node *root;
    struct err e = ERR_INIT;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    arena_init(&a, ARENA_UNLIMITED);
    if (!promql_parse(&a, text, dialect, &root, &e)) {
        fail_msg("%s: %s: %.*s", path, e.message, STR_FMT(text));
    }
    promql_print(root, &out);
    const struct promql_node *again = promql_tree(&a, buf_text(&out), dialect);
    if (again == NULL || !promql_same(root, again)) {
        fail_msg("%s: printing changes %.*s", path, STR_FMT(text));
    }
    arena_release(&a);
}

/*
 * Calls <check> with each file of <folder> whose name ends in <ending>; gives what they add up to.
 */
static size_t each_file(const char *name, const char *ending,
                        size_t (*check)(const char *path, struct str text))
{
    char folder[1024];
    struct dirent **entries = NULL;
    size_t sum = 0;

    if (!data_folder(name, folder, sizeof(folder))) {
        skip();
    }
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (str_ends(str_of(entries[i]->d_name), str_of(ending))) {
            char path[2048];
            AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
            (void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            read_all(path, &text);
            sum += check(path, buf_str(&text));
        }
        free(entries[i]);
    }
    free(entries);
    return sum;
}

/*
 * What stands behind the times of "eval instant at 5m x" and "eval range from 0 to 5m step 1m x".
 */
static struct str expression_of(struct str line)
{
    static const struct str words[] = {
        STR_INIT("eval"), STR_INIT("eval_fail"), STR_INIT("instant"), STR_INIT("range"),
        STR_INIT("at"),   STR_INIT("from"),      STR_INIT("to"),      STR_INIT("step")};
    struct str rest = str_trim(line);
    size_t i = 0;

    while (i < ARRAY_LEN(words)) {
        struct str word = str_slice(rest, 0, str_find_byte(rest, ' '));
        for (i = 0; i < ARRAY_LEN(words) && !str_eq(word, words[i]); i++) {
        }
        if (i < ARRAY_LEN(words)) {
            rest = str_trim(str_slice(rest, word.len, rest.len));
        }
        if (i >= 4 && i < ARRAY_LEN(words)) {
            rest = str_trim(str_slice(rest, str_find_byte(rest, ' '), rest.len));
        }
    }
    return rest;
}

static size_t check_script(const char *path, struct str text)
{
    struct str line;
    size_t count = 0;

    while (str_split(&text, '\n', &line)) {
        if (str_starts(line, STR("eval"))) {
            check_expression(expression_of(line), PROMQL_PROMETHEUS, path);
            count++;
        }
    }
    return count;
}

static void scripts_of_prometheus(void **state)
{
    (void)state;
    size_t count = each_file("promql", ".test", check_script);

    assert_true(count > 1000);
}

static size_t check_yaml_node(const struct yaml_node *node, enum promql_dialect dialect,
                              const char *path)
{
    size_t count = 0;

    if (node->kind == YAML_SCALAR) {
        if (str_eq(node->key, STR("expr"))) {
            check_expression(node->text, dialect, path);
            count++;
        }
        return count;
    }
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        count += check_yaml_node(child, dialect, path);
    }
    return count;
}

static size_t check_yaml(const char *path, struct str text, enum promql_dialect dialect)
{
    struct arena a;
    struct yaml_source source = {.file = str_of(path), .text = text};
    const struct yaml_node *root;
    struct err e = ERR_INIT;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (yaml_parse(&a, &source, &root, &e)) {
        count = check_yaml_node(root, dialect, path);
    }
    arena_release(&a);
    return count;
}

static size_t check_rules(const char *path, struct str text)
{
    bool metricsql = str_find(str_of(path), STR("victoriametrics")) < strlen(path);

    return check_yaml(path, text, metricsql ? PROMQL_METRICSQL : PROMQL_PROMETHEUS);
}

static size_t check_metricsql(const char *path, struct str text)
{
    return check_yaml(path, text, PROMQL_METRICSQL);
}

static void rules_of_others(void **state)
{
    (void)state;
    size_t count = each_file("rules", "ml", check_rules);

    assert_true(count > 200);
    /* MetricsQL takes all of PromQL. */
    assert_int_equal(each_file("rules", "ml", check_metricsql), count);
}

static void rule_tests_of_others(void **state)
{
    (void)state;

    assert_true(each_file("promtool", ".yml", check_rules) > 20);
    assert_true(each_file("vmalert-tool", ".yaml", check_metricsql) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_of_prometheus),
        cmocka_unit_test(rules_of_others),
        cmocka_unit_test(rule_tests_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
