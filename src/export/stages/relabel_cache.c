/*
 * Invariants
 *   1. A slot's bytes are the raw labels, and behind them what the rules make of exactly those: a hash
 *      only leads to the slot, the bytes decide.
 *   2. A set that was no set is never kept.
 *   3. <held> is the bytes of all slots; the slot used last of a place is its first one.
 */
#include "export/stages/relabel_cache.h"

#include "base/attr.h"
#include "base/mem.h"

#include <xxhash.h>

enum { WAYS = 2, SLOT_BYTES_MAX = 1024 };

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
    size_t held;
    struct slot slots[RELABEL_CACHE_SETS][WAYS];
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
    for (size_t i = 0; i < RELABEL_CACHE_SETS; i++) {
        for (size_t way = 0; way < WAYS; way++) {
            mem_free(c->slots[i][way].bytes);
        }
    }
    labels_unref(c->made);
    relabel_work_release(&c->work);
    mem_free(c);
}

/* The place's first slot becomes its last, over what that one held. */
static void keep(struct relabel_cache *c, struct slot *place, uint32_t hash, struct str in,
                 struct str out, bool dropped)
{
    size_t len = in.len + out.len;
    size_t freed = place[1].bytes != NULL ? (size_t)place[1].in + place[1].out : 0;

    if (len > SLOT_BYTES_MAX || c->held - freed + len > RELABEL_CACHE_BYTES) {
        return;
    }
    mem_free(place[1].bytes);
    place[1] = place[0];
    place[0] =
        (struct slot){mem_alloc(len + 1), hash, (uint16_t)in.len, (uint16_t)out.len, dropped};
    memcpy(place[0].bytes, in.ptr, in.len);
    memcpy(place[0].bytes + in.len, out.ptr, out.len);
    c->held += len - freed;
}

/* The plain way: a set is made of the bytes, and the rules are run on it. */
static enum rw1_labels make(struct relabel_cache *c, struct slot *place, uint32_t hash,
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
    keep(c, place, hash, in, *ret_out, c->made == NULL);
    return c->made != NULL ? RW1_LABELS_MADE : RW1_LABELS_DROPPED;
}

static bool is_slot(const struct slot *slot, uint32_t hash, struct str in)
{
    return slot->bytes != NULL && slot->hash == hash && slot->in == in.len &&
           memcmp(slot->bytes, in.ptr, in.len) == 0;
}

static void swap(struct slot *place)
{
    struct slot first = place[0];

    place[0] = place[1];
    place[1] = first;
}

enum rw1_labels relabel_cached(struct relabel_cache *c, struct str in, struct str *ret_out)
{
    uint64_t hash = XXH3_64bits(in.ptr, in.len);
    struct slot *place = c->slots[hash % RELABEL_CACHE_SETS];
    uint32_t check = (uint32_t)(hash >> 32);

    if (unlikely(!is_slot(&place[0], check, in))) {
        if (!is_slot(&place[1], check, in)) {
            return make(c, place, check, in, ret_out);
        }
        swap(place);
    }
    *ret_out = str_make(place->bytes + place->in, place->out);
    return place->dropped ? RW1_LABELS_DROPPED : RW1_LABELS_MADE;
}
