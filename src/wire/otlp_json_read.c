/* JSON to protobuf in one pass. A field that is there is written even when it is zero: in a union that says which. */
#include "base/base64.h"
#include "base/number.h"
#include "wire/json.h"
#include "wire/otlp_schema.h"
#include "wire/pb.h"

struct json_to_pb {
    struct json_reader json;
    struct buf *out;
};

enum { TEXT_MAX = 1 << 28, NIBBLE_BITS = 4 };

static bool read_message(struct json_to_pb *r, const struct otlp_message *m);

/* ---- scalars, without their tags ---- */

static void put_varint(struct buf *out, uint64_t value)
{
    char *room = buf_reserve(out, VARINT_MAX);

    if (room != NULL) {
        buf_added(out, (size_t)(varint_put(room, value) - room));
    }
}

static void put_fixed(struct buf *out, uint64_t value, size_t size)
{
    char bytes[sizeof(value)];

    (void)pb_store64(bytes, value);
    buf_add(out, bytes, size);
}

/* A number, or a text that holds one. */
static bool take_digits(struct json_to_pb *r, struct str *ret_text)
{
    return json_peek(&r->json) == JSON_STRING ? json_take_str(&r->json, ret_text)
                                              : json_take_number(&r->json, ret_text);
}

/* "1", -1, 1e3: whole numbers of 64 bits; those above the signed ones as their bits. */
static bool take_integer(struct json_to_pb *r, uint64_t *ret_value)
{
    const double end = 9223372036854775808.0; /* 2^63 */
    struct str text;
    int64_t value;
    double real;

    if (!take_digits(r, &text)) {
        return false;
    }
    if (number_parse_i64(text, &value)) {
        *ret_value = (uint64_t)value;
        return true;
    }
    if (number_parse_u64(text, ret_value)) {
        return true;
    }
    if (number_parse(text, &real) && real >= -end && real < end && (double)(int64_t)real == real) {
        *ret_value = (uint64_t)(int64_t)real;
        return true;
    }
    return json_fail(&r->json, ERR_PARSE, "expected a whole number of 64 bits, or its text");
}

static bool read_varint(struct json_to_pb *r)
{
    uint64_t value;

    if (!take_integer(r, &value)) {
        return false;
    }
    put_varint(r->out, value);
    return true;
}

static bool read_zigzag(struct json_to_pb *r)
{
    uint64_t value;

    if (!take_integer(r, &value)) {
        return false;
    }
    put_varint(r->out, varint_zigzag((int64_t)value));
    return true;
}

static bool read_fixed64(struct json_to_pb *r)
{
    uint64_t value;

    if (!take_integer(r, &value)) {
        return false;
    }
    put_fixed(r->out, value, sizeof(value));
    return true;
}

static bool read_fixed32(struct json_to_pb *r)
{
    uint64_t value;

    if (!take_integer(r, &value)) {
        return false;
    }
    put_fixed(r->out, value, sizeof(uint32_t));
    return true;
}

static bool read_double(struct json_to_pb *r)
{
    struct str text;
    double value;

    if (!take_digits(r, &text)) {
        return false;
    }
    if (!number_parse(text, &value)) {
        return json_fail(&r->json, ERR_PARSE, "expected a number, or its text");
    }
    put_fixed(r->out, number_bits(value), sizeof(uint64_t));
    return true;
}

static bool read_bool(struct json_to_pb *r)
{
    bool value;

    if (!json_take_bool(&r->json, &value)) {
        return false;
    }
    put_varint(r->out, value);
    return true;
}

/* ---- texts and bytes, with their lengths ---- */

static void put_bytes(struct buf *out, struct str bytes)
{
    put_varint(out, bytes.len);
    buf_add_str(out, bytes);
}

