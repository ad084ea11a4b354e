/*
 * Characters: UTF-8, and the two cases of the alphabets that have them, Latin, Greek, Cyrillic and
 * Armenian.
 */
#include "template/template_int.h"

size_t template_rune_at(struct str text, size_t at, uint32_t *ret_rune)
{
    static const struct {
        size_t len;
        uint32_t least;
        unsigned char mask;
        unsigned char lead;
    } forms[] = {
        {1, 0, 0x80, 0}, {2, 0x80, 0xE0, 0xC0}, {3, 0x800, 0xF0, 0xE0}, {4, 0x10000, 0xF8, 0xF0}};
    unsigned char first = (unsigned char)text.ptr[at];

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if ((first & forms[i].mask) != forms[i].lead || at + forms[i].len > text.len) {
            continue;
        }
        uint32_t rune = first & (unsigned char)~forms[i].mask;
        for (size_t k = 1; k < forms[i].len; k++) {
            unsigned char next = (unsigned char)text.ptr[at + k];
            if ((next & 0xC0) != 0x80) {
                return 0;
            }
            rune = rune << 6 | (next & 0x3F);
        }
        bool is_surrogate = rune >= 0xD800 && rune <= 0xDFFF;
        *ret_rune = rune;
        return rune < forms[i].least || rune > 0x10FFFF || is_surrogate ? 0 : forms[i].len;
    }
    return 0;
}

/* Not shown as it is inside quotes: controls and invisible separators. */
bool template_rune_is_hidden(uint32_t rune)
{
    return rune < 0x20 || (rune >= 0x7F && rune <= 0xA0) || rune == 0xAD || rune == 0x2028 ||
           rune == 0x2029 || (rune >= 0x2000 && rune <= 0x200F) || rune == 0x3000 || rune == 0xFEFF;
}

/* Small letters, every <step>th of the range, and how far their capitals are before them. */
static const struct {
    uint16_t first;
    uint16_t last;
    int16_t back;
    uint8_t step;
} cases[] = {
    {'a', 'z', 32, 1},     {0xE0, 0xF6, 32, 1},    {0xF8, 0xFE, 32, 1},    {0xFF, 0xFF, -121, 1},
    {0x101, 0x12F, 1, 2},  {0x133, 0x137, 1, 2},   {0x13A, 0x148, 1, 2},   {0x14B, 0x177, 1, 2},
    {0x17A, 0x17E, 1, 2},  {0x3AC, 0x3AC, 38, 1},  {0x3AD, 0x3AF, 37, 1},  {0x3B1, 0x3C1, 32, 1},
    {0x3C3, 0x3CB, 32, 1}, {0x3CC, 0x3CC, 64, 1},  {0x3CD, 0x3CE, 63, 1},  {0x430, 0x44F, 32, 1},
    {0x450, 0x45F, 80, 1}, {0x461, 0x481, 1, 2},   {0x48B, 0x4BF, 1, 2},   {0x4D1, 0x52F, 1, 2},
    {0x561, 0x586, 48, 1}, {0x1E01, 0x1E95, 1, 2}, {0x1EA1, 0x1EFF, 1, 2},
};

uint32_t template_rune_upper(uint32_t rune)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (rune >= cases[i].first && rune <= cases[i].last &&
            (rune - cases[i].first) % cases[i].step == 0) {
            return (uint32_t)((int32_t)rune - cases[i].back);
        }
    }
    return rune;
}

uint32_t template_rune_lower(uint32_t rune)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int32_t small = (int32_t)rune + cases[i].back;
        if (small >= cases[i].first && small <= cases[i].last &&
            (small - cases[i].first) % cases[i].step == 0) {
            return (uint32_t)small;
        }
    }
    return rune;
}
