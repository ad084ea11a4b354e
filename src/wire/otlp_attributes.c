#include "wire/otlp_attributes.h"

#include "base/base64.h"
#include "base/number.h"
#include "wire/json.h"

bool otlp_read_attribute(struct str bytes, struct str *ret_name, struct str *ret_value)
{
    struct pb_reader r;
    struct pb_field f;

    *ret_name = STR("");
    *ret_value = STR("");
    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        if (f.type == PB_BYTES && f.number == KEY_NAME) {
            *ret_name = f.bytes;
        } else if (f.type == PB_BYTES && f.number == KEY_VALUE) {
            *ret_value = f.bytes;
        }
    }
    return pb_ok(&r);
}

bool otlp_read_value(struct str value, struct pb_field *ret)
{
    struct pb_reader r;
    struct pb_field f;

    *ret = (struct pb_field){.bytes = STR_INIT("")};
    pb_read_init(&r, value);
    while (pb_next(&r, &f)) {
        *ret = f;
    }
    return pb_ok(&r);
}

/* ---- as JSON ---- */

static bool add_json(struct json_writer *w, struct str value, unsigned depth);

static bool add_array(struct json_writer *w, struct str array, unsigned depth)
{
    struct pb_reader r;
    struct pb_field f;
    bool ok = true;

    json_begin_array(w);
    pb_read_init(&r, array);
    while (ok && pb_next(&r, &f)) {
        ok = f.type == PB_BYTES && add_json(w, f.bytes, depth + 1);
    }
    json_end_array(w);
    return ok && pb_ok(&r);
}

static bool add_object(struct json_writer *w, struct str list, unsigned depth)
{
    struct pb_reader r;
    struct pb_field f;
    bool ok = true;

    json_begin_object(w);
    pb_read_init(&r, list);
    while (ok && pb_next(&r, &f)) {
        struct str name;
        struct str value;
        ok = f.type == PB_BYTES && otlp_read_attribute(f.bytes, &name, &value);
        if (ok) {
            json_key(w, name);
            ok = add_json(w, value, depth + 1);
        }
    }
    json_end_object(w);
    return ok && pb_ok(&r);
}

static void add_scalar(struct json_writer *w, const struct pb_field *f)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (f->number == VALUE_STRING && f->type == PB_BYTES) {
        json_add_str(w, f->bytes);
    } else if (f->number == VALUE_BYTES && f->type == PB_BYTES) {
        base64_encode(f->bytes, &text);
        json_add_str(w, buf_str(&text));
    } else if (f->number == VALUE_BOOL && f->type == PB_VARINT) {
        json_add_bool(w, f->value != 0);
    } else if (f->number == VALUE_INT && f->type == PB_VARINT) {
        json_add_i64(w, (int64_t)f->value);
    } else if (f->number == VALUE_DOUBLE && f->type == PB_FIXED64) {
        json_add_double_or_text(w, pb_double(f));
    } else {
        json_add_null(w);
    }
}

static bool add_json(struct json_writer *w, struct str value, unsigned depth)
{
    struct pb_field f;

    if (depth >= OTLP_DEPTH_MAX || !otlp_read_value(value, &f)) {
        json_add_null(w);
        return false;
    }
    if (f.type == PB_BYTES && (f.number == VALUE_ARRAY || f.number == VALUE_KVLIST)) {
        return (f.number == VALUE_ARRAY ? add_array : add_object)(w, f.bytes, depth);
    }
    add_scalar(w, &f);
    return true;
}

bool otlp_value_text(struct str value, struct arena *a, struct str *ret_text)
{
    AUTO(buf_release) struct buf text = BUF_INIT(LABELS_BYTES_MAX);
    struct json_writer w;
    struct pb_field f;

    if (!otlp_read_value(value, &f)) {
        return false;
    }
    if (f.number == VALUE_STRING || f.number == 0) {
        *ret_text = f.bytes;
        return true;
    }
    json_write_init(&w, &text);
    if (!add_json(&w, value, 0) || !buf_ok(&text)) {
        return false;
    }
    struct str json = buf_str(&text);
    bool is_quoted = json.len >= 2 && json.ptr[0] == '"'; /* base64 and NaN have no escapes */
    *ret_text = arena_dup(a, is_quoted ? str_slice(json, 1, json.len - 2) : json);
    return true;
}

/* ---- names ---- */

static struct str mend_name(struct str name, bool may_have_colon, struct arena *a)
{
    bool leads = name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9');
    char *text = arena_alloc(a, name.len + 1);
    size_t len = 0;

    if (leads) {
        text[len++] = '_';
    }
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       (c == ':' && may_have_colon);
        text[len++] = (char)(is_good ? c : '_');
    }
    return str_make(text, len);
}

struct str otlp_label_name(struct str name, struct arena *a)
{
    return label_name_is_legacy(name) ? name : mend_name(name, false, a);
}

struct str otlp_metric_name(struct str name, struct arena *a)
{
    return metric_name_is_legacy(name) ? name : mend_name(name, true, a);
}
