/* Files by pattern, rule files of other projects, and how long many rules take. */
#include "base/clock.h"
#include "base/fs.h"
#include "fake/problems.h"
#include "fake/shared_data.h"
#include "rules/rule.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of rule files, each with one group named like the file. */
static const char *const files[] = {
    "a.yaml",      "b.yaml",         "c.yml",         ".hidden.yaml",
    "deep/d.yaml", "deep/er/e.yaml", "deep/er/f.txt", ".git/g.yaml",
};

struct folder {
    char path[64];
};

static void write_file(const struct folder *f, const char *name, const char *text)
{
    char path[256];
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof(path), "%s/%s", f->path, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    if (!fs_make_path(fs_system(), str_of(path), &e)) {
        fail_msg("%s", e.message);
    }
    *slash = '/';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    struct folder *f = mem_new(struct folder);

    (void)snprintf(f->path, sizeof(f->path), "/tmp/telex-rules-XXXXXX");
    if (mkdtemp(f->path) == NULL) {
        mem_free(f);
        return -1;
    }
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text),
                       "groups:\n- name: %s\n  rules: [{record: x, expr: up}]\n", files[i]);
        write_file(f, files[i], text);
    }
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    struct folder *f = *state;
    int result = nftw(f->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);

    mem_free(f);
    return result;
}

struct pattern_case {
    const char *patterns; /* separated by spaces; @ is the folder */
    const char *base;     /* likewise */
    const char *groups;   /* their names, or the first error */
    size_t warnings;
};

static const struct pattern_case pattern_cases[] = {
    {"a.yaml", "@", "a.yaml ", 0},
    {"./a.yaml", "@/", "a.yaml ", 0},
    {"@/a.yaml", "/elsewhere", "a.yaml ", 0},
    {"*.yaml", "@", "a.yaml b.yaml ", 0},
    {"*.y*ml", "@", "a.yaml b.yaml c.yml ", 0},
    {"[ac].*", "@", "a.yaml c.yml ", 0},
    {"b.yaml *.yaml .//b.yaml", "@", "b.yaml a.yaml ", 0},
    {"deep/*", "@", "deep/d.yaml ", 0},
    {"*/*.yaml", "@", "deep/d.yaml ", 0},
    {".*.yaml", "@", ".hidden.yaml ", 0},
    {"**/*.yaml", "@", "a.yaml b.yaml deep/d.yaml deep/er/e.yaml ", 0},
    {"deep/**", "@", "deep/d.yaml deep/er/e.yaml deep/er/f.txt ", 0},
    {"**/er/*.yaml", "@", "deep/er/e.yaml ", 0},
    {"*.rules a.yaml", "@", "a.yaml ", 1},
    {"none/*.yaml", "@", "", 1},
    {"none.yaml", "@", "cannot open @/none.yaml: No such file or directory", 0},
    {"deep", "@", "deep/d.yaml ", 0},
    {"deep/ deep", "@", "deep/d.yaml ", 0},
    {"deep/er/..", "@", "deep/d.yaml ", 0},
    {"https://example.org/rules.yaml", "@",
     "rules cannot be fetched from https://example.org/rules.yaml: expected a path, http://, "
     "https:// or s3://",
     0},
    {"gs://bucket/x", "@",
     "rules cannot be fetched from gs://bucket/x: expected a path, http://, https:// or s3://", 0},
};

/* <text> with the folder for each @. */
static struct str put_folder(struct arena *a, const struct folder *f, const char *text)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '@') {
            buf_add_text(&out, f->path);
        } else {
            buf_add_byte(&out, *c);
        }
    }
    return arena_dup(a, buf_str(&out));
}

static void check_patterns(const struct folder *f, const struct pattern_case *c)
{
    const struct rule_options options = {.interval_ns = 0};
    struct str patterns[4];
    size_t count = 0;
    struct rule_set *set = NULL;
    struct problems p;
    struct err e = ERR_INIT;
    struct arena a;
    AUTO(buf_release) struct buf found = BUF_INIT(BUF_SMALL);

    arena_init(&a, ARENA_UNLIMITED);
    problems_init(&p);
    struct str rest = put_folder(&a, f, c->patterns);
    while (count < ARRAY_LEN(patterns) && str_split(&rest, ' ', &patterns[count])) {
        count++;
    }
    if (rule_set_load(patterns, count, put_folder(&a, f, c->base), &options, &p.sink, &set, &e)) {
        for (size_t i = 0; i < set->group_count; i++) {
            buf_addf(&found, "%.*s ", STR_FMT(set->groups[i].name));
        }
    } else {
        buf_add_text(&found, e.message);
    }
    if (!str_eq(buf_str(&found), put_folder(&a, f, c->groups)) || p.warnings != c->warnings) {
        fail_msg("%s: %s\n%s", c->patterns, buf_text(&found), buf_text(&p.text));
    }
    rule_set_unref(set);
    problems_release(&p);
    arena_release(&a);
}

