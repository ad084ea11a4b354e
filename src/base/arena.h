/*
 * arena.h - memory that is freed all at once: one per evaluation, request, batch or config.
 *
 * Allocation is a pointer bump and never fails for sizes that the program chooses; passing the cap
 * only sets a flag, which the owner checks with arena_over() where it can give up cleanly. Sizes
 * that an outsider chooses go through arena_try_alloc(), which refuses instead. Ownership:
 * everything belongs to the arena; arena_reset() empties it and keeps one block for the next use,
 * arena_rewind() all of them, arena_release() gives everything back. Threads: confined. Limits: <cap_bytes>.
 */
#ifndef TELEX_BASE_ARENA_H
#define TELEX_BASE_ARENA_H

#include "base/attr.h"
#include "base/mem.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* the newest block, being filled */
    struct arena_block *kept; /* empty ones of a use before */
    char *next;
    char *end;
    size_t used_bytes; /* of all blocks but those */
    size_t kept_bytes;
    size_t cap_bytes;
};

#define ARENA_UNLIMITED SIZE_MAX

enum { ARENA_ALIGN = 16 };

void arena_init(struct arena *a, size_t cap_bytes);
void arena_release(struct arena *a);
void arena_reset(struct arena *a);

/* Empties it for a use that will be like the one before: no block is given back. */
void arena_rewind(struct arena *a);

/* Bytes held, for the budget. */
size_t arena_bytes(const struct arena *a);

/* Has the cap been passed? */
static inline bool arena_over(const struct arena *a)
{
    return a->used_bytes > a->cap_bytes;
}

/* A new block big enough for <size> bytes at <align>; the slow path of arena_alloc_aligned(). */
void *arena_alloc_slow(struct arena *a, size_t size, size_t align) __attribute__((returns_nonnull));

/* <size> bytes, not cleared, aligned to <align> (a power of two up to 64). Never NULL. */
static inline void *arena_alloc_aligned(struct arena *a, size_t size, size_t align)
{
    uintptr_t at = ((uintptr_t)a->next + (align - 1)) & ~(uintptr_t)(align - 1);

    if (likely(a->next != NULL && at <= (uintptr_t)a->end && size <= (uintptr_t)a->end - at)) {
        char *start = a->next + (at - (uintptr_t)a->next);
        a->next = start + size;
        return start;
    }
    return arena_alloc_slow(a, size, align);
}

static inline void *arena_alloc(struct arena *a, size_t size)
{
    return arena_alloc_aligned(a, size, ARENA_ALIGN);
}

/* <count> * <size> cleared bytes. Never NULL. */
void *arena_alloc0(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));

/* As arena_alloc(), but NULL when <count> * <size> would overflow or pass the cap. */
MUST_USE void *arena_try_alloc(struct arena *a, size_t count, size_t size);

/* Copies into the arena; the text forms end in a NUL that is not counted. */
struct str arena_dup(struct arena *a, struct str s);
char *arena_text(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define arena_new(a, T) ((T *)arena_alloc0((a), 1, sizeof(T)))
#define arena_array(a, T, n) ((T *)arena_alloc0((a), (n), sizeof(T)))

#endif
