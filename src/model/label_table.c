/*
 * Interned label sets: SHARDS open-addressing tables, each with its lock, so that rule workers rarely
 * meet.
 *
 * Invariants (under the shard's lock)
 *   1. A slot is empty (set NULL, holders 0) or an entry (holders > 0); the table owns one reference of
 *      each entry's set, so the set lives as long as somebody holds it through the table.
 *   2. cap is 0 or a power of two, len <= 3/4 cap: every probe ends at an empty slot.
 *   3. Between the home slot of an entry (its tag) and the entry itself no slot is empty.
 */
#include "base/mem.h"
#include "base/thread.h"
#include "model/labels.h"

enum { SHARDS = 16, CAP_MIN = 16 };

struct slot {
    struct labels *set;
    uint32_t holders;
    uint32_t tag; /* low bits of the seeded hash */
};

struct shard {
    struct lock lock;
    struct slot *slots;
    uint32_t len;
    uint32_t cap;
};

struct label_table {
    uint64_t seed;
    struct shard shards[SHARDS];
};

struct label_table *label_table_new(uint64_t seed)
{
    struct label_table *t = mem_new(struct label_table);

    t->seed = seed;
    for (size_t i = 0; i < SHARDS; i++) {
        lock_init(&t->shards[i].lock);
    }
    return t;
}

static void shard_release(struct shard *s)
{
    for (uint32_t i = 0; i < s->cap; i++) {
        labels_unref(s->slots[i].set);
    }
    mem_free(s->slots);
    lock_release(&s->lock);
}

void label_table_free(struct label_table *t)
{
    if (t == NULL) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        shard_release(&t->shards[i]);
    }
    mem_free(t);
}

static struct shard *shard_of(struct label_table *t, uint64_t hash)
{
    return &t->shards[(hash >> 32) % SHARDS];
}

/* The slot that holds <l>'s content, or the empty one where it belongs. cap is not 0. */
static struct slot *shard_find(const struct shard *s, const struct labels *l, uint32_t tag)
{
    uint32_t mask = s->cap - 1;

    for (uint32_t i = tag & mask;; i = (i + 1) & mask) {
        struct slot *slot = &s->slots[i];
        if (slot->set == NULL || (slot->tag == tag && labels_eq(slot->set, l))) {
            return slot;
        }
    }
}

/* The slots in a table of <cap>; the old one is freed. */
static void shard_resize(struct shard *s, uint32_t cap)
{
    struct shard old = *s;

    s->slots = mem_alloc0(cap, sizeof(*s->slots));
    s->cap = cap;
    for (uint32_t i = 0; i < old.cap; i++) {
        if (old.slots[i].set != NULL) {
            uint32_t at = old.slots[i].tag & (cap - 1);
            while (s->slots[at].set != NULL) {
                at = (at + 1) & (cap - 1);
            }
            s->slots[at] = old.slots[i];
        }
    }
    mem_free(old.slots);
}

/* Empties <slot> and moves the entries behind it forward, so that invariant 3 holds again. */
static void shard_remove(struct shard *s, struct slot *slot)
{
    uint32_t mask = s->cap - 1;
    uint32_t hole = (uint32_t)(slot - s->slots);

    for (uint32_t i = (hole + 1) & mask; s->slots[i].set != NULL; i = (i + 1) & mask) {
        uint32_t from_home = (i - s->slots[i].tag) & mask;
        if (from_home >= ((i - hole) & mask)) {
            s->slots[hole] = s->slots[i];
            hole = i;
        }
    }
    s->slots[hole] = (struct slot){0};
    s->len--;
}

static struct labels *shard_intern(struct shard *s, struct labels *l, uint32_t tag)
{
    if (s->len >= s->cap / 4 * 3) {
        shard_resize(s, s->cap == 0 ? CAP_MIN : s->cap * 2);
    }
    struct slot *slot = shard_find(s, l, tag);
    if (slot->set == NULL) {
        *slot = (struct slot){.set = l, .tag = tag};
        s->len++;
    } else {
        labels_unref(l);
    }
    slot->holders++;
    return slot->set;
}

struct labels *label_table_intern(struct label_table *t, struct labels *l)
{
    uint64_t hash = str_hash(labels_bytes(l), t->seed);
    struct shard *s = shard_of(t, hash);

    lock_take(&s->lock);
    struct labels *shared = shard_intern(s, l, (uint32_t)hash);
    lock_give(&s->lock);
    return shared;
}

void label_table_unref(struct label_table *t, struct labels *l)
{
    if (l == NULL) {
        return;
    }
    uint64_t hash = str_hash(labels_bytes(l), t->seed);
    struct shard *s = shard_of(t, hash);
    struct labels *dropped = NULL;

    lock_take(&s->lock);
    INVARIANT(s->cap != 0);
    struct slot *slot = shard_find(s, l, (uint32_t)hash);
    INVARIANT(slot->set == l);
    if (--slot->holders == 0) {
        dropped = l;
        shard_remove(s, slot);
    }
    lock_give(&s->lock);
    labels_unref(dropped);
}

size_t label_table_count(struct label_table *t)
{
    size_t count = 0;

    for (size_t i = 0; i < SHARDS; i++) {
        lock_take(&t->shards[i].lock);
        count += t->shards[i].len;
        lock_give(&t->shards[i].lock);
    }
    return count;
}
