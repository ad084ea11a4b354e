/*
 * kafka_offsets.h - places in topics as text: "orders=0:17~16.1a2b3c4d,1:4;refunds=0:0", the next offset of each partition and,
 * behind "~", a record that was read before it.
 *
 * Ownership: topics are views of the text that was read. Threads: confined. Limits: KAFKA_PARTITIONS_MAX places.
 */
#ifndef TELEX_EVENTS_SOURCES_KAFKA_OFFSETS_H
#define TELEX_EVENTS_SOURCES_KAFKA_OFFSETS_H

#include "base/buf.h"
#include "base/options.h"
#include "base/vec.h"
#include "net/kafka_consumer.h"

/* A record as it was: where another is at its offset, the topic is another one of the same name. */
struct kafka_seen {
    int64_t offset; /* KAFKA_SEEN_NONE: none is known */
    uint32_t hash;  /* of its time, key and value */
};

enum { KAFKA_SEEN_NONE = -1 };

struct kafka_place {
    struct str topic;
    int32_t partition;
    int64_t offset;
    struct kafka_seen seen;
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

struct kafka_seen kafka_seen_of(const struct kafka_record *r);

/* The place of a partition; NULL when it is not among them. */
const struct kafka_place *kafka_offsets_place(const struct kafka_places *places, struct str topic,
                                              int32_t partition);

/* Its offset; -1 when it is not among them. */
int64_t kafka_offsets_find(const struct kafka_places *places, struct str topic, int32_t partition);

/* Appends the <next> offsets of partitions, which stand in the order of topics, and what was <seen> before them; those below
 * zero are left out. */
void kafka_offsets_add(struct buf *out, const struct option_list *topics,
                       const struct kafka_partition *partitions, const int64_t *next,
                       const struct kafka_seen *seen, size_t count);

#endif
