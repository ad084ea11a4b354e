/*
 * buf.h - a growing byte buffer with a cap given at birth.
 *
 * Writers append without checking each call: when the cap would be passed the buffer becomes
 * *over*, drops what does not fit and stays over until cleared; the writer asks buf_ok() once at
 * the end. The bytes are always followed by a NUL that is not counted. Ownership: the buffer owns
 * its bytes until buf_take(). Threads: confined. Limits: <max> bytes, SIZE_MAX/4 at most.
 */
#ifndef TELEX_BASE_BUF_H
#define TELEX_BASE_BUF_H

#include "base/attr.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max; /* bytes */
    bool over;
};

enum { BUF_SMALL = 64 * 1024 };
#define BUF_UNLIMITED (SIZE_MAX / 4)

#define BUF_INIT(max_bytes) ((struct buf){.max = (max_bytes)})

void buf_init(struct buf *b, size_t max_bytes);

/* Frees the bytes; the buffer is as after buf_init(). For AUTO(buf_release) too. */
void buf_release(struct buf *b);

/* Empties the buffer, keeps the memory, forgets that it was over. */
void buf_clear(struct buf *b);

/* Cuts the buffer to <len> bytes, if it is longer. */
void buf_truncate(struct buf *b, size_t len);

static inline bool buf_ok(const struct buf *b)
{
    return !b->over;
}

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr ? b->ptr : "", b->len};
}

/* The bytes as a C string; valid until the next append. */
const char *buf_text(struct buf *b);

/* Moves the bytes out (NUL-terminated, owned by the caller); the buffer becomes empty. */
char *buf_take(struct buf *b);

/* buf_reserve() when the bytes that are there do not do. */
char *buf_grow(struct buf *b, size_t len);

/*
 * Room for <len> more bytes: a pointer to fill and then buf_added(), or NULL (and over) when the
 * cap would be passed.
 */
static inline char *buf_reserve(struct buf *b, size_t len)
{
    size_t end = b->len + len;

    /* The sum cannot go round: nothing is longer than half of all addresses. */
    return likely(!b->over && end <= b->max && end < b->cap) ? b->ptr + b->len : buf_grow(b, len);
}

static inline void buf_added(struct buf *b, size_t len)
{
    b->len += len;
    b->ptr[b->len] = '\0';
}

static inline void buf_add_byte(struct buf *b, char byte)
{
    char *room = buf_reserve(b, 1);

    if (likely(room != NULL)) {
        *room = byte;
        buf_added(b, 1);
    }
}

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *text);
void buf_add_repeat(struct buf *b, char byte, size_t count);
/* As UTF-8; U+FFFD for what is no character. */
void buf_add_rune(struct buf *b, uint32_t rune);
/* A text; U+FFFD for each byte that is no part of a character. */
void buf_add_utf8(struct buf *b, struct str s);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

#endif
