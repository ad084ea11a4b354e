#include "wire/edges.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/frame.h"
#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
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

static const struct label notes[] = {{STR_INIT("summary"), STR_INIT("High")},
                                     {STR_INIT("empty"), STR_INIT("")}};

/* Two edges; the first has everything. */
static struct batch *make_batch(void)
{
    const struct batch_info info = {.kind = RECORD_ALERT,
                                    .tenant = STR("t"),
                                    .origin = STR("rule"),
                                    .epoch = 3,
                                    .time_ns = 7,
                                    .rule = STR("R"),
                                    .group = STR("G"),
                                    .file = STR("f.yaml"),
                                    .expr = STR("up"),
                                    .database = STR("db"),
                                    .measurement = STR("m"),
                                    .metric_type = STR("gauge"),
                                    .generator_url = STR("http://x"),
                                    .has_threshold = true,
                                    .threshold = 0,
                                    .annotations = notes,
                                    .annotation_count = 2};
    struct batch *b = batch_new(&codec_edges, &info);
    struct alert *rows = arena_array(batch_arena(b), struct alert, 2);
    struct alert_export *exports = arena_array(batch_arena(b), struct alert_export, 1);

    exports[0] = (struct alert_export){make_set("i", "1"), 5, 2.5};
    rows[0] = (struct alert){.rule_id = STR("abc"),
                             .labels = make_set("a", "b"),
                             .annotations = notes,
                             .annotation_count = 1,
                             .from = ALERT_PENDING,
                             .to = ALERT_ALERTING,
                             .episode_ns = 1,
                             .time_ns = 2,
                             .active_at_ns = 3,
                             .fired_at_ns = 4,
                             .keep_since_ns = 5,
                             .resolved_at_ns = -1,
                             .value = 1.5,
                             .exports = exports,
                             .export_count = 1};
    rows[1] = (struct alert){.rule_id = STR(""), .labels = labels_empty()};
    batch_set_alerts(b, (struct alerts){rows, 2});
    return b;
}

/* The bytes on disk: if this test must change, old ledgers can no longer be read. */
#define GOLDEN_EDGES                                                                           \
    "\x0a\x81\x01\x0a\x03"                                                                     \
    "abc\x12\x08\x0a\x06\x0a\x01"                                                              \
    "a\x12\x01"                                                                                \
    "b\x18\x01\x20\x02"                                                                        \
    "\x29\x01\0\0\0\0\0\0\0\x31\x02\0\0\0\0\0\0\0\x39\x03\0\0\0\0\0\0\0\x41\x04\0\0\0\0\0\0\0" \
    "\x49\x05\0\0\0\0\0\0\0\x51\xff\xff\xff\xff\xff\xff\xff\xff\x59\0\0\0\0\0\0\xf8\x3f"       \
    "\x62\x0f\x0a\x07summary\x12\x04High"                                                      \
    "\x6a\x1c\x0a\x08\x0a\x06\x0a\x01"                                                         \
    "i\x12\x01"                                                                                \
    "1\x11\x05\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\x04\x40"                                          \
    "\x0a\x00"

static void assert_bytes(struct str got, struct str want)
{
    size_t at = 0;

    while (at < got.len && at < want.len && got.ptr[at] == want.ptr[at]) {
        at++;
    }
    if (at < got.len || at < want.len) {
        fail_msg("%zu bytes, wanted %zu, they differ at %zu", got.len, want.len, at);
    }
}

static void test_golden_bytes(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    struct str bytes = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_encoded(b, &bytes, &e));
    assert_bytes(bytes, STR(GOLDEN_EDGES));
}

static void test_golden_frame_head(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);
    struct str payload = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_to_frame(b, &head, &payload, &e));
    assert_bytes(
        buf_str(&head),
        STR("\x08\x02\x10\x02\x1a\x5c\x08\x01\x12\x01t\x1a\x04rule\x32\x01R\x3a\x01G\x42\x06"
            "f.yaml\x4a\x02up\x52\x02"
            "db\x5a\x01m\x62\x05gauge\x6a\x08http://x\x20\x03"
            "\x29\x07\0\0\0\0\0\0\0\x70\x01\x7a\x0f\x0a\x07summary\x12\x04High"
            "\x7a\x07\x0a\x05"
            "empty\x7a\x86\x01"));
    assert_bytes(payload, STR(GOLDEN_EDGES));
}

static void check_first(const struct alert *a)
{
    assert_true(str_eq(a->rule_id, STR("abc")));
    assert_true(str_eq(labels_get(a->labels, STR("a")), STR("b")));
    assert_int_equal(a->annotation_count, 1);
    assert_true(str_eq(a->annotations[0].value, STR("High")));
    assert_int_equal(a->from, ALERT_PENDING);
    assert_int_equal(a->to, ALERT_ALERTING);
    assert_true(a->episode_ns == 1 && a->time_ns == 2 && a->active_at_ns == 3 &&
                a->fired_at_ns == 4);
    assert_true(a->keep_since_ns == 5 && a->resolved_at_ns == -1 && a->value == 1.5);
    assert_int_equal(a->export_count, 1);
    assert_true(str_eq(labels_get(a->exports[0].labels, STR("i")), STR("1")));
    assert_true(a->exports[0].time_ns == 5 && a->exports[0].value == 2.5);
}

