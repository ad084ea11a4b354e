/* Cells of events, profiles and samples: types, JSON, texts that a database cannot keep. */
#include "wire/record_cells.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "wire/table_layout.h"

#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* All columns of row 0, as text: "name=cell" with a blank between; what is NULL is left out. */
static void print_row(struct batch *b, const struct option_map *mapping, struct buf *out,
                      uint64_t *ret_changed)
{
    struct cell_reader r;
    struct table_layout l;
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(table_layout_make(batch_info(b)->kind, STR("t"), mapping, &a, &l, &e));
    assert_true(cell_reader_init(&r, view_all(b), &e));
    r.has_column = table_layout_has_field;
    r.arg = &l;
    for (uint32_t i = 0; i < l.column_count; i++) {
        struct cell cell;
        table_column_read(&l.columns[i], &r, 0, &cell);
        if (cell.type != CELL_NULL) {
            buf_addf(out, "%s%.*s=", out->len > 0 ? " " : "", STR_FMT(l.columns[i].name));
            cell_print(&cell, out);
        }
    }
    *ret_changed = r.changed;
    cell_reader_release(&r);
    arena_release(&a);
}

static void check_row(struct batch *b, const struct option_map *mapping, const char *text,
                      uint64_t changed)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    uint64_t was = 0;

    print_row(b, mapping, &out, &was);
    assert_string_equal(buf_text(&out), text);
    assert_int_equal(was, changed);
    batch_unref(b);
}

static const struct option_map none = {0};

static struct batch *event_batch(struct event ev)
{
    const struct batch_info info = {.kind = RECORD_EVENT, .time_ns = 2 * NS_PER_S};
    struct batch *b = batch_new(NULL, &info);
    struct event *row = arena_new(batch_arena(b), struct event);

    *row = ev;
    batch_set_events(b, (struct events){.rows = row, .count = 1});
    return b;
}

static void test_events(void **state)
{
    static const struct event_extension extensions[] = {
        {.name = STR_INIT("part"), .type = EVENT_INTEGER, .integer = 7},
        {.name = STR_INIT("last"), .type = EVENT_FLAG, .integer = 1},
        {.name = STR_INIT("trace"), .type = EVENT_TEXT, .text = STR_INIT("a\"b")}};
    const struct event full = {.id = STR("1"),
                               .source = STR("/s"),
                               .type = STR("t"),
                               .subject = STR("sub"),
                               .content_type = STR("application/json"),
                               .has_time = true,
                               .time_ns = NS_PER_S,
                               .extensions = extensions,
                               .extension_count = ARRAY_LEN(extensions),
                               .form = EVENT_DATA_JSON,
                               .data = STR("{\"x\":\"\\u0000\"}")};
    struct event ev = {.id = STR("1"), .source = STR("/s"), .type = STR("t")};

    (void)state;
    check_row(event_batch(full), &none,
              "time=1970-01-01T00:00:01Z id=1 source=/s type=t subject=sub "
              "content_type=application/json "
              "extensions={\"part\":7,\"last\":true,\"trace\":\"a\\\"b\"} data={\"x\":\"\\ufffd\"}",
              1);
    check_row(event_batch(ev), &none,
              "time=1970-01-01T00:00:02Z id=1 source=/s type=t extensions={}", 0);
    ev.form = EVENT_DATA_TEXT;
    ev.data = STR("say \"hi\"");
    check_row(event_batch(ev), &none,
              "time=1970-01-01T00:00:02Z id=1 source=/s type=t extensions={} "
              "data=\"say \\\"hi\\\"\"",
              0);
    ev.form = EVENT_DATA_BYTES;
    ev.data = STR("\xff\x01");
    check_row(event_batch(ev), &none,
              "time=1970-01-01T00:00:02Z id=1 source=/s type=t extensions={} data=\"/wE=\"", 0);
}

static struct batch *profile_batch(const struct note_field *fields, size_t count)
{
    const struct batch_info info = {.kind = RECORD_PROFILE};
    struct batch *b = batch_new(NULL, &info);
    struct note *row = arena_new(batch_arena(b), struct note);

    *row = (struct note){.time_ns = NS_PER_S,
                         .labels = labels_ref(labels_empty()),
                         .fields = fields,
                         .field_count = count};
    batch_set_notes(b, (struct notes){.rows = row, .count = 1});
    return b;
}

static void test_profiles(void **state)
{
    static const struct note_field fields[] = {
        {.name = STR_INIT("rate"), .type = NOTE_NUMBER, .number = 1.5},
        {.name = STR_INIT("total"), .type = NOTE_INTEGER, .integer = 3},
        {.name = STR_INIT("up"), .type = NOTE_FLAG, .integer = 1},
        {.name = STR_INIT("bad"), .type = NOTE_TEXT, .text = STR_INIT("a\xff\0b")}};
    const struct option_pair pairs[] = {{STR_INIT("rate"), STR_INIT("r"), NULL},
                                        {STR_INIT("bad"), STR_INIT("b text"), NULL},
                                        {STR_INIT("absent"), STR_INIT("x"), NULL}};
    const struct option_map mapping = {pairs, ARRAY_LEN(pairs)};

    (void)state;
    check_row(profile_batch(fields, ARRAY_LEN(fields)), &mapping,
              "time=1970-01-01T00:00:01Z labels={} fields={\"total\":3,\"up\":true} r=1.5 "
              "b=a\xef\xbf\xbd\xef\xbf\xbd"
              "b",
              1);
    check_row(profile_batch(fields, 3), &none,
              "time=1970-01-01T00:00:01Z labels={} "
              "fields={\"rate\":1.5,\"total\":3,\"up\":true}",
              0);
}

/* A backslash before the escape makes it text; two of them do not. */
static void test_nul_in_json(void **state)
{
    static const struct note_field fields[] = {
        {.name = STR_INIT("a"), .type = NOTE_TEXT, .text = STR_INIT("\\u0000")},
        {.name = STR_INIT("b"), .type = NOTE_TEXT, .text = STR_INIT("\\\0")},
        {.name = STR_INIT("c"), .type = NOTE_NUMBER, .number = INFINITY}};

    (void)state;
    check_row(profile_batch(fields, ARRAY_LEN(fields)), &none,
              "time=1970-01-01T00:00:01Z labels={} "
              "fields={\"a\":\"\\\\u0000\",\"b\":\"\\\\\\ufffd\",\"c\":\"+Inf\"}",
              1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_nul_in_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
