/*
 * Invariants
 *   1. Every raw names an item that was live when it was linked; compaction removes raws of dropped
 * items, so an id is never re-used while a raw names it.
 *   2. by_labels holds exactly the live items and those dropped since the last compaction (which
 * never compare equal).
 */
#include "rules/series_table.h"

#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { COMPACT_MIN = 64 };

/* ---- what the indexes must know ---- */

static uint64_t raw_hash(const void *arg, uint32_t id)
{
    const struct series_table *t = arg;

    return t->raws.items[id].hash.bits;
}

static bool raw_same(const void *arg, uint32_t id, const void *key)
{
    const struct series_table *t = arg;
    const struct raw_hash *hash = key;

    return raw_hash_eq(t->raws.items[id].hash, *hash);
}

static const struct hindex_ops raw_ops = {raw_hash, raw_same};

static uint64_t item_hash(const void *arg, uint32_t id)
{
    return series_at(arg, id)->hash;
}

static bool item_same(const void *arg, uint32_t id, const void *key)
{
    const struct series_item *item = series_at(arg, id);

    return item->labels != NULL && labels_eq(item->labels, key);
}

static const struct hindex_ops item_ops = {item_hash, item_same};

/* ---- the table ---- */

void series_table_init(struct series_table *t, uint32_t item_size)
{
    *t = (struct series_table){.item_size = item_size};
}

void series_table_release(struct series_table *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        labels_unref(series_at(t, i)->labels);
    }
    mem_free(t->items);
    vec_release(&t->raws);
    hindex_release(&t->by_raw);
    hindex_release(&t->by_labels);
    series_table_init(t, t->item_size);
}

struct raw_hash raw_hash_of(struct str raw)
{
    return (struct raw_hash){XXH3_64bits(raw.ptr, raw.len)};
}

uint32_t series_find_raw(struct series_table *t, struct raw_hash raw)
{
    uint32_t at = t->next_raw;

    if (at >= t->raws.len || !raw_same(t, at, &raw)) {
        at = hindex_find(&t->by_raw, &raw_ops, t, raw.bits, &raw);
    }
    if (at == HINDEX_NONE) {
        return HINDEX_NONE;
    }
    t->next_raw = at + 1;
    uint32_t item = t->raws.items[at].item;
    return series_at(t, item)->labels != NULL ? item : HINDEX_NONE;
}

uint32_t series_find(const struct series_table *t, const struct labels *labels)
{
    return hindex_find(&t->by_labels, &item_ops, t, labels->hash, labels);
}

uint32_t series_add(struct series_table *t, struct labels *labels)
{
    if (t->count == t->cap) {
        t->cap = t->cap < 8 ? 8 : t->cap + t->cap / 2;
        t->items = mem_resize(t->items, t->cap, t->item_size);
    }
    uint32_t id = t->count++;
    memset(series_at(t, id), 0, t->item_size);
    series_at(t, id)->labels = labels;
    series_at(t, id)->hash = (uint32_t)labels->hash;
    hindex_add(&t->by_labels, &item_ops, t, labels->hash, id);
    return id;
}

void series_link_raw(struct series_table *t, struct raw_hash raw, uint32_t id)
{
    struct series_raw entry = {.hash = raw, .item = id};
    uint32_t at = hindex_find(&t->by_raw, &raw_ops, t, raw.bits, &raw);

    if (at != HINDEX_NONE) { /* it meant an item that was dropped meanwhile */
        t->raws.items[at].item = id;
        t->next_raw = at + 1;
        return;
    }
    vec_push(&t->raws, entry);
    t->next_raw = (uint32_t)t->raws.len;
    hindex_add(&t->by_raw, &raw_ops, t, raw.bits, (uint32_t)t->raws.len - 1);
}

void series_drop(struct series_table *t, uint32_t id)
{
    struct series_item *item = series_at(t, id);

    labels_unref(item->labels);
    item->labels = NULL;
    t->dropped++;
}

/* Keeps the raws of live items, renumbered by <moved>. */
static void compact_raws(struct series_table *t, const uint32_t *moved)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->raws.len; i++) {
        struct series_raw raw = t->raws.items[i];
        if (moved[raw.item] != HINDEX_NONE) {
            raw.item = moved[raw.item];
            t->raws.items[kept++] = raw;
        }
    }
    t->raws.len = kept;
    hindex_clear(&t->by_raw);
    for (uint32_t i = 0; i < kept; i++) {
        hindex_add(&t->by_raw, &raw_ops, t, t->raws.items[i].hash.bits, i);
    }
}

void series_compact(struct series_table *t)
{
    if (t->dropped < COMPACT_MIN || t->dropped < t->count / 2) {
        return;
    }
    uint32_t *moved = mem_alloc0(t->count, sizeof(*moved));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        moved[i] = HINDEX_NONE;
        if (series_at(t, i)->labels != NULL) {
            memmove(series_at(t, kept), series_at(t, i), t->item_size);
            moved[i] = kept++;
        }
    }
    t->count = kept;
    t->dropped = 0;
    hindex_clear(&t->by_labels);
    for (uint32_t i = 0; i < kept; i++) {
        hindex_add(&t->by_labels, &item_ops, t, series_at(t, i)->labels->hash, i);
    }
    compact_raws(t, moved);
    mem_free(moved);
}

void series_forget_raws(struct series_table *t)
{
    vec_clear(&t->raws);
    hindex_clear(&t->by_raw);
    t->next_raw = 0;
}

uint64_t series_table_bytes(const struct series_table *t)
{
    return (uint64_t)t->cap * t->item_size + t->raws.cap * sizeof(*t->raws.items) +
           hindex_bytes(&t->by_raw) + hindex_bytes(&t->by_labels);
}
