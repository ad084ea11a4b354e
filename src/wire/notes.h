/*
 * notes.h - the batch codecs of profiles and spans, as the log keeps them.
 *
 * One protobuf message for both; docs/internals/wire.md lists its fields. Fields are only ever added:
 * readers pass over those they do not know. Ownership: a decoded batch's texts are views of its bytes,
 * which live as long as it does. Threads: any. Limits: BATCH_ROWS_MAX notes, NOTE_FIELDS_MAX fields each.
 */
#ifndef TELEX_WIRE_NOTES_H
#define TELEX_WIRE_NOTES_H

#include "model/batch.h"

extern const struct batch_codec codec_profiles;
extern const struct batch_codec codec_spans;

/* The codec of a kind that has notes. */
const struct batch_codec *notes_codec(enum record_kind kind);

#endif
