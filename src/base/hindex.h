/*
 * hindex.h - a hash index over the caller's own array: it stores only element numbers.
 *
 * For tables of very many small elements, where a map's slot would outweigh the element: four bytes
 * per slot, hashes and equality stay with the caller. Ownership: the index owns its slots; ids mean
 * elements of the caller's array. Threads: confined. Limits: 2^31 ids; ids are not removed one by
 * one, the caller rebuilds after compacting its array.
 */
#ifndef TELEX_BASE_HINDEX_H
#define TELEX_BASE_HINDEX_H

#include <stdbool.h>
#include <stdint.h>

#define HINDEX_NONE UINT32_MAX

struct hindex {
    uint32_t *slots; /* id + 1; 0 is empty */
    uint32_t cap;    /* 0 or a power of two */
    uint32_t count;
};

/* What the index must know about an element. Only the low 32 bits of a hash count. */
struct hindex_ops {
    uint64_t (*hash)(const void *arg, uint32_t id);
    bool (*same)(const void *arg, uint32_t id, const void *key);
};

void hindex_release(struct hindex *h);

/* Forgets all ids, keeps the memory. */
void hindex_clear(struct hindex *h);

/* The id whose element is <key> with <hash>; HINDEX_NONE when there is none. */
uint32_t hindex_find(const struct hindex *h, const struct hindex_ops *ops, const void *arg,
                     uint64_t hash, const void *key);

/* Adds an id that is not in it. */
void hindex_add(struct hindex *h, const struct hindex_ops *ops, const void *arg, uint64_t hash,
                uint32_t id);

/* Memory held, in bytes. */
uint64_t hindex_bytes(const struct hindex *h);

#endif
