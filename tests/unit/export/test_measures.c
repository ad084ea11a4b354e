/* Profiles as samples: what they are called, and what becomes of a profile whose samples end differently. */
#include "export/measures.h"

#include "base/mem.h"
#include "base/yaml.h"
#include "export/outcome_rows.h"
#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct mapped {
    struct arena arena;
    struct measure_options options;
};

/* <text>: the two mappings as keys of one. */
static void read_options(struct mapped *m, const char *text)
{
    static struct yaml_source source;
    const struct yaml_node *documents = NULL;
    struct err e = ERR_INIT;

    arena_init(&m->arena, ARENA_UNLIMITED);
    source = (struct yaml_source){STR("t.yaml"), str_of(text)};
    m->options = (struct measure_options){.metric_prefix = STR("p_")};
    assert_true(yaml_parse(&m->arena, &source, &documents, &e));
    m->options.metrics_mapping = yaml_get(documents->first, STR("metrics_mapping"));
    m->options.custom_metrics = yaml_get(documents->first, STR("custom_metrics"));
}

static const struct note_field fields[] = {
    {.name = STR_INIT("rate"), .type = NOTE_INTEGER, .integer = 14},
    {.name = STR_INIT("host"), .type = NOTE_TEXT, .text = STR_INIT("a")},
    {.name = STR_INIT("2 up"), .type = NOTE_FLAG, .integer = 1},
};

/* Three profiles: two samples, none, two. */
static struct batch *make_profiles(void)
{
    const struct batch_info info = {.kind = RECORD_PROFILE};
    struct batch *b = batch_new(&codec_profiles, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, 3);

    for (int i = 0; i < 3; i++) {
        rows[i] = (struct note){.time_ns = i + 1,
                                .name = i == 2 ? STR("named") : STR(""),
                                .labels = labels_empty(),
                                .fields = fields,
                                .field_count = ARRAY_LEN(fields)};
    }
    rows[1].fields = &fields[1];
    rows[1].field_count = 1;
    batch_set_notes(b, (struct notes){rows, 3});
    return b;
}

static void print_samples(const struct samples *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->count; i++) {
        const struct labels *labels = s->series[s->series_of[i]];
        buf_addf(out, "%.*s/%.*s/%d=%g@%lld;", STR_FMT(labels_get(labels, STR("__name__"))),
                 STR_FMT(labels_get(labels, STR("profile"))), (int)s->meta[s->series_of[i]]->type,
                 s->value[i], (long long)s->time_ns[i]);
    }
}

static void assert_samples(const char *mapping, bool only_mapped, const char *want)
{
    struct mapped m;
    struct measures *measures = NULL;
    AUTO(batch_autounref) struct batch *profiles = make_profiles();
    AUTO(batch_autounref) struct batch *samples = NULL;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct samples *s = NULL;
    uint32_t *first = NULL;
    struct err e = ERR_INIT;

    read_options(&m, mapping);
    m.options.only_mapped = only_mapped;
    assert_true(measures_compile(&m.options, &measures, &e));
    assert_true(measures_make(measures, view_all(profiles), &samples, &first, &e));
    assert_true(batch_samples(samples, &s, &e));
    print_samples(s, &out);
    assert_string_equal(buf_text(&out), want);
    assert_int_equal(first[1], first[2]);
    assert_int_equal(first[3], s->count);
    mem_free(first);
    measures_free(measures);
    arena_release(&m.arena);
}

static void test_names(void **state)
{
    (void)state;
    assert_samples("{}", false,
                   "p_rate//1=14@1;p_2_up//1=1@1;p_rate/named/1=14@3;p_2_up/named/1=1@3;");
    assert_samples("metrics_mapping: { rate: { name: n, type: counter } }", false,
                   "n//8=14@1;p_2_up//1=1@1;n/named/8=14@3;p_2_up/named/1=1@3;");
    assert_samples(
        "metrics_mapping: { rate: n }\n"
        "custom_metrics: { x: { metric_name: m.x, metric_type: rate, source_field: rate } }",
        true, "n//0=14@1;m.x//9=14@1;n/named/0=14@3;m.x/named/9=14@3;");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
        int label_names;
    } cases[] = {
        {"metrics_mapping: [a]", "expected a mapping", 0},
        {"metrics_mapping: { a: [] }", "expected the name of a metric", 0},
        {"metrics_mapping: { a: { typ: gauge } }", "'typ' is nothing that a metric has", 0},
        {"custom_metrics: { a: { metric_type: sum } }",
         "'sum' is no type of a metric; expected gauge, counter or rate", 0},
        {"custom_metrics: { a: { metric_type: distribution } }",
         "'distribution' is no type of a metric here; expected gauge, counter or rate", 0},
        {"metrics_mapping: { a: '' }", "need names", 0},
        {"metrics_mapping: { a: { name: bad name } }", "'bad name' is no name of a metric here",
         MEASURE_NAMES_LEGACY},
        {"metrics_mapping: { a.b: { type: gauge } }", "'a.b' is no name", MEASURE_NAMES_LEGACY},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mapped m;
        struct err e = ERR_INIT;
        read_options(&m, cases[i].text);
        m.options.label_names = cases[i].label_names;
        assert_false(measures_check(&m.options, &e));
        assert_non_null(strstr(e.message, cases[i].says));
        assert_true(e.pos.line == 1);
        arena_release(&m.arena);
    }
}

/* ---- what becomes of them ---- */

/* Ends samples as it is told, and counts those that it got. */
struct spy {
    struct sink sink;
    enum verdict rest;
    uint32_t settled;
    uint32_t excepted; /* index; or UINT32_MAX */
    enum verdict exception;
    uint32_t got;
};

