/*
 * Packed label bytes from outside. Nearly always they are what a set holds already: one pass then
 * checks them and they are copied whole. Anything else that protobuf allows (fields in another order,
 * unknown fields, long varints, names out of order) goes through a builder.
 */
#include "base/varint.h"
#include "model/labels.h"
#include "model/labels_int.h"

/* A walk over bytes from outside. */
struct cursor {
    const char *at;
    const char *end;
};

/* The length-delimited bytes at the cursor, which moves behind them. */
static bool take_bytes(struct cursor *c, struct str *ret_bytes)
{
    uint64_t len;
    const char *at = c->at;

    if (!varint_get(&at, c->end, &len) || len > (uint64_t)(c->end - at)) {
        return false;
    }
    *ret_bytes = str_make(at, (size_t)len);
    c->at = at + len;
    return true;
}

/* A tag byte, then bytes whose length takes as little room as it can: the canonical form. */
static bool take_canonical(struct cursor *c, char tag, struct str *ret_bytes)
{
    const char *start = c->at;

    if (start >= c->end || *start != tag) {
        return false;
    }
    c->at++;
    return take_bytes(c, ret_bytes) &&
           (size_t)(ret_bytes->ptr - start) == 1 + varint_size(ret_bytes->len);
}

static bool is_behind(struct str name, struct str last)
{
    return last.len == 0 || (unsigned char)last.ptr[0] < (unsigned char)name.ptr[0] ||
           str_cmp(last, name) < 0;
}

/*
 * Passes over a pair whose three lengths take a byte each, as they nearly always do, with a name
 * behind <last>, which it becomes. Gives NULL for any other; that is judged the long way.
 */
static inline const char *pass_short_pair(const char *p, const char *end, struct str *last)
{
    const unsigned char *b = (const unsigned char *)p;

    if (end - p < 7 || b[0] != LABEL_TAG_PAIR || b[1] >= 0x80 || b[1] > end - p - 2 ||
        b[2] != LABEL_TAG_NAME || b[3] == 0 || b[3] + 4 >= b[1] || b[4 + b[3]] != LABEL_TAG_VALUE ||
        b[5 + b[3]] != b[1] - b[3] - 4) {
        return NULL;
    }
    struct str name = {p + 4, b[3]};
    if (!is_behind(name, *last)) {
        return NULL;
    }
    *last = name;
    return p + 2 + b[1];
}

/* Is <packed> exactly what a set holds? */
static bool is_canonical(struct str packed, uint32_t *ret_count)
{
    struct cursor c = {packed.ptr, packed.ptr + packed.len};
    struct str last = STR("");
    uint32_t count = 0;

    while (c.at < c.end) {
        const char *behind = pass_short_pair(c.at, c.end, &last);
        if (likely(behind != NULL)) {
            c.at = behind;
            count++;
            continue;
        }
        struct str pair;
        struct label label;
        if (!take_canonical(&c, LABEL_TAG_PAIR, &pair)) {
            return false;
        }
        struct cursor in = {pair.ptr, pair.ptr + pair.len};
        if (!take_canonical(&in, LABEL_TAG_NAME, &label.name) ||
            !take_canonical(&in, LABEL_TAG_VALUE, &label.value) || in.at != in.end ||
            label.value.len == 0 || str_cmp(last, label.name) >= 0) {
            return false;
        }
        last = label.name;
        count++;
    }
    *ret_count = count;
    return count <= LABELS_MAX && packed.len <= LABELS_BYTES_MAX;
}

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Passes over the value of a field that means nothing to us. */
static bool skip_value(struct cursor *c, unsigned type)
{
    uint64_t ignored;
    struct str bytes;
    size_t fixed = type == WIRE_64 ? 8 : 4;

    if (type == WIRE_VARINT) {
        return varint_get(&c->at, c->end, &ignored);
    }
    if (type == WIRE_BYTES) {
        return take_bytes(c, &bytes);
    }
    if ((type != WIRE_64 && type != WIRE_32) || (size_t)(c->end - c->at) < fixed) {
        return false;
    }
    c->at += fixed;
    return true;
}

/* Field and wire type of the next tag. */
static bool take_tag(struct cursor *c, uint64_t *ret_field, unsigned *ret_type)
{
    uint64_t tag;

    if (!varint_get(&c->at, c->end, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) {
        return false;
    }
    *ret_field = tag >> 3;
    *ret_type = tag & 7;
    return true;
}

static bool parse_pair(struct str bytes, struct label *ret_label)
{
    struct cursor c = {bytes.ptr, bytes.ptr + bytes.len};
    struct str *const fields[] = {NULL, &ret_label->name, &ret_label->value};

    *ret_label = (struct label){STR(""), STR("")};
    while (c.at < c.end) {
        uint64_t field;
        unsigned type;
        if (!take_tag(&c, &field, &type)) {
            return false;
        }
        bool known = field < ARRAY_LEN(fields) && type == WIRE_BYTES;
        if (known ? !take_bytes(&c, fields[field]) : !skip_value(&c, type)) {
            return false;
        }
    }
    return true;
}

static bool parse_pairs(struct str packed, struct labels_builder *b)
{
    struct cursor c = {packed.ptr, packed.ptr + packed.len};

    while (c.at < c.end) {
        uint64_t field;
        unsigned type;
        struct str bytes;
        struct label pair;
        if (!take_tag(&c, &field, &type)) {
            return false;
        }
        if (field != 1 || type != WIRE_BYTES) {
            if (!skip_value(&c, type)) {
                return false;
            }
            continue;
        }
        if (!take_bytes(&c, &bytes) || !parse_pair(bytes, &pair)) {
            return false;
        }
        labels_builder_push(b, pair.name, pair.value);
    }
    return true;
}

/* The long way, for what is not canonical. */
static bool build_from_bytes(struct str packed, struct labels **ret_labels, struct err *e)
{
    AUTO(labels_builder_release) struct labels_builder b;

    labels_builder_init(&b);
    if (!parse_pairs(packed, &b)) {
        return err_set(e, ERR_PARSE, "label bytes are not a list of protobuf Label messages");
    }
    return labels_build(&b, ret_labels, e);
}

bool labels_from_bytes(struct str packed, struct labels **ret_labels, struct err *e)
{
    uint32_t count;

    if (packed.len == 0) {
        *ret_labels = labels_empty();
        return true;
    }
    if (is_canonical(packed, &count)) {
        struct labels *l = labels_alloc(packed.len, count);
        memcpy(l->bytes, packed.ptr, packed.len);
        *ret_labels = labels_seal(l);
        return true;
    }
    return build_from_bytes(packed, ret_labels, e);
}

bool labels_check_bytes(struct str packed, struct err *e)
{
    AUTO(labels_autounref) struct labels *l = NULL;
    uint32_t count;

    return packed.len == 0 || is_canonical(packed, &count) || build_from_bytes(packed, &l, e);
}
