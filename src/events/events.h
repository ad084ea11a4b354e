/*
 * events.h - all change streams of a config: started, stopped for a reload, looked at, put right by a person.
 *
 * Ownership: owns streams and their positions; borrows plan and table, and the config from events_run() to the next.
 * Threads: run, rest and close are for one thread; what looks and what changes a stream is for any. Limits: STREAMS_MAX.
 */
#ifndef TELEX_EVENTS_EVENTS_H
#define TELEX_EVENTS_EVENTS_H

#include "base/env.h"
#include "base/err.h"
#include "events/stream.h"
#include "events/stream_config.h"

struct event_streams;

/* Opens the positions below the state folder. */
MUST_USE bool event_streams_open(const struct env *env, struct plan *plan, struct str state_path,
                                 struct event_streams **ret_streams, struct err *e);

/* Starts all that <config> enables, over our own table or NULL, with the exporters of the plan as it is now. A stream that cannot start says so in
 * its status, and the others go on. */
void event_streams_run(struct event_streams *s, struct event_table *table,
                       const struct streams_config *config);

/* Stops all: calls that are under way may end until <wait> is over. The config may go then, and the plan change. Gives how
 * many changes were read and are not done: their sources give them again. */
uint64_t event_streams_rest(struct event_streams *s, struct wait wait);

void event_streams_close(struct event_streams *s); /* NULL is fine */

/* Those that run in the config's order, then those of which something is left, though they are off or in no config. In the
 * arena, but for texts of the config. */
size_t event_streams_status(struct event_streams *s, struct arena *a, struct stream_status **ret);

enum stream_change {
    STREAM_RESET, /* as for the first time, with a backfill if the config wants one */
    STREAM_SKIP, /* what is missing is given up: it goes on with what comes now; halted by a change, with the next */
    STREAM_REWIND, /* goes on behind a position that is given */
};

/* What becomes of what the source made in the datastore (a slot), with a reset. */
enum stream_source_fate {
    STREAM_SOURCE_AS_USUAL, /* kept when the stream runs, else dropped */
    STREAM_SOURCE_KEPT,
    STREAM_SOURCE_DROPPED,
};

struct stream_order {
    struct str name;
    enum stream_change change;
    struct str position; /* of a rewind */
    enum stream_source_fate source;
};

/*
 * Changes where a stream is; it is stopped meanwhile. A reset of one that does not run forgets it. ERR_CONFLICT when there is no such
 * stream, ERR_FULL while another is changed, ERR_CONFIG when there is nothing to skip. A rewind to where the source cannot
 * go on changes nothing.
 */
MUST_USE bool event_streams_change(struct event_streams *s, const struct stream_order *order,
                                   struct err *e);

#endif
