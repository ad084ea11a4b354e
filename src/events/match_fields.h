/*
 * match_fields.h - the fields that a stream's `match` looks at: those that look misspelt.
 *
 * A field that a record lacks is the empty text, so a misspelt one leaves out every event and nothing is wrong to see.
 * What is called almost as something that every event, or every health event, may have is told of. Records are whatever
 * the datastore holds, so a name that resembles nothing is not.
 *
 * Ownership: borrows all. Threads: confined. Limits: MATCH_NAMES_MAX names are compared.
 */
#ifndef TELEX_EVENTS_MATCH_FIELDS_H
#define TELEX_EVENTS_MATCH_FIELDS_H

#include "events/stream_config.h"

enum { MATCH_NAMES_MAX = 256 };

/* Tells of each field of the stream's condition that looks misspelt, with its place. */
void match_fields_check(const struct stream_config *s, void (*tell)(void *arg, const struct err *e),
                        void *arg);

#endif
