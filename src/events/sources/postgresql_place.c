#include "events/sources/postgresql_place.h"

#include "base/number.h"
#include "wire/pgoutput.h"

bool pg_place_parse(struct str text, struct pg_place *ret)
{
    struct pg_place p = {.lsn = 0};
    size_t at = str_find_byte(text, '@');
    struct str place = str_slice(text, 0, at);
    uint64_t timeline = 0;
    size_t slash = str_find_byte(place, '/');
    size_t second = slash + 1 + str_find_byte(str_slice(place, slash + 1, place.len), '/');

    if (at < text.len && (!number_parse_u64(str_slice(text, at + 1, text.len), &timeline) ||
                          timeline > UINT32_MAX)) {
        return false;
    }
    if (second < place.len &&
        !number_parse_u64(str_slice(place, second + 1, place.len), &p.ordinal)) {
        return false;
    }
    p.timeline = (uint32_t)timeline;
    if (!pgoutput_parse_lsn(str_slice(place, 0, second), &p.lsn)) {
        return false;
    }
    *ret = p;
    return true;
}

static char *print_hex(char *out, uint64_t value, unsigned digits)
{
    for (unsigned i = digits; i > 0; i--) {
        *out++ = "0123456789ABCDEF"[value >> (4 * (i - 1)) & 0xF];
    }
    return out;
}

static char *print_short_hex(char *out, uint32_t value)
{
    return print_hex(out, value, value == 0 ? 1 : 8 - (unsigned)__builtin_clz(value) / 4);
}

static char *print_decimal(char *out, uint64_t value)
{
    char digits[20];
    size_t len = 0;

    do {
        digits[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (len > 0) {
        *out++ = digits[--len];
    }
    return out;
}

size_t pg_place_print(struct pg_place p, char *out)
{
    char *at = print_short_hex(out, (uint32_t)(p.lsn >> 32));

    *at++ = '/';
    at = print_short_hex(at, (uint32_t)p.lsn);
    *at++ = '/';
    at = print_decimal(at, p.ordinal);
    *at++ = '@';
    at = print_decimal(at, p.timeline);
    return (size_t)(at - out);
}

void pg_place_add(struct buf *out, struct pg_place p)
{
    char text[PG_PLACE_BYTES];

    buf_add(out, text, pg_place_print(p, text));
}

void pg_place_print_sequence(struct pg_place p, char *out)
{
    out = print_hex(out, p.lsn, 16);
    *out++ = '.';
    (void)print_hex(out, p.ordinal, 8);
}

/* A line: number, lsn and reason, with tabs between. */
bool pg_place_timeline_end(struct str history, uint32_t from, uint64_t *ret_lsn)
{
    struct str line;

    while (str_split(&history, '\n', &line)) {
        struct str number;
        struct str lsn;
        uint64_t timeline = 0;
        if (str_split(&line, '\t', &number) && str_split(&line, '\t', &lsn) &&
            number_parse_u64(str_trim(number), &timeline) && timeline == from) {
            return pgoutput_parse_lsn(str_trim(lsn), ret_lsn);
        }
    }
    return false;
}
