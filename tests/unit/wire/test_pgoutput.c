/* Messages as a server of PostgreSQL 15 sent them, and what is not one. */
#include "wire/pgoutput.h"

#include "base/clock.h"
#include "base/timetext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void add_hex(struct buf *out, const char *hex)
{
    for (; *hex != '\0'; hex += 2) {
        buf_add_byte(out, (char)(digit(hex[0]) << 4 | digit(hex[1])));
    }
}

/* A message that was read; the bytes and the arena live as long. */
struct kit {
    struct buf bytes;
    struct arena arena;
    struct pgoutput_message m;
    struct err e;
};

static void kit_release(struct kit *k)
{
    buf_release(&k->bytes);
    arena_release(&k->arena);
}

static bool read_hex(struct kit *k, const char *hex)
{
    *k = (struct kit){.bytes = BUF_INIT(BUF_SMALL), .e = ERR_INIT};
    arena_init(&k->arena, ARENA_UNLIMITED);
    add_hex(&k->bytes, hex);
    return pgoutput_read(buf_str(&k->bytes), &k->arena, &k->m, &k->e);
}

static void expect_str(struct str got, const char *wanted)
{
    if (!str_eq(got, str_of(wanted))) {
        fail_msg("'%.*s' instead of '%s'", STR_FMT(got), wanted);
    }
}

#define RELATION                                                                                   \
    "520000400b7075626c6963007431006400040169640000000014ffffffff00626f64790000000edaffffffff006e" \
    "6f74650000000019ffffffff006665656c0000004006ffffffff"
#define INSERT                                                                                     \
    "490000400b4e0004740000000131740000000d7b2261223a205b312c20325d7d740000000568656c6c6f74000000" \
    "026f6b"
#define UPDATE_TOAST "550000400b4e00047400000001336e7574000000026f6b"
#define UPDATE_KEY "550000400b4b00047400000001326e6e6e4e00047400000001346e74000000006e"
#define UPDATE_FULL "55000040124f00027400000001317400000001784e0002740000000131740000000179"
#define DELETE_KEY "440000400b4b00047400000001346e6e6e"
#define TRUNCATE "5400000002000000400b00004012"
#define MESSAGE "4d010000000001589cc07072650000000007636f6e74656e74"
#define ORIGIN "4f00000000abcdef01656c7365776865726500"
#define TYPE "59000040067075626c6963006d6f6f6400"
#define BEGIN "420000000001589fe00002ea5dbb151340000002f1"
#define COMMIT "43000000000001589fe0000000000158a0400002ea5dbb151340"

static void test_transaction(void **state)
{
    AUTO(kit_release) struct kit begin;
    AUTO(kit_release) struct kit commit;
    int64_t time_ns = 0;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(read_hex(&begin, BEGIN));
    assert_int_equal(begin.m.kind, PGOUTPUT_BEGIN);
    assert_int_equal(begin.m.lsn, 0x1589fe0);
    assert_int_equal(begin.m.xid, 0x2f1);
    assert_true(time_parse_rfc3339(STR("2026-01-02T03:04:05Z"), &time_ns, &e));
    assert_int_equal(begin.m.time_ns, time_ns);
    assert_true(read_hex(&commit, COMMIT));
    assert_int_equal(commit.m.kind, PGOUTPUT_COMMIT);
    assert_int_equal(commit.m.lsn, begin.m.lsn);
    assert_int_equal(commit.m.end_lsn, 0x158a040);
}

static void test_relation(void **state)
{
    static const struct {
        const char *name;
        uint32_t type;
        bool is_key;
    } wanted[] = {
        {"id", 20, true}, {"body", 3802, false}, {"note", 25, false}, {"feel", 0x4006, false}};
    AUTO(kit_release) struct kit k;

    (void)state;
    assert_true(read_hex(&k, RELATION));
    assert_int_equal(k.m.kind, PGOUTPUT_RELATION);
    assert_int_equal(k.m.id, 0x400b);
    expect_str(k.m.schema, "public");
    expect_str(k.m.name, "t1");
    assert_int_equal(k.m.identity, 'd');
    assert_int_equal(k.m.count, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        expect_str(k.m.columns[i].name, wanted[i].name);
        assert_int_equal(k.m.columns[i].type, wanted[i].type);
        assert_int_equal(k.m.columns[i].is_key, wanted[i].is_key);
        assert_int_equal(k.m.columns[i].modifier, -1);
    }
}

