/*
 * Blocks are chained, newest first. A block is at least ARENA_BLOCK_MIN and grows with the arena:
 * it doubles a small one and makes a large one half larger, so that the number of blocks stays
 * logarithmic and an arena of a few hundred bytes costs no more than that. A request larger than
 * its block gets one of its own.
 *
 * Under AddressSanitizer each allocation could hide an overrun into its neighbour; the fuzzers
 * accept that, since parsers read their input from exact heap copies. Blocks that wait for another
 * use are poisoned: whoever still reads what they held is found out.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { ARENA_BLOCK_MIN = 512, ARENA_SMALL = 8192, ARENA_BLOCK_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t size; /* of data */
    _Alignas(ARENA_ALIGN) char data[];
};

void arena_init(struct arena *a, size_t cap_bytes)
{
    *a = (struct arena){.cap_bytes = cap_bytes};
}

static void arena_free_chain(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *older = block->older;
        mem_free(block);
        block = older;
    }
}

void arena_release(struct arena *a)
{
    arena_free_chain(a->head);
    arena_free_chain(a->kept);
    arena_init(a, a->cap_bytes);
}

void arena_reset(struct arena *a)
{
    struct arena_block *keep = a->head;

    if (keep == NULL) {
        return;
    }
    arena_free_chain(keep->older);
    keep->older = NULL;
    a->next = keep->data;
    a->end = keep->data + keep->size;
    a->used_bytes = keep->size;
    if (arena_over(a)) {
        arena_release(a);
    }
}

/* The smallest comes first: they are used in the order in which they were made. */
void arena_rewind(struct arena *a)
{
    while (a->head != NULL) {
        struct arena_block *block = a->head;
        a->head = block->older;
        block->older = a->kept;
        a->kept = block;
        ASAN_POISON_MEMORY_REGION(block->data, block->size);
    }
    a->kept_bytes += a->used_bytes;
    a->used_bytes = 0;
    a->next = NULL;
    a->end = NULL;
}

size_t arena_bytes(const struct arena *a)
{
    return a->used_bytes + a->kept_bytes;
}

/* What may still be taken before the cap is passed. */
static size_t arena_room(const struct arena *a)
{
    return a->cap_bytes > a->used_bytes ? a->cap_bytes - a->used_bytes : 0;
}

/* Never so large that the spare part alone would pass the cap. */
static size_t arena_block_size(const struct arena *a, size_t need)
{
    size_t size = a->used_bytes < ARENA_SMALL ? a->used_bytes : a->used_bytes / 2;
    size_t room = arena_room(a);

    size = size < ARENA_BLOCK_MIN ? ARENA_BLOCK_MIN : size;
    size = size > ARENA_BLOCK_MAX ? ARENA_BLOCK_MAX : size;
    size = size > room ? room : size;
    return size > need ? size : need;
}

/* A block of an earlier use that has room for <need>, or NULL. */
static struct arena_block *arena_take_kept(struct arena *a, size_t need)
{
    struct arena_block **link = &a->kept;

    while (*link != NULL && (*link)->size < need) {
        link = &(*link)->older;
    }
    struct arena_block *block = *link;
    if (block != NULL) {
        *link = block->older;
        a->kept_bytes -= block->size;
        ASAN_UNPOISON_MEMORY_REGION(block->data, block->size);
    }
    return block;
}

static struct arena_block *arena_new_block(const struct arena *a, size_t need)
{
    size_t size = arena_block_size(a, need);
    struct arena_block *block = mem_alloc(sizeof(struct arena_block) + size);

    block->size = size;
    return block;
}

void *arena_alloc_slow(struct arena *a, size_t size, size_t align)
{
    INVARIANT(size < SIZE_MAX / 4 && align <= 64);
    size_t need = align > ARENA_ALIGN ? size + align : size;
    struct arena_block *block = arena_take_kept(a, need);

    block = block != NULL ? block : arena_new_block(a, need);
    block->older = a->head;
    a->head = block;
    a->used_bytes += block->size;
    a->next = block->data;
    a->end = block->data + block->size;
    return arena_alloc_aligned(a, size, align);
}

void *arena_alloc0(struct arena *a, size_t count, size_t size)
{
    INVARIANT(size == 0 || count <= SIZE_MAX / 8 / size);
    return memset(arena_alloc(a, count * size), 0, count * size);
}

void *arena_try_alloc(struct arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 8 / size) {
        return NULL;
    }
    size_t left = a->next != NULL ? (size_t)(a->end - a->next) : 0;
    size_t pad = (0 - (uintptr_t)a->next) & (ARENA_ALIGN - 1);

    if (count * size + pad > left && count * size > arena_room(a)) {
        return NULL;
    }
    return arena_alloc(a, count * size);
}

struct str arena_dup(struct arena *a, struct str s)
{
    return str_make(arena_text(a, s), s.len);
}

char *arena_text(struct arena *a, struct str s)
{
    char *copy = arena_alloc_aligned(a, s.len + 1, 1);

    if (s.len != 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_list again;

    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    INVARIANT(len >= 0);
    char *text = arena_alloc_aligned(a, (size_t)len + 1, 1);
    (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return str_make(text, (size_t)len);
}
