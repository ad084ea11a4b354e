/*
 * edges.h - the batch codec of alert edges, as the ledger keeps them.
 *
 * A protobuf message; docs/internals/wire.md lists its fields. Fields are only ever added: readers pass
 * over those they do not know, so this and the next version read each other's ledgers. Ownership: a decoded
 * batch's texts are views of its bytes, which live as long as it does. Threads: any. Limits:
 * BATCH_ROWS_MAX edges.
 */
#ifndef TELEX_WIRE_EDGES_H
#define TELEX_WIRE_EDGES_H

#include "model/batch.h"

extern const struct batch_codec codec_edges;

#endif
