#include "base/str.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

int str_cmp(struct str a, struct str b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared ? memcmp(a.ptr, b.ptr, shared) : 0;

    if (order != 0) {
        return order;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static char ascii_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char)(c | 0x20) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_make(s.ptr, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, suffix.len), suffix);
}

size_t str_find_byte(struct str s, char byte)
{
    const char *hit = s.len ? memchr(s.ptr, byte, s.len) : NULL;

    return hit ? (size_t)(hit - s.ptr) : s.len;
}

size_t str_find(struct str s, struct str needle)
{
    if (needle.len == 0) {
        return 0;
    }
    const char *hit = s.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;

    return hit ? (size_t)(hit - s.ptr) : s.len;
}

struct str str_slice(struct str s, size_t from, size_t len)
{
    if (from > s.len) {
        from = s.len;
    }
    if (len > s.len - from) {
        len = s.len - from;
    }
    return str_make(from > 0 ? s.ptr + from : s.ptr, len);
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len && ascii_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && ascii_space(s.ptr[s.len - 1])) {
        s.len--;
    }
    return s;
}

bool str_split(struct str *rest, char separator, struct str *ret_part)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t at = str_find_byte(*rest, separator);

    *ret_part = str_make(rest->ptr, at);
    *rest = at == rest->len ? STR_NONE : str_make(rest->ptr + at + 1, rest->len - at - 1);
    return true;
}

uint64_t str_hash(struct str s, uint64_t seed)
{
    return XXH3_64bits_withSeed(s.ptr ? s.ptr : "", s.len, seed);
}

enum { NEAREST_MAX = 48 };

/* Levenshtein distance over one row; names longer than NEAREST_MAX count as far. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[NEAREST_MAX + 1];

    if (a.len > NEAREST_MAX || b.len > NEAREST_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (ascii_lower(a.ptr[i - 1]) != ascii_lower(b.ptr[j - 1]));
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[b.len];
}

const char *str_nearest(struct str name, const char *const *names, size_t count)
{
    return str_nearest_within(name, names, count, name.len / 3 + 1);
}

const char *str_nearest_within(struct str name, const char *const *names, size_t count, size_t most)
{
    const char *best = NULL;
    size_t best_distance = most + 1;

    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, str_of(names[i]));
        if (distance < best_distance) {
            best_distance = distance;
            best = names[i];
        }
    }
    return best;
}

/* The well-formed UTF-8 sequences of two bytes and more (Unicode 15, table 3-7): ranges of the first and
 * the second byte; the others are 80..BF. */
static const struct utf8_form {
    unsigned char first_low, first_high;
    unsigned char second_low, second_high;
    unsigned char len;
} utf8_forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static const struct utf8_form *utf8_form_of(unsigned char first)
{
    for (size_t i = 0; i < sizeof utf8_forms / sizeof *utf8_forms; i++) {
        if (first >= utf8_forms[i].first_low && first <= utf8_forms[i].first_high) {
            return &utf8_forms[i];
        }
    }
    return NULL;
}

/* Length of the well-formed UTF-8 sequence at <p>, 0 if there is none. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80) {
        return 1;
    }
    const struct utf8_form *form = utf8_form_of(p[0]);
    if (form == NULL || form->len > left || p[1] < form->second_low || p[1] > form->second_high) {
        return 0;
    }
    for (size_t i = 2; i < form->len; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return form->len;
}

size_t str_utf8_length(struct str s)
{
    return s.len == 0 ? 0 : utf8_length((const unsigned char *)s.ptr, s.len);
}

/* How many bytes from <p> on are ASCII, in steps of eight. */
static size_t ascii_run(const unsigned char *p, size_t len)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t eight = 0;
    size_t i = 0;

    while (i + sizeof(eight) <= len && (eight & high) == 0) {
        memcpy(&eight, p + i, sizeof(eight));
        i += (eight & high) == 0 ? sizeof(eight) : 0;
    }
    return i;
}

size_t str_utf8_prefix(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;

    while (i < s.len) {
        i += ascii_run(p + i, s.len - i);
        size_t n = i < s.len ? utf8_length(p + i, s.len - i) : 0;
        if (n == 0) {
            break;
        }
        i += n;
    }
    return i;
}

bool str_is_utf8(struct str s)
{
    return str_utf8_prefix(s) == s.len;
}
