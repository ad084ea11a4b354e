/*
 * health_event.h - health events of NVSentinel, however a datastore spells them, in the one form that leaves.
 *
 * The document is recognised by its members (a node's name and a check's name, in whatever case, with or without
 * underscores), itself or below a member `healthevent`. What leaves has the names in camel case, recommendedAction
 * as a number, generatedTimestamp as RFC 3339; members that nobody knows stay as they are. A row is recognised by
 * columns of those names.
 *
 * Ownership: appends to the caller's buf; facts are views of the input or of the arena. Threads: any; pure. Limits:
 * those of JSON.
 */
#ifndef TELEX_EVENTS_HEALTH_EVENT_H
#define TELEX_EVENTS_HEALTH_EVENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "events/change.h"

#include <stdbool.h>
#include <stdint.h>

enum health_result {
    HEALTH_NONE, /* it is something else; nothing was appended */
    HEALTH_EVENT,
    HEALTH_BROKEN, /* no JSON: the error has the place */
};

/* What the attributes of a CloudEvent are made of. */
struct health_facts {
    struct str node;  /* empty: it says none */
    int64_t time_ns;  /* wall; 0: it says none, or what is no time */
    struct str trace; /* a traceparent that stands in it; empty: none */
    const char *
        odd; /* it looks like a health event, and this keeps it from being one, or is not as theirs are; or NULL */
};

enum { HEALTH_NAMES_MAX = 32 };

/* The names of its members as they leave; how many there are. */
size_t health_event_names(const char *ret_names[HEALTH_NAMES_MAX]);

/* The values of its recommendedAction, and of its flags; NULL-terminated. */
extern const char *const health_event_actions[];
extern const char *const health_event_flags[];

enum health_result health_event_of_document(struct str document, struct arena *a, struct buf *out,
                                            struct health_facts *ret_facts, struct err *e);

enum health_result health_event_of_row(const struct change *row, struct arena *a, struct buf *out,
                                       struct health_facts *ret_facts, struct err *e);

#endif
