/*
 * map.h - a hash map from bytes to a pointer.
 *
 * Open addressing with linear probing and a seed per map, so that keys chosen by outsiders cannot
 * be made to collide. Ownership: keys and values are borrowed; they must stay where they are while
 * they are in the map (usually the key lives inside the value). Threads: confined. Limits: 2^31
 * entries. Iteration order is not defined; removing the entry just visited is allowed, adding is
 * not.
 */
#ifndef TELEX_BASE_MAP_H
#define TELEX_BASE_MAP_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct map_slot;

struct map {
    struct map_slot *slots;
    uint64_t seed;
    uint32_t len;  /* entries */
    uint32_t used; /* entries and tombstones */
    uint32_t cap;  /* slots: 0 or a power of two */
};

/* An empty map; <seed> from env's rand, or 0 where every key is our own. Takes no memory until the
 * first put. */
void map_init(struct map *m, uint64_t seed);
void map_release(struct map *m);

/* Forgets all entries, keeps the memory. */
void map_clear(struct map *m);

/* The value of <key>; NULL when absent. */
void *map_get(const struct map *m, struct str key);

/* Sets <key> to <value> (not NULL); gives the value that was there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);

/* Removes <key>; gives its value, or NULL when absent. */
void *map_del(struct map *m, struct str key);

/*
 * Walks the entries: start with *at = 0; false at the end. <ret_key> may be NULL.
 */
bool map_next(const struct map *m, uint32_t *at, struct str *ret_key, void **ret_value);

#endif
