#include "base/buf.h"

#include "base/mem.h"

#include <stdio.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = BUF_INIT(max_bytes < BUF_UNLIMITED ? max_bytes : BUF_UNLIMITED);
}

void buf_release(struct buf *b)
{
    mem_free(b->ptr);
    *b = BUF_INIT(b->max);
}

void buf_clear(struct buf *b)
{
    b->over = false;
    buf_truncate(b, 0);
}

void buf_truncate(struct buf *b, size_t len)
{
    if (b->ptr != NULL && len <= b->len) {
        b->len = len;
        b->ptr[len] = '\0';
    }
}

const char *buf_text(struct buf *b)
{
    return b->ptr ? b->ptr : "";
}

char *buf_take(struct buf *b)
{
    char *bytes = b->ptr ? b->ptr : mem_dup_text("", 0);

    *b = BUF_INIT(b->max);
    return bytes;
}

/* The next capacity that holds <need> bytes and the NUL: doubling, from 64 bytes. */
static size_t buf_next_cap(size_t cap, size_t need)
{
    size_t next = cap < 64 ? 64 : cap * 2;

    return next > need ? next : need + 1;
}

char *buf_grow(struct buf *b, size_t len)
{
    if (unlikely(b->over || len > b->max || b->len > b->max - len)) {
        b->over = true;
        return NULL;
    }
    if (unlikely(b->len + len >= b->cap)) {
        b->cap = buf_next_cap(b->cap, b->len + len);
        b->ptr = mem_resize(b->ptr, b->cap, 1);
    }
    return b->ptr + b->len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *room = buf_reserve(b, len);

    if (room != NULL) {
        if (len != 0) {
            memcpy(room, bytes, len);
        }
        buf_added(b, len);
    }
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_add_text(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_repeat(struct buf *b, char byte, size_t count)
{
    char *room = buf_reserve(b, count);

    if (room != NULL) {
        memset(room, byte, count);
        buf_added(b, count);
    }
}

void buf_add_rune(struct buf *b, uint32_t rune)
{
    unsigned char bytes[4];
    size_t len = rune < 0x80 ? 1 : rune < 0x800 ? 2 : rune < 0x10000 ? 3 : 4;

    if (rune > 0x10FFFF || (rune >= 0xD800 && rune < 0xE000)) {
        buf_add_text(b, "\xEF\xBF\xBD");
        return;
    }
    for (size_t i = len; i-- > 1; rune >>= 6) {
        bytes[i] = (unsigned char)(0x80 | (rune & 0x3F));
    }
    bytes[0] = (unsigned char)(rune | (len == 1 ? 0U : 0xF00U >> len & 0xFFU));
    buf_add(b, bytes, len);
}

void buf_add_utf8(struct buf *b, struct str s)
{
    while (s.len > 0) {
        size_t len = str_utf8_length(s);
        if (len > 0) {
            buf_add(b, s.ptr, len);
        } else {
            buf_add_rune(b, 0xFFFD);
            len = 1;
        }
        s = str_slice(s, len, s.len);
    }
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;

    if (value < 0) {
        buf_add_byte(b, '-');
        magnitude = 0 - magnitude;
    }
    buf_add_u64(b, magnitude);
}

void buf_vaddf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    int need = vsnprintf(NULL, 0, fmt, args);
    char *room = need < 0 ? NULL : buf_reserve(b, (size_t)need);
    if (room != NULL) {
        (void)vsnprintf(room, (size_t)need + 1, fmt, again);
        buf_added(b, (size_t)need);
    }
    va_end(again);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_vaddf(b, fmt, args);
    va_end(args);
}
