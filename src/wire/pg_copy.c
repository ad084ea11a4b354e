#include "wire/pg_copy.h"

#include "base/clock.h"
#include "base/number.h"
#include "wire/json.h"

#include <endian.h>
#include <math.h>

/* 2000-01-01 in microseconds since 1970. */
#define EPOCH_US INT64_C(946684800000000)

/* 2^63: the first double that does not fit into an int64_t. */
#define I64_END 9223372036854775808.0

static void put_be(struct buf *out, uint64_t value, size_t bytes)
{
    char *room = buf_reserve(out, bytes);
    uint64_t big = htobe64(value << (64 - 8 * bytes));

    if (room != NULL) {
        memcpy(room, &big, bytes);
        buf_added(out, bytes);
    }
}

/* ---- what a cell is, as another thing ---- */

static bool refuse(const struct cell *c, const char *type, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    cell_print(c, &text);
    return err_set(e, ERR_CONFIG, "'%.*s' does not go into a column of the type %s",
                   (int)(text.len < 80 ? text.len : 80), buf_str(&text).ptr, type);
}

static bool as_double(const struct cell *c, double *ret)
{
    static const bool are_integers[CELL_TYPES] = {[CELL_INTEGER] = true, [CELL_FLAG] = true};

    if (c->type == CELL_NUMBER) {
        *ret = c->number;
        return true;
    }
    if (are_integers[c->type]) {
        *ret = (double)c->integer;
        return true;
    }
    return c->type == CELL_TEXT && number_parse(c->text, ret);
}

static bool as_integer(const struct cell *c, int64_t min, int64_t max, int64_t *ret)
{
    int64_t value = c->integer;

    if (c->type == CELL_NUMBER) {
        /* NaN fits nowhere. */
        if (!(c->number >= -I64_END && c->number < I64_END) || trunc(c->number) != c->number) {
            return false;
        }
        value = (int64_t)c->number;
    } else if (c->type == CELL_TEXT) {
        if (!number_parse_i64(c->text, &value)) {
            return false;
        }
    } else if (c->type != CELL_INTEGER && c->type != CELL_FLAG) {
        return false;
    }
    *ret = value;
    return value >= min && value <= max;
}

/* ---- types ---- */

static bool put_float8(const struct cell *c, struct buf *out, struct err *e)
{
    double value = 0;

    if (!as_double(c, &value)) {
        return refuse(c, "double precision", e);
    }
    put_be(out, number_bits(value), 8);
    return true;
}

static bool put_float4(const struct cell *c, struct buf *out, struct err *e)
{
    double value = 0;
    uint32_t bits = 0;

    if (!as_double(c, &value)) {
        return refuse(c, "real", e);
    }
    float narrow = (float)value;
    if (isinf(narrow) && !isinf(value)) {
        return refuse(c, "real", e);
    }
    memcpy(&bits, &narrow, sizeof(bits));
    put_be(out, bits, 4);
    return true;
}

static bool put_int8(const struct cell *c, struct buf *out, struct err *e)
{
    int64_t value = 0;

    if (!as_integer(c, INT64_MIN, INT64_MAX, &value)) {
        return refuse(c, "bigint", e);
    }
    put_be(out, (uint64_t)value, 8);
    return true;
}

static bool put_int4(const struct cell *c, struct buf *out, struct err *e)
{
    int64_t value = 0;

    if (!as_integer(c, INT32_MIN, INT32_MAX, &value)) {
        return refuse(c, "integer", e);
    }
    put_be(out, (uint64_t)value, 4);
    return true;
}

static bool put_int2(const struct cell *c, struct buf *out, struct err *e)
{
    int64_t value = 0;

    if (!as_integer(c, INT16_MIN, INT16_MAX, &value)) {
        return refuse(c, "smallint", e);
    }
    put_be(out, (uint64_t)value, 2);
    return true;
}

static bool put_bool(const struct cell *c, struct buf *out, struct err *e)
{
    int64_t value = 0;

    if (!as_integer(c, 0, 1, &value)) {
        return refuse(c, "boolean", e);
    }
    put_be(out, (uint64_t)value, 1);
    return true;
}

static bool put_text(const struct cell *c, struct buf *out, struct err *e)
{
    (void)e;
    cell_print(c, out);
    return true;
}

static bool put_json(const struct cell *c, struct buf *out, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    bool is_bare = c->type == CELL_JSON || c->type == CELL_INTEGER || c->type == CELL_FLAG ||
                   (c->type == CELL_NUMBER && isfinite(c->number));

    (void)e;
    if (is_bare) {
        cell_print(c, out);
        return true;
    }
    cell_print(c, &text);
    json_print_str(out, buf_str(&text));
    return true;
}

static bool put_jsonb(const struct cell *c, struct buf *out, struct err *e)
{
    buf_add_byte(out, 1);
    return put_json(c, out, e);
}

static bool put_time(const struct cell *c, struct buf *out, struct err *e)
{
    if (c->type != CELL_TIME) {
        return refuse(c, "timestamp", e);
    }
    int64_t us = c->integer / NS_PER_US - (c->integer % NS_PER_US < 0);
    put_be(out, (uint64_t)(us - EPOCH_US), 8);
    return true;
}

