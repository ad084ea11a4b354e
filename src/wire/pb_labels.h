/*
 * pb_labels.h - names and values as protobuf Label messages {1 name, 2 value}, for lists that are not
 * label sets.
 *
 * Ownership: what is read are views of the bytes given. Threads: any. Limits: those of pb.h.
 */
#ifndef TELEX_WIRE_PB_LABELS_H
#define TELEX_WIRE_PB_LABELS_H

#include "model/labels.h"
#include "wire/pb.h"

/* Appends <count> pairs as elements of a repeated field. */
void pb_add_pairs(struct buf *out, uint32_t field, const struct label *pairs, size_t count);

/* Reads one element; false when it is not well formed. */
bool pb_read_pair(struct str bytes, struct label *ret_pair);

#endif
