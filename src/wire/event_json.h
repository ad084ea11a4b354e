/*
 * event_json.h - events out of JSON that may be none: CloudEvents, and plain objects that are made such.
 *
 * The text is one object, an array of objects, or objects behind each other, usually one to a line. An object with
 * a member "specversion" is a CloudEvent and read strictly; any other becomes the data of an event that is called as
 * the caller says. Without an id of the caller's it has a hash of its bytes, so the same object sent again is
 * the same event.
 *
 * Ownership: events have views of the text and of the arena. Threads: any; pure. Limits: JSON's depth, the arena's cap,
 * EVENT_JSON_MAX events.
 */
#ifndef TELEX_WIRE_EVENT_JSON_H
#define TELEX_WIRE_EVENT_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "model/event.h"

enum { EVENT_JSON_MAX = 1000 * 1000 };

/* What a plain object is called. */
struct event_json_names {
    struct str type;
    struct str source;
    struct str id; /* of the first one, "ID/2" of the second; empty: by content */
    struct str subject;
    bool has_time;
    int64_t time_ns; /* wall */
};

/* All or none; an error says which one, and where in it. */
MUST_USE bool event_json_read(struct str text, const struct event_json_names *names,
                              struct arena *a, struct events *ret_events, struct err *e);

/* One object alone. */
MUST_USE bool event_json_read_one(struct str object, const struct event_json_names *names,
                                  struct arena *a, struct event *ret_event, struct err *e);

enum event_json { EVENT_JSON_BROKEN, EVENT_JSON_PLAIN, EVENT_JSON_EVENT };

/* What one object is; the whole of it is looked at. BROKEN with the reason in <e>. */
enum event_json event_json_look(struct str object, struct arena *a, struct err *e);

#endif
