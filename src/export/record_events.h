/*
 * record_events.h - records of every kind as CloudEvents.
 *
 * An event is what it is. Of the others each makes one whose data are the record's JSON (record_json.h), and
 * whose id comes from the record alone, so that a record that is sent again is the same event again. An
 * alert whose export_query had several series makes one for each.
 *
 * Ownership: borrows the view and what names events; events live in the arena that they are made in.
 * Threads: confined. Limits: RECORD_EVENT_EXTENSIONS_MAX extensions that a config may add.
 */
#ifndef TELEX_EXPORT_RECORD_EVENTS_H
#define TELEX_EXPORT_RECORD_EVENTS_H

#include "base/options.h"
#include "model/event.h"
#include "wire/record_json.h"

enum { RECORD_EVENT_EXTENSIONS_MAX = 16 };

/* What the config says of events that are made of other records. */
struct event_naming {
    struct str source;
    struct str type_prefix;
    struct option_map extensions;       /* name -> text */
    struct option_map extension_labels; /* name -> the label whose value it has */
};

/* The options of a struct event_naming at <base>. */
#define EVENT_NAMING_AT(base, member) ((base) + offsetof(struct event_naming, member))
#define EVENT_NAMING_ROWS(base)                                                                   \
    {.name = "source",                                                                            \
     .type = OPTION_TEXT,                                                                         \
     .offset = EVENT_NAMING_AT(base, source),                                                     \
     .fallback = "/telex",                                                                        \
     .help = "The attribute `source` of records that are no events: a URI reference that names "  \
             "this Telex, such as `https://telex.example.com/prod`. Receivers know copies by "    \
             "source and id together."},                                                          \
        {.name = "type_prefix",                                                                   \
         .type = OPTION_TEXT,                                                                     \
         .offset = EVENT_NAMING_AT(base, type_prefix),                                            \
         .fallback = "dev.telex.",                                                                \
         .help = "What stands before the kind of the record in the attribute `type`: "            \
                 "`dev.telex.alert`, `.sample`, `.profile`, `.span`."},                           \
        {.name = "extensions",                                                                    \
         .type = OPTION_MAP,                                                                      \
         .offset = EVENT_NAMING_AT(base, extensions),                                             \
         .help = "More attributes of such events: names of a-z and 0-9, and texts."},             \
    {                                                                                             \
        .name = "extension_labels", .type = OPTION_MAP,                                           \
        .offset = EVENT_NAMING_AT(base, extension_labels),                                        \
        .help = "Attributes whose value is a label's, `{severity: severity}`; without the label " \
                "there is no such attribute."                                                     \
    }

struct record_events {
    const struct event_naming *naming;
    struct record_objects objects;
    struct buf text;
};

/* False when the rows cannot be had, with nothing to release. */
MUST_USE bool record_events_init(struct record_events *r, const struct event_naming *naming,
                                 struct view view, struct err *e);
void record_events_release(struct record_events *r);

/* How many events row <i> of the view makes: mostly one; none for a staleness marker. */
uint32_t record_events_count(const struct record_events *r, uint32_t i);

/* One of them, in <a>. */
void record_events_make(struct record_events *r, uint32_t i, uint32_t part, struct arena *a,
                        struct event *ret_event);

/* Would events with these names be events? */
MUST_USE bool event_naming_check(const struct event_naming *naming, struct err *e);

#endif
