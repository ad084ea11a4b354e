/*
 * rw1_metadata.h - the metadata of a remote-write message: type, help and unit of families.
 *
 * Read, they are a table of families that series are looked up in; written, each family is said once,
 * whatever its series are. Ownership: what is read is copied to the arena given; the writer owns its
 * bytes. Threads: confined. Limits: SERIES_FAMILIES_MAX families of a message; those beyond are passed over.
 */
#ifndef TELEX_WIRE_RW1_METADATA_H
#define TELEX_WIRE_RW1_METADATA_H

#include "base/buf.h"
#include "model/series_meta.h"

#include <stdbool.h>
#include <stdint.h>

enum { RW1_FIELD_METADATA = 3, RW1_TAG_METADATA = 0x1A };

/* Types as messages number them, in 1.0 and 2.0; what they do not have is a gauge or unknown. */
uint64_t rw1_type_number(enum series_type type);
enum series_type rw1_type(uint64_t number);

/* Does <message> begin with them, as ours do? Others write them behind the series, if at all. */
static inline bool rw1_begins_with_metadata(struct str message)
{
    return message.len > 0 && *message.ptr == RW1_TAG_METADATA;
}

/*
 * Adds the metadata of <message> to <f>, the last of a family counting. Entries that are not well formed are
 * passed over; gives how many.
 */
uint32_t rw1_read_metadata(struct str message, struct arena *a, struct series_families *f);

struct rw1_metadata {
    struct buf bytes; /* fields of a message */
    struct arena names;
    struct map said;
    struct str last; /* the family that was said last */
};

/* <seed>: names are chosen by outsiders. */
void rw1_metadata_init(struct rw1_metadata *w, uint64_t seed);
void rw1_metadata_release(struct rw1_metadata *w);

/*
 * Says <m> of the family that a series called <name> is of, unless it was said, or the name is none of that
 * family's. <m> may be NULL.
 */
void rw1_metadata_say(struct rw1_metadata *w, struct str name, const struct series_meta *m);

/* Puts what was said in front of the series that stand in <out> from <start> on. */
void rw1_metadata_put(const struct rw1_metadata *w, size_t start, struct buf *out);

#endif
