#include "wire/pgoutput.h"

#include "base/clock.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define EPOCH_NS (INT64_C(946684800) * NS_PER_S) /* 2000-01-01 */
#define TIME_US_MAX (INT64_C(7000000000) * 1000000)

/* Reads big-endian fields; after the first that is not there all are zero and empty. */
struct cursor {
    const char *at;
    const char *end;
    const char *what; /* is wrong; NULL: nothing */
};

static void fail(struct cursor *c, const char *what)
{
    c->what = c->what != NULL ? c->what : what;
    c->at = c->end;
}

static struct str take(struct cursor *c, uint64_t len)
{
    if (len > (uint64_t)(c->end - c->at)) {
        fail(c, "it ends too early");
        return STR("");
    }
    struct str bytes = str_make(c->at, (size_t)len);
    c->at += len;
    return bytes;
}

static unsigned char take_byte(struct cursor *c)
{
    if (c->at == c->end) {
        fail(c, "it ends too early");
        return 0;
    }
    return (unsigned char)*c->at++;
}

static uint16_t take_u16(struct cursor *c)
{
    struct str s = take(c, sizeof(uint16_t));
    uint16_t value = 0;

    memcpy(&value, s.ptr, s.len);
    return be16toh(value);
}

static uint32_t take_u32(struct cursor *c)
{
    struct str s = take(c, sizeof(uint32_t));
    uint32_t value = 0;

    memcpy(&value, s.ptr, s.len);
    return be32toh(value);
}

static uint64_t take_u64(struct cursor *c)
{
    struct str s = take(c, sizeof(uint64_t));
    uint64_t value = 0;

    memcpy(&value, s.ptr, s.len);
    return be64toh(value);
}

static struct str take_name(struct cursor *c)
{
    struct str rest = str_make(c->at, (size_t)(c->end - c->at));
    size_t len = str_find_byte(rest, '\0');

    if (len == rest.len) {
        fail(c, "a name has no end");
        return STR("");
    }
    c->at += len + 1;
    return str_slice(rest, 0, len);
}

/* Microseconds since 2000. */
static int64_t take_time(struct cursor *c)
{
    int64_t us = (int64_t)take_u64(c);

    if (us < -TIME_US_MAX || us > TIME_US_MAX) {
        fail(c, "a time is out of range");
        return 0;
    }
    return us * NS_PER_US + EPOCH_NS;
}

static bool is_done(struct cursor *c, const char *what, struct err *e)
{
    if (c->at != c->end) {
        fail(c, "bytes are left behind it");
    }
    return c->what == NULL || err_set(e, ERR_PARSE, "replication: %s: %s", what, c->what);
}

/* ---- frames ---- */

bool pgoutput_read_frame(struct str bytes, struct pgoutput_frame *ret, struct err *e)
{
    struct cursor c = {bytes.ptr, bytes.ptr + bytes.len, NULL};
    struct pgoutput_frame f = {.kind = PGOUTPUT_DATA};
    unsigned char tag = take_byte(&c);

    if (tag == 'w') {
        f.lsn = take_u64(&c);
        f.end_lsn = take_u64(&c);
        f.time_ns = take_time(&c);
        f.body = take(&c, (uint64_t)(c.end - c.at));
    } else if (tag == 'k') {
        f.kind = PGOUTPUT_KEEPALIVE;
        f.end_lsn = take_u64(&c);
        f.time_ns = take_time(&c);
        f.wants_reply = take_byte(&c) != 0;
    } else if (c.what == NULL) {
        return err_set(e, ERR_PARSE,
                       "replication: a frame of kind 0x%02x, expected data or a keepalive", tag);
    }
    if (!is_done(&c, "a frame", e)) {
        return false;
    }
    *ret = f;
    return true;
}

static void add_u64(struct buf *out, uint64_t value)
{
    char bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(value >> (56 - 8 * i));
    }
    buf_add(out, bytes, sizeof(bytes));
}

void pgoutput_add_status(uint64_t written_lsn, uint64_t safe_lsn, int64_t wall_ns, bool wants_reply,
                         struct buf *out)
{
    buf_add_byte(out, 'r');
    add_u64(out, written_lsn);
    add_u64(out, safe_lsn);
    add_u64(out, safe_lsn);
    add_u64(out, (uint64_t)((wall_ns - EPOCH_NS) / NS_PER_US));
    buf_add_byte(out, wants_reply ? '\1' : '\0');
}

