/* Relabel rules: what each action does, which rules are refused and where the error points. */
#include "model/relabel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static bool compile(struct arena *a, const char *rules, struct relabel **ret_relabel, struct err *e)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;
    /* An exact copy, so that reads past its end are seen. */
    char *copy = arena_text(a, str_of(rules));

    *source = (struct yaml_source){STR("rules.yaml"), str_make(copy, strlen(rules))};
    if (!yaml_parse(a, source, &documents, e)) {
        fail_msg("%s: %s", rules, e->message);
    }
    return relabel_compile(documents->first, ret_relabel, e);
}

/* "a=1 b=2" */
static struct labels *make(const char *text)
{
    struct labels *labels = NULL;
    struct labels_builder b;
    struct err e = ERR_INIT;
    struct str rest = str_of(text);
    struct str pair;

    labels_builder_init(&b);
    while (str_split(&rest, ' ', &pair)) {
        size_t at = str_find_byte(pair, '=');
        if (at < pair.len) {
            labels_builder_set(&b, str_slice(pair, 0, at), str_slice(pair, at + 1, pair.len));
        }
    }
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static void print(const struct labels *l, struct buf *out)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        buf_addf(out, "%s%.*s=%.*s", out->len > 0 ? " " : "", STR_FMT(pair.name),
                 STR_FMT(pair.value));
    }
}

struct row {
    const char *rules;
    const char *in;
    const char *out; /* NULL: dropped */
};

static void run(const struct row *row)
{
    AUTO(relabel_autofree) struct relabel *r = NULL;
    AUTO(labels_autounref) struct labels *in = make(row->in);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    struct relabel_work w;
    struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    relabel_work_init(&w);
    if (!compile(&a, row->rules, &r, &e)) {
        fail_msg("%s: %s", row->rules, e.message);
    }
    arena_release(&a); /* rules need nothing of the file */
    for (int i = 0; i < 2; i++) {
        struct labels *out = relabel_apply(r, &w, in);
        buf_clear(&got);
        if (out != NULL) {
            print(out, &got);
        }
        if ((out == NULL) != (row->out == NULL) ||
            (out != NULL && strcmp(buf_text(&got), row->out) != 0)) {
            fail_msg("%s on %s: got %s, expected %s", row->rules, row->in,
                     out != NULL ? buf_text(&got) : "dropped",
                     row->out != NULL ? row->out : "dropped");
        }
        labels_unref(out);
    }
    relabel_work_release(&w);
}

static void run_all(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        run(&rows[i]);
    }
}

#define RULE(text) "[{ " text " }]"

static void replacing(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[]", "a=1", "a=1"},
        {"[]", "", NULL},
        /* replace */
        {RULE("source_labels: [a], target_label: d"), "a=foo b=x", "a=foo b=x d=foo"},
        {RULE("source_labels: a, target_label: d"), "a=foo", "a=foo d=foo"},
        {RULE("source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'"),
         "a=foo", "a=foo d=choo-choo"},
        {RULE("source_labels: [a], regex: f, target_label: d"), "a=foo", "a=foo"},
        {RULE("source_labels: [a, b, none], target_label: d"), "a=x b=y", "a=x b=y d=x;y;"},
        {RULE("source_labels: [a, b], separator: '', target_label: d"), "a=x b=y", "a=x b=y d=xy"},
        {RULE("source_labels: [a, b], separator: '-', regex: 'x-(.)', target_label: a"), "a=x b=y",
         "a=y b=y"},
        {RULE("target_label: site, replacement: berlin"), "a=1", "a=1 site=berlin"},
        {RULE("target_label: site, replacement: 7"), "a=1", "a=1 site=7"},
        {RULE("source_labels: [none], target_label: a"), "a=1 b=2", "b=2"},
        {RULE("source_labels: [a], regex: '(x)|y', target_label: b, replacement: $1"), "a=y b=2",
         "a=y"},
        {RULE("source_labels: [a], regex: '(?P<host>[^:]+):.*', target_label: h, replacement: "
              "'${host}'"),
         "a=db:9100", "a=db:9100 h=db"},
        {RULE("source_labels: [a], regex: '(.+):(.+)', target_label: '${1}_port', replacement: $2"),
         "a=db:91", "a=db:91 db_port=91"},
        {RULE("source_labels: [a], regex: '(.*):.*', target_label: '$1'"), "a=:91", "a=:91"},
        {RULE("source_labels: [a], regex: \"x.y\", target_label: b, replacement: two"), "a=x",
         "a=x"},
        {RULE("action: replace, target_label: __name__, replacement: up"), "__name__=down",
         "__name__=up"},
        {RULE("action: REPLACE, target_label: b, replacement: x"), "a=1", "a=1 b=x"},
        {RULE("regex: null, separator: ~, source_labels: [a], target_label: b"), "a=1", "a=1 b=1"},
    };
    run_all(rows, ARRAY_LEN(rows));
}

