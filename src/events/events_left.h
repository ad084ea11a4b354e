/*
 * events_left.h - what streams have in datastores: told when nobody runs them any more, and taken back.
 *
 * A stream that was taken out of the config keeps its position, what it needs of our own table, and what its source has in the
 * datastore: a replication slot holds the log of its server without end. Beside the position stands how the source can take
 * that back (state/stream_positions.h), and how a person does. Only what Telex made is taken back, and nothing that another stream has
 * as well, by its config or by what is kept of it.
 *
 * Ownership: borrows all. Threads: any, while no stream of that name runs. Limits: none of its own.
 */
#ifndef TELEX_EVENTS_EVENTS_LEFT_H
#define TELEX_EVENTS_EVENTS_LEFT_H

#include "events/events.h"
#include "events/stream.h"
#include "state/stream_positions.h"

struct source_begun;

/* All that is kept of streams, and those of the config. */
struct stream_book {
    const struct streams_config *config;
    struct stream_row *rows;
    size_t count;
};

/* Both read it, into the arena: from a file that is open, or from one that perhaps another has open. */
MUST_USE bool stream_book_list(struct stream_positions *p, const struct streams_config *config,
                               struct arena *a, struct stream_book *ret, struct err *e);
MUST_USE bool stream_book_peek(struct str path, const struct streams_config *config,
                               struct arena *a, struct stream_book *ret, struct err *e);

/*
 * Keeps, for later, what the source of <config> has in the datastore: what a start that found <begun> is about to make, or, when
 * it did not fail (<is_all>), all that it has: what a source before it left (another slot, another server) is then kept as that of NAME@1.
 */
MUST_USE bool stream_left_note(struct stream_positions *p, const struct stream_config *config,
                               const struct source_begun *begun, bool is_all, struct err *e);

/* Takes back what was noted of things that were about to be made then, and were not. */
MUST_USE bool stream_left_forget_unmade(struct stream_positions *p,
                                        const struct stream_config *config,
                                        const struct source_begun *begun, struct err *e);

/* Is the stream of <row> one that the config does not run? *ret_config: as it is there, off; or NULL. */
bool stream_is_left(const struct streams_config *config, const struct stream_row *row,
                    const struct stream_config **ret_config);

/* What it holds, and what a person can do. */
void stream_left_say(const struct stream_book *b, const struct stream_row *row, struct buf *out);

/* The kind of its source; NULL: not known. */
const struct source_kind *stream_left_kind(const struct stream_row *row);

/*
 * Has what <name> has in datastores taken back, as far as Telex made it and no other stream has it. Without that the error says how a
 * person does it. <insists>: so it is, too, when a log is kept by something that Telex did not make.
 */
MUST_USE bool stream_left_take_back(const struct stream_world *world,
                                    const struct streams_config *config, struct str name,
                                    bool insists, struct wait wait, struct err *e);

/*
 * Forgets a stream that does not run: what it has in datastores unless <fate> is STREAM_SOURCE_KEPT, what it needs of our table, its
 * position. When the source cannot take back what it made the stream is not forgotten, and the error says how a person does it.
 * ERR_CONFLICT when nothing is known of <name>.
 */
MUST_USE bool stream_left_forget(const struct stream_world *world,
                                 const struct streams_config *config, struct str name,
                                 enum stream_source_fate fate, struct wait wait, struct err *e);

#endif
