/* The strict reader of requests to Datadog's agent: what is written is read, and nothing that differs in a byte of form. */
#include "wire/datadog_traces_read.h"

#include "wire/datadog_traces.h"
#include "wire/msgpack.h"
#include "wire/msgpack_read.h"
#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* ---- values ---- */

static const struct {
    const char *bytes;
    size_t len;
    const char *says; /* NULL: read */
} integers[] = {
    {"\x00", 1, NULL},
    {"\x7f", 1, NULL},
    {"\xcc\x80", 2, NULL},
    {"\xcd\x01\x00", 3, NULL},
    {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, NULL},
    {"\xcc\x7f", 2, "shortest"},
    {"\xcd\x00\xff", 3, "shortest"},
    {"\xce\x00\x00\xff\xff", 5, "shortest"},
    {"\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9, "shortest"},
    {"\xcf\xff\xff\xff", 4, "cut off"},
    {"\xff", 1, "without a sign"},
    {"\xa1x", 2, "without a sign"},
    {"\x01\x02", 2, "behind the end"},
    {"", 0, "without a sign"},
};

static void numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        struct msgpack_reader r;
        struct err e = ERR_INIT;
        msgpack_read_init(&r, str_make(integers[i].bytes, integers[i].len), &e);
        (void)msgpack_take_u64(&r);
        bool ok = msgpack_read_end(&r);
        assert_int_equal(ok, integers[i].says == NULL);
        if (!ok && strstr(e.message, integers[i].says) == NULL) {
            fail_msg("row %zu: %s", i, e.message);
        }
    }
}

static void texts_and_counts(void **state)
{
    static const size_t sizes[] = {0, 15, 16, 31, 32, 255, 256, 65535, 65536, 70000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf made = BUF_INIT(BUF_UNLIMITED);
        struct msgpack_reader r;
        struct err e = ERR_INIT;
        buf_add_repeat(&text, 'x', sizes[i]);
        msgpack_add_str(&made, buf_str(&text));
        msgpack_add_array(&made, (uint32_t)sizes[i]);
        buf_add_repeat(&made, '\x01', sizes[i]);
        msgpack_read_init(&r, buf_str(&made), &e);
        assert_true(str_eq(msgpack_take_str(&r), buf_str(&text)));
        assert_int_equal(msgpack_take_array(&r), sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_int_equal(msgpack_take_u64(&r), 1);
        }
        assert_true(msgpack_read_end(&r));
    }
}

static const struct {
    const char *bytes;
    size_t len;
} bad_texts[] = {
    {"\xd9\x1fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 33}, /* has a shorter form */
    {"\xda\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 35},
    {"\xa5xx", 3},
    {"\xdb\xff\xff\xff\xffx", 6},
    {"\xa2\xff\xfe", 3},
    {"\x93\x01", 2},
    {"\xc4\x01x", 3},
};

static void bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_texts); i++) {
        struct msgpack_reader r;
        struct err e = ERR_INIT;
        msgpack_read_init(&r, str_make(bad_texts[i].bytes, bad_texts[i].len), &e);
        assert_int_equal(msgpack_take_str(&r).len, 0);
        assert_int_equal(msgpack_take_map(&r), 0);
        assert_true(msgpack_take_double(&r) == 0);
        assert_false(msgpack_read_end(&r));
        assert_int_equal(e.code, ERR_PARSE);
    }
}

/* ---- requests ---- */

static struct batch *spans(void)
{
    static const struct note_field fields[] = {
        {.name = STR_INIT("rows"), .type = NOTE_NUMBER, .number = 0.5},
        {.name = STR_INIT("text"), .type = NOTE_TEXT, .text = STR_INIT("t")}};
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, 3);

    for (uint32_t i = 0; i < 3; i++) {
        struct span_part *s = arena_new(batch_arena(b), struct span_part);
        s->end_ns = 107;
        s->status_message = STR("");
        s->more = STR("");
        s->trace_id[0] = 1;
        s->trace_id[15] = (uint8_t)(2 - i % 2);
        s->span_id[7] = (uint8_t)(i + 1);
        rows[i] = (struct note){.time_ns = 100,
                                .name = STR("work"),
                                .labels = labels_empty(),
                                .fields = fields,
                                .field_count = 2,
                                .span = s};
    }
    batch_set_notes(b, (struct notes){rows, 3});
    return b;
}

