/*
 * rw1_patch.h - the same series again with other values: a remote-write message changed in place.
 *
 * A rule that finds the series it found last time needs no labels to write them: it takes the last
 * message and puts new values and a new time where the old ones were. Ownership: the message is the
 * caller's. Threads: any. Limits: messages as rw1_encode() makes them, one sample per TimeSeries.
 */
#ifndef TELEX_WIRE_RW1_PATCH_H
#define TELEX_WIRE_RW1_PATCH_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Gives the <count> series of <message> the <values> in order, all at <time_ns>. False, the message
 * then being of no use, when it does not have this form, or when the time takes another number of
 * bytes than the old one.
 */
bool rw1_patch(struct buf *message, const double *values, uint32_t count, int64_t time_ns);

#endif