static void expect_tuple(const struct pgoutput_tuple *t, const char *wanted)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    for (uint32_t i = 0; i < t->count; i++) {
        static const char *const marks[] = {"NULL", "UNCHANGED", ""};
        buf_addf(&got, "%s%s%.*s", i > 0 ? "|" : "", marks[t->cells[i].kind],
                 STR_FMT(t->cells[i].text));
    }
    assert_string_equal(buf_text(&got), wanted);
}

static void test_rows(void **state)
{
    static const struct {
        const char *hex;
        enum pgoutput_kind kind;
        bool is_whole;
        const char *old;
        const char *row;
    } cases[] = {
        {INSERT, PGOUTPUT_INSERT, false, "", "1|{\"a\": [1, 2]}|hello|ok"},
        {UPDATE_TOAST, PGOUTPUT_UPDATE, false, "", "3|NULL|UNCHANGED|ok"},
        {UPDATE_KEY, PGOUTPUT_UPDATE, false, "2|NULL|NULL|NULL", "4|NULL||NULL"},
        {UPDATE_FULL, PGOUTPUT_UPDATE, true, "1|x", "1|y"},
        {DELETE_KEY, PGOUTPUT_DELETE, false, "4|NULL|NULL|NULL", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(kit_release) struct kit k;
        assert_true(read_hex(&k, cases[i].hex));
        assert_int_equal(k.m.kind, cases[i].kind);
        assert_int_equal(k.m.is_whole, cases[i].is_whole);
        expect_tuple(&k.m.old, cases[i].old);
        expect_tuple(&k.m.row, cases[i].row);
    }
}

static void test_others(void **state)
{
    AUTO(kit_release) struct kit truncated;
    AUTO(kit_release) struct kit message;
    AUTO(kit_release) struct kit origin;
    AUTO(kit_release) struct kit type;

    (void)state;
    assert_true(read_hex(&truncated, TRUNCATE));
    assert_int_equal(truncated.m.count, 2);
    assert_int_equal(truncated.m.ids[0], 0x400b);
    assert_int_equal(truncated.m.ids[1], 0x4012);
    assert_true(read_hex(&message, MESSAGE));
    assert_true(message.m.is_transactional);
    expect_str(message.m.name, "pre");
    expect_str(message.m.content, "content");
    assert_true(read_hex(&origin, ORIGIN));
    expect_str(origin.m.name, "elsewhere");
    assert_int_equal(origin.m.lsn, 0xabcdef01);
    assert_true(read_hex(&type, TYPE));
    expect_str(type.m.name, "mood");
    assert_int_equal(type.m.id, 0x4006);
}

/* Every message that is cut anywhere, or has a byte behind it, is an error. */
static void test_length(void **state)
{
    static const char *const whole[] = {RELATION,    INSERT,   UPDATE_TOAST, UPDATE_KEY,
                                        UPDATE_FULL, TRUNCATE, MESSAGE,      ORIGIN,
                                        TYPE,        BEGIN,    COMMIT,       DELETE_KEY};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
        AUTO(kit_release) struct kit k;
        assert_true(read_hex(&k, whole[i]));
        for (size_t len = 0; len < k.bytes.len; len++) {
            struct err e = ERR_INIT;
            assert_false(pgoutput_read(str_slice(buf_str(&k.bytes), 0, len), &k.arena, &k.m, &e));
            assert_int_equal(e.code, ERR_PARSE);
        }
        struct err e = ERR_INIT;
        buf_add_byte(&k.bytes, 'x');
        assert_false(pgoutput_read(buf_str(&k.bytes), &k.arena, &k.m, &e));
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *hex;
        const char *says;
    } cases[] = {
        {"", "an empty message"},
        {"5300000001", "'S' of a later version"},
        {"4100000001", "'A' of a later version"},
        {"62", "'b' of a later version"},
        {"00", "0x00"},
        {"490000400b4effff74", "more columns"},
        {"490000400b4f0000", "no new row"},
        {"440000400b4e0000", "no old row"},
        {"490000400b4e000162", "neither text"},
        {"490000400b4e000174ffffffff", "too early"},
        {"54ffffffff00", "more tables"},
        {"520000400b7100740064ffff", "more columns"},
        {"520000400b71", "no end"},
        {"4200000000000000007fffffffffffffff00000001", "out of range"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(kit_release) struct kit k;
        assert_false(read_hex(&k, cases[i].hex));
        if (str_find(str_of(k.e.message), str_of(cases[i].says)) == str_of(k.e.message).len) {
            fail_msg("%s: %s", cases[i].hex, k.e.message);
        }
    }
}

static bool read_frame(struct buf *bytes, const char *hex, struct pgoutput_frame *ret,
                       struct err *e)
{
    buf_clear(bytes);
    add_hex(bytes, hex);
    return pgoutput_read_frame(buf_str(bytes), ret, e);
}

static void test_frames(void **state)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_SMALL);
    struct pgoutput_frame f;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(read_frame(&bytes, "7700000000015847100000000001584740000303cc2907104042", &f, &e));
    assert_int_equal(f.kind, PGOUTPUT_DATA);
    assert_int_equal(f.lsn, 0x1584710);
    assert_int_equal(f.end_lsn, 0x1584740);
    expect_str(f.body, "B");
    assert_true(read_frame(&bytes, "6b0000000001584740000303cc2907104001", &f, &e));
    assert_int_equal(f.kind, PGOUTPUT_KEEPALIVE);
    assert_int_equal(f.end_lsn, 0x1584740);
    assert_true(f.wants_reply);
    assert_true(read_frame(&bytes, "6b0000000001584740000303cc2907104000", &f, &e));
    assert_false(f.wants_reply);
    assert_false(read_frame(&bytes, "6b0000000001584740000303cc29071040", &f, &e));
    assert_false(read_frame(&bytes, "6b0000000001584740000303cc290710400000", &f, &e));
    assert_false(read_frame(&bytes, "77000000000158471000000000015847", &f, &e));
    assert_false(read_frame(&bytes, "7a", &f, &e));
    assert_false(read_frame(&bytes, "", &f, &e));
}

