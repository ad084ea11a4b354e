#include "base/mem.h"

#include "base/exhausted.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* No object is larger: pointer differences would overflow. */
#define MEM_MAX ((size_t)PTRDIFF_MAX)

static bool mem_overflows(size_t count, size_t size)
{
    return size != 0 && count > MEM_MAX / size;
}

void *mem_alloc(size_t size)
{
    void *ptr = mem_try_alloc(size);

    while (unlikely(ptr == NULL)) {
        mem_exhausted(1, size);
        ptr = mem_try_alloc(size);
    }
    return ptr;
}

static void *try_alloc0(size_t count, size_t size)
{
    return mem_overflows(count, size) ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *mem_alloc0(size_t count, size_t size)
{
    void *ptr = try_alloc0(count, size);

    while (unlikely(ptr == NULL)) {
        mem_exhausted(count, size);
        ptr = try_alloc0(count, size);
    }
    return ptr;
}

void *mem_try_resize(void *ptr, size_t count, size_t size)
{
    if (mem_overflows(count, size)) {
        return NULL;
    }
    size_t bytes = count * size;

    return realloc(ptr, bytes != 0 ? bytes : 1);
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    void *moved = mem_try_resize(ptr, count, size);

    while (unlikely(moved == NULL)) {
        mem_exhausted(count, size);
        moved = mem_try_resize(ptr, count, size);
    }
    return moved;
}

void *mem_try_alloc(size_t size)
{
    return mem_overflows(1, size) ? NULL : malloc(size ? size : 1);
}

void *mem_dup(const void *src, size_t size)
{
    void *copy = mem_alloc(size);

    if (size != 0) {
        memcpy(copy, src, size);
    }
    return copy;
}

char *mem_dup_text(const char *src, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (len != 0) {
        memcpy(copy, src, len);
    }
    copy[len] = '\0';
    return copy;
}

void mem_free(const void *ptr)
{
    free((void *)(uintptr_t)ptr);
}

void mem_tune(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MEM_LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, MEM_LARGE_BYTES);
    (void)mallopt(M_ARENA_MAX, MEM_ARENAS);
}

void mem_trim(void)
{
    (void)malloc_trim(0);
}
