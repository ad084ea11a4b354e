#include "wire/msgpack_read.h"

#include <string.h>

void msgpack_read_init(struct msgpack_reader *r, struct str bytes, struct err *e)
{
    *r = (struct msgpack_reader){.bytes = bytes, .err = e};
}

void msgpack_fail(struct msgpack_reader *r, const char *what)
{
    if (!r->failed) {
        (void)err_set(r->err, ERR_PARSE, "MessagePack, byte %zu: %s", r->at, what);
        r->failed = true;
    }
}

static size_t left(const struct msgpack_reader *r)
{
    return r->failed ? 0 : r->bytes.len - r->at;
}

/* The type byte that comes next, which stays; 0xC1, which no value has, at the end. */
static unsigned peek(const struct msgpack_reader *r)
{
    return left(r) > 0 ? (unsigned char)r->bytes.ptr[r->at] : 0xC1;
}

/* A number of <size> bytes behind the type byte, the highest first; one below <least> has a shorter form. */
static uint64_t take_number(struct msgpack_reader *r, unsigned size, uint64_t least)
{
    uint64_t value = 0;

    if (left(r) <= size) {
        msgpack_fail(r, "a number is cut off");
        return 0;
    }
    for (unsigned i = 1; i <= size; i++) {
        value = value << 8 | (unsigned char)r->bytes.ptr[r->at + i];
    }
    if (value < least) {
        msgpack_fail(r, "a number or length is not in its shortest form");
        return 0;
    }
    r->at += size + 1;
    return value;
}

/* A form of a count: the type byte, the bytes of the count, and what the form before it holds at most. */
struct form {
    unsigned type;
    unsigned size;
    uint64_t least;
};

/* A count whose short form is <fix> and up to <mask>, else one of <forms>. */
static uint64_t take_count(struct msgpack_reader *r, unsigned fix, unsigned mask,
                           const struct form *forms, size_t count, const char *expected)
{
    unsigned type = peek(r);

    if ((type & ~mask) == fix) {
        r->at++;
        return type & mask;
    }
    for (size_t i = 0; i < count; i++) {
        if (type == forms[i].type) {
            return take_number(r, forms[i].size, forms[i].least);
        }
    }
    msgpack_fail(r, expected);
    return 0;
}

/* No more than what could follow, at <bytes> each. */
static uint32_t bounded(struct msgpack_reader *r, uint64_t count, size_t bytes)
{
    if (count > left(r) / bytes) {
        msgpack_fail(r, "a count is larger than what follows");
        return 0;
    }
    return (uint32_t)count;
}

uint32_t msgpack_take_array(struct msgpack_reader *r)
{
    static const struct form forms[] = {{0xDC, 2, 16}, {0xDD, 4, 1 << 16}};

    return bounded(r, take_count(r, 0x90, 0xF, forms, ARRAY_LEN(forms), "expected an array"), 1);
}

uint32_t msgpack_take_map(struct msgpack_reader *r)
{
    static const struct form forms[] = {{0xDE, 2, 16}, {0xDF, 4, 1 << 16}};

    return bounded(r, take_count(r, 0x80, 0xF, forms, ARRAY_LEN(forms), "expected a map"), 2);
}

struct str msgpack_take_str(struct msgpack_reader *r)
{
    static const struct form forms[] = {{0xD9, 1, 32}, {0xDA, 2, 1 << 8}, {0xDB, 4, 1 << 16}};
    uint32_t len =
        bounded(r, take_count(r, 0xA0, 0x1F, forms, ARRAY_LEN(forms), "expected a text"), 1);
    struct str text = r->failed ? STR("") : str_make(r->bytes.ptr + r->at, len);

    if (!str_is_utf8(text)) {
        msgpack_fail(r, "a text is no UTF-8");
        return STR("");
    }
    r->at += text.len;
    return text;
}

uint64_t msgpack_take_u64(struct msgpack_reader *r)
{
    static const struct form forms[] = {
        {0xCC, 1, 128}, {0xCD, 2, 1 << 8}, {0xCE, 4, 1 << 16}, {0xCF, 8, UINT64_C(1) << 32}};

    return take_count(r, 0x00, 0x7F, forms, ARRAY_LEN(forms), "expected a number without a sign");
}

double msgpack_take_double(struct msgpack_reader *r)
{
    double value = 0;

    if (peek(r) != 0xCB) {
        msgpack_fail(r, "expected a number with a point");
        return 0;
    }
    uint64_t bits = take_number(r, 8, 0);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

bool msgpack_read_end(struct msgpack_reader *r)
{
    if (left(r) > 0) {
        msgpack_fail(r, "there is more behind the end");
    }
    return !r->failed;
}
