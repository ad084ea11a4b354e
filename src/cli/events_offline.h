/*
 * events_offline.h - change streams while Telex does not run: what its state folder says of them.
 *
 * Ownership: borrows the peer, whose config and place it uses. Threads: the main thread. Limits: none of its own.
 */
#ifndef TELEX_CLI_EVENTS_OFFLINE_H
#define TELEX_CLI_EVENTS_OFFLINE_H

#include "cli/peer.h"
#include "events/events.h"

/* Is the state folder of <config> nobody's now? */
bool events_offline_is_apt(const struct config *config);

/* Prints where stream <name> stopped, or all if it is NULL. */
MUST_USE bool events_offline_show(struct peer *p, const char *name, struct err *e);

/* Where the dead letters of <stream> are while nobody answers, and what works on them there: in <e>, instead of why nobody does. */
void events_offline_point(const struct peer *p, struct str stream, struct err *e);

/* Resets a stream as the API does, and says what was done. */
MUST_USE bool events_offline_reset(struct peer *p, struct str name, enum stream_source_fate fate,
                                   struct err *e);

#endif
