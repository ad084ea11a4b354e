/*
 * stream_int.h - a stream as its files see it: reader, workers, what is kept, what is told.
 *
 * Ownership: as stream.h. Threads: what is the reader's is no other thread's while it runs; counters are atomic, and
 * what else others look at stands under <lock>. Limits: as stream.h.
 */
#ifndef TELEX_EVENTS_STREAM_INT_H
#define TELEX_EVENTS_STREAM_INT_H

#include "base/trace.h"
#include "base/vec.h"
#include "events/stream.h"
#include "events/stream_metrics.h"
#include "events/window.h"
#include "export/attempts.h"
#include "export/dead_letters.h"
#include "export/direct.h"
#include "export/drops.h"
#include "export/exporter_options.h"
#include "state/stream_positions.h"

#include <stdatomic.h>

/* The stream itself goes before its backfill. */
enum track { TRACK_LIVE, TRACK_BACKFILL, TRACKS };

/* Rows of an intake's events for one worker. */
struct work {
    struct work *next; /* of the queue, or of what is sent together */
    struct intake *in;
    enum track track;
    uint32_t n;
    uint32_t rows[];
};

struct worker {
    struct event_stream *stream;
    unsigned lane;
    uint32_t together; /* events of a request, where so many wait */
    struct thread thread;
    struct lock lock;
    struct cond cond;
    struct work *first[TRACKS] GUARDED_BY(lock);
    struct work *last[TRACKS] GUARDED_BY(lock);
    bool is_ending GUARDED_BY(lock);
};

/* What is kept, in the reader's hands. */
struct kept {
    struct buf identity;
    struct buf position;
    struct buf oldest;
    struct buf cursor;
    struct stream_place place; /* its texts are not used */
    int64_t turn;
    uint64_t done_before; /* place.done when the windows were empty last */
    uint64_t backfilled_before;
    bool is_changed;
    bool is_acked;
    int64_t written_mono_ns;
    int64_t idle_mono_ns;  /* when there was nothing to do last */
    int64_t moved_mono_ns; /* when something was done last */
};

/* The token bucket of a backfill, and where it reads. */
struct pace {
    double tokens;
    int64_t filled_mono_ns;
    struct buf cursor;      /* behind what was read */
    bool is_read;           /* there is no more to be read, and the last of it is in the window */
    int64_t rests_until_ns; /* monotonic; it could not be read */
    int64_t rest_ms;        /* the last rest; 0: it could be read since */
    int64_t left;           /* -1: not known */
    int64_t left_asked_ns;
    int64_t began_ns; /* monotonic, and how many were done then */
    uint64_t began_at;
};

struct event_stream {
    struct stream_world world;
    const struct env *env;
    const struct stream_config *config;
    struct trace trace;
    struct metric *metrics[STREAM_GAUGES]; /* NULL: not known now */
    struct metric *letters[LETTER_BOXES];
    struct metric *attempts[ATTEMPT_KINDS]; /* NULL: none of that kind yet */
    uint64_t attempted[ATTEMPT_KINDS];      /* as the sink said last */
    struct transform *transform;
    struct exporter_dead_letters dead_quota;
    struct drops drops;
    struct dead_letters *dead; /* of what cannot be read */
    struct direct *direct;     /* NULL with a buffer of ours */
    uint64_t target;           /* its bit, with a buffer of ours */
    VEC(uint64_t) skipped;     /* as stream_go has them; changed while nothing runs */
    struct cancel *stop;
    struct thread reader;
    bool is_started;
    bool is_prepared; /* set before the reader begins, then the reader's */

    /* the reader's */
    struct source *source; /* NULL between two starts */
    struct kept kept;
    struct pace pace;
    struct buf read_position; /* behind what was read */
    int64_t read_time_ns;     /* of the last change that was read */
    int64_t measured_mono_ns;
    int64_t told_mono_ns;
    uint64_t unmatched; /* changes since the start, as long as the condition left out all of them */
    uint32_t failures;  /* of the source, in a row */
    bool has_measured;  /* the source was asked, or does not know */
    bool is_taken;      /* another has the stream now */
    bool has_matched;   /* the condition left one in, or was told of */

    struct intake_pool pool;
    struct window windows[TRACKS];
    unsigned worker_count;
    struct worker workers[STREAM_WORKERS_MAX];

    struct lock lock;
    struct cond ended;                          /* a worker did */
    unsigned running GUARDED_BY(lock);          /* workers */
    struct stream_status told GUARDED_BY(lock); /* but for its texts: */
    struct buf told_position GUARDED_BY(lock);
    struct buf told_identity GUARDED_BY(lock);
    struct buf begun GUARDED_BY(lock); /* where it began since it was started last, */
    int64_t begun_ns GUARDED_BY(lock); /* wall; when; 0: it did not */
    struct source_measures measures GUARDED_BY(lock);
};

/* ---- stream.c ---- */

/* Another one of what makes its events. */
MUST_USE bool stream_make_transform(const struct event_stream *s, struct transform **ret_transform,
                                    struct err *e);

/* Takes the stream's turn and opens the way to the sink; on failure nothing is open. */
MUST_USE bool stream_prepare(struct event_stream *s, struct err *e);

/* ---- stream_read.c ---- */

/* The reader's thread. */
void stream_read(void *arg);

/* Sleeps for at most <ms> and does meanwhile what is due; false when the stream is to stop. */
bool stream_pause(struct event_stream *s, int64_t ms);

/* ---- stream_intake.c ---- */

/* Makes events of <in> and gives them to the workers, or to our log; false when the stream is to stop. Takes the
 * reference. */
bool stream_take_in(struct event_stream *s, struct intake *in, enum track track);

/* Has our log hold events that are given again; durable when true. On any thread. */
MUST_USE bool stream_hold_again(struct event_stream *s, struct batch *b, struct wait wait,
                                struct err *e);

/* ---- stream_work.c ---- */

MUST_USE bool stream_start_workers(struct event_stream *s, struct err *e);
void stream_share_out(struct event_stream *s, struct intake *in, enum track track);

/* Ends them: what they have in hand is finished until <wait> is over, the rest is let go. */
void stream_end_workers(struct event_stream *s, struct wait wait);

/* ---- stream_keep.c ---- */

void kept_init(struct kept *k);
void kept_release(struct kept *k);

/* What was kept of the stream, for this run. */
MUST_USE bool stream_load(struct event_stream *s, struct err *e);

/* A first start: where it begins is durable before anything is read. */
MUST_USE bool stream_begin(struct event_stream *s, const struct source_begun *begun, struct err *e);

/* Writes what moved when it is time, or <now>, and tells the source. False: another has the stream, as <e> says. */
MUST_USE bool stream_keep(struct event_stream *s, bool now, struct err *e);

/* ---- stream_backfill.c ---- */

/* Reads some of a backfill, if there is one, and room and rate allow it; *ret_wait_ms until there is more to do. */
enum sourced stream_backfill(struct event_stream *s, int64_t *ret_wait_ms, struct err *e);

/* ---- stream_tell.c ---- */

void stream_open_metrics(struct event_stream *s);
void stream_drop_metrics(struct event_stream *s);
void stream_set_state(struct event_stream *s, enum stream_state state, const struct err *why);

/* The source is there no more, and how far behind it is is not known; or <has_ended>, and there is no more of it. */
void stream_forget_measures(struct event_stream *s, bool has_ended);

/* Asks the source how it is and sets the gauges, if it is time. */
void stream_tell(struct event_stream *s);

#endif
