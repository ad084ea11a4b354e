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
#include "events/stream_letters.h"

struct event_streams;

/* Where our own table comes from: NULL where none is wanted. Called from any thread, not by two at a time. */
struct stream_tables {
    bool (*open)(void *arg, struct event_table **ret_table, struct err *e);
    void *arg;
};

/* Nothing is opened yet. */
struct event_streams *event_streams_new(const struct env *env, struct plan *plan,
                                        struct str state_path, const struct stream_tables *tables);

/* Starts all that <config> enables, with the exporters of the plan as it is now. A stream that cannot start, or all when positions or
 * table cannot be opened, say so in their status, and that is tried again. */
void event_streams_run(struct event_streams *s, const struct streams_config *config);

/* What persons asked for ends soon, and nobody may ask for more; to be called before what keeps event_streams_rest() waiting. */
void event_streams_hurry(struct event_streams *s);

/* Stops all: calls that are under way may end until <wait> is over. The config may go then, and the plan change. Gives how
 * many changes were read and are not done: their sources give them again. */
uint64_t event_streams_rest(struct event_streams *s, struct wait wait);

/* Unreadable changes that became dead letters since the start and still are, of all streams, also those that were taken out: how many,
 * and stream by stream in words. For who stops; behind event_streams_rest(). */
uint64_t event_streams_tell_letters(struct event_streams *s, struct buf *out);

void event_streams_close(struct event_streams *s); /* NULL is fine */

/* Does the list have all? Not while a config is taken over: who is not in it then may well be there. */
bool event_streams_is_whole(struct event_streams *s);

/* Those that run in the config's order, then those of which something is left, though they are off or in no config. In the
 * arena, but for texts of the config. */
size_t event_streams_status(struct event_streams *s, struct arena *a, struct stream_status **ret);

/* Work with a stream's dead letters. */
struct stream_use {
    struct str name;
    bool is_change; /* else it looks only, and waits for nobody */
    bool (*work)(void *arg, const struct stream_boxes *boxes, struct err *e);
    void (*told)(void *arg, bool ok, const struct err *e);
    void *arg;
};

/*
 * Has <work> done by a thread of the streams', while the stream is not closed, and <told> called once behind it. False, and nobody is told:
 * ERR_PARSE when there is no such stream, ERR_CONFLICT while its letters are being changed, ERR_FULL while nothing runs.
 */
MUST_USE bool event_streams_use(struct event_streams *s, const struct stream_use *use,
                                struct err *e);

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

enum stream_change_result { STREAM_CHANGE_DONE, STREAM_CHANGE_FAILED, STREAM_CHANGE_GOES_ON };

/* Told once, by a thread of the streams': what came of it, or after some seconds that it goes on; then the status says what becomes
 * of it. <e>: why it failed. */
struct stream_change_end {
    void (*told)(void *arg, enum stream_change_result result, const struct err *e);
    void *arg;
};

/*
 * Has a stream's place changed; it is stopped meanwhile, and several changes go one behind the other. A reset of one that does not run forgets
 * it. A skip of nothing fails, and so does a rewind to where the source cannot go on: then nothing is changed. False, and
 * nobody is told: ERR_PARSE when there is no such stream, ERR_CONFLICT while this one is being changed, ERR_FULL while nothing runs.
 */
MUST_USE bool event_streams_ask(struct event_streams *s, const struct stream_order *order,
                                const struct stream_change_end *end, struct err *e);

#endif
