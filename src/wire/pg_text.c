#include "wire/pg_text.h"

#include "base/base64.h"
#include "wire/json.h"

#include <string.h>

/* ---- types ---- */

struct builtin {
    uint32_t oid;
    uint32_t array; /* oid of its array */
    enum pg_form form;
};

static const struct builtin builtins[] = {
    {16, 1000, PG_FORM_FLAG},         /* bool */
    {17, 1001, PG_FORM_BYTES},        /* bytea */
    {18, 1002, PG_FORM_TEXT},         /* char */
    {19, 1003, PG_FORM_TEXT},         /* name */
    {20, 1016, PG_FORM_NUMBER},       /* int8 */
    {21, 1005, PG_FORM_NUMBER},       /* int2 */
    {23, 1007, PG_FORM_NUMBER},       /* int4 */
    {25, 1009, PG_FORM_TEXT},         /* text */
    {26, 1028, PG_FORM_NUMBER},       /* oid */
    {114, 199, PG_FORM_JSON},         /* json */
    {142, 143, PG_FORM_TEXT},         /* xml */
    {650, 651, PG_FORM_TEXT},         /* cidr */
    {700, 1021, PG_FORM_NUMBER},      /* float4 */
    {701, 1022, PG_FORM_NUMBER},      /* float8 */
    {790, 791, PG_FORM_TEXT},         /* money */
    {829, 1040, PG_FORM_TEXT},        /* macaddr */
    {869, 1041, PG_FORM_TEXT},        /* inet */
    {1042, 1014, PG_FORM_TEXT},       /* bpchar */
    {1043, 1015, PG_FORM_TEXT},       /* varchar */
    {1082, 1182, PG_FORM_TEXT},       /* date */
    {1083, 1183, PG_FORM_TEXT},       /* time */
    {1114, 1115, PG_FORM_LOCAL_TIME}, /* timestamp */
    {1184, 1185, PG_FORM_TIME},       /* timestamptz */
    {1186, 1187, PG_FORM_TEXT},       /* interval */
    {1266, 1270, PG_FORM_TEXT},       /* timetz */
    {1560, 1561, PG_FORM_TEXT},       /* bit */
    {1562, 1563, PG_FORM_TEXT},       /* varbit */
    {1700, 1231, PG_FORM_NUMBER},     /* numeric */
    {2950, 2951, PG_FORM_TEXT},       /* uuid */
    {3802, 3807, PG_FORM_JSON},       /* jsonb */
    {5069, 271, PG_FORM_TEXT},        /* xid8: more than a double can hold */
};

enum { OID_OF_USERS = 16384 }; /* the first that is not PostgreSQL's own */

struct pg_form_type pg_form_type_of(uint32_t oid)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++) {
        if (builtins[i].oid == oid || builtins[i].array == oid) {
            return (struct pg_form_type){builtins[i].form, builtins[i].array == oid, true};
        }
    }
    return (struct pg_form_type){PG_FORM_TEXT, false, oid < OID_OF_USERS};
}

/* ---- single values ---- */

static size_t digits(struct str s, size_t from)
{
    size_t i = from;

    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9') {
        i++;
    }
    return i - from;
}