/* ---- messages ---- */

static void take_cell(struct cursor *c, struct pgoutput_cell *ret)
{
    unsigned char kind = take_byte(c);

    if (kind == 't') {
        ret->kind = PGOUTPUT_TEXT;
        ret->text = take(c, take_u32(c));
    } else if (kind == 'u') {
        ret->kind = PGOUTPUT_UNCHANGED;
    } else if (kind != 'n') {
        fail(c, "a cell that is neither text, nor null, nor unchanged");
    }
}

static struct pgoutput_tuple take_tuple(struct cursor *c, struct arena *a)
{
    uint32_t count = take_u16(c);
    struct pgoutput_tuple tuple = {.count = count};

    /* A cell takes a byte at least. */
    if (count > PGOUTPUT_COLUMNS_MAX || count > (size_t)(c->end - c->at)) {
        fail(c, "it has more columns than bytes, or than a table can have");
        tuple.count = 0;
    }
    struct pgoutput_cell *cells = arena_array(a, struct pgoutput_cell, tuple.count);
    for (uint32_t i = 0; i < tuple.count; i++) {
        take_cell(c, &cells[i]);
    }
    tuple.cells = cells;
    return tuple;
}

static void read_begin(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    (void)a;
    m->lsn = take_u64(c);
    m->time_ns = take_time(c);
    m->xid = take_u32(c);
}

static void read_commit(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    (void)a;
    (void)take_byte(c); /* flags; none are defined */
    m->lsn = take_u64(c);
    m->end_lsn = take_u64(c);
    m->time_ns = take_time(c);
}

static void read_origin(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    (void)a;
    m->lsn = take_u64(c);
    m->name = take_name(c);
}

static void read_relation(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    enum { COLUMN_BYTES_MIN = 10 };

    m->id = take_u32(c);
    m->schema = take_name(c);
    m->name = take_name(c);
    m->identity = (char)take_byte(c);
    m->count = take_u16(c);
    if (m->count > PGOUTPUT_COLUMNS_MAX ||
        m->count * (uint64_t)COLUMN_BYTES_MIN > (uint64_t)(c->end - c->at)) {
        fail(c, "it has more columns than bytes, or than a table can have");
        m->count = 0;
    }
    struct pgoutput_column *columns = arena_array(a, struct pgoutput_column, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        columns[i].is_key = (take_byte(c) & 1) != 0;
        columns[i].name = take_name(c);
        columns[i].type = take_u32(c);
        columns[i].modifier = (int32_t)take_u32(c);
    }
    m->columns = columns;
}

static void read_type(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    (void)a;
    m->id = take_u32(c);
    m->schema = take_name(c);
    m->name = take_name(c);
}

static void expect_row(struct cursor *c, unsigned char tag, struct arena *a,
                       struct pgoutput_message *m)
{
    if (tag != 'N') {
        fail(c, "there is no new row where one must be");
        return;
    }
    m->row = take_tuple(c, a);
}

static void take_old(struct cursor *c, unsigned char tag, struct arena *a,
                     struct pgoutput_message *m)
{
    m->is_whole = tag == 'O';
    m->old = take_tuple(c, a);
}

static void read_insert(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    m->id = take_u32(c);
    expect_row(c, take_byte(c), a, m);
}

static void read_update(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    m->id = take_u32(c);
    unsigned char tag = take_byte(c);
    if (tag == 'K' || tag == 'O') {
        take_old(c, tag, a, m);
        tag = take_byte(c);
    }
    expect_row(c, tag, a, m);
}

static void read_delete(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    m->id = take_u32(c);
    unsigned char tag = take_byte(c);
    if (tag != 'K' && tag != 'O') {
        fail(c, "there is no old row where one must be");
        return;
    }
    take_old(c, tag, a, m);
}

static void read_truncate(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    m->count = take_u32(c);
    (void)take_byte(c); /* CASCADE, RESTART IDENTITY */
    if (m->count * (uint64_t)4 > (uint64_t)(c->end - c->at)) {
        fail(c, "it names more tables than it has bytes");
        m->count = 0;
    }
    uint32_t *ids = arena_array(a, uint32_t, m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        ids[i] = take_u32(c);
    }
    m->ids = ids;
}