static bool read_string(struct json_to_pb *r)
{
    struct str text;

    if (!json_take_str(&r->json, &text)) {
        return false;
    }
    put_bytes(r->out, text);
    return true;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool read_id(struct json_to_pb *r)
{
    struct str text;
    bool is_hex = true;

    if (!json_take_str(&r->json, &text)) {
        return false;
    }
    put_varint(r->out, text.len / 2);
    for (size_t i = 0; i + 1 < text.len; i += 2) {
        int high = nibble(text.ptr[i]);
        int low = nibble(text.ptr[i + 1]);
        is_hex = is_hex && high >= 0 && low >= 0;
        buf_add_byte(r->out, (char)((unsigned)(high & 0xF) << NIBBLE_BITS | (unsigned)(low & 0xF)));
    }
    return (is_hex && text.len % 2 == 0) ||
           json_fail(&r->json, ERR_PARSE, "expected an id in hex digits");
}

static bool read_base64(struct json_to_pb *r)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(TEXT_MAX);
    struct str text;

    if (!json_take_str(&r->json, &text)) {
        return false;
    }
    if (!base64_decode(text, &bytes)) {
        return json_fail(&r->json, ERR_PARSE, "expected base64");
    }
    put_bytes(r->out, buf_str(&bytes));
    return true;
}

/* ---- fields ---- */

static const struct scalar {
    bool (*read)(struct json_to_pb *r);
    enum pb_type type;
} scalars[OTLP_TYPES] = {
    [OTLP_STRING] = {read_string, PB_BYTES},     [OTLP_ID] = {read_id, PB_BYTES},
    [OTLP_BYTES] = {read_base64, PB_BYTES},      [OTLP_BOOL] = {read_bool, PB_VARINT},
    [OTLP_INT64] = {read_varint, PB_VARINT},     [OTLP_UINT64] = {read_varint, PB_VARINT},
    [OTLP_UINT32] = {read_varint, PB_VARINT},    [OTLP_SINT32] = {read_zigzag, PB_VARINT},
    [OTLP_FIXED64] = {read_fixed64, PB_FIXED64}, [OTLP_SFIXED64] = {read_fixed64, PB_FIXED64},
    [OTLP_FIXED32] = {read_fixed32, PB_FIXED32}, [OTLP_DOUBLE] = {read_double, PB_FIXED64},
};

static bool read_one(struct json_to_pb *r, const struct otlp_field *f)
{
    if (f->type == OTLP_MESSAGE) {
        size_t begun = pb_begin(r->out, f->number);
        bool ok = read_message(r, f->of);
        pb_end(r->out, begun);
        return ok;
    }
    put_varint(r->out, (uint64_t)f->number << 3 | (uint64_t)scalars[f->type].type);
    return scalars[f->type].read(r);
}

static bool read_packed(struct json_to_pb *r, const struct otlp_field *f)
{
    size_t begun = pb_begin(r->out, f->number);
    bool ok = true;

    while (ok && json_next_item(&r->json)) {
        ok = scalars[f->type].read(r);
    }
    pb_end(r->out, begun);
    return ok;
}

static bool read_repeated(struct json_to_pb *r, const struct otlp_field *f)
{
    bool ok = json_open_array(&r->json);

    if (ok && f->type != OTLP_MESSAGE) {
        return read_packed(r, f);
    }
    while (ok && json_next_item(&r->json)) {
        ok = read_one(r, f);
    }
    return ok;
}

static bool read_field(struct json_to_pb *r, const struct otlp_field *f)
{
    if (f == NULL || json_peek(&r->json) == JSON_NULL) {
        return json_skip(&r->json);
    }
    return (f->is_repeated ? read_repeated : read_one)(r, f);
}

static bool read_message(struct json_to_pb *r, const struct otlp_message *m)
{
    struct str key;
    bool ok = json_open_object(&r->json);

    while (ok && json_next_key(&r->json, &key)) {
        ok = read_field(r, otlp_field_named(m, key)) && buf_ok(r->out);
    }
    return ok;
}

bool otlp_json_read(enum otlp_form form, struct str json, struct arena *a, struct buf *message,
                    struct err *e)
{
    struct json_to_pb r = {.out = message};

    json_read_init(&r.json, json, a, e);
    bool ok = read_message(&r, otlp_message_of(form)) && json_read_end(&r.json);
    if (!buf_ok(message) || arena_over(a)) {
        *e = ERR_INIT;
        return err_set(e, ERR_LIMIT, "more than %zu bytes; send less at once", message->max);
    }
    return ok;
}
