/*
 * Protobuf to JSON. Elements of a repeated field need not stand together in protobuf, so a message is gone
 * through once for each field that it has; of a field that is not repeated the last counts.
 */
#include "base/base64.h"
#include "base/number.h"
#include "wire/json.h"
#include "wire/otlp_schema.h"
#include "wire/pb.h"

#include <math.h>

enum { DEPTH_KEPT = 4, TEXT_MAX = 1 << 28, NIBBLE_BITS = 4 };

static bool write_message(struct json_writer *w, const struct otlp_message *m, struct str message);

/* ---- scalars ---- */

static void add_quoted(struct json_writer *w, struct str digits)
{
    json_add_str(w, digits);
}

static void write_signed(struct json_writer *w, const struct pb_field *f)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_i64(&text, (int64_t)f->value);
    add_quoted(w, buf_str(&text));
}

static void write_unsigned(struct json_writer *w, const struct pb_field *f)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_add_u64(&text, f->value);
    add_quoted(w, buf_str(&text));
}

static void write_uint32(struct json_writer *w, const struct pb_field *f)
{
    json_add_u64(w, (uint32_t)f->value);
}

static void write_zigzag(struct json_writer *w, const struct pb_field *f)
{
    uint32_t n = (uint32_t)f->value;

    json_add_i64(w, (int64_t)(n >> 1) ^ -(int64_t)(n & 1));
}

static void write_bool(struct json_writer *w, const struct pb_field *f)
{
    json_add_bool(w, f->value != 0);
}

static void write_double(struct json_writer *w, const struct pb_field *f)
{
    double value = pb_double(f);

    if (isfinite(value)) {
        json_add_double(w, value);
    } else if (isnan(value)) {
        json_add_text(w, "NaN");
    } else {
        json_add_text(w, value > 0 ? "Infinity" : "-Infinity");
    }
}

static void write_string(struct json_writer *w, const struct pb_field *f)
{
    json_add_str(w, f->bytes);
}

static void write_id(struct json_writer *w, const struct pb_field *f)
{
    static const char digits[] = "0123456789abcdef";
    AUTO(buf_release) struct buf text = BUF_INIT(TEXT_MAX);

    for (size_t i = 0; i < f->bytes.len; i++) {
        unsigned char byte = (unsigned char)f->bytes.ptr[i];
        buf_add_byte(&text, digits[byte >> NIBBLE_BITS]);
        buf_add_byte(&text, digits[byte & 0xF]);
    }
    json_add_str(w, buf_str(&text));
}

static void write_base64(struct json_writer *w, const struct pb_field *f)
{
    AUTO(buf_release) struct buf text = BUF_INIT(TEXT_MAX);

    base64_encode(f->bytes, &text);
    json_add_str(w, buf_str(&text));
}

static const struct scalar {
    void (*write)(struct json_writer *w, const struct pb_field *f);
    enum pb_type type;
} scalars[OTLP_TYPES] = {
    [OTLP_STRING] = {write_string, PB_BYTES},      [OTLP_ID] = {write_id, PB_BYTES},
    [OTLP_BYTES] = {write_base64, PB_BYTES},       [OTLP_BOOL] = {write_bool, PB_VARINT},
    [OTLP_INT64] = {write_signed, PB_VARINT},      [OTLP_UINT64] = {write_unsigned, PB_VARINT},
    [OTLP_UINT32] = {write_uint32, PB_VARINT},     [OTLP_SINT32] = {write_zigzag, PB_VARINT},
    [OTLP_FIXED64] = {write_unsigned, PB_FIXED64}, [OTLP_SFIXED64] = {write_signed, PB_FIXED64},
    [OTLP_FIXED32] = {write_uint32, PB_FIXED32},   [OTLP_DOUBLE] = {write_double, PB_FIXED64},
};

/* ---- fields ---- */

/* Values of a packed field. */
static bool write_packed(struct json_writer *w, const struct scalar *s, struct str bytes)
{
    const char *at = bytes.ptr;
    const char *end = bytes.ptr + bytes.len;
    struct pb_field one = {0};

    while (at < end) {
        if (s->type == PB_VARINT) {
            if (!varint_get(&at, end, &one.value)) {
                return false;
            }
        } else if (end - at < (ptrdiff_t)sizeof(one.value)) {
            return false;
        } else {
            one.value = pb_load64(at);
            at += sizeof(one.value);
        }
        s->write(w, &one);
    }
    return true;
}

/* One occurrence of a field, which in any case is written as one value; false: not of its type. */
static bool write_value(struct json_writer *w, const struct otlp_field *f,
                        const struct pb_field *in)
{
    const struct scalar *s = &scalars[f->type];
    bool is_fit = in->type == (f->type == OTLP_MESSAGE ? PB_BYTES : s->type);

    if (f->is_repeated && f->type != OTLP_MESSAGE && in->type == PB_BYTES) {
        return write_packed(w, s, in->bytes);
    }
    if (!is_fit) {
        json_add_null(w);
        return false;
    }
    if (f->type == OTLP_MESSAGE) {
        return write_message(w, f->of, in->bytes);
    }
    s->write(w, in);
    return true;
}

static bool write_repeated(struct json_writer *w, const struct otlp_field *f, struct str message)
{
    struct pb_reader r;
    struct pb_field in;
    bool ok = true;

    json_begin_array(w);
    pb_read_init(&r, message);
    while (ok && pb_next(&r, &in)) {
        ok = in.number != f->number || write_value(w, f, &in);
    }
    json_end_array(w);
    return ok;
}

static bool write_single(struct json_writer *w, const struct otlp_field *f, struct str message)
{
    struct pb_reader r;
    struct pb_field in;
    struct pb_field last = {0};

    pb_read_init(&r, message);
    while (pb_next(&r, &in)) {
        if (in.number == f->number) {
            last = in;
        }
    }
    return write_value(w, f, &last);
}

/* A bit for each field that is there; false: not well formed. */
static bool find_fields(struct str message, uint64_t *ret_found)
{
    struct pb_reader r;
    struct pb_field f;

    *ret_found = 0;
    pb_read_init(&r, message);
    while (pb_next(&r, &f)) {
        *ret_found |= f.number < OTLP_FIELDS_MAX ? UINT64_C(1) << f.number : 0;
    }
    return pb_ok(&r);
}

static bool write_fields(struct json_writer *w, const struct otlp_message *m, struct str message)
{
    uint64_t found;
    bool ok = find_fields(message, &found);

    for (size_t i = 0; ok && i < m->count; i++) {
        const struct otlp_field *f = &m->fields[i];
        if ((found >> f->number & 1) != 0) {
            json_key(w, str_of(f->name));
            ok = (f->is_repeated ? write_repeated : write_single)(w, f, message);
        }
    }
    return ok;
}

/* A message that failed is closed all the same, so that the writer stays in order. */
static bool write_message(struct json_writer *w, const struct otlp_message *m, struct str message)
{
    bool is_too_deep = w->depth + DEPTH_KEPT > JSON_DEPTH_MAX;

    json_begin_object(w);
    bool ok = is_too_deep || write_fields(w, m, message);
    json_end_object(w);
    return ok;
}

bool otlp_json_write(enum otlp_form form, struct str message, struct buf *json, struct err *e)
{
    struct json_writer w;

    json_write_init(&w, json);
    if (!write_message(&w, otlp_message_of(form), message)) {
        return err_set(e, ERR_PARSE, "the message is not well formed");
    }
    return buf_ok(json) || err_set(e, ERR_LIMIT, "more than %zu bytes of JSON", json->max);
}
