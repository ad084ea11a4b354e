/*
 * rw1_relabel.h - a remote-write message with other labels: series copied as bytes, samples untouched.
 *
 * What the labels become is the caller's business, and he sees them as bytes: a sender writes those of a
 * series the same way each time, so they are all that is needed to know it again. Ownership: the
 * caller's. Threads: any. Limits: those of the output.
 */
#ifndef TELEX_WIRE_RW1_RELABEL_H
#define TELEX_WIRE_RW1_RELABEL_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum rw1_labels { RW1_LABELS_MADE, RW1_LABELS_DROPPED, RW1_LABELS_BAD };

struct rw1_relabeller {
    /* The label fields for a series of <samples> samples that has <labels>; valid until called again. */
    enum rw1_labels (*make)(void *arg, struct str labels, uint32_t samples, struct str *ret_labels);
    void *arg;
};

/*
 * Appends the message with the labels that <r> makes, without the series it drops, and what its metadata
 * say of those that are left, by the names that they have then; gives how many
 * samples it read. False, what was appended being of no use, when a series has not the usual form or bad
 * labels, metadata do not stand in front, or there is no room: then only decoding can tell what it holds.
 */
bool rw1_relabel(struct str message, const struct rw1_relabeller *r, struct buf *out,
                 uint64_t *ret_samples);

#endif
