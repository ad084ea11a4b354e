#include "wire/pb.h"

#include "base/number.h"

static void add_varint(struct buf *out, uint64_t value)
{
    char *room = buf_reserve(out, VARINT_MAX);

    if (room != NULL) {
        buf_added(out, (size_t)(varint_put(room, value) - room));
    }
}

static void add_tag(struct buf *out, uint32_t field, enum pb_type type)
{
    add_varint(out, (uint64_t)field << 3 | (uint64_t)type);
}

void pb_put_u64(struct buf *out, uint32_t field, uint64_t value)
{
    add_tag(out, field, PB_VARINT);
    add_varint(out, value);
}

void pb_add_u64(struct buf *out, uint32_t field, uint64_t value)
{
    if (value != 0) {
        pb_put_u64(out, field, value);
    }
}

void pb_add_i64(struct buf *out, uint32_t field, int64_t value)
{
    pb_add_u64(out, field, (uint64_t)value);
}

void pb_add_sint(struct buf *out, uint32_t field, int64_t value)
{
    pb_add_u64(out, field, varint_zigzag(value));
}

void pb_put_fixed(struct buf *out, uint32_t field, uint64_t value)
{
    char bytes[8];

    (void)pb_store64(bytes, value);
    add_tag(out, field, PB_FIXED64);
    buf_add(out, bytes, sizeof(bytes));
}

void pb_add_fixed(struct buf *out, uint32_t field, uint64_t value)
{
    if (value != 0) {
        pb_put_fixed(out, field, value);
    }
}

void pb_add_double(struct buf *out, uint32_t field, double value)
{
    pb_add_fixed(out, field, number_bits(value));
}

void pb_add_length(struct buf *out, uint32_t field, size_t len)
{
    add_tag(out, field, PB_BYTES);
    add_varint(out, len);
}

void pb_add_bytes(struct buf *out, uint32_t field, struct str value)
{
    pb_add_length(out, field, value.len);
    buf_add_str(out, value);
}

void pb_add_str(struct buf *out, uint32_t field, struct str value)
{
    if (value.len != 0) {
        pb_add_bytes(out, field, value);
    }
}

/*
 * The length is known only at the end. One byte is kept for it, which is nearly always enough; a longer
 * length moves the message.
 */
size_t pb_begin(struct buf *out, uint32_t field)
{
    add_tag(out, field, PB_BYTES);
    buf_add_byte(out, 0);
    return out->len;
}

void pb_end(struct buf *out, size_t begun)
{
    if (!buf_ok(out)) {
        return;
    }
    size_t len = out->len - begun;
    size_t more = varint_size(len) - 1;

    if (more > 0) {
        if (buf_reserve(out, more) == NULL) {
            return;
        }
        memmove(out->ptr + begun + more, out->ptr + begun, len);
        buf_added(out, more);
    }
    (void)varint_put(out->ptr + begun - 1, len);
}

void pb_read_init(struct pb_reader *r, struct str message)
{
    const char *start = message.len > 0 ? message.ptr : "";

    *r = (struct pb_reader){.start = start, .at = start, .end = start + message.len};
}

/* Stops at <at>, where the field that is none begins. */
static bool fail(struct pb_reader *r, const char *at)
{
    r->failed = true;
    r->at = at;
    r->end = at;
    return false;
}

static bool take_fixed(struct pb_reader *r, size_t size, uint64_t *ret_value)
{
    char bytes[8] = {0};

    if ((size_t)(r->end - r->at) < size) {
        return false;
    }
    memcpy(bytes, r->at, size);
    r->at += size;
    *ret_value = pb_load64(bytes);
    return true;
}

/* The length of a length-delimited field, whose bytes then are behind <at>. */
static bool take_length(struct pb_reader *r, uint64_t *ret_length)
{
    return varint_get(&r->at, r->end, ret_length) && *ret_length <= (uint64_t)(r->end - r->at);
}

static bool take_value(struct pb_reader *r, enum pb_type type, uint64_t *ret_value)
{
    if (likely(type == PB_BYTES)) {
        return take_length(r, ret_value);
    }
    if (type == PB_VARINT) {
        return varint_get(&r->at, r->end, ret_value);
    }
    return (type == PB_FIXED64 || type == PB_FIXED32) &&
           take_fixed(r, type == PB_FIXED64 ? 8 : 4, ret_value);
}

/* The field is filled member by member: copying it whole would wait for the stores into it. */
bool pb_next(struct pb_reader *r, struct pb_field *ret_field)
{
    const char *from = r->at;
    uint64_t tag;
    uint64_t value;

    if (from >= r->end) {
        return false;
    }
    if (!varint_get(&r->at, r->end, &tag) || tag >> 3 == 0 || tag > UINT32_MAX ||
        !take_value(r, (enum pb_type)(tag & 7), &value)) {
        return fail(r, from);
    }
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = (enum pb_type)(tag & 7);
    ret_field->value = value;
    ret_field->bytes.ptr = r->at;
    ret_field->bytes.len = 0;
    if (ret_field->type == PB_BYTES) {
        ret_field->bytes.len = (size_t)value;
        r->at += value;
    }
    return true;
}

double pb_double(const struct pb_field *f)
{
    return number_from_bits(f->value);
}

bool pb_join(const struct str *parts, size_t count, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_str(out, parts[i]);
    }
    return buf_ok(out) || err_set(e, ERR_LIMIT, "%zu batches are too large for one", count);
}
