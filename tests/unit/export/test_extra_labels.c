/* The labels of an exporter's config: on samples, on alerts and what they export, and not twice. */
#include "export/extra_labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct option_pair pairs[] = {
    {.name = STR_INIT("site"), .value = STR_INIT("berlin")},
    {.name = STR_INIT("env"), .value = STR_INIT("")},
    {.name = STR_INIT("az"), .value = STR_INIT("b")},
};
static const struct option_map extra = {pairs, ARRAY_LEN(pairs)};

static struct labels *make(const char *name, const char *site)
{
    struct labels *labels = NULL;
    struct labels_builder b;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), str_of(name));
    labels_builder_set(&b, STR("site"), str_of(site));
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static void assert_labels(const struct labels *l, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    labels_print(l, &got);
    assert_string_equal(buf_text(&got), want);
}

static void test_merge(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *bare = make("up", "");
    AUTO(labels_autounref) struct labels *sited = make("up", "paris");
    AUTO(labels_autounref) struct labels *merged = extra_labels_merge(&extra, bare);
    AUTO(labels_autounref) struct labels *kept = extra_labels_merge(&extra, sited);
    AUTO(labels_autounref) struct labels *again = extra_labels_merge(&extra, merged);

    assert_labels(merged, "up{az=\"b\", site=\"berlin\"}");
    assert_labels(kept, "up{az=\"b\", site=\"paris\"}");
    assert_ptr_equal(again, merged);
}

static void test_full_set_stays(void **state)
{
    (void)state;
    struct labels_builder b;
    struct err e = ERR_INIT;
    char names[LABELS_MAX][8];
    AUTO(labels_autounref) struct labels *full = NULL;

    labels_builder_init(&b);
    for (size_t i = 0; i < LABELS_MAX; i++) {
        names[i][0] = 'n';
        for (size_t d = 0, rest = i; d < 4; d++, rest /= 10) {
            names[i][1 + d] = (char)('0' + rest % 10);
        }
        labels_builder_push(&b, str_make(names[i], 5), STR("x"));
    }
    assert_true(labels_build(&b, &full, &e));
    labels_builder_release(&b);
    AUTO(labels_autounref) struct labels *merged = extra_labels_merge(&extra, full);
    assert_ptr_equal(merged, full);
}

static struct batch *make_samples(void)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .database = STR("db")};
    struct batch *b = batch_new(NULL, &info);
    struct labels **series = arena_array(batch_arena(b), struct labels *, 2);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, 3);
    int64_t *times = arena_array(batch_arena(b), int64_t, 3);
    double *values = arena_array(batch_arena(b), double, 3);

    series[0] = make("up", "");
    series[1] = make("down", "rome");
    series_of[1] = 1;
    times[2] = 7;
    values[2] = 2.5;
    batch_set_samples(b, (struct samples){series, 2, 3, series_of, times, values, NULL});
    return b;
}

static void test_samples(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_samples();
    AUTO(batch_autounref) struct batch *labelled = NULL;
    const uint32_t rows[] = {1, 2};
    struct view view = {.batch = b, .rows = rows, .n = 2};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(extra_labels_view(&extra, &view, &labelled, &e));
    assert_ptr_equal(view.batch, labelled);
    assert_int_equal(view_row(view, 1), 2);
    assert_true(batch_samples(labelled, &s, &e));
    assert_int_equal(s->count, 3);
    assert_labels(s->series[s->series_of[1]], "down{az=\"b\", site=\"rome\"}");
    assert_labels(s->series[s->series_of[2]], "up{az=\"b\", site=\"berlin\"}");
    assert_int_equal(s->time_ns[2], 7);
    assert_true(s->value[2] == 2.5);
    assert_true(str_eq(batch_info(labelled)->database, STR("db")));
}

static void test_alerts(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_ALERT};
    AUTO(batch_autounref) struct batch *b = batch_new(NULL, &info);
    AUTO(batch_autounref) struct batch *labelled = NULL;
    struct alert_export *exports = arena_array(batch_arena(b), struct alert_export, 2);
    struct alert *rows = arena_array(batch_arena(b), struct alert, 2);
    struct view view;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    exports[0] = (struct alert_export){make("cpu", ""), 5, 1};
    exports[1] = (struct alert_export){make("mem", "oslo"), 6, 2};
    rows[0] = (struct alert){.labels = make("a", ""), .exports = exports, .export_count = 2};
    rows[1] = (struct alert){.labels = make("b", "bonn"), .time_ns = 9};
    batch_set_alerts(b, (struct alerts){rows, 2});
    view = view_all(b);
    assert_true(extra_labels_view(&extra, &view, &labelled, &e));
    assert_true(batch_alerts(view.batch, &alerts, &e));
    assert_labels(alerts->rows[0].labels, "a{az=\"b\", site=\"berlin\"}");
    assert_labels(alerts->rows[0].exports[0].labels, "cpu{az=\"b\", site=\"berlin\"}");
    assert_labels(alerts->rows[0].exports[1].labels, "mem{az=\"b\", site=\"oslo\"}");
    assert_labels(alerts->rows[1].labels, "b{az=\"b\", site=\"bonn\"}");
    assert_int_equal(alerts->rows[1].time_ns, 9);
}

static void test_nothing_to_add(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_samples();
    const struct option_map none = {0};
    struct batch *labelled = b;
    struct view view = view_all(b);
    struct err e = ERR_INIT;

    assert_true(extra_labels_view(&none, &view, &labelled, &e));
    assert_null(labelled);
    assert_ptr_equal(view.batch, b);
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool fine;
    } rows[] = {{"site", true}, {"_a1", true},  {"", false},
                {"1a", false},  {"a-b", false}, {"a:b", false}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct option_pair pair = {.name = str_of(rows[i].name), .value = STR("x")};
        const struct option_map map = {&pair, 1};
        struct err e = ERR_INIT;
        assert_int_equal(extra_labels_check(&map, &e), rows[i].fine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),          cmocka_unit_test(test_full_set_stays),
        cmocka_unit_test(test_samples),        cmocka_unit_test(test_alerts),
        cmocka_unit_test(test_nothing_to_add), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
