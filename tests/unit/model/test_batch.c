#include "model/batch.h"

#include "base/mem.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

static struct labels *make_set(const char *name, const char *value)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, str_of(name), str_of(value));
    assert_true(labels_build(&b, &l, &e));
    return l;
}

/* A toy codec: "N" is N rows of one series, whose values are 0..N-1. */
static bool toy_decode(struct str encoded, struct batch *b, struct err *e)
{
    if (encoded.len != 1 || encoded.ptr[0] < '0' || encoded.ptr[0] > '9') {
        return err_set(e, ERR_PARSE, "not a digit");
    }
    uint32_t n = (uint32_t)(encoded.ptr[0] - '0');
    struct arena *a = batch_arena(b);
    struct labels **series = arena_array(a, struct labels *, 1);
    double *value = arena_array(a, double, n);

    series[0] = make_set("toy", "1");
    for (uint32_t i = 0; i < n; i++) {
        value[i] = i;
    }
    batch_set_samples(b, (struct samples){.series = series,
                                          .series_count = 1,
                                          .count = n,
                                          .series_of = arena_array(a, uint32_t, n),
                                          .time_ns = arena_array(a, int64_t, n),
                                          .value = value});
    return true;
}

static bool toy_encode(const struct batch *b, struct buf *out, struct err *e)
{
    uint32_t count = batch_own_samples(b)->count;

    if (count > 9) {
        return err_set(e, ERR_LIMIT, "%u rows are too many for a toy", count);
    }
    buf_add_u64(out, count);
    return true;
}

static const struct batch_codec toy = {
    .id = 200, .name = "toy", .kind = RECORD_SAMPLE, .decode = toy_decode, .encode = toy_encode};
static const struct batch_info sample_info = {.kind = RECORD_SAMPLE};

static void test_decodes_on_first_use(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = batch_from_bytes(&toy, STR("3"), true, &sample_info, 3);
    const struct samples *s = NULL;
    struct str bytes;
    struct err e = ERR_INIT;
    size_t before = batch_bytes(b);

    assert_int_equal(batch_rows(b), 3);
    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(s->count, 3);
    assert_true(s->value[2] == 2.0);
    assert_true(batch_bytes(b) >= before);
    const struct samples *again = NULL;
    assert_true(batch_samples(b, &again, &e));
    assert_ptr_equal(again, s);
    assert_true(batch_encoded(b, &bytes, &e));
    assert_true(str_eq(bytes, STR("3")));
}

static void test_takes_bytes_over(void **state)
{
    (void)state;
    char *bytes = mem_dup("4", 1);
    AUTO(batch_autounref)
    struct batch *b = batch_from_bytes(&toy, str_make(bytes, 1), false, &sample_info, 4);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(s->count, 4);
}

static void test_broken_bytes_stay_broken(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *message;
    } rows[] = {
        {STR_INIT("x"), "not a digit"},
        {STR_INIT("2"), "batch said to have 3 rows has 2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref)
        struct batch *b = batch_from_bytes(&toy, rows[i].bytes, true, &sample_info, 3);
        const struct samples *s = NULL;
        for (int again = 0; again < 2; again++) {
            struct err e = ERR_INIT;
            assert_false(batch_samples(b, &s, &e));
            assert_null(s);
            assert_string_equal(e.message, rows[i].message);
        }
    }
}

static struct batch *batch_of(uint32_t n)
{
    struct batch *b = batch_new(&toy, &sample_info);
    struct arena *a = batch_arena(b);

    batch_set_samples(b, (struct samples){.count = n,
                                          .series_of = arena_array(a, uint32_t, n),
                                          .time_ns = arena_array(a, int64_t, n),
                                          .value = arena_array(a, double, n)});
    return b;
}

