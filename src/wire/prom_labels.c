#include "base/number.h"
#include "wire/json.h"
#include "wire/prom_answer.h"
#include "wire/prom_int.h"
#include "wire/scan.h"

#include <math.h>

#ifdef __SSE2__
enum { BLOCK = 64 };

/* A bit per byte of the 64 at <p> that equals <c>. */
static inline uint64_t bits_of(const __m128i block[4], char c)
{
    __m128i wanted = _mm_set1_epi8(c);
    uint64_t bits = 0;

    for (int i = 0; i < 4; i++) {
        unsigned part = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(block[i], wanted));
        bits |= (uint64_t)part << (16 * i);
    }
    return bits;
}

/* Each bit becomes the parity of itself and all below: between an odd and an even quote it is 1. */
static inline uint64_t parity_below(uint64_t bits)
{
    for (unsigned shift = 1; shift < 64; shift *= 2) {
        bits ^= bits << shift;
    }
    return bits;
}

const char *prom_flat_object_end(const char *p, const char *end)
{
    uint64_t in_string = 0; /* all ones when the block before ended inside a string */
    uint64_t skip = 1;      /* the opening bracket itself */

    for (; end - p >= BLOCK; p += BLOCK) {
        const __m128i block[4] = {scan_load(p), scan_load(p + 16), scan_load(p + 32),
                                  scan_load(p + 48)};
        uint64_t strings = parity_below(bits_of(block, '"')) ^ in_string;
        uint64_t closed = bits_of(block, '}') & ~strings;
        uint64_t before = closed != 0 ? (closed & (0 - closed)) - 1 : UINT64_MAX;
        uint64_t nested = (bits_of(block, '{') | bits_of(block, '[')) & ~strings & ~skip;
        if (((nested | bits_of(block, '\\')) & before) != 0) {
            return NULL;
        }
        if (closed != 0) {
            return p + __builtin_ctzll(closed) + 1;
        }
        in_string = 0 - (strings >> 63);
        skip = 0;
    }
    return NULL;
}
#else
const char *prom_flat_object_end(const char *p, const char *end)
{
    (void)p;
    (void)end;
    return NULL;
}
#endif

bool prom_labels_parse(struct str raw, struct arena *a, struct labels_builder *b, struct err *e)
{
    struct json_reader r;
    struct str name;
    struct str value;

    json_read_init(&r, raw, a, e);
    (void)json_open_object(&r);
    while (json_next_key(&r, &name)) {
        if (json_take_str(&r, &value)) {
            labels_builder_push(b, name, value);
        }
    }
    return json_read_end(&r);
}

enum { MS_NS = 1000 * 1000 };

/* Digits with up to three more behind a point, as every store writes times: exact. */
static bool parse_plain(struct str text, int64_t *ret_ms)
{
    int64_t ms = 0;
    size_t point = str_find_byte(text, '.');
    size_t fraction = point < text.len ? text.len - point - 1 : 0;

    if (text.len > 16 || fraction > 3 || point == 0) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (i != point && (c < '0' || c > '9')) {
            return false;
        }
        ms = i != point ? ms * 10 + (c - '0') : ms;
    }
    for (; fraction < 3; fraction++) {
        ms *= 10;
    }
    *ret_ms = ms;
    return true;
}

bool prom_time_parse(struct str text, int64_t *ret_ns)
{
    const int64_t limit_ms = INT64_MAX / MS_NS;
    int64_t ms;

    if (!parse_plain(text, &ms)) {
        double seconds;
        if (!number_parse(text, &seconds) || !(fabs(seconds) * 1000 < (double)limit_ms)) {
            return false;
        }
        ms = llround(seconds * 1000);
    }
    if (ms > limit_ms) {
        return false;
    }
    *ret_ns = ms * MS_NS;
    return true;
}
