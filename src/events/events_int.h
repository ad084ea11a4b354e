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
#include "state/stream_positions.h"

/* A stream of the list, which may be one that does not run. */
struct stream_item {
    struct str name;
    const struct stream_config *config; /* NULL: none has it */
    struct event_stream *stream;        /* NULL: it does not run */
    const struct source_kind *kind;     /* NULL: not known */
    enum stream_state state;            /* of one that does not run, */
    struct stream_place place;          /* its place, */
    struct buf reason;                  /* and why */
    struct arena arena;                 /* of the place's texts */
    struct metric *unconfigured;        /* or NULL */
};

struct event_streams {
    struct stream_world world;
    struct buf state_path;
    struct trace trace;
    struct lock changing; /* taken before <lock> */
    struct lock lock;
    VEC(struct stream_item *) items;   /* read under one of the locks, changed under both */
    bool is_changing GUARDED_BY(lock); /* by a person */
};

/* Under <changing>. NULL: there is none. */
struct stream_item *event_streams_find(struct event_streams *s, struct str name);
void event_streams_remove(struct event_streams *s, struct stream_item *item);

#endif
