/*
 * events.h - the batch codec of events, as the log keeps them.
 *
 * A protobuf message; docs/internals/wire.md lists its fields. Fields are only ever added: readers pass over
 * those they do not know. Ownership: a decoded batch's texts are views of its bytes, which live as long as
 * it does. Threads: any. Limits: BATCH_ROWS_MAX events, EVENT_EXTENSIONS_MAX extensions each.
 */
#ifndef TELEX_WIRE_EVENTS_H
#define TELEX_WIRE_EVENTS_H

#include "model/batch.h"

extern const struct batch_codec codec_events;

/* One event in that form: what was appended behind each other is the bytes of a batch. */
void events_put(const struct event *ev, struct buf *out);

/* The first event of such bytes, of which it has views. */
MUST_USE bool events_take(struct str bytes, struct arena *a, struct event *ret_event,
                          struct err *e);

#endif