static void spy_deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct spy *s = (struct spy *)sink;

    (void)wait;
    s->got = view.n;
    ret->rest = s->rest;
    ret->settled = s->settled;
    if (s->excepted < view.n) {
        outcome_except(ret, s->excepted, s->exception, "bad");
    }
}

static void spy_close(struct sink *sink)
{
    (void)sink;
}

static const struct sink_ops spy_ops = {.deliver = spy_deliver, .close = spy_close};

/* A letter per row: Delivered, reJected, Retry. */
static void print_fates(const struct outcome *out, uint32_t n, char *text)
{
    static const char letters[VERDICTS] = {
        [VERDICT_DELIVERED] = 'D', [VERDICT_REJECTED] = 'J', [VERDICT_RETRY] = 'R'};
    struct fate *fates = outcome_fates(out, n);

    for (uint32_t i = 0; i < n; i++) {
        text[i] = letters[fates[i].verdict];
        assert_true(fates[i].verdict != VERDICT_REJECTED || strcmp(fates[i].reason, "bad") == 0);
    }
    text[n] = '\0';
    mem_free(fates);
}

/* Of three profiles the first and the last make two samples each. */
static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        enum verdict rest;
        uint32_t settled;
        uint32_t excepted;
        const char *want;
        enum verdict exception;
    } cases[] = {
        {VERDICT_DELIVERED, 4, UINT32_MAX, "DDD", 0},
        {VERDICT_RETRY, 0, UINT32_MAX, "RDR", 0},
        {VERDICT_RETRY, 1, UINT32_MAX, "RDR", 0},
        {VERDICT_RETRY, 2, UINT32_MAX, "DDR", 0},
        {VERDICT_RETRY, 3, UINT32_MAX, "DDR", 0},
        {VERDICT_DELIVERED, 4, 1, "JDD", VERDICT_REJECTED},
        {VERDICT_DELIVERED, 4, 2, "DDJ", VERDICT_REJECTED},
        {VERDICT_RETRY, 2, 0, "JDR", VERDICT_REJECTED},
        {VERDICT_RETRY, 4, 0, "RDD", VERDICT_RETRY},
        {VERDICT_REJECTED, 0, UINT32_MAX, "JDJ", 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mapped m;
        struct spy spy = {{&spy_ops},        cases[i].rest,      cases[i].settled,
                          cases[i].excepted, cases[i].exception, 0};
        AUTO(batch_autounref) struct batch *b = make_profiles();
        struct sink *sink = &spy.sink;
        struct outcome out;
        struct err e = ERR_INIT;
        char got[4];
        read_options(&m, "{}");
        assert_true(measure_sink_open(&m.options, &sink, &e));
        outcome_init(&out);
        (void)err_set(&out.err, ERR_NET, "bad");
        sink->ops->deliver(sink, view_all(b), (struct wait){0, NULL}, &out);
        print_fates(&out, 3, got);
        assert_string_equal(got, cases[i].want);
        assert_int_equal(verdict_is_owed(out.rest), verdict_is_owed(cases[i].rest));
        assert_int_equal(spy.got, 4);
        outcome_release(&out);
        sink_close(sink);
        arena_release(&m.arena);
    }
}

static void deliver_again(struct sink *sink, struct view view, const char *want)
{
    struct outcome out;
    char got[4];

    outcome_init(&out);
    sink->ops->deliver(sink, view, (struct wait){0, NULL}, &out);
    print_fates(&out, view.n, got);
    assert_string_equal(got, want);
    outcome_release(&out);
}

/* A sample that was taken is not sent again with those of its profile that were not; another batch is another. */
static void test_what_was_taken_is_not_sent_again(void **state)
{
    static const uint32_t owed[] = {0, 2};
    struct mapped m;
    struct spy spy = {{&spy_ops}, VERDICT_RETRY, 3, 0, VERDICT_RETRY, 0};
    AUTO(batch_autounref) struct batch *b = make_profiles();
    AUTO(batch_autounref) struct batch *other = make_profiles();
    struct sink *sink = &spy.sink;
    struct err e = ERR_INIT;

    (void)state;
    read_options(&m, "{}");
    assert_true(measure_sink_open(&m.options, &sink, &e));
    deliver_again(sink, view_all(b), "RDR"); /* two of four are taken */
    assert_int_equal(spy.got, 4);
    spy.settled = 1;
    spy.excepted = UINT32_MAX;
    deliver_again(sink, (struct view){.batch = b, .rows = owed, .n = 2}, "DR");
    assert_int_equal(spy.got, 2);
    spy.settled = 0;
    deliver_again(sink, (struct view){.batch = b, .rows = owed + 1, .n = 1}, "R");
    assert_int_equal(spy.got, 1);
    deliver_again(sink, view_all(other), "RDR");
    assert_int_equal(spy.got, 4);
    spy.rest = VERDICT_DELIVERED;
    spy.settled = 4;
    deliver_again(sink, view_all(b), "DDD");
    assert_int_equal(spy.got, 4);
    sink_close(sink);
    arena_release(&m.arena);
}

static void test_a_kind_with_distributions(void **state)
{
    struct mapped m;
    struct err e = ERR_INIT;

    (void)state;
    read_options(&m, "metrics_mapping: { rate: { type: distribution } }");
    m.options.has_distributions = true;
    assert_true(measures_check(&m.options, &e));
    arena_release(&m.arena);
    read_options(&m, "metrics_mapping: { rate: { type: sum } }");
    m.options.has_distributions = true;
    assert_false(measures_check(&m.options, &e));
    assert_non_null(strstr(e.message, "expected gauge, counter, rate or distribution"));
    arena_release(&m.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_what_was_taken_is_not_sent_again),
        cmocka_unit_test(test_a_kind_with_distributions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