static void other_actions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* keep and drop: anchored */
        {RULE("source_labels: [a], regex: foo, action: keep"), "a=foo", "a=foo"},
        {RULE("source_labels: [a], regex: fo, action: keep"), "a=foo", NULL},
        {RULE("source_labels: [a], regex: oo, action: drop"), "a=foo", "a=foo"},
        {RULE("source_labels: [a], regex: 'fo+|bar', action: drop"), "a=foo", NULL},
        {RULE("source_labels: [none], regex: '', action: drop"), "a=foo", NULL},
        {RULE("source_labels: [a], action: drop"), "b=1", NULL},
        {RULE("source_labels: [a], action: keep"), "b=1", "b=1"},
        /* keepequal and dropequal */
        {RULE("source_labels: [a], target_label: b, action: keepequal"), "a=1 b=1", "a=1 b=1"},
        {RULE("source_labels: [a], target_label: b, action: keepequal"), "a=1 b=2", NULL},
        {RULE("source_labels: [a], target_label: b, action: dropequal"), "a=1 b=1", NULL},
        {RULE("source_labels: [a], target_label: b, action: dropequal"), "a=1 b=2", "a=1 b=2"},
        {RULE("source_labels: [a], target_label: b, action: dropequal"), "c=2", NULL},
        /* hashmod: the last eight bytes of MD5 */
        {RULE("source_labels: [c], target_label: d, action: hashmod, modulus: 1000"), "c=bar",
         "c=bar d=922"},
        {RULE("source_labels: [a, b], target_label: d, action: hashmod, modulus: 8"), "a=foo b=bar",
         "a=foo b=bar d=6"},
        /* labelmap */
        {RULE("regex: 'meta_(.+)', action: labelmap"), "meta_az=x meta_dc=y z=1",
         "az=x dc=y meta_az=x meta_dc=y z=1"},
        {RULE("regex: 'meta_(.+)', action: labelmap, replacement: 'm_${1}'"), "meta_az=x",
         "m_az=x meta_az=x"},
        {RULE("regex: 'meta_(.*)', action: labelmap"), "meta_=x", "meta_=x"},
        {RULE("regex: '(a)b?', action: labelmap"), "a=1 ab=2", "a=2 ab=2"},
        /* labeldrop and labelkeep */
        {RULE("regex: 'b.*', action: labeldrop"), "a=1 b=2 bc=3 cb=4", "a=1 cb=4"},
        {RULE("regex: 'a|cb', action: labelkeep"), "a=1 b=2 bc=3 cb=4", "a=1 cb=4"},
        {RULE("regex: '.*', action: labeldrop"), "a=1", NULL},
        {RULE("regex: x, action: labeldrop, separator: ;, replacement: $1"), "a=1", "a=1"},
        /* letters */
        {RULE("source_labels: [a], target_label: b, action: lowercase"), "a=Foo-7",
         "a=Foo-7 b=foo-7"},
        {RULE("source_labels: [a, c], target_label: a, action: uppercase"), "a=Foo c=z",
         "a=FOO;Z c=z"},
        {RULE("source_labels: [none], target_label: a, action: uppercase"), "a=Foo c=z", "c=z"},
        /* one after the other: each sees what the one before made */
        {"[{ source_labels: [a], target_label: b }, { regex: a, action: labeldrop },"
         " { source_labels: [b], regex: '1', action: keep }]",
         "a=1", "b=1"},
        {"[{ source_labels: [a], regex: '1', action: drop }, { target_label: b, replacement: x }]",
         "a=1", NULL},
        {"[{ target_label: b, replacement: x }, { target_label: b, replacement: '' }]", "a=1",
         "a=1"},
    };
    run_all(rows, ARRAY_LEN(rows));
}

