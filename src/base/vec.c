#include "base/vec.h"

void *vec_grow(void *items, size_t len, size_t *cap, size_t size)
{
    size_t next = len < 4 ? 8 : len * 2;

    *cap = next;
    return mem_resize(items, next, size);
}