static void test_status(void **state)
{
    AUTO(buf_release) struct buf wanted = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    (void)state;
    add_hex(&wanted, "72"
                     "0000000001584740"
                     "0000000001584710"
                     "0000000001584710"
                     "00000000000f4240"
                     "00");
    pgoutput_add_status(0x1584740, 0x1584710, INT64_C(946684801) * NS_PER_S, false, &got);
    assert_true(str_eq(buf_str(&got), buf_str(&wanted)));
    buf_clear(&got);
    pgoutput_add_status(0x1584740, 0x1584710, INT64_C(946684801) * NS_PER_S, true, &got);
    assert_int_equal(got.len, wanted.len);
    assert_int_equal(got.ptr[got.len - 1], 1);
}

static void test_lsn(void **state)
{
    static const struct {
        const char *text;
        uint64_t lsn;
    } good[] = {
        {"0/0", 0}, {"16/B374D848", UINT64_C(0x16B374D848)}, {"FFFFFFFF/FFFFFFFF", UINT64_MAX}};
    static const char *const bad[] = {"",    "/",   "1/",          "/1",   "1",
                                      "g/1", "1/g", "123456789/0", "1/2/", "1//2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        uint64_t lsn = 1;
        assert_true(pgoutput_parse_lsn(str_of(good[i].text), &lsn));
        assert_int_equal(lsn, good[i].lsn);
        pgoutput_add_lsn(&out, lsn);
        assert_string_equal(buf_text(&out), good[i].text);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t lsn = 1;
        if (pgoutput_parse_lsn(str_of(bad[i]), &lsn)) {
            fail_msg("%s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transaction), cmocka_unit_test(test_relation),
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_others),
        cmocka_unit_test(test_length),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_frames),      cmocka_unit_test(test_status),
        cmocka_unit_test(test_lsn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