static void actions_of_vmalert(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* vmalert's: every match within the value or name */
        {RULE(
             "source_labels: [a], target_label: a, regex: '-', replacement: '_', action: replace_all"),
         "a=x-y-z", "a=x_y_z"},
        {RULE("source_labels: [a, b], target_label: c, regex: '[xy]', replacement: '<$0>', action: "
              "replace_all"),
         "a=x1 b=y2", "a=x1 b=y2 c=<x>1;<y>2"},
        {RULE("regex: '\\.', replacement: '_', action: labelmap_all"), "a.b.c=1 d=2",
         "a_b_c=1 d=2"},
        {RULE("source_labels: [a, b, c], action: keep_if_equal"), "a=1 b=1 c=1", "a=1 b=1 c=1"},
        {RULE("source_labels: [a, b], action: keep_if_equal"), "a=1 b=2", NULL},
        {RULE("source_labels: [a, b], action: drop_if_equal"), "a=1 b=1", NULL},
        {RULE("source_labels: [a, b], action: drop_if_equal"), "a=1 b=2", "a=1 b=2"},
        {RULE("source_labels: [a, b], target_label: t, action: keep_if_contains"), "a=x b=y t=axby",
         "a=x b=y t=axby"},
        {RULE("source_labels: [a, b], target_label: t, action: keep_if_contains"), "a=x b=z t=axby",
         NULL},
        {RULE("source_labels: [a], target_label: t, action: drop_if_contains"), "a=x t=axby", NULL},
        {RULE("source_labels: [a], target_label: t, action: drop_if_contains"), "a=q t=axby",
         "a=q t=axby"},
        {RULE("action: graphite, match: 'foo.*.*.total', labels: { instance: 'x:$1', job: $2_y, "
              "__name__: '${1}_total' }"),
         "__name__=foo.a.b.total", "__name__=a_total instance=x:a job=b_y"},
        {RULE("action: graphite, match: 'foo.*', labels: { instance: $1 }"), "__name__=foo.a.b",
         "__name__=foo.a.b"},
        /* if: the rule is for those alone; keep drops the others */
        {RULE("if: '{a=~\"x.*\"}', target_label: b, replacement: y"), "a=x1", "a=x1 b=y"},
        {RULE("if: '{a=~\"x.*\"}', target_label: b, replacement: y"), "a=z", "a=z"},
        {RULE("if: '{a=\"x\"}', action: drop"), "a=x", NULL},
        {RULE("if: '{a=\"x\"}', action: drop"), "a=y", "a=y"},
        {RULE("if: '{a=\"x\"}', action: keep"), "a=x", "a=x"},
        {RULE("if: '{a=\"x\"}', action: keep"), "a=y", NULL},
        {RULE("if: [ '{a=\"x\"}', 'm{b!=\"\"}' ], action: drop"), "__name__=m b=1", NULL},
    };
    run_all(rows, ARRAY_LEN(rows));
}

static void nothing_changed_is_the_same_set(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "[]",
        RULE("source_labels: [a], regex: x, target_label: b"),
        RULE("source_labels: [a], target_label: a"),
        RULE("source_labels: [a], action: keep"),
        RULE("regex: z, action: labeldrop"),
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        AUTO(relabel_autofree) struct relabel *r = NULL;
        AUTO(labels_autounref) struct labels *in = make("a=1 c=2");
        struct relabel_work w;
        struct arena a;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        relabel_work_init(&w);
        assert_true(compile(&a, rules[i], &r, &e));
        AUTO(labels_autounref) struct labels *out = relabel_apply(r, &w, in);
        assert_ptr_equal(out, in);
        relabel_work_release(&w);
        arena_release(&a);
    }
}

struct refused {
    const char *rules;
    const char *message;
    uint32_t line, column;
};

static void refuse_all(const struct refused *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct relabel *r = NULL;
        struct arena a;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        print_message("%s\n", rows[i].rules);
        assert_false(compile(&a, rows[i].rules, &r, &e));
        if (rows[i].message != NULL) {
            assert_string_equal(e.message, rows[i].message);
        }
        assert_int_equal(e.pos.line, rows[i].line);
        assert_int_equal(e.pos.column, rows[i].column);
        assert_string_equal(e.file, "rules.yaml");
        arena_release(&a);
    }
}

