/*
 * kafka_offsets.h - places in topics as text: "orders=0:17,1:4;refunds=0:0", the next offset of each partition.
 *
 * Ownership: topics are views of the text that was read. Threads: confined. Limits: KAFKA_PARTITIONS_MAX places.
 */
#ifndef TELEX_EVENTS_SOURCES_KAFKA_OFFSETS_H
#define TELEX_EVENTS_SOURCES_KAFKA_OFFSETS_H

#include "base/buf.h"
#include "base/options.h"
#include "base/vec.h"
#include "net/kafka_consumer.h"

struct kafka_place {
    struct str topic;
    int32_t partition;
    int64_t offset;
};

struct kafka_places {
    VEC(struct kafka_place) list;
};

static inline void kafka_places_release(struct kafka_places *p)
{
    vec_release(&p->list);
}

/* False when it is no such text; then what was read before the mistake is in <ret>. */
MUST_USE bool kafka_offsets_parse(struct str text, struct kafka_places *ret);

/* The offset of a partition; -1 when it is not among them. */
int64_t kafka_offsets_find(const struct kafka_places *places, struct str topic, int32_t partition);

/* Appends the <next> offsets of partitions, which stand in the order of topics; those below zero are left out. */
void kafka_offsets_add(struct buf *out, const struct option_list *topics,
                       const struct kafka_partition *partitions, const int64_t *next, size_t count);

#endif
