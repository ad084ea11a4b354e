/*
 * series_table.h - the series of one rule, recognised from one evaluation to the next.
 *
 * An answer names a series by the raw bytes of its labels. The table knows the bytes' hash and so
 * finds the series without parsing; a series at the place where it was last time costs one
 * comparison. Several raw forms may mean one series (labels that the rule removes or sets); two in
 * one answer are the duplicate that makes a rule fail.
 *
 * Items are kept by value in one array; what a rule keeps per series follows struct series_item in
 * the same element. Ownership: the table owns one reference to each item's labels. Threads:
 * confined; readers in other threads hold the owner's lock, and so does the owner when it adds,
 * drops or compacts. Limits: 2^31 items.
 */
#ifndef TELEX_RULES_SERIES_TABLE_H
#define TELEX_RULES_SERIES_TABLE_H

#include "base/hindex.h"
#include "base/str.h"
#include "base/vec.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

/* The head of every element. */
struct series_item {
    struct labels
        *labels;   /* the rule's final labels; NULL: dropped, until the table is compacted */
    uint32_t seen; /* the evaluation that last met it */
    uint32_t hash; /* of the labels, the low bits: a dropped item keeps its place in the index */
};

/*
 * XXH3-64 of a raw label object. Two series of one answer that share it end the evaluation as
 * duplicates, aloud; the odds in a rule of a million series are 1 in 30 million.
 */
struct raw_hash {
    uint64_t bits;
};

struct raw_hash raw_hash_of(struct str raw);

static inline bool raw_hash_eq(struct raw_hash a, struct raw_hash b)
{
    return a.bits == b.bits;
}

/* A raw form and the item that it means. */
struct series_raw {
    struct raw_hash hash;
    uint32_t item;
};

struct series_table {
    char *items;
    uint32_t item_size; /* bytes of an element */
    uint32_t count;     /* elements, dropped ones too */
    uint32_t cap;
    uint32_t dropped;
    VEC(struct series_raw) raws;
    uint32_t next_raw; /* where the next row's series is expected */
    struct hindex by_raw;
    struct hindex by_labels;
};

void series_table_init(struct series_table *t, uint32_t item_size);
void series_table_release(struct series_table *t);

static inline struct series_item *series_at(const struct series_table *t, uint32_t id)
{
    return (struct series_item *)(void *)(t->items + (size_t)id * t->item_size);
}

/* The item that <raw> means; HINDEX_NONE when these bytes were never linked. */
uint32_t series_find_raw(struct series_table *t, struct raw_hash raw);

/* The item with these labels; HINDEX_NONE when there is none. */
uint32_t series_find(const struct series_table *t, const struct labels *labels);

/* Adds a cleared item; takes over the reference to <labels>. */
uint32_t series_add(struct series_table *t, struct labels *labels);

/* From now on <raw> means item <id>. */
void series_link_raw(struct series_table *t, struct raw_hash raw, uint32_t id);

/* Begins an answer: rows are expected in the order of the last one. */
static inline void series_begin(struct series_table *t)
{
    t->next_raw = 0;
}

/* Drops an item; its id stays unused until series_compact(). */
void series_drop(struct series_table *t, uint32_t id);

/* Closes the gaps when they are many: ids change. Call between evaluations. */
void series_compact(struct series_table *t);

/* Forgets all raw forms: what they mean may have changed (a rule was edited). */
void series_forget_raws(struct series_table *t);

/* Memory held beside the label sets, in bytes. */
uint64_t series_table_bytes(const struct series_table *t);

#endif
