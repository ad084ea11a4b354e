/*
 * event.h - something that happened, as CloudEvents 1.0 says it: attributes around data.
 *
 * An event is known by its source and id together: who gets both again got the same event again. What
 * producers add to the attributes that everybody knows are extensions, in the order they came. Data are
 * bytes, and the form says how they travel inside JSON.
 *
 * Ownership: texts and extensions live in somebody's arena, mostly a batch's. Threads: immutable once
 * made. Limits: EVENT_EXTENSIONS_MAX extensions; integers have 32 bits.
 */
#ifndef TELEX_MODEL_EVENT_H
#define TELEX_MODEL_EVENT_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVENT_EXTENSIONS_MAX = 256 };

enum event_value { EVENT_TEXT, EVENT_INTEGER, EVENT_FLAG, EVENT_VALUES };

struct event_extension {
    struct str name; /* a-z and 0-9 */
    enum event_value type;
    int32_t integer; /* of EVENT_INTEGER; of EVENT_FLAG 0 or 1 */
    struct str text; /* of EVENT_TEXT */
};

enum event_form {
    EVENT_NO_DATA,
    EVENT_DATA_JSON,  /* the bytes are a JSON value */
    EVENT_DATA_TEXT,  /* UTF-8, of a type that is no JSON */
    EVENT_DATA_BYTES, /* anything */
    EVENT_FORMS
};

struct event {
    struct str id;
    struct str source; /* a URI reference */
    struct str type;
    struct str subject;      /* these three: empty when there is none */
    struct str content_type; /* of the data; none is JSON */
    struct str schema;       /* a URI */
    bool has_time;
    int64_t time_ns; /* wall */
    const struct event_extension *extensions;
    size_t extension_count;
    enum event_form form;
    struct str data;
};

/* Rows of a batch of events. */
struct events {
    const struct event *rows;
    uint32_t count;
};

/* Is it an event at all? Says the attribute that is missing or cannot be what it is. */
MUST_USE bool event_check(const struct event *ev, struct err *e);

/* The same of one that differs from another, which is one, in nothing but id, subject, time and data, and in texts of
 * extensions that were looked at. */
MUST_USE bool event_check_another(const struct event *ev, struct err *e);

/* What may stand in an attribute: UTF-8 without control characters and without what Unicode says is no
 * character. */
bool event_text_is_valid(struct str text);

/* a-z and 0-9, and not "data". */
bool event_name_is_valid(struct str name);

/* Is a media type JSON, as none at all is? */
bool event_type_is_json(struct str content_type);

/* NULL when it has none of that name. */
const struct event_extension *event_extension(const struct event *ev, struct str name);

/* An attribute that the specification names and that is a text; empty when there is none. */
struct str event_text(const struct event *ev, struct str name);

/* An attribute by its name in CloudEvents, as text in <a>; STR_NONE when the event has none. */
struct str event_attribute(const struct event *ev, struct str name, struct arena *a);

/* What keeps events in order: the extension partitionkey, else the subject, else the id. */
struct str event_key(const struct event *ev);

/* A copy whose texts live in <a>. */
struct event event_copy(struct arena *a, const struct event *ev);

#endif
