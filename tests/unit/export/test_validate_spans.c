/* Spans that exporters encode read again as their rows; and no other rows do. */
#include "base/mem.h"
#include "export/exporters/datadog.h"
#include "fake/export_kit.h"
#include "wire/notes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 6, CHANGED = 2 };

/* How one row differs from what was encoded. */
enum change {
    AS_IT_WAS,
    OTHER_NAME,
    OTHER_TIME,
    OTHER_END,
    OTHER_TRACE,
    OTHER_UPPER_HALF,
    OTHER_SPAN,
    OTHER_PARENT,
    OTHER_LABEL,
    OTHER_SERVICE,
    OTHER_NUMBER,
    OTHER_INTEGER,
    OTHER_FLAG,
    OTHER_TEXT,
    OTHER_FIELD_NAME,
    OTHER_STATUS,
    OTHER_KIND,
    ONE_MORE,
    ONE_LESS,
    CHANGES
};

/* ---- rows ---- */

static struct labels *make_labels(uint32_t row, enum change change)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("service"), change == OTHER_SERVICE ? STR("web") : STR("api"));
    labels_builder_push(&b, STR("zone"), change == OTHER_LABEL ? STR("c") : STR("b \"1\""));
    if (row == 4) {
        labels_builder_push(&b, STR("odd"), STR("\xff\n"));
        labels_builder_push(&b, STR("env"), STR("test"));
    }
    assert_true(labels_build(&b, &l, &e));
    return l;
}

static const struct note_field *make_fields(struct arena *a, uint32_t row, enum change change,
                                            size_t *ret_count)
{
    const struct note_field fields[] = {
        {.name = STR("n"), .type = NOTE_NUMBER, .number = change == OTHER_NUMBER ? 2 : 0.5},
        {.name = STR("i"), .type = NOTE_INTEGER, .integer = change == OTHER_INTEGER ? 2 : -1},
        {.name = STR("f"), .type = NOTE_FLAG, .integer = change != OTHER_FLAG},
        {.name = change == OTHER_FIELD_NAME ? STR("u") : STR("t"),
         .type = NOTE_TEXT,
         .text = change == OTHER_TEXT ? STR("gr\xC3\xB6\xC3\x9F")
                                      : STR("gr\xC3\xB6\xC3\x9F"
                                            "e")},
        {.name = STR("otel.scope.name"), .type = NOTE_TEXT, .text = STR("lib")},
        {.name = STR("nan"), .type = NOTE_NUMBER, .number = NAN},
        {.name = STR("bad"), .type = NOTE_TEXT, .text = STR("\x80\x01")},
    };
    size_t count = row == 4 ? ARRAY_LEN(fields) : 4;
    struct note_field *all = arena_array(a, struct note_field, count);

    memcpy(all, fields, count * sizeof(*all));
    *ret_count = row == 5 ? 0 : count;
    return all;
}

static struct span_part *make_part(struct arena *a, uint32_t row, enum change change)
{
    struct span_part *s = arena_new(a, struct span_part);

    s->end_ns = KIT_TIME_NS + 5000000 + (change == OTHER_END);
    s->trace_id[0] = (uint8_t)((row % 2 == 0 ? 0xA0 : 0) + (change == OTHER_UPPER_HALF));
    s->trace_id[15] = (uint8_t)(2 - row % 2 + (change == OTHER_TRACE ? 8 : 0));
    s->span_id[7] = (uint8_t)(row + 1 + (change == OTHER_SPAN ? 40 : 0));
    s->parent_id[7] = (uint8_t)((row > 1 ? 1 : 0) + (change == OTHER_PARENT));
    s->status = change == OTHER_STATUS ? SPAN_STATUS_OK : SPAN_STATUS_ERROR;
    s->status_message = STR("broke");
    s->kind = change == OTHER_KIND ? SPAN_KIND_CLIENT : SPAN_KIND_SERVER;
    s->more = STR("");
    return s;
}

static struct note make_note(struct arena *a, uint32_t row, enum change change)
{
    struct buf name = BUF_INIT(BUF_SMALL);
    struct note n = {.time_ns = KIT_TIME_NS - (change == OTHER_TIME ? INT64_C(1000000000) : 0),
                     .labels = make_labels(row, change),
                     .span = make_part(a, row, change)};

    n.fields = make_fields(a, row, change, &n.field_count);
    buf_add_repeat(&name, 'x', row == 3 ? 6000 : 4);
    buf_add_text(&name, change == OTHER_NAME ? "other" : "");
    n.name = arena_dup(a, buf_str(&name));
    buf_release(&name);
    return n;
}