static void test_encodes_on_first_use(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = batch_of(5);
    AUTO(batch_autounref) struct batch *large = batch_of(12);
    struct str bytes = STR_NONE;
    struct err e = ERR_INIT;

    assert_int_equal(batch_rows(b), 5);
    assert_true(batch_encoded(b, &bytes, &e));
    assert_true(str_eq(bytes, STR("5")));
    assert_false(batch_encoded(large, &bytes, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(str_eq(bytes, STR("5")));
}

static void test_wrong_kind_or_no_codec(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = batch_new(NULL, &sample_info);
    AUTO(batch_autounref)
    struct batch *bytes = batch_from_bytes(NULL, STR("1"), true, &sample_info, 1);
    const struct alerts *alerts = NULL;
    const struct samples *samples = NULL;
    struct str encoded;
    struct err e = ERR_INIT;

    assert_false(batch_alerts(b, &alerts, &e));
    assert_string_equal(e.message, "a batch of kind sample has no rows that are alerts");
    assert_false(batch_encoded(b, &encoded, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    assert_false(batch_samples(bytes, &samples, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
}

static void test_info_is_copied(void **state)
{
    (void)state;
    char text[] = "rule";
    char note[] = "note";
    struct label annotation = {str_of(note), str_of(note)};
    struct batch_info info = {.kind = RECORD_ALERT,
                              .rule = str_of(text),
                              .epoch = 7,
                              .annotations = &annotation,
                              .annotation_count = 1};
    AUTO(batch_autounref) struct batch *b = batch_new(NULL, &info);

    memset(text, 'x', sizeof(text));
    memset(note, 'x', sizeof(note));
    memset(&annotation, 0, sizeof(annotation));
    const struct batch_info *own = batch_info(b);
    assert_true(str_eq(own->rule, STR("rule")));
    assert_int_equal(own->tenant.len, 0);
    assert_int_equal(own->epoch, 7);
    assert_true(str_eq(own->annotations[0].value, STR("note")));
    assert_null(batch_codec(b));
}

/* Leak checkers see whether the labels go with the batch. */
static void test_alerts_release_their_labels(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_ALERT};
    AUTO(batch_autounref) struct batch *b = batch_new(NULL, &info);
    struct alert_export *export = arena_new(batch_arena(b), struct alert_export);
    struct alert *alert = arena_new(batch_arena(b), struct alert);
    const struct alerts *rows = NULL;
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    export->labels = make_set("b", "2");
    *alert = (struct alert){.rule_id = STR("0123"),
                            .labels = make_set("a", "1"),
                            .to = ALERT_ALERTING,
                            .episode_ns = 17,
                            .exports = export,
                            .export_count = 1};
    batch_set_alerts(b, (struct alerts){alert, 1});
    assert_true(batch_alerts(b, &rows, &e));
    assert_int_equal(rows->count, 1);
    alert_print_id(&rows->rows[0], &id);
    assert_memory_equal(buf_text(&id), "0123:", 5);
    assert_string_equal(buf_text(&id) + 5 + 16, ":17:alerting");
}

static void test_views(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = batch_of(5);
    const uint32_t list[] = {4, 2, 0};
    struct view all = view_all(b);
    struct view listed = {.batch = b, .rows = list, .n = 3};

    assert_true(view_is_whole(all));
    assert_int_equal(view_row(all, 4), 4);
    struct view part = view_slice(view_slice(all, 1, 4), 2, 9);
    assert_int_equal(part.n, 2);
    assert_int_equal(view_row(part, 0), 3);
    assert_false(view_is_whole(part));
    part = view_slice(listed, 1, 1);
    assert_int_equal(part.n, 1);
    assert_int_equal(view_row(part, 0), 2);
    assert_int_equal(view_slice(all, 9, 1).n, 0);
    assert_false(view_is_whole(listed));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(record_kind_name(RECORD_ALERT), "alert");
    assert_string_equal(record_kind_name(RECORD_KINDS), "unknown");
    assert_string_equal(alert_state_name(ALERT_SUPPRESSING), "suppressing");
    assert_string_equal(alert_state_prometheus(ALERT_SUPPRESSING), "firing");
    assert_string_equal(alert_state_prometheus(ALERT_RESOLVED), "inactive");
    for (int i = 0; i < RECORD_KINDS; i++) {
        assert_non_null(record_kind_name((enum record_kind)i));
    }
}

struct shared {
    struct batch *batch;
    _Atomic unsigned good;
};

static void reader(void *arg)
{
    struct shared *shared = arg;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;
    struct str bytes;

    if (batch_samples(shared->batch, &s, &e) && s->count == 9 &&
        batch_encoded(shared->batch, &bytes, &e) && batch_bytes(shared->batch) > 0) {
        atomic_fetch_add(&shared->good, 1);
    }
    batch_unref(shared->batch);
}

static void test_first_use_by_many_threads(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        AUTO(batch_autounref)
        struct batch *b = batch_from_bytes(&toy, STR("9"), true, &sample_info, 9);
        struct shared shared = {.batch = b};
        struct thread threads[4] = {0};
        struct err e = ERR_INIT;
        for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
            (void)batch_ref(b);
            assert_true(thread_start(&threads[i], "reader", reader, &shared, &e));
        }
        for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
            thread_join(&threads[i]);
        }
        assert_int_equal(shared.good, ARRAY_LEN(threads));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes_on_first_use),
        cmocka_unit_test(test_takes_bytes_over),
        cmocka_unit_test(test_broken_bytes_stay_broken),
        cmocka_unit_test(test_encodes_on_first_use),
        cmocka_unit_test(test_wrong_kind_or_no_codec),
        cmocka_unit_test(test_info_is_copied),
        cmocka_unit_test(test_alerts_release_their_labels),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_first_use_by_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
