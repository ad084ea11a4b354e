/*
 * events_int.h - all streams of a config as their files see them.
 *
 * Ownership: as events.h; an item owns its stream. Threads: as events.c says. Limits: as events.h.
 */
#ifndef TELEX_EVENTS_EVENTS_INT_H
#define TELEX_EVENTS_EVENTS_INT_H

#include "base/metrics.h"
#include "base/trace.h"
#include "base/vec.h"
#include "events/events.h"
#include "events/left_letters.h"
#include "state/stream_positions.h"

/* A stream of the list, which may be one that does not run. */
struct stream_item {
    struct str name;
    const struct stream_config *config;         /* NULL: none has it */
    struct event_stream *stream;                /* NULL: it does not run */
    const struct source_kind *kind;             /* NULL: not known */
    enum stream_state state;                    /* of one that does not run, */
    struct stream_place place;                  /* its place, */
    struct buf reason;                          /* and why */
    struct arena arena;                         /* of the place's texts */
    struct metric *unconfigured;                /* or NULL */
    struct metric *letter_counts[LETTER_BOXES]; /* of one that does not run and had some; or NULL */
    struct metric *ready;                       /* of one that is to run, opened or not; or NULL */
    struct left_letters letters;                /* of one that does not run; under <lock> */
    unsigned users;                             /* pieces of work with its letters; under <lock> */
};

/* What a person changed last of a stream, by name: it outlives the item, which goes with each reload. */
struct stream_outcome {
    struct str name;
    struct stream_changed changed; /* but for its texts: */
    struct buf from;
    struct buf to;
    enum stream_change order;
    bool awaits_begin;             /* where it goes on is not known yet */
    struct stream_outcome *before; /* what was told until this was asked for; owned, or NULL */
};

/* What somebody asked for, and who is to be told. */
struct stream_task {
    struct stream_task *next;
    struct arena arena;
    struct stream_order order;
    struct stream_change_end end; /* without a function: was told */
    int64_t patient_until_ns;     /* monotonic */
};

/* A piece of work with letters. */
struct letter_task {
    struct letter_task *next;
    struct stream_use use;
};

/* Who does such work, one piece behind the other: the second one what changes letters. */
struct letter_desk {
    struct event_streams *streams;
    struct thread thread;
    struct letter_task *first; /* under the streams' <lock>; may be under way */
};

enum { LETTER_DESKS = 2 };

/* Changes of a stream that could not become events since the start, by name: they outlive the item. */
struct stream_faults {
    struct str name; /* owned */
    uint64_t count;
};

struct event_streams {
    struct stream_world world;
    struct stream_tables tables;
    struct buf state_path;
    struct trace trace;
    const struct streams_config *config; /* under <changing>; NULL: nothing runs */
    bool is_open;                        /* under <changing>: all that streams need is there */
    uint64_t seen;        /* under <changing>: stream_positions_generation() of the list */
    struct cancel *hurry; /* of changes and work with letters: the list is to go */
    struct lock changing; /* taken before <lock> */
    struct lock lock;
    VEC(struct stream_item *) items; /* read under one of the locks, changed under both */
    struct stream_task *first GUARDED_BY(lock); /* the first may be under way */
    VEC(struct stream_outcome *) outcomes GUARDED_BY(lock);
    VEC(struct stream_faults) faults; /* under <changing> */
    bool is_whole GUARDED_BY(lock);   /* the list has all, also what is left of others */
    bool has_ended GUARDED_BY(lock);
    bool letters_left
        GUARDED_BY(lock); /* some of a stream that does not run: what is told of it changes */
    bool is_resting GUARDED_BY(lock); /* the list is to go: nothing more is begun */
    struct cond woken;
    struct thread changer;  /* does what was asked for, and opens what could not be opened */
    struct thread answerer; /* tells who waits too long */
    struct letter_desk desks[LETTER_DESKS];
};

/* Under <changing>. NULL: there is none. */
struct stream_item *event_streams_find(struct event_streams *s, struct str name);
void event_streams_remove(struct event_streams *s, struct stream_item *item);

/* Under <changing>. Has in the list what is left of others, as it is now. */
void event_streams_look(struct event_streams *s);

/* One that is off or in no config, of which something is left. */
bool stream_item_is_left(const struct stream_item *item);

/* Opens what could not be opened before. Takes <changing>. */
void event_streams_retry(struct event_streams *s);

/* ---- events_change.c ---- */

/* Takes <changing>. */
MUST_USE bool event_streams_do(struct event_streams *s, const struct stream_order *order,
                               struct err *e);

/* ---- events_outcomes.c ---- */

/* What a person changed last of <name>; all empty: nothing. */
struct stream_changed event_streams_outcome(struct event_streams *s, struct str name,
                                            struct arena *a) REQUIRES(&s->lock);

/* Learns where streams go on that a change moved, and logs it. */
void event_streams_learn(struct event_streams *s) REQUIRES(&s->lock);

/* A change was asked for; is under way; is at its end, <e>: why it was not made. When who asked is told that (<is_told>) what was
 * told of the stream before stands again. */
void event_streams_note_asked(struct event_streams *s, const struct stream_order *order)
    REQUIRES(&s->lock);
void event_streams_note_running(struct event_streams *s, const struct stream_order *order)
    REQUIRES(&s->lock);
void event_streams_note_end(struct event_streams *s, const struct stream_order *order, bool is_told,
                            const struct err *e) REQUIRES(&s->lock);

/* What it does: moves the stream from where that was; or passes one event or change, which became that letter. Both take <lock>. */
void event_streams_note_move(struct event_streams *s, const struct stream_order *order,
                             const struct stream_status *before);
void event_streams_note_pass(struct event_streams *s, struct str name, enum letter_box box,
                             uint64_t letter);

void event_streams_free_outcomes(struct event_streams *s);

/* ---- events_tasks.c ---- */

/* Starts the threads, once. */
void event_streams_start_tasks(struct event_streams *s);

/* What waits is refused. */
void event_streams_refuse_tasks(struct event_streams *s, const char *why);
void event_streams_end_tasks(struct event_streams *s);

/* ---- events_letters.c ---- */

void event_streams_start_desks(struct event_streams *s);
void event_streams_end_desks(struct event_streams *s);

/* Until nobody works with the letters of <item>. */
void event_streams_wait_unused(struct event_streams *s, const struct stream_item *item)
    REQUIRES(&s->lock);

#endif