static void patterns_find_files(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(pattern_cases); i++) {
        check_patterns(*state, &pattern_cases[i]);
    }
}

static struct rule_set *load_one(const char *pattern, const char *base)
{
    const struct rule_options options = {.interval_ns = 0};
    struct str name = str_of(pattern);
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    if (!rule_set_load(&name, 1, str_of(base), &options, NULL, &set, &e)) {
        fail_msg("%s", e.message);
    }
    return set;
}

/* A configuration that moves, or is named in another way, keeps the state of its alerts. */
static void ids_do_not_see_the_base_folder(void **state)
{
    const struct folder *f = *state;
    char absolute[128];
    char other[128];

    (void)snprintf(absolute, sizeof(absolute), "%s//./a.yaml", f->path);
    (void)snprintf(other, sizeof(other), "%s/../%s", f->path, strrchr(f->path, '/') + 1);
    struct rule_set *a = load_one("a.yaml", f->path);
    struct rule_set *b = load_one(absolute, f->path);
    struct rule_set *c = load_one("*.yaml", other);
    struct rule_set *d = load_one(absolute, "/elsewhere");
    assert_true(str_eq(a->groups[0].id, b->groups[0].id));
    assert_true(str_eq(a->groups[0].id, c->groups[0].id));
    assert_false(str_eq(a->groups[0].id, d->groups[0].id));
    assert_true(str_eq(a->groups[0].file, b->groups[0].file));
    rule_set_unref(a);
    rule_set_unref(b);
    rule_set_unref(c);
    rule_set_unref(d);
}

/* All files are looked at, and each problem says which file it is in. */
static void checking_goes_on_after_a_broken_file(void **state)
{
    const struct rule_options options = {.check_only = true};
    const struct folder *f = *state;
    struct str pattern = STR("broken/*.yaml");
    struct rule_set *set = NULL;
    struct problems p;
    struct err e = ERR_INIT;

    problems_init(&p);
    write_file(f, "broken/1.yaml", "groups: x\n");
    write_file(f, "broken/2.yaml", "groups: [\n");
    write_file(f, "broken/3.yaml", "groups:\n- name: a\n  rules: [{record: x}]\n");
    assert_false(rule_set_load(&pattern, 1, str_of(f->path), &options, &p.sink, &set, &e));
    assert_int_equal(p.errors, 3);
    assert_true(str_ends(str_of(e.file), STR("broken/1.yaml")));
    assert_true(str_ends(str_of(p.last.file), STR("broken/3.yaml")));
    problems_release(&p);
}

struct shared_file {
    const char *path;
    enum promql_dialect dialect;
};

static const struct shared_file shared_files[] = {
    {"rules/kubernetes-mixin-alerts.yaml", PROMQL_PROMETHEUS},
    {"rules/kubernetes-mixin-rules.yaml", PROMQL_PROMETHEUS},
    {"rules/victoriametrics-alerts-*.yml", PROMQL_METRICSQL},
    {"promtool/rules.yml", PROMQL_PROMETHEUS},
    {"vmalert-tool/rules.yaml", PROMQL_METRICSQL},
};

static const char *const template_rule =
    "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n"
    "    annotations: { summary: '{{ template \"host\" $value }}' }\n";

/* What template files define can be called; the set keeps it alive. */
static void template_files_are_shared(void **state)
{
    const struct folder *f = *state;
    struct str pattern = STR("rule.yaml");
    struct str templates = STR("tpl/*.tpl");
    struct rule_options options = {.templates = &templates, .template_count = 1};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    write_file(f, "rule.yaml", template_rule);
    write_file(f, "tpl/one.tpl", "{{ define \"host\" }}<{{ . }}>{{ end }}");
    if (!rule_set_load(&pattern, 1, str_of(f->path), &options, NULL, &set, &e)) {
        fail_msg("%s", e.message);
    }
    const struct rule *rule = &set->groups[0].rules[0];
    assert_int_equal(rule->annotation_uses & USES_VALUE, USES_VALUE);
    rule_set_unref(set);
}

