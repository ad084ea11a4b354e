/*
 * Invariants
 *   1. A slot's bytes are the raw labels, and behind them what the rules make of exactly those: a hash
 *      only leads to the slot, the bytes decide.
 *   2. A set that was no set is never kept.
 */
#include "export/stages/relabel_cache.h"

#include "base/attr.h"
#include "base/mem.h"

#include <xxhash.h>

enum { SLOTS = 16 * 1024, SLOT_BYTES_MAX = 1024 };

struct slot {
    char *bytes; /* NULL: free */
    uint32_t hash;
    uint16_t in;
    uint16_t out;
    bool dropped;
};

struct relabel_cache {
    const struct relabel *rules;
    struct relabel_work work;
    struct labels *made; /* of the last set that was not found */
    struct slot slots[SLOTS];
};

struct relabel_cache *relabel_cache_new(const struct relabel *rules)
{
    struct relabel_cache *c = mem_new(struct relabel_cache);

    c->rules = rules;
    relabel_work_init(&c->work);
    return c;
}

void relabel_cache_free(struct relabel_cache *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        mem_free(c->slots[i].bytes);
    }
    labels_unref(c->made);
    relabel_work_release(&c->work);
    mem_free(c);
}

static void keep(struct slot *slot, uint32_t hash, struct str in, struct str out, bool dropped)
{
    if (in.len + out.len > SLOT_BYTES_MAX) {
        return;
    }
    mem_free(slot->bytes);
    *slot = (struct slot){mem_alloc(in.len + out.len + 1), hash, (uint16_t)in.len,
                          (uint16_t)out.len, dropped};
    memcpy(slot->bytes, in.ptr, in.len);
    memcpy(slot->bytes + in.len, out.ptr, out.len);
}

/* The plain way: a set is made of the bytes, and the rules are run on it. */
static enum rw1_labels make(struct relabel_cache *c, struct slot *slot, uint32_t hash,
                            struct str in, struct str *ret_out)
{
    struct labels *set = NULL;
    struct err ignored = ERR_INIT;

    if (!labels_from_bytes(in, &set, &ignored)) {
        return RW1_LABELS_BAD;
    }
    labels_unref(c->made);
    c->made = relabel_apply(c->rules, &c->work, set);
    labels_unref(set);
    *ret_out = c->made != NULL ? labels_bytes(c->made) : STR("");
    keep(slot, hash, in, *ret_out, c->made == NULL);
    return c->made != NULL ? RW1_LABELS_MADE : RW1_LABELS_DROPPED;
}

enum rw1_labels relabel_cached(struct relabel_cache *c, struct str in, struct str *ret_out)
{
    uint64_t hash = XXH3_64bits(in.ptr, in.len);
    struct slot *slot = &c->slots[hash % SLOTS];
    uint32_t check = (uint32_t)(hash >> 32);

    if (unlikely(slot->bytes == NULL || slot->hash != check || slot->in != in.len ||
                 memcmp(slot->bytes, in.ptr, in.len) != 0)) {
        return make(c, slot, check, in, ret_out);
    }
    *ret_out = str_make(slot->bytes + slot->in, slot->out);
    return slot->dropped ? RW1_LABELS_DROPPED : RW1_LABELS_MADE;
}
