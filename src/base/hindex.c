/*
 * Invariants
 *   1. cap is 0 or a power of two, count <= 3/4 cap: every probe ends at an empty slot.
 *   2. Between the home slot of an id and its slot none is empty.
 */
#include "base/hindex.h"

#include "base/mem.h"

#include <string.h>

void hindex_release(struct hindex *h)
{
    mem_free(h->slots);
    *h = (struct hindex){0};
}

void hindex_clear(struct hindex *h)
{
    if (h->slots != NULL) {
        memset(h->slots, 0, h->cap * sizeof(*h->slots));
    }
    h->count = 0;
}

uint32_t hindex_find(const struct hindex *h, const struct hindex_ops *ops, const void *arg,
                     uint64_t hash, const void *key)
{
    if (h->cap == 0) {
        return HINDEX_NONE;
    }
    for (uint32_t i = (uint32_t)hash & (h->cap - 1); h->slots[i] != 0; i = (i + 1) & (h->cap - 1)) {
        if (ops->same(arg, h->slots[i] - 1, key)) {
            return h->slots[i] - 1;
        }
    }
    return HINDEX_NONE;
}

static void place(struct hindex *h, uint64_t hash, uint32_t id)
{
    uint32_t i = (uint32_t)hash & (h->cap - 1);

    while (h->slots[i] != 0) {
        i = (i + 1) & (h->cap - 1);
    }
    h->slots[i] = id + 1;
    h->count++;
}

static void grow(struct hindex *h, const struct hindex_ops *ops, const void *arg)
{
    struct hindex old = *h;

    h->cap = old.cap == 0 ? 16 : old.cap * 2;
    h->slots = mem_alloc0(h->cap, sizeof(*h->slots));
    h->count = 0;
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.slots[i] != 0) {
            place(h, ops->hash(arg, old.slots[i] - 1), old.slots[i] - 1);
        }
    }
    mem_free(old.slots);
}

void hindex_add(struct hindex *h, const struct hindex_ops *ops, const void *arg, uint64_t hash,
                uint32_t id)
{
    INVARIANT(id < INT32_MAX);
    if (h->count + 1 > h->cap / 4 * 3) {
        grow(h, ops, arg);
    }
    place(h, hash, id);
}

uint64_t hindex_bytes(const struct hindex *h)
{
    return (uint64_t)h->cap * sizeof(*h->slots);
}
