#include "wire/thrift_compact.h"

#include "base/attr.h"
#include "base/varint.h"

enum { TYPE_TRUE = 1, TYPE_FALSE = 2, TYPE_LIST = 9, SHORT_LIST_MAX = 14, SHORT_DELTA_MAX = 15 };

void thrift_init(struct thrift_writer *w, struct buf *out)
{
    *w = (struct thrift_writer){.out = out};
}

void thrift_add_varint(struct buf *out, uint64_t value)
{
    while (value >= 0x80) {
        buf_add_byte(out, (char)(value | 0x80));
        value >>= 7;
    }
    buf_add_byte(out, (char)value);
}

void thrift_begin(struct thrift_writer *w)
{
    INVARIANT(w->depth < THRIFT_DEPTH_MAX);
    w->last[w->depth++] = 0;
}

void thrift_end(struct thrift_writer *w)
{
    INVARIANT(w->depth > 0);
    w->depth--;
    buf_add_byte(w->out, 0);
}

/* The id as the distance to the one before where that is small. */
static void add_field(struct thrift_writer *w, int16_t id, unsigned type)
{
    int delta = id - w->last[w->depth - 1];

    if (delta > 0 && delta <= SHORT_DELTA_MAX) {
        buf_add_byte(w->out, (char)((unsigned)delta << 4 | type));
    } else {
        buf_add_byte(w->out, (char)type);
        thrift_add_varint(w->out, varint_zigzag(id));
    }
    w->last[w->depth - 1] = id;
}

void thrift_struct(struct thrift_writer *w, int16_t id)
{
    add_field(w, id, THRIFT_STRUCT);
    thrift_begin(w);
}

void thrift_list(struct thrift_writer *w, int16_t id, enum thrift_type type, size_t count)
{
    add_field(w, id, TYPE_LIST);
    if (count <= SHORT_LIST_MAX) {
        buf_add_byte(w->out, (char)(count << 4 | type));
    } else {
        buf_add_byte(w->out, (char)(0xf0U | type));
        thrift_add_varint(w->out, count);
    }
}

void thrift_i32(struct thrift_writer *w, int16_t id, int32_t value)
{
    add_field(w, id, THRIFT_I32);
    thrift_add_int(w, value);
}

void thrift_i64(struct thrift_writer *w, int16_t id, int64_t value)
{
    add_field(w, id, THRIFT_I64);
    thrift_add_int(w, value);
}

void thrift_bool(struct thrift_writer *w, int16_t id, bool value)
{
    add_field(w, id, value ? TYPE_TRUE : TYPE_FALSE);
}

void thrift_binary(struct thrift_writer *w, int16_t id, struct str value)
{
    add_field(w, id, THRIFT_BINARY);
    thrift_add_binary(w, value);
}

void thrift_add_int(struct thrift_writer *w, int64_t value)
{
    thrift_add_varint(w->out, varint_zigzag(value));
}

void thrift_add_binary(struct thrift_writer *w, struct str value)
{
    thrift_add_varint(w->out, value.len);
    buf_add_str(w->out, value);
}