static void check_info(const struct batch_info *info)
{
    assert_int_equal(info->kind, RECORD_ALERT);
    assert_true(str_eq(info->tenant, STR("t")) && str_eq(info->origin, STR("rule")));
    assert_true(info->epoch == 3 && info->time_ns == 7);
    assert_true(str_eq(info->rule, STR("R")) && str_eq(info->group, STR("G")));
    assert_true(str_eq(info->file, STR("f.yaml")) && str_eq(info->expr, STR("up")));
    assert_true(str_eq(info->database, STR("db")) && str_eq(info->measurement, STR("m")));
    assert_true(str_eq(info->metric_type, STR("gauge")));
    assert_true(str_eq(info->generator_url, STR("http://x")));
    assert_true(info->has_threshold && info->threshold == 0.0);
    assert_int_equal(info->annotation_count, 2);
    assert_true(str_eq(info->annotations[1].name, STR("empty")));
}

static void frame_of(struct batch *b, struct buf *out)
{
    struct str payload = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_to_frame(b, out, &payload, &e));
    buf_add_str(out, payload);
}

static void test_there_and_back(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    AUTO(batch_autounref) struct batch *c = NULL;
    AUTO(buf_release) struct buf frame = BUF_INIT(BUF_SMALL);
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    frame_of(b, &frame);
    assert_true(batch_from_frame(buf_str(&frame), &c, &e));
    buf_release(&frame);
    check_info(batch_info(c));
    assert_int_equal(batch_rows(c), 2);
    assert_ptr_equal(batch_codec(c), &codec_edges);
    assert_true(batch_alerts(c, &alerts, &e));
    assert_int_equal(alerts->count, 2);
    check_first(&alerts->rows[0]);
    assert_ptr_equal(alerts->rows[1].labels, labels_empty());
    assert_int_equal(alerts->rows[1].annotation_count, 0);
}

/* A later version's fields are passed over, wherever they stand. */
static void test_unknown_fields(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_SMALL);
    const struct batch_info info = {.kind = RECORD_ALERT};
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    pb_add_u64(&bytes, 99, 1);
    size_t alert = pb_begin(&bytes, 1);
    pb_add_str(&bytes, 1, STR("id"));
    pb_add_str(&bytes, 50, STR("later"));
    pb_add_u64(&bytes, 51, 1);
    pb_add_fixed(&bytes, 52, 1);
    size_t export = pb_begin(&bytes, 13);
    pb_add_u64(&bytes, 9, 9);
    pb_end(&bytes, export);
    pb_end(&bytes, alert);
    AUTO(batch_autounref)
    struct batch *b = batch_from_bytes(&codec_edges, buf_str(&bytes), true, &info, 1);
    assert_true(batch_alerts(b, &alerts, &e));
    assert_true(str_eq(alerts->rows[0].rule_id, STR("id")));
    assert_int_equal(alerts->rows[0].export_count, 1);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *message;
    } rows[] = {
        {STR_INIT("\x0a\x02\x20\x09"),
         "bytes of alert edges are broken: a state that this version does not know"},
        {STR_INIT("\x0a\x02\x12\x05"), "bytes of alert edges are broken: an alert"},
        {STR_INIT("\x0a\x03\x12\x01\x0a"), "label bytes are not a list of protobuf Label messages"},
        {STR_INIT("\x0a\x03\x6a\x01\x0a"), "bytes of alert edges are broken: an export"},
        {STR_INIT("\x0a\x03\x62\x01\x0a"), "bytes of alert edges are broken: an annotation"},
        {STR_INIT("\x0a\x09"), "bytes of alert edges are broken: the list"},
    };
    const struct batch_info info = {.kind = RECORD_ALERT};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref)
        struct batch *b = batch_from_bytes(&codec_edges, rows[i].bytes, true, &info, 1);
        const struct alerts *alerts = NULL;
        struct err e = ERR_INIT;
        assert_false(batch_alerts(b, &alerts, &e));
        assert_string_equal(e.message, rows[i].message);
    }
}

static void test_frames_refused(void **state)
{
    (void)state;
    static const struct {
        struct str bytes;
        const char *message;
    } rows[] = {
        {STR_INIT("\xff"), "frame is no batch: not a protobuf message"},
        {STR_INIT(""), "frame is no batch: a codec that this version does not know"},
        {STR_INIT("\x08\xc8\x01"), "frame is no batch: a codec that this version does not know"},
        {STR_INIT("\x08\x82\x02"), "frame is no batch: a codec that this version does not know"},
        {STR_INIT("\x08\x02\x10\xff\xff\xff\xff\x0f"), "frame is no batch: too many rows"},
        {STR_INIT("\x08\x02"), "frame is no batch: its codec is for another kind of record"},
        {STR_INIT("\x08\x02\x1a\x02\x08\x09"),
         "frame is no batch: a kind of record that this version does not know"},
        {STR_INIT("\x08\x02\x1a\x01\x08"), "frame is no batch: what the rows share"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct batch *b = NULL;
        struct err e = ERR_INIT;
        assert_false(batch_from_frame(rows[i].bytes, &b, &e));
        assert_null(b);
        assert_string_equal(e.message, rows[i].message);
    }
}

/* Codec ids are part of the format too. */
static void test_codecs(void **state)
{
    (void)state;
    assert_string_equal(batch_codec_find(1)->name, "rw1");
    assert_string_equal(batch_codec_find(2)->name, "edges");
    assert_null(batch_codec_find(0));
    assert_string_equal(batch_codec_find(3)->name, "profiles");
    assert_string_equal(batch_codec_find(4)->name, "spans");
    assert_string_equal(batch_codec_find(5)->name, "events");
    assert_null(batch_codec_find(6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bytes),   cmocka_unit_test(test_golden_frame_head),
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_frames_refused),
        cmocka_unit_test(test_codecs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
