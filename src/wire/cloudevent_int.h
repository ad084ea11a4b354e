/*
 * cloudevent_int.h - what JSON and headers share in reading an event: attributes by their names.
 *
 * Ownership: the reader's arena has the extensions. Threads: confined. Limits: EVENT_EXTENSIONS_MAX.
 */
#ifndef TELEX_WIRE_CLOUDEVENT_INT_H
#define TELEX_WIRE_CLOUDEVENT_INT_H

#include "base/vec.h"
#include "wire/cloudevent.h"

/* An event that is being read. */
struct cloudevent_draft {
    struct event event;
    unsigned seen; /* bit per attribute of the table */
    bool has_version;
    VEC(struct event_extension) extensions;
};

void cloudevent_draft_init(struct cloudevent_draft *d);
void cloudevent_draft_release(struct cloudevent_draft *d);

/* Is it an attribute that the specification names? Those are all texts. */
bool cloudevent_is_known(struct str name);

/* Takes a known attribute's text, or an extension; false when it came before or cannot be that. */
MUST_USE bool cloudevent_take_known(struct cloudevent_draft *d, struct str name, struct str text,
                                    struct err *e);
MUST_USE bool cloudevent_take_extension(struct cloudevent_draft *d, const struct event_extension *x,
                                        struct err *e);

/* All is there: checks it and moves the extensions into <a>. */
MUST_USE bool cloudevent_draft_end(struct cloudevent_draft *d, struct arena *a,
                                   struct event *ret_event, struct err *e);

#endif