/* ---- numeric: digits to the base of 10000 ---- */

enum { NUMERIC_NEGATIVE = 0x4000, NUMERIC_NAN = 0xC000, NUMERIC_INF = 0xD000 };
enum { NUMERIC_MINUS_INF = 0xF000 };

static void put_numeric_head(struct buf *out, size_t digits, int weight, uint32_t sign,
                             size_t scale)
{
    put_be(out, digits, 2);
    put_be(out, (uint64_t)(int64_t)weight, 2);
    put_be(out, sign, 2);
    put_be(out, scale, 2);
}

static void put_special(const struct cell *c, struct buf *out)
{
    bool is_minus = isinf(c->number) && c->number < 0;

    put_numeric_head(out, 0, 0,
                     isnan(c->number) ? NUMERIC_NAN
                     : is_minus       ? NUMERIC_MINUS_INF
                                      : NUMERIC_INF,
                     0);
}

/* The decimal digit <i> places left of the point (negative: right of it). */
static uint64_t digit_at(struct str whole, struct str fraction, long i)
{
    if (i >= 0) {
        return (size_t)i < whole.len ? (uint64_t)(whole.ptr[whole.len - 1 - (size_t)i] - '0') : 0;
    }
    size_t at = (size_t)(-i - 1);
    return at < fraction.len ? (uint64_t)(fraction.ptr[at] - '0') : 0;
}

/* Text such as "-12.5". */
static void put_decimal(struct str text, struct buf *out)
{
    bool is_negative = text.len > 0 && text.ptr[0] == '-';
    struct str plain = str_slice(text, is_negative, text.len);
    size_t dot = str_find_byte(plain, '.');
    struct str whole = str_slice(plain, 0, dot);
    struct str fraction = dot < plain.len ? str_slice(plain, dot + 1, plain.len) : STR("");
    long left = (long)(whole.len + 3) / 4;
    long right = (long)(fraction.len + 3) / 4;

    put_numeric_head(out, (size_t)(left + right), (int)left - 1, is_negative ? NUMERIC_NEGATIVE : 0,
                     fraction.len);
    for (long group = left - 1; group >= -right; group--) {
        uint64_t value = 0;
        for (long i = 3; i >= 0; i--) {
            value = value * 10 + digit_at(whole, fraction, group * 4 + i);
        }
        put_be(out, value, 2);
    }
}

static bool put_numeric(const struct cell *c, struct buf *out, struct err *e)
{
    char text[NUMBER_PLAIN_MAX];
    double value = 0;

    if (c->type == CELL_INTEGER || c->type == CELL_FLAG) {
        AUTO(buf_release) struct buf digits = BUF_INIT(BUF_SMALL);
        buf_add_i64(&digits, c->integer);
        put_decimal(buf_str(&digits), out);
        return true;
    }
    if (!as_double(c, &value)) {
        return refuse(c, "numeric", e);
    }
    if (!isfinite(value)) {
        put_special(&(struct cell){.type = CELL_NUMBER, .number = value}, out);
    } else {
        put_decimal(str_make(text, number_format_plain(value, text)), out);
    }
    return true;
}

static const struct pg_type types[] = {
    {16, "boolean", put_bool},      {20, "bigint", put_int8},
    {21, "smallint", put_int2},     {23, "integer", put_int4},
    {25, "text", put_text},         {114, "json", put_json},
    {700, "real", put_float4},      {701, "double precision", put_float8},
    {1042, "character", put_text},  {1043, "character varying", put_text},
    {1114, "timestamp", put_time},  {1184, "timestamptz", put_time},
    {1700, "numeric", put_numeric}, {3802, "jsonb", put_jsonb},
};

const struct pg_type *pg_type_find(uint32_t oid)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (types[i].oid == oid) {
            return &types[i];
        }
    }
    return NULL;
}

/* ---- the stream ---- */

void pg_copy_begin(struct buf *out)
{
    buf_add(out, "PGCOPY\n\377\r\n\0", 11);
    put_be(out, 0, 4);
    put_be(out, 0, 4);
}

void pg_copy_end(struct buf *out)
{
    put_be(out, 0xFFFF, 2);
}

void pg_copy_row(struct buf *out, uint32_t cells)
{
    put_be(out, cells, 2);
}

bool pg_copy_cell(const struct pg_type *type, const struct cell *c, struct buf *out, struct err *e)
{
    size_t start = out->len;

    if (c->type == CELL_NULL) {
        put_be(out, UINT32_MAX, 4);
        return true;
    }
    put_be(out, 0, 4);
    if (!type->put(c, out, e)) {
        buf_truncate(out, start);
        return false;
    }
    size_t len = out->len - start - 4;
    if (len > PG_CELL_MAX) {
        buf_truncate(out, start);
        return err_set(e, ERR_LIMIT, "a value of %zu bytes; at most %d go into a table", len,
                       PG_CELL_MAX);
    }
    uint32_t big = htobe32((uint32_t)len);
    memcpy(out->ptr + start, &big, sizeof(big));
    return true;
}
