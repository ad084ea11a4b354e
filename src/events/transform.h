/*
 * transform.h - changes become CloudEvents: what they are called, what they carry, which are left out.
 *
 * A health event (health_event.h) leaves as {"metadata":{...},"healthEvent":{...}}; any other row or document as
 * {"metadata":{...},NAME:{...}}, and an event that was one already as it is, unless it carries a health event. Ids and
 * order come from the source, so a change is the same event whenever it is read.
 *
 * Ownership: borrows its options; what it makes lives in the intake. Threads: confined. Limits: max_event_bytes.
 */
#ifndef TELEX_EVENTS_TRANSFORM_H
#define TELEX_EVENTS_TRANSFORM_H

#include "base/err.h"
#include "base/options.h"
#include "events/window.h"
#include "model/condition.h"

enum transform_shape {
    SHAPE_AUTO,   /* health events are recognised, the rest is plain */
    SHAPE_HEALTH, /* what is no health event cannot be told */
    SHAPE_PLAIN,  /* nothing is recognised */
};

enum oversize_policy { OVERSIZE_REFUSE, OVERSIZE_DROP_DATA, OVERSIZE_SEND };

struct transform_options {
    struct str type;    /* empty: by what it is */
    struct str source;  /* the same */
    struct str subject; /* empty: none; or a template over the data */
    struct str name;    /* of the member that carries the record; empty: by what it is */
    struct str document_column;
    int shape; /* enum transform_shape */
    bool extensions;
    struct option_map more; /* extensions of the config's own */
    const struct yaml_node *data;
    int64_t max_event_bytes;
    int oversize; /* enum oversize_policy */
};

extern const struct option_table transform_option_table;

struct transform_config {
    const struct transform_options *options;
    const struct option_map *metadata;
    const struct condition *match; /* NULL: all */
    struct str stream;
};

/* What became of changes; added to. */
struct transform_counts {
    uint64_t events;
    uint64_t filtered;  /* the condition did not hold */
    uint64_t broken;    /* could not be read, or made no event */
    uint64_t too_large; /* of those that became events: without their data */
    uint64_t odd;       /* the same: health events that are not quite some */
    const char
        *oddness; /* what is odd about the last of these, and its id, in the intake; NULL: none */
    struct str odd_id;
};

/* A change that makes no event and must not be lost. */
struct transform_fault {
    uint32_t change;
    struct str bytes; /* what there is of it */
    struct err why;
};

struct transform;

/* Are the options what can be done? Points errors at <node>. */
MUST_USE bool transform_check(const struct transform_options *options, const struct yaml_node *node,
                              struct err *e);

MUST_USE bool transform_new(const struct transform_config *config, struct transform **ret_transform,
                            struct err *e);
void transform_free(struct transform *t); /* NULL is fine */

/*
 * Makes the events of an intake's changes, and marks those that need none as done. Changes that make none though they should
 * are told to <fault> and stay open: they are the caller's to bury and to mark.
 */
void transform_intake(struct transform *t, struct intake *in, struct transform_counts *counts,
                      void (*fault)(void *arg, const struct transform_fault *fault), void *arg);

/* Appends the names of the fields that the condition looks at and the change lacks: "a, b". */
void transform_add_lacking(struct transform *t, const struct change *ch, struct arena *a,
                           struct buf *out);

/* A row as a JSON object, appended. */
void transform_print_row(const struct change *row, struct buf *out);

#endif