static void broken_template_files_are_named(void **state)
{
    const struct folder *f = *state;
    struct str pattern = STR("a.yaml");
    struct str templates = STR("tpl/*.tpl");
    struct rule_options options = {.templates = &templates, .template_count = 1};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    write_file(f, "tpl/bad.tpl", "\n{{ define \"host\" }}");
    assert_false(rule_set_load(&pattern, 1, str_of(f->path), &options, NULL, &set, &e));
    assert_true(str_ends(str_of(e.file), STR("tpl/bad.tpl")));
    assert_int_equal(e.pos.line, 2);
    write_file(f, "tpl/bad.tpl", "{{ define \"a\" }}\n\n{{ template \"b\" }}{{ end }}");
    struct err unknown = ERR_INIT;
    assert_false(rule_set_load(&pattern, 1, str_of(f->path), &options, NULL, &set, &unknown));
    assert_true(str_ends(str_of(unknown.file), STR("tpl/bad.tpl")));
    assert_int_equal(unknown.pos.line, 3);
}

static void rule_files_of_other_projects_load(void **state)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);

    (void)state;
    shared_data_path("", &folder);
    if (access(buf_text(&folder), R_OK) != 0) {
        print_message("# no %s: set TELEX_SHARED_DATA\n", buf_text(&folder));
        buf_release(&folder); /* skip() does not come back */
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(shared_files); i++) {
        const struct rule_options options = {.dialect = shared_files[i].dialect,
                                             .check_only = true};
        struct str pattern = str_of(shared_files[i].path);
        struct rule_set *set = NULL;
        struct problems p;
        struct err e = ERR_INIT;
        problems_init(&p);
        if (!rule_set_load(&pattern, 1, buf_str(&folder), &options, &p.sink, &set, &e) ||
            set->rule_count == 0) {
            fail_msg("%s", buf_text(&p.text));
        }
        rule_set_unref(set);
        problems_release(&p);
    }
}

enum { MANY_GROUPS = 100, MANY_RULES = 100 };

static void add_rules(struct buf *out, int group)
{
    buf_addf(out, "- name: g%d\n  rules:\n", group);
    for (int i = 0; i < MANY_RULES; i++) {
        buf_addf(out,
                 "  - alert: Alert%d\n"
                 "    expr: sum by (job) (rate(errors_total{job=~\"api%d.*\"}[5m])) > 0.%d\n"
                 "    for: 5m\n"
                 "    labels: {severity: page, team: t%d}\n"
                 "    annotations:\n"
                 "      summary: '{{ $labels.job }} fails {{ $value | humanize }} times'\n"
                 "      number: 'rule {{ $labels.job }} %d of %d'\n",
                 i, i, i, group, i, group);
    }
}

static void ten_thousand_rules_load(void **state)
{
    const struct clock *clock = clock_system();
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct rule_options options = {.interval_ns = 0};
    struct problems p;

    (void)state;
    problems_init(&p);
    buf_add_text(&text, "groups:\n");
    for (int g = 0; g < MANY_GROUPS; g++) {
        add_rules(&text, g);
    }
    int64_t start_ns = clock_mono_ns(clock);
    struct rule_set *set = problems_load(&p, buf_str(&text), &options);
    int64_t spent_ns = clock_mono_ns(clock) - start_ns;
    if (set == NULL) {
        fail_msg("%s", buf_text(&p.text));
    }
    assert_int_equal(set->rule_count, MANY_GROUPS * MANY_RULES);
    print_message("# %zu rules, %zu bytes: %lld ms\n", set->rule_count, text.len,
                  (long long)(spent_ns / NS_PER_MS));
    rule_set_unref(set);
    problems_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(patterns_find_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ids_do_not_see_the_base_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(checking_goes_on_after_a_broken_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(template_files_are_shared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_template_files_are_named, set_up, tear_down),
        cmocka_unit_test(rule_files_of_other_projects_load),
        cmocka_unit_test(ten_thousand_rules_load),
    };

    return cmocka_run_group_tests_name("rules/rule_load", tests, NULL, NULL);
}
