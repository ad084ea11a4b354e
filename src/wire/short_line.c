#include "wire/short_line.h"

#include "base/attr.h"
#include "base/number.h"
#include "base/timetext.h"
#include "wire/json_shape.h"

#include <endian.h>
#include <math.h>
#include <string.h>

enum { WORD_DIGITS = 16, HALF_DIGITS = 8, WORDS_END = 1 + 2 * WORD_DIGITS };

/* ---- writing ---- */

/* Eight digits of 32 bits at once: each nibble gets a byte, then '0' or 'a' - 10. */
static uint64_t hex_of(uint32_t bits)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = bits;

    x = (x << 16 | x) & UINT64_C(0x0000ffff0000ffff);
    x = (x << 8 | x) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x << 4 | x) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    uint64_t letters = (x + 6 * ones) >> 4 & ones;
    return x + '0' * ones + letters * ('a' - '0' - 10);
}

static char *put_half(char *p, uint32_t half)
{
    uint64_t digits = htobe64(hex_of(half));

    memcpy(p, &digits, sizeof(digits));
    return p + HALF_DIGITS;
}

static char *put_word(char *p, uint64_t word)
{
    return put_half(put_half(p, (uint32_t)(word >> 32)), (uint32_t)word);
}

void short_line_add(const struct short_line *s, struct buf *out)
{
    char *start = buf_reserve(out, SHORT_LINE_MAX);

    if (start == NULL) {
        return;
    }
    char *p = start;
    *p++ = '=';
    p = put_word(p, (uint64_t)s->time_ns);
    p = put_word(p, number_bits(s->value));
    p = s->at > UINT32_MAX ? put_word(p, s->at) : put_half(p, (uint32_t)s->at);
    buf_added(out, (size_t)(p - start));
}

/* ---- reading ---- */

/* Eight digits at once; false when one of them is none. */
static inline bool half_of(const char *p, uint32_t *ret)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = 0;

    memcpy(&x, p, sizeof(x));
    x = be64toh(x);
    uint64_t letters = x >> 6 & ones; /* '0' to '9' have no bit 6, 'a' to 'f' have it */
    uint64_t digits = (x & 0x0f * ones) + 9 * letters;
    uint64_t nibbles = digits & 0x0f * ones;
    uint64_t again = nibbles + '0' * ones + ((nibbles + 6 * ones) >> 4 & ones) * ('a' - '0' - 10);
    if (again != x) {
        return false;
    }
    nibbles = (nibbles >> 4 | nibbles) & UINT64_C(0x00ff00ff00ff00ff);
    nibbles = (nibbles >> 8 | nibbles) & UINT64_C(0x0000ffff0000ffff);
    *ret = (uint32_t)(nibbles >> 16 | nibbles);
    return true;
}

static inline bool word_of(const char *p, uint64_t *ret)
{
    uint32_t high = 0;
    uint32_t low = 0;

    if (!half_of(p, &high) || !half_of(p + HALF_DIGITS, &low)) {
        return false;
    }
    *ret = (uint64_t)high << 32 | low;
    return true;
}

static bool place_of(struct str text, uint64_t *ret)
{
    uint32_t half = 0;
    bool ok = text.len == WORD_DIGITS ? word_of(text.ptr, ret)
                                      : text.len == HALF_DIGITS && half_of(text.ptr, &half);

    *ret = text.len == HALF_DIGITS ? half : *ret;
    return ok;
}

bool short_line_read(struct str line, struct short_line *ret, struct err *e)
{
    struct str place = str_slice(line, WORDS_END, line.len);
    uint64_t time = 0;
    uint64_t bits = 0;

    if (!short_line_is(line) || line.len <= WORDS_END || !word_of(line.ptr + 1, &time) ||
        !word_of(line.ptr + 1 + WORD_DIGITS, &bits) || !place_of(place, &ret->at)) {
        return err_set(e, ERR_PARSE, "a short line that is none");
    }
    ret->time_ns = (int64_t)time;
    memcpy(&ret->value, &bits, sizeof(bits));
    return isfinite(ret->value) || err_set(e, ERR_PARSE, "a short line without a number");
}

bool short_line_expand(struct str model, const struct short_line *s, struct arena *scratch,
                       struct buf *out, struct err *e)
{
    char number[NUMBER_TEXT_MAX];
    struct json_node *root = NULL;
    struct json_gaps gaps;

    if (!short_line_is_model(model)) {
        return err_set(e, ERR_PARSE, "a short line of no line");
    }
    model = str_slice(model, 1, model.len);
    if (!json_parse(model, scratch, &root, e) || !json_gaps_of(model, root, &gaps)) {
        return err_set(e, ERR_PARSE, "a short line of a line that is no sample");
    }
    buf_add(out, model.ptr, (size_t)(gaps.time.ptr - model.ptr));
    buf_add_rfc3339(out, s->time_ns);
    const char *time_end = gaps.time.ptr + gaps.time.len;
    buf_add(out, time_end, (size_t)(gaps.value.ptr - time_end));
    buf_add(out, number, number_format(s->value, number));
    const char *value_end = gaps.value.ptr + gaps.value.len;
    buf_add(out, value_end, model.len - (size_t)(value_end - model.ptr));
    return true;
}
