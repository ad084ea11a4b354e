/*
 * events_left.h - what is left of streams that no config has, or that are off: told, and taken back.
 *
 * A stream that was taken out of the config keeps its position, what it needs of our own table, and what its source made in the
 * datastore: a replication slot holds the log of its server without end. Beside the position stands how the source can take
 * that back (state/stream_positions.h), and how a person does.
 *
 * Ownership: borrows all. Threads: any, while no stream of that name runs. Limits: none of its own.
 */
#ifndef TELEX_EVENTS_EVENTS_LEFT_H
#define TELEX_EVENTS_EVENTS_LEFT_H

#include "events/stream.h"
#include "state/stream_positions.h"

/*
 * Keeps, for later, what the source of <config> leaves when nobody has its config any more. If it starts for the first time, what a source
 * before it left (another slot, another server) is kept as that of a stream NAME@1.
 */
MUST_USE bool stream_left_note(struct stream_positions *p, const struct stream_config *config,
                               bool is_first, struct err *e);

/* Is the stream of <row> one that <config> does not run? *ret_config: as it is there, off; or NULL. */
bool stream_is_left(const struct streams_config *config, const struct stream_row *row,
                    const struct stream_config **ret_config);

/* What it holds, and what a person can do. */
void stream_left_say(const struct stream_row *row, bool is_off, struct buf *out);

/* The kind of its source; NULL: not known. */
const struct source_kind *stream_left_kind(const struct stream_row *row);

/*
 * Forgets a stream that does not run: what the source made in the datastore if <drops_source>, what it needs of our table, its
 * position. <config>: as it is in the config, or NULL. When the source cannot take back what it made nothing is forgotten, and the
 * error says how a person does. ERR_CONFLICT when nothing is known of <name>.
 */
MUST_USE bool stream_left_forget(const struct stream_world *world, struct str name,
                                 const struct stream_config *config, bool drops_source,
                                 struct wait wait, struct err *e);

#endif
