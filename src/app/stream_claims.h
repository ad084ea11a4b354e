/*
 * stream_claims.h - streams of a config that would take something from each other.
 *
 * Each kind of source says what a stream of it must have alone (source_kind.claim): names alike in a datastore, though the
 * streams' are not. Ownership: borrows all. Threads: any. Limits: that of streams.
 */
#ifndef TELEX_APP_STREAM_CLAIMS_H
#define TELEX_APP_STREAM_CLAIMS_H

#include "app/problems.h"
#include "events/stream_config.h"

/* Tells <problems> of each pair, with the places of both. */
void check_claims(const struct streams_config *streams, struct problems *problems);

#endif