static struct batch *make_spans(enum change change)
{
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    uint32_t count = change == ONE_MORE ? ROWS + 1 : change == ONE_LESS ? ROWS - 1 : ROWS;
    struct note *rows = arena_array(batch_arena(b), struct note, count);

    for (uint32_t i = 0; i < count; i++) {
        rows[i] = make_note(batch_arena(b), i, i == CHANGED ? change : AS_IT_WAS);
    }
    batch_set_notes(b, (struct notes){rows, count});
    return b;
}

/* ---- exporters ---- */

static const struct {
    const char *yaml;
    const struct http_exporter *http; /* NULL: the kind's */
    enum change blind[6]; /* what is not there to be seen, or may be so; AS_IT_WAS ends */
} rows[] = {
    {"type: otlp\ncompression: none\n", NULL, {AS_IT_WAS}},
    {"type: otlp\nprotocol: http/json\nspan_name_prefix: p\n", NULL, {AS_IT_WAS}},
    {"type: otlp\nresource_attributes: {team: x}\nservice_name: s\n", NULL, {AS_IT_WAS}},
    {"type: newrelic\nlicense_key: k\ncommon_attributes: {a: b}\n",
     NULL,
     {OTHER_STATUS, OTHER_KIND, ONE_MORE}},
    {"type: datadog\napi_key: k\napm_config: {env: e, version: '1'}\n",
     &datadog_traces,
     {OTHER_KIND}},
    {"type: datadog\napi_key: k\ntraces_via: otlp\ntags: ['a:b']\n",
     &datadog_otlp_traces,
     {AS_IT_WAS}},
};

static bool is_blind(size_t row, enum change change)
{
    for (size_t i = 0; rows[row].blind[i] != AS_IT_WAS; i++) {
        if (rows[row].blind[i] == change) {
            return true;
        }
    }
    return false;
}

static void check(size_t row, const struct http_exporter *http, struct export_kit *kit,
                  struct str body, enum change change)
{
    AUTO(batch_autounref) struct batch *b = make_spans(change);
    const struct sent_rows sent = {view_all(b), 0, batch_rows(b), SENT_ALL_PARTS};
    struct err e = ERR_INIT;
    bool want = change == AS_IT_WAS || is_blind(row, change);

    if (http->validate(kit->config, &sent, body, &e) != want) {
        fail_msg("%s, change %d: %s", rows[row].yaml, (int)change, e.message);
    }
    assert_int_equal(e.message[0] == '\0', want);
}

static void every_change_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = make_spans(AS_IT_WAS);
        struct outcome out;
        struct export_kit kit;
        uint32_t row = 0;
        assert_true(export_kit_start(&kit, rows[i].yaml));
        struct export_request req = {.arena = &kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
        const struct http_exporter *http = rows[i].http != NULL ? rows[i].http : kit.kind->http;
        outcome_init(&out);
        assert_true(http->next_request(kit.config, view_all(b), &row, &req, &out, &kit.err));
        assert_int_equal(row, ROWS);
        struct str body = req.whole_body.ptr != NULL ? req.whole_body : buf_str(&req.body);
        for (int change = AS_IT_WAS; change < CHANGES; change++) {
            check(i, http, &kit, body, (enum change)change);
        }
        outcome_release(&out);
        buf_release(&req.body);
        export_kit_stop(&kit);
    }
}

/* Some rows of a batch, in another order than they stand in. */
static void some_rows(void **state)
{
    static const uint32_t some[] = {5, 0, 3};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = make_spans(AS_IT_WAS);
        const struct sent_rows sent = {
            {.batch = b, .rows = some, .n = ARRAY_LEN(some)}, 1, 3, SENT_ALL_PARTS};
        struct outcome out;
        struct export_kit kit;
        uint32_t row = 1;
        assert_true(export_kit_start(&kit, rows[i].yaml));
        struct export_request req = {.arena = &kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
        const struct http_exporter *http = rows[i].http != NULL ? rows[i].http : kit.kind->http;
        outcome_init(&out);
        assert_true(http->next_request(kit.config, sent.view, &row, &req, &out, &kit.err));
        struct str body = req.whole_body.ptr != NULL ? req.whole_body : buf_str(&req.body);
        if (!http->validate(kit.config, &sent, body, &kit.err)) {
            fail_msg("%s: %s", rows[i].yaml, kit.err.message);
        }
        outcome_release(&out);
        buf_release(&req.body);
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_seen),
        cmocka_unit_test(some_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
