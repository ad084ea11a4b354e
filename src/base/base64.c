#include "base/base64.h"

#include <stdint.h>

static const char alphabet_standard[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[65] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Up to three bytes as four digits; gives how many of them say something. */
static size_t encode_group(const unsigned char *bytes, size_t count, const char *alphabet,
                           char *out)
{
    uint32_t bits = (uint32_t)bytes[0] << 16;

    bits |= count > 1 ? (uint32_t)bytes[1] << 8 : 0;
    bits |= count > 2 ? bytes[2] : 0;
    for (int i = 0; i < 4; i++) {
        out[i] = alphabet[bits >> (18 - 6 * i) & 63];
    }
    return count + 1;
}

static void encode(struct str bytes, const char *alphabet, bool padded, struct buf *out)
{
    const unsigned char *from = (const unsigned char *)bytes.ptr;
    size_t groups = bytes.len / 3 + (bytes.len % 3 != 0);
    char *start = buf_reserve(out, groups * 4);
    char *to = start;

    if (start == NULL) {
        return;
    }
    for (size_t left = bytes.len; left > 0;) {
        size_t take = left < 3 ? left : 3;
        size_t digits = encode_group(from, take, alphabet, to);
        from += take;
        left -= take;
        to += digits;
        for (; padded && digits < 4; digits++) {
            *to++ = '=';
        }
    }
    buf_added(out, (size_t)(to - start));
}

void base64_encode(struct str bytes, struct buf *out)
{
    encode(bytes, alphabet_standard, true, out);
}

void base64url_encode(struct str bytes, struct buf *out)
{
    encode(bytes, alphabet_url, false, out);
}

/* The value of a digit of either alphabet; -1 for any other byte. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* <text> without the padding that its length allows; false when there is another amount of it. */
static bool cut_padding(struct str *text)
{
    size_t pads = 0;

    while (pads < 2 && pads < text->len && text->ptr[text->len - 1 - pads] == '=') {
        pads++;
    }
    bool fits = pads == 0 || text->len % 4 == 0;
    text->len -= pads;
    return fits && text->len % 4 != 1;
}

bool base64_decode(struct str text, struct buf *out)
{
    size_t len_before = out->len;
    uint32_t bits = 0;
    unsigned held = 0;

    if (!cut_padding(&text)) {
        return false;
    }
    char *start = buf_reserve(out, text.len / 4 * 3 + 2);
    char *to = start;
    for (size_t i = 0; start != NULL && i < text.len; i++) {
        int value = digit_value(text.ptr[i]);
        if (value < 0) {
            buf_truncate(out, len_before);
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            *to++ = (char)(bits >> held & 0xFF);
        }
    }
    if (start != NULL) {
        buf_added(out, (size_t)(to - start));
    }
    return true;
}
