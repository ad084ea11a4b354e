/*
 * labels.h - a label set: sorted by name, hashed, immutable, shared by reference count.
 *
 * A set is one allocation that holds its pairs packed as a remote-write TimeSeries carries them
 * (repeated field 1, Label{1 name, 2 value}), sorted by name in byte order, without empty values.
 * So a sample goes onto the wire by copying the bytes, two sets are equal when their bytes are, and
 * a set costs 24 bytes and its text.
 *
 * Ownership: reference counted; labels_unref() by every holder. Views handed out (names, values,
 * bytes) live as long as the set. Threads: immutable, so any; a builder is confined; a table is for
 * any thread. Limits: LABELS_MAX pairs, LABELS_BYTES_MAX bytes; a builder past them is over and
 * builds nothing.
 */
#ifndef TELEX_MODEL_LABELS_H
#define TELEX_MODEL_LABELS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LABELS_MAX = 1024, LABELS_BYTES_MAX = 1 << 20 };

struct label {
    struct str name;
    struct str value;
};

struct labels {
    _Atomic uint32_t refs;
    uint32_t count; /* pairs */
    uint64_t hash;  /* XXH3 of bytes, the same in every process */
    uint32_t len;   /* bytes */
    char bytes[];
};

/* The set without labels; static, still ref and unref it like any other. */
struct labels *labels_empty(void);

struct labels *labels_ref(struct labels *l);
void labels_unref(struct labels *l); /* NULL is fine */
static inline void labels_autounref(struct labels **l)
{
    labels_unref(*l);
}

static inline struct str labels_bytes(const struct labels *l)
{
    return (struct str){l->bytes, l->len};
}

bool labels_eq(const struct labels *a, const struct labels *b);

/* By names and values, in order; for sorted output. */
int labels_cmp(const struct labels *a, const struct labels *b);

/* The value of <name>; empty when absent. */
struct str labels_get(const struct labels *l, struct str name);

/* The part of labels_text() for lengths of more than one byte. */
const char *labels_length_long(const char *p, size_t *ret_length);

/* The text at <p>, its length in front; gives the byte behind it. Bytes of a set only: nothing is checked. */
static inline const char *labels_text(const char *p, struct str *ret_text)
{
    size_t len = (unsigned char)*p++;

    if (unlikely(len >= 0x80)) {
        size_t all; /* apart, so that <len> stays in a register */
        p = labels_length_long(p - 1, &all);
        len = all;
    }
    *ret_text = (struct str){p, len};
    return p + len;
}

/* Walks the pairs in order: start with *at = 0; false at the end. */
static inline bool labels_next(const struct labels *l, uint32_t *at, struct label *ret_label)
{
    struct str pair;

    if (*at >= l->len) {
        return false;
    }
    (void)labels_text(l->bytes + *at + 1, &pair);
    const char *p = labels_text(pair.ptr + 1, &ret_label->name);
    p = labels_text(p + 1, &ret_label->value);
    *at = (uint32_t)(p - l->bytes);
    return true;
}

/* {a="b", c="d"}, with the metric name in front, as Prometheus prints a series. */
void labels_print(const struct labels *l, struct buf *out);

/*
 * Takes packed bytes as they came from a peer, checks them (form, order, no duplicates, no empty
 * names; pairs with an empty value are left out) and makes a set; sorts when they are not sorted.
 */
MUST_USE bool labels_from_bytes(struct str packed, struct labels **ret_labels, struct err *e);

/* Would labels_from_bytes() take them? With the same error where not. */
MUST_USE bool labels_check_bytes(struct str packed, struct err *e);

/* Copies <count> pairs and their texts into <a>, for lists that are not sets (annotations). */
const struct label *label_pairs_dup(struct arena *a, const struct label *pairs, size_t count);

/* Collects pairs, then builds a set. Names and values are borrowed until built, unless copied into
 * an arena. */
struct labels_builder {
    VEC(struct label) pairs;
    bool sorted; /* pairs are in order and unique: what a set's own pairs are */
    bool over;
};

void labels_builder_init(struct labels_builder *b);
void labels_builder_release(struct labels_builder *b);
void labels_builder_clear(struct labels_builder *b);

/* Replaces everything by the pairs of <l>. */
void labels_builder_start(struct labels_builder *b, const struct labels *l);

/* Sets <name>; an empty <value> removes it. */
void labels_builder_set(struct labels_builder *b, struct str name, struct str value);

/* Appends without looking for <name>; for readers that check duplicates when they build. */
void labels_builder_push(struct labels_builder *b, struct str name, struct str value);
void labels_builder_del(struct labels_builder *b, struct str name);
struct str labels_builder_get(const struct labels_builder *b, struct str name);

/* Sorts and checks; false with the name when one stands twice, or when over. The builder keeps its
 * pairs. */
MUST_USE bool labels_build(struct labels_builder *b, struct labels **ret_labels, struct err *e);

/*
 * Interned sets: one object per content, so that holders share memory and compare pointers. Each
 * label_table_intern() is one hold and is given back by one label_table_unref(); the set leaves the
 * table with its last hold. Whoever outlives its hold (a batch in flight) takes a labels_ref() of its
 * own.
 */
struct label_table;

struct label_table *label_table_new(uint64_t seed);
void label_table_free(struct label_table *t);

/* The shared set with the content of <l>, held; takes over the caller's reference. */
struct labels *label_table_intern(struct label_table *t, struct labels *l);

/* Gives one hold back; NULL is fine. */
void label_table_unref(struct label_table *t, struct labels *l);
size_t label_table_count(struct label_table *t);

/* May <name> be a label name (legacy charset [a-zA-Z_][a-zA-Z0-9_]*)? A metric name (also ':')? */
bool label_name_is_legacy(struct str name);
bool metric_name_is_legacy(struct str name);

#endif
