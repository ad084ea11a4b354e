/*
 * Invariants
 *   1. cap is 0 or a power of two; used <= 3/4 cap, so every probe ends at an empty slot.
 *   2. A slot is empty (value NULL, key.ptr NULL), a tombstone (value NULL, key.ptr set) or an
 * entry (value set).
 *   3. Between the home slot of an entry and the entry itself no slot is empty.
 */
#include "base/map.h"

#include "base/mem.h"

struct map_slot {
    struct str key;
    void *value;
    uint64_t hash;
};

static const char tombstone[1];

void map_init(struct map *m, uint64_t seed)
{
    *m = (struct map){.seed = seed};
}

void map_release(struct map *m)
{
    mem_free(m->slots);
    map_init(m, m->seed);
}

void map_clear(struct map *m)
{
    if (m->slots != NULL) {
        memset(m->slots, 0, m->cap * sizeof(*m->slots));
    }
    m->len = 0;
    m->used = 0;
}

static bool slot_is_empty(const struct map_slot *slot)
{
    return slot->value == NULL && slot->key.ptr == NULL;
}

/* The slot that holds <key>, or NULL. */
static struct map_slot *map_find(const struct map *m, struct str key, uint64_t hash)
{
    if (m->cap == 0) {
        return NULL;
    }
    for (uint32_t i = (uint32_t)hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_slot *slot = &m->slots[i];
        if (slot_is_empty(slot)) {
            return NULL;
        }
        if (slot->value != NULL && slot->hash == hash && str_eq(slot->key, key)) {
            return slot;
        }
    }
}

/* Puts an entry that is not in the map into the first slot free for it. */
static void map_place(struct map *m, struct map_slot entry)
{
    uint32_t i = (uint32_t)entry.hash & (m->cap - 1);

    while (m->slots[i].value != NULL) {
        i = (i + 1) & (m->cap - 1);
    }
    m->used += slot_is_empty(&m->slots[i]);
    m->len++;
    m->slots[i] = entry;
}

/* Makes room for one more entry: grows when live entries fill half, else only sweeps tombstones. */
static void map_make_room(struct map *m)
{
    if (m->cap != 0 && m->used + 1 <= m->cap / 4 * 3) {
        return;
    }
    INVARIANT(m->len < UINT32_C(1) << 30);
    struct map old = *m;
    m->cap = old.cap == 0 ? 8 : old.len >= old.cap / 2 ? old.cap * 2 : old.cap;
    m->slots = mem_alloc0(m->cap, sizeof(*m->slots));
    m->len = 0;
    m->used = 0;
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.slots[i].value != NULL) {
            map_place(m, old.slots[i]);
        }
    }
    mem_free(old.slots);
}

void *map_get(const struct map *m, struct str key)
{
    const struct map_slot *slot = m->cap == 0 ? NULL : map_find(m, key, str_hash(key, m->seed));

    return slot ? slot->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = str_hash(key, m->seed);
    struct map_slot *slot = map_find(m, key, hash);

    INVARIANT(value != NULL);
    if (slot != NULL) {
        void *before = slot->value;
        slot->key = key;
        slot->value = value;
        return before;
    }
    map_make_room(m);
    map_place(m, (struct map_slot){
                     .key = {key.ptr ? key.ptr : "", key.len}, .value = value, .hash = hash});
    return NULL;
}

void *map_del(struct map *m, struct str key)
{
    struct map_slot *slot = map_find(m, key, str_hash(key, m->seed));

    if (slot == NULL) {
        return NULL;
    }
    void *value = slot->value;
    *slot = (struct map_slot){.key = {tombstone, 0}};
    m->len--;
    return value;
}

bool map_next(const struct map *m, uint32_t *at, struct str *ret_key, void **ret_value)
{
    for (; *at < m->cap; (*at)++) {
        const struct map_slot *slot = &m->slots[*at];
        if (slot->value == NULL) {
            continue;
        }
        if (ret_key != NULL) {
            *ret_key = slot->key;
        }
        *ret_value = slot->value;
        (*at)++;
        return true;
    }
    return false;
}