static bool is_json_number(struct str s)
{
    size_t at = s.len > 0 && s.ptr[0] == '-' ? 1 : 0;
    size_t whole = digits(s, at);

    if (whole == 0 || (whole > 1 && s.ptr[at] == '0')) {
        return false;
    }
    at += whole;
    if (at < s.len && s.ptr[at] == '.') {
        size_t fraction = digits(s, at + 1);
        at += fraction > 0 ? 1 + fraction : 0;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        size_t sign = at + 1 < s.len && (s.ptr[at + 1] == '+' || s.ptr[at + 1] == '-') ? 1 : 0;
        size_t exponent = digits(s, at + 1 + sign);
        at += exponent > 0 ? 1 + sign + exponent : 0;
    }
    return at == s.len;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "\x0aff" as bytes; false when it is not that. */
static bool read_bytes(struct str s, struct arena *a, struct str *ret)
{
    size_t len = s.len / 2;

    if (s.len < 2 || s.len % 2 != 0 || s.ptr[0] != '\\' || s.ptr[1] != 'x') {
        return false;
    }
    char *bytes = arena_alloc_aligned(a, len, 1);
    for (size_t i = 1; i < len; i++) {
        int high = hex_digit(s.ptr[2 * i]);
        int low = hex_digit(s.ptr[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i - 1] = (char)(high << 4 | low);
    }
    *ret = str_make(bytes, len - 1);
    return true;
}

/* Does <s> have a digit wherever <shape> has a 0, and the same byte everywhere else? */
static bool has_shape(struct str s, const char *shape)
{
    size_t len = strlen(shape);

    for (size_t i = 0; i < len && i < s.len; i++) {
        bool is_digit = s.ptr[i] >= '0' && s.ptr[i] <= '9';
        if (shape[i] == '0' ? !is_digit : shape[i] != s.ptr[i]) {
            return false;
        }
    }
    return s.len >= len;
}

/* "2026-01-02 03:04:05.678+00" in RFC 3339; false when it is not that. */
static bool read_time(struct str s, bool has_zone, struct arena *a, struct str *ret)
{
    static const char shape[] = "0000-00-00 00:00:00";
    size_t at = sizeof(shape) - 1;

    if (!has_shape(s, shape)) {
        return false;
    }
    if (at < s.len && s.ptr[at] == '.') {
        at += 1 + digits(s, at + 1);
    }
    if (!str_eq(str_slice(s, at, s.len), has_zone ? STR("+00") : STR(""))) {
        return false;
    }
    char *text = arena_alloc_aligned(a, at + 1, 1);
    memcpy(text, s.ptr, at);
    text[strlen("0000-00-00")] = 'T';
    text[at] = 'Z';
    *ret = str_make(text, at + 1);
    return true;
}

static enum pg_form single_value(enum pg_form form, struct str text, struct arena *a,
                                 struct str *ret)
{
    *ret = text;
    switch (form) {
    case PG_FORM_NUMBER:
        return is_json_number(text) ? PG_FORM_NUMBER : PG_FORM_TEXT;
    case PG_FORM_FLAG:
        *ret = str_eq(text, STR("t")) ? STR("true") : STR("false");
        return PG_FORM_FLAG;
    case PG_FORM_BYTES:
        return read_bytes(text, a, ret) ? PG_FORM_BYTES : PG_FORM_TEXT;
    case PG_FORM_TIME:
    case PG_FORM_LOCAL_TIME:
        (void)read_time(text, form == PG_FORM_TIME, a, ret);
        return PG_FORM_TEXT;
    case PG_FORM_TEXT:
    case PG_FORM_JSON:
        break;
    }
    return form;
}

/* ---- arrays ---- */

struct array_reader {
    struct str s;
    size_t at;
    enum pg_form items;
    struct arena scratch;
    struct buf item; /* without its escapes */
    struct buf *out;
};

static bool is_next(struct array_reader *r, char c)
{
    if (r->at < r->s.len && r->s.ptr[r->at] == c) {
        r->at++;
        return true;
    }
    return false;
}

static void add_item(struct array_reader *r, struct str text)
{
    struct str value = text;
    enum pg_form form = single_value(r->items, text, &r->scratch, &value);

    if (form == PG_FORM_TEXT) {
        json_print_str(r->out, value);
    } else if (form == PG_FORM_BYTES) {
        buf_add_byte(r->out, '"');
        base64_encode(value, r->out);
        buf_add_byte(r->out, '"');
    } else {
        buf_add_str(r->out, value);
    }
    arena_reset(&r->scratch);
}

/* Behind an opening quote. */
static bool read_quoted(struct array_reader *r)
{
    buf_clear(&r->item);
    while (r->at < r->s.len && r->s.ptr[r->at] != '"') {
        if (r->s.ptr[r->at] == '\\') {
            r->at++;
        }
        if (r->at < r->s.len) {
            buf_add_byte(&r->item, r->s.ptr[r->at++]);
        }
    }
    add_item(r, buf_str(&r->item));
    return is_next(r, '"');
}

static bool read_bare(struct array_reader *r)
{
    size_t from = r->at;

    while (r->at < r->s.len && strchr(",{}\"\\", r->s.ptr[r->at]) == NULL) {
        r->at++;
    }
    struct str text = str_slice(r->s, from, r->at - from);
    if (str_eq(text, STR("NULL"))) {
        buf_add_text(r->out, "null");
    } else {
        add_item(r, text);
    }
    return text.len > 0;
}

/* The whole text, level by level. */
static bool read_array(struct array_reader *r)
{
    unsigned depth = 0;

    do {
        while (is_next(r, '{')) {
            if (++depth > PG_ARRAY_DEPTH) {
                return false;
            }
            buf_add_byte(r->out, '[');
        }
        bool is_empty =
            r->at > 0 && r->s.ptr[r->at - 1] == '{' && r->at < r->s.len && r->s.ptr[r->at] == '}';
        if (depth == 0 || (!is_empty && !(is_next(r, '"') ? read_quoted(r) : read_bare(r)))) {
            return false;
        }
        while (depth > 0 && is_next(r, '}')) {
            depth--;
            buf_add_byte(r->out, ']');
        }
        if (depth > 0 && r->at < r->s.len && r->s.ptr[r->at] == ',') {
            buf_add_byte(r->out, ',');
        }
    } while (depth > 0 && is_next(r, ','));
    return depth == 0 && r->at == r->s.len;
}

/* "[0:2]={...}" says where the indexes start. */
static struct str without_bounds(struct str s)
{
    size_t sign = str_find_byte(s, '=');

    return s.len > 0 && s.ptr[0] == '[' && sign < s.len ? str_slice(s, sign + 1, s.len) : s;
}

bool pg_array_add_json(enum pg_form items, struct str text, struct buf *out)
{
    struct array_reader r = {
        .s = without_bounds(text), .items = items, .item = BUF_INIT(BUF_UNLIMITED), .out = out};
    size_t begun = out->len;

    arena_init(&r.scratch, ARENA_UNLIMITED);
    bool ok = read_array(&r);
    arena_release(&r.scratch);
    buf_release(&r.item);
    if (!ok) {
        buf_truncate(out, begun);
    }
    return ok;
}

enum pg_form pg_text_value(struct pg_form_type type, struct str text, struct arena *a,
                           struct str *ret_value)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);

    if (!type.is_array) {
        return single_value(type.form, text, a, ret_value);
    }
    if (!pg_array_add_json(type.form, text, &json)) {
        *ret_value = text;
        return PG_FORM_TEXT;
    }
    *ret_value = arena_dup(a, buf_str(&json));
    return PG_FORM_JSON;
}
