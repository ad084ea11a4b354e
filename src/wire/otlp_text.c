/* Texts as protobuf wants them: UTF-8, or receivers refuse the whole request. */
#include "wire/otlp_int.h"

const struct str otlp_scope_name = STR_INIT("otel.scope.name");
const struct str otlp_scope_version = STR_INIT("otel.scope.version");

void otlp_add_text(struct buf *out, uint32_t field, struct str text)
{
    AUTO(buf_release) struct buf mended = BUF_INIT(BUF_UNLIMITED);

    if (!str_is_utf8(text)) {
        buf_add_utf8(&mended, text);
        text = buf_str(&mended);
    }
    pb_add_str(out, field, text);
}

/* The value is there even when it is empty: which member of the union it is says the type. */
static void add_string(struct buf *out, struct str text)
{
    size_t value = pb_begin(out, KEY_VALUE);

    if (text.len == 0) {
        pb_add_bytes(out, VALUE_STRING, text);
    }
    otlp_add_text(out, VALUE_STRING, text);
    pb_end(out, value);
}

void otlp_add_attribute(struct buf *out, uint32_t field, struct str name, struct str value)
{
    size_t attribute = pb_begin(out, field);

    otlp_add_text(out, KEY_NAME, name);
    add_string(out, value);
    pb_end(out, attribute);
}