static void encode(struct buf *out)
{
    AUTO(batch_autounref) struct batch *b = spans();
    const struct datadog_spans w = {.service = STR("svc"), .env = STR("prod")};
    const struct notes *notes = NULL;
    struct err e = ERR_INIT;
    uint32_t traces = 0;

    assert_true(batch_notes(b, &notes, &e));
    assert_int_equal(datadog_encode_traces(&w, notes, view_all(b), 0, 10, out, &traces), 3);
}

static bool reads(struct str request, const struct datadog_span **ret, uint32_t *ret_count,
                  struct arena *a)
{
    struct err e = ERR_INIT;
    bool ok = datadog_traces_read(request, a, ret, ret_count, &e);

    assert_int_equal(ok, e.message[0] == '\0');
    return ok;
}

static void a_request(void **state)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_UNLIMITED);
    const struct datadog_span *s = NULL;
    uint32_t count = 0;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    encode(&made);
    assert_true(reads(buf_str(&made), &s, &count, &a));
    assert_int_equal(count, 3);
    assert_int_equal(s[0].trace_id, 1);
    assert_int_equal(s[0].span_id, 2);
    assert_int_equal(s[2].span_id, 3);
    assert_int_equal(s[1].start_ns, 100);
    assert_int_equal(s[1].duration_ns, 7);
    assert_true(str_eq(s[1].service, STR("svc")) && str_eq(s[1].resource, STR("work")));
    assert_true(str_eq(datadog_pair_get(&s[1].meta, STR("env"))->text, STR("prod")));
    assert_true(datadog_pair_get(&s[1].metrics, STR("rows"))->number == 0.5);
    assert_null(datadog_pair_get(&s[1].metrics, STR("text")));
}

/* Whatever is cut off is seen, and what is damaged is another request or none. */
static void damage(void **state)
{
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_UNLIMITED);
    unsigned refused = 0;

    (void)state;
    encode(&made);
    for (size_t i = 0; i < made.len; i++) {
        AUTO(arena_release) struct arena a;
        const struct datadog_span *s = NULL;
        uint32_t count = 0;
        arena_init(&a, ARENA_UNLIMITED);
        assert_false(reads(str_slice(buf_str(&made), 0, i), &s, &count, &a));
        made.ptr[i] ^= (char)0x80;
        refused += !reads(buf_str(&made), &s, &count, &a);
        made.ptr[i] ^= (char)0x80;
    }
    assert_true(refused > made.len / 2);
}

static const struct {
    const char *from; /* its first place becomes <to>, of the same length */
    const char *to;
} changes[] = {
    {"\xa7service", "\xa7servise"},
    {"\xa4name", "\xa4type"},
    {"\xa4type\xa6", "\xa4meta\xa6"},
    {"\xa5"
     "error\x00",
     "\xa5"
     "error\x02"},
    {"\xa4text", "\xa4host"},
    {"\xa3svc", "\xa3s\xffv"},
    {"\x8c\xa7service", "\x8b\xa7service"},
};

static void what_the_agent_would_not_take(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf made = BUF_INIT(BUF_UNLIMITED);
        const struct datadog_span *s = NULL;
        uint32_t count = 0;
        size_t len = strlen(changes[i].from) + (i == 3);
        arena_init(&a, ARENA_UNLIMITED);
        encode(&made);
        char *at = memmem(made.ptr, made.len, changes[i].from, len);
        assert_non_null(at);
        memcpy(at, changes[i].to, len);
        bool is_other = strcmp(changes[i].to, "\xa4host") == 0; /* another name, nothing wrong */
        assert_int_equal(reads(buf_str(&made), &s, &count, &a), is_other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(texts_and_counts),
        cmocka_unit_test(bad),     cmocka_unit_test(a_request),
        cmocka_unit_test(damage),  cmocka_unit_test(what_the_agent_would_not_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