static void refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"a: 1", "expected a list of relabel rules", 1, 1},
        {"- x",
         "expected a relabel rule, such as '{ source_labels: [job], regex: a, action: keep }'", 1,
         3},
        {"- action: kepe", "unknown relabel action 'kepe'; did you mean 'keep'?", 1, 11},
        {"- action: frobnicate", "unknown relabel action 'frobnicate'", 1, 11},
        {"- actoin: keep", "unknown key 'actoin' in a relabel rule; did you mean 'action'?", 1, 3},
        {"- regex: 'a('\n  action: drop", NULL, 1, 12},
        {"- action: drop\n  regex: '(?!a)b'", NULL, 2, 11},
        {"- source_labels: [a]", "the relabel action replace needs 'target_label'", 1, 3},
        {"- source_labels: [a]\n  target_label: ''",
         "the relabel action replace needs "
         "'target_label'",
         2, 17},
        {"- action: hashmod\n  target_label: a",
         "the relabel action hashmod needs 'modulus', and not 0", 1, 3},
        {"- action: hashmod\n  target_label: a\n  modulus: 0",
         "the relabel action hashmod needs 'modulus', and not 0", 3, 12},
        {"- action: hashmod\n  modulus: 5", "the relabel action hashmod needs 'target_label'", 1,
         3},
        {"- modulus: -1", "expected a whole number of buckets, such as 8", 1, 12},
        {"- source_labels: {a: b}", "expected a list of label names", 1, 18},
        {"- source_labels: ['']", "'' is no label name", 1, 19},
        {"- action: labeldrop\n  source_labels: [a]",
         "the relabel action labeldrop takes only 'regex'; remove 'source_labels'", 2, 18},
        {"- action: labelkeep\n  replacement: x",
         "the relabel action labelkeep takes only 'regex'; remove 'replacement'", 2, 16},
        {"- action: labelmap\n  replacement: ''",
         "'' is no replacement for the relabel action "
         "labelmap",
         2, 16},
        {"- action: keepequal\n  source_labels: [a]\n  target_label: b\n  regex: x",
         "the relabel action keepequal takes only 'source_labels' and 'target_label'; remove "
         "'regex'",
         4, 10},
        {"- action: uppercase\n  target_label: b\n  replacement: x",
         "the relabel action uppercase takes only 'source_labels', 'separator' and "
         "'target_label'; remove 'replacement'",
         3, 16},
        {"- action: lowercase", "the relabel action lowercase needs 'target_label'", 1, 3},
    };
    refuse_all(rows, ARRAY_LEN(rows));
}

static void refused_of_vmalert(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {"- action: keep_if_equal", "the relabel action keep_if_equal needs 'source_labels'", 1, 3},
        {"- action: graphite\n  match: a", "the relabel action graphite needs 'labels'", 1, 3},
        {"- action: keep\n  match: a",
         "'match' is for the relabel action graphite; this one is keep", 2, 10},
        {"- if: '{a=}'", "expected a value in quotes", 1, 11},
        {"- if: ['{a=\"b\"}', x y]", "expected nothing behind the selector", 1, 21},
    };
    refuse_all(rows, ARRAY_LEN(rows));
}

/* A value that would not fit stays what it was, and so does a set with too many labels. */
static void limits(void **state)
{
    (void)state;
    enum { LONG = RELABEL_TEXT_MAX / 2 };
    AUTO(relabel_autofree) struct relabel *r = NULL;
    struct labels_builder b;
    struct relabel_work w;
    struct arena a;
    struct err e = ERR_INIT;
    struct labels *in = NULL;
    char *text = malloc(LONG);

    memset(text, 'x', LONG);
    labels_builder_init(&b);
    labels_builder_set(&b, STR("a"), str_make(text, LONG));
    assert_true(labels_build(&b, &in, &e));
    arena_init(&a, ARENA_UNLIMITED);
    relabel_work_init(&w);
    assert_true(
        compile(&a, RULE("source_labels: [a], target_label: b, replacement: '$1$1$1'"), &r, &e));
    struct labels *out = relabel_apply(r, &w, in);
    assert_ptr_equal(out, in);
    labels_unref(out);
    relabel_free(TAKE(r));
    assert_true(compile(&a, RULE("source_labels: [a], target_label: b"), &r, &e));
    out = relabel_apply(r, &w, in);
    assert_ptr_equal(out, in);
    labels_unref(out);
    labels_unref(in);
    labels_builder_release(&b);
    relabel_work_release(&w);
    arena_release(&a);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replacing),
        cmocka_unit_test(other_actions),
        cmocka_unit_test(actions_of_vmalert),
        cmocka_unit_test(nothing_changed_is_the_same_set),
        cmocka_unit_test(refused),
        cmocka_unit_test(refused_of_vmalert),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
