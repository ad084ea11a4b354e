/*
 * stream.h - one change stream at work: reads a source, makes events, delivers them, and knows how far that is safe.
 *
 *     event_stream_open -> event_stream_start -> (event_stream_stop -> event_stream_start)... -> event_stream_close
 *
 * Ownership: borrows config, plan, positions and table, which outlive it while it runs; owns its threads. Threads:
 * open, start, stop and close are for one thread; status is for any. Limits: those of its options.
 */
#ifndef TELEX_EVENTS_STREAM_H
#define TELEX_EVENTS_STREAM_H

#include "base/env.h"
#include "base/err.h"
#include "base/thread.h"
#include "events/stream_config.h"
#include "export/attempts.h"
#include "export/plan.h"

struct event_table;
struct event_stream;
struct stream_positions;

/* What all streams share. */
struct stream_world {
    const struct env *env;
    struct plan *plan;
    struct stream_positions *positions;
    struct event_table *table; /* our own events; or NULL */
    struct str state_path;
};

/* Dead letters: events that the sink refused, and changes that could not become events. */
enum letter_box { LETTERS_REFUSED, LETTERS_UNREADABLE, LETTER_BOXES };

enum stream_state {
    STREAM_STOPPED,
    STREAM_CONNECTS,
    STREAM_RUNS,
    STREAM_WAITS,        /* the source is in trouble that may pass */
    STREAM_REFUSED,      /* the source wants something changed */
    STREAM_LOST,         /* what the position stands for is gone: a person must decide */
    STREAM_HALTED,       /* a change that cannot be read, or a sink that refuses, holds all up */
    STREAM_ENDED,        /* the source has no more */
    STREAM_DISABLED,     /* it is off in the config, and something is kept of it */
    STREAM_UNCONFIGURED, /* no config has it, and something is kept of it */
    STREAM_STATES
};

const char *stream_state_name(enum stream_state state);

enum stream_change {
    STREAM_RESET, /* as for the first time, with a backfill if the config wants one */
    STREAM_SKIP, /* what is missing is given up: it goes on with what comes now; halted by a change, with the next */
    STREAM_REWIND, /* goes on behind a position that is given */
    STREAM_CHANGES
};

const char *stream_change_name(enum stream_change change);

/* Where a stream was, or goes on. */
struct stream_spot {
    struct str position;
    int64_t at_ns; /* wall; 0: there is none, or it is not known yet */
};

/* What a person had changed last. */
struct stream_changed {
    const char *what;  /* "reset", "skip", "rewind"; NULL: nothing since the program started */
    const char *phase; /* "waiting", "running", "done", "failed" */
    int64_t at_ns;     /* wall; when that began */
    char problem[2 * ERR_TEXT]; /* of one that failed */
    struct stream_spot from;    /* of one that moved the stream: what was kept, and since when, */
    struct stream_spot to;      /* and where it goes on, since when */
    bool is_move;
    bool is_pass; /* a skip of one event or change, */
    enum letter_box letter_box;
    uint64_t letter; /* which became that letter; 0: not yet */
};

enum { STREAM_SHOWN_MAX = 256 * 1024 }; /* bytes of a position that is shown */

struct stream_status {
    struct str name;
    const char *kind;
    struct str exporter;
    enum stream_state state;
    bool is_ready;
    uint64_t halted_change; /* which one cannot become an event and holds all up; 0: none */
    char reason[4096];      /* why it is not, or what is wrong; empty: nothing */
    struct str position;    /* whole, or empty beyond STREAM_SHOWN_MAX */
    struct str identity;
    int64_t first_ns; /* wall; when it first started; 0: never */
    int64_t saved_ns; /* wall; when the position was written last */
    uint64_t read;    /* changes, since the program started */
    uint64_t done;
    uint64_t filtered;
    uint64_t broken;
    uint64_t in_flight;
    uint64_t in_flight_bytes;
    int64_t stalled_ns; /* since when nothing was done though there is something to do; 0: not so */
    int64_t
        lag_ns; /* between the newest change that is known and the newest that is done; -1: not known yet */
    int64_t lag_events; /* -1: not known */
    int64_t retained_bytes;
    char source_state[64];
    bool in_danger;
    const char *backfill; /* "not begun", "running", "done" */
    uint64_t backfilled;
    int64_t backfill_left;    /* -1: not known */
    int64_t backfill_eta_s;   /* -1: not known */
    bool left_is_estimate;    /* of the datastore's */
    int64_t backfill_done_ns; /* wall; 0: it is not, or not known */
    uint64_t restarts;        /* of the source */
    struct output_status sink;
    struct stream_changed changed;
    struct attempt_counts attempts; /* of requests to the sink, since it was opened */
    int64_t token_age_ns;           /* -1: there is none */
    uint64_t letters[LETTER_BOXES]; /* records among the dead letters that are kept */
};

/* How to start. */
struct stream_go {
    uint64_t
        skip; /* halted_change or sink.halted_event: a dead letter, when it is refused again, whatever the policy; 0: none */
};

/* Opens its parts; nothing runs and nobody is asked. */
MUST_USE bool event_stream_open(const struct stream_world *world,
                                const struct stream_config *config,
                                struct event_stream **ret_stream, struct err *e);

MUST_USE bool event_stream_start(struct event_stream *s, const struct stream_go *go, struct err *e);

/* Begins what event_stream_stop() waits for. */
void event_stream_ask_stop(struct event_stream *s); /* NULL is fine */

/* Reads no more, lets calls to the sink that are under way end until <wait> is over, keeps the position. Gives how many
 * changes were read and are not done. NULL is fine. */
uint64_t event_stream_stop(struct event_stream *s, struct wait wait);

/* Position and identity are in the arena; NULL: they are left out. */
void event_stream_get_status(struct event_stream *s, struct arena *a, struct stream_status *ret);

enum stream_state event_stream_get_state(struct event_stream *s);

/* Where it began since it was started last, as for the first time or behind a gap, and when; false: it did not. */
MUST_USE bool event_stream_begun(struct event_stream *s, struct buf *ret_position,
                                 int64_t *ret_at_ns);

/* Could the source go on behind <position>? Asks it, while the stream is stopped. */
MUST_USE bool event_stream_try(struct event_stream *s, struct str position, struct wait wait,
                               struct err *e);

void event_stream_close(struct event_stream *s); /* stops it; NULL is fine */

#endif
