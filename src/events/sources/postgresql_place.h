/*
 * postgresql_place.h - where in a server's log a stream stands: "16/B374D848/3@1".
 *
 * The first part is where a transaction's commit stands in the log, or behind one; the second how many of its
 * changes are done, 0: none; the third the timeline, which differs behind a failover. Never the place of a single
 * change: two transactions' changes may share that.
 *
 * Ownership: values. Threads: any. Limits: none.
 */
#ifndef TELEX_EVENTS_SOURCES_POSTGRESQL_PLACE_H
#define TELEX_EVENTS_SOURCES_POSTGRESQL_PLACE_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_place {
    uint64_t lsn;
    uint64_t ordinal;
    uint32_t timeline; /* 0: not known */
};

/* Ordinal and timeline may be missing: what PostgreSQL calls an lsn is a place. */
bool pg_place_parse(struct str text, struct pg_place *ret);
void pg_place_add(struct buf *out, struct pg_place p);

/* The same into <out>, without a NUL; its length is given. */
enum { PG_PLACE_BYTES = 64 };
size_t pg_place_print(struct pg_place p, char *out);

/* Does <a> stand before <b>? The timeline does not count. */
static inline bool pg_place_is_before(struct pg_place a, struct pg_place b)
{
    return a.lsn < b.lsn || (a.lsn == b.lsn && a.ordinal < b.ordinal);
}

/* For the order of events as text: "00000016B374D848.00000003", without a NUL. */
enum { PG_SEQUENCE_LEN = 25 };
void pg_place_print_sequence(struct pg_place p, char *out);

/* Where timeline <from> ended, from the history of a later one; false when it is not in it. */
bool pg_place_timeline_end(struct str history, uint32_t from, uint64_t *ret_lsn);

#endif
