/*
 * known_families.h - what senders say of metrics by itself, apart from samples: type, help, unit.
 *
 * Prometheus sends remote write 1.0 so: samples without a word of what they are, and once a minute what all of
 * them are. It is remembered here and put beside samples that say nothing themselves, so that whoever gets
 * them knows. What is not repeated for KNOWN_FORGET_MIN minutes makes room for others.
 *
 * Ownership: the table owns its texts. Threads: any; one lock. Limits: SERIES_FAMILIES_MAX families,
 * KNOWN_BYTES_MAX bytes.
 */
#ifndef TELEX_RECEIVE_KNOWN_FAMILIES_H
#define TELEX_RECEIVE_KNOWN_FAMILIES_H

#include "base/buf.h"
#include "base/thread.h"
#include "model/series_meta.h"

#include <stdatomic.h>

enum { KNOWN_BYTES_MAX = 16 << 20, KNOWN_FORGET_MIN = 10 };

struct known_families {
    struct lock lock;
    struct series_families table GUARDED_BY(lock); /* of struct known_family */
    size_t bytes GUARDED_BY(lock);
    uint64_t seed; /* for tables of a message's names */
    _Atomic uint32_t count;
};

void known_families_init(struct known_families *k, uint64_t seed);
void known_families_release(struct known_families *k);

/* Remembers the metadata of a message of remote write 1.0; gives how many families there was no room for. */
uint32_t known_families_learn(struct known_families *k, struct str message, int64_t now_ns);

/* Is anything known? Costs nothing. */
static inline bool known_families_any(struct known_families *k)
{
    return atomic_load_explicit(&k->count, memory_order_relaxed) > 0;
}

/* Appends, as metadata of a message, what is known of the series of <message>. */
void known_families_say(struct known_families *k, struct str message, struct buf *out);

#endif