static void read_message(struct cursor *c, struct arena *a, struct pgoutput_message *m)
{
    (void)a;
    m->is_transactional = (take_byte(c) & 1) != 0;
    m->lsn = take_u64(c);
    m->name = take_name(c);
    m->content = take(c, take_u32(c));
}

/* What a message is, by its first byte. */
struct reader {
    char tag;
    enum pgoutput_kind kind;
    const char *name;
    void (*read)(struct cursor *c, struct arena *a, struct pgoutput_message *m);
};

static const struct reader readers[] = {
    {'I', PGOUTPUT_INSERT, "INSERT", read_insert},
    {'B', PGOUTPUT_BEGIN, "BEGIN", read_begin},
    {'C', PGOUTPUT_COMMIT, "COMMIT", read_commit},
    {'U', PGOUTPUT_UPDATE, "UPDATE", read_update},
    {'D', PGOUTPUT_DELETE, "DELETE", read_delete},
    {'R', PGOUTPUT_RELATION, "RELATION", read_relation},
    {'Y', PGOUTPUT_TYPE, "TYPE", read_type},
    {'T', PGOUTPUT_TRUNCATE, "TRUNCATE", read_truncate},
    {'O', PGOUTPUT_ORIGIN, "ORIGIN", read_origin},
    {'M', PGOUTPUT_MESSAGE, "MESSAGE", read_message},
};

static const struct reader *find(char tag)
{
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        if (readers[i].tag == tag) {
            return &readers[i];
        }
    }
    return NULL;
}

/* What versions 2 to 4 add. */
static bool refuse(unsigned char tag, struct err *e)
{
    static const char later[] = "SEcAbPKrp";

    if (tag != '\0' && memchr(later, tag, sizeof(later) - 1) != NULL) {
        return err_set(
            e, ERR_PARSE,
            "replication: a message '%c' of a later version of pgoutput (parts of running "
            "transactions, two phases), and version 1 was asked for",
            tag);
    }
    return err_set(e, ERR_PARSE, "replication: a message of kind 0x%02x, which pgoutput has not",
                   tag);
}

bool pgoutput_read(struct str bytes, struct arena *a, struct pgoutput_message *ret, struct err *e)
{
    struct cursor c = {bytes.ptr, bytes.ptr + bytes.len, NULL};
    struct pgoutput_message m = {.kind = PGOUTPUT_BEGIN};

    if (bytes.len == 0) {
        return err_set(e, ERR_PARSE, "replication: an empty message");
    }
    const struct reader *r = find((char)take_byte(&c));
    if (r == NULL) {
        return refuse((unsigned char)bytes.ptr[0], e);
    }
    m.kind = r->kind;
    r->read(&c, a, &m);
    if (!is_done(&c, r->name, e)) {
        return false;
    }
    *ret = m;
    return true;
}

/* ---- places in the log ---- */

void pgoutput_add_lsn(struct buf *out, uint64_t lsn)
{
    buf_addf(out, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
}

static int digit_of(char c)
{
    int digit = c >= '0' && c <= '9' ? c - '0' : -1;

    digit = c >= 'A' && c <= 'F' ? c - 'A' + 10 : digit;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : digit;
}

static bool parse_half(struct str text, uint32_t *ret)
{
    enum { DIGITS = 8 };
    uint32_t value = 0;

    for (size_t i = 0; i < text.len && i < DIGITS; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0) {
            return false;
        }
        value = value << 4 | (uint32_t)digit;
    }
    *ret = value;
    return text.len > 0 && text.len <= DIGITS;
}

bool pgoutput_parse_lsn(struct str text, uint64_t *ret_lsn)
{
    size_t slash = str_find_byte(text, '/');
    uint32_t high = 0;
    uint32_t low = 0;

    if (slash == text.len || !parse_half(str_slice(text, 0, slash), &high) ||
        !parse_half(str_slice(text, slash + 1, text.len), &low)) {
        return false;
    }
    *ret_lsn = (uint64_t)high << 32 | low;
    return true;
}
