/*
 * frame.h - a batch as the payload of a log frame, and back.
 *
 * A protobuf message: which codec, how many rows, what all rows share, and last the codec's bytes; so a
 * frame is written as a small head and the batch's own bytes, without copying them.
 * docs/internals/wire.md lists its fields. Ownership: a payload given out lives as long as its batch.
 * Threads: any. Limits: those of the batch's codec.
 */
#ifndef TELEX_WIRE_FRAME_H
#define TELEX_WIRE_FRAME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/batch.h"

/* The codec with <id>; NULL when this version has none. */
const struct batch_codec *batch_codec_find(uint8_t id);

/*
 * Appends the head of <b>'s frame to <head>; *ret_payload is the bytes that follow it in the frame. Encodes
 * the batch if need be; fails as batch_encoded() does.
 */
MUST_USE bool batch_to_frame(struct batch *b, struct buf *head, struct str *ret_payload,
                             struct err *e);

/* A batch from the bytes of a frame, which are copied; its rows are decoded on first use. */
MUST_USE bool batch_from_frame(struct str frame, struct batch **ret_batch, struct err *e);

/* What a frame says of its rows, without a copy: views of the frame's bytes. */
struct batch_frame {
    const struct batch_codec *codec;
    uint32_t rows;
    struct str info; /* what the rows share, encoded */
    struct str payload;
};

/* Bytes of the payload without its compression, as far as the payload tells. */
uint64_t batch_frame_plain_bytes(const struct batch_frame *frame);

MUST_USE bool batch_frame_read(struct str frame, struct batch_frame *ret_frame, struct err *e);

/* Who made the rows: origin and group of what they share; empty where it does not tell. */
void batch_frame_maker(const struct batch_frame *frame, struct str *ret_origin,
                       struct str *ret_group);

/* Can the rows of both be one batch: are they of a kind, and do they share all but the time? */
bool batch_frames_join(const struct batch_frame *a, const struct batch_frame *b);

/*
 * One batch of frames that join, rows in order, with the time of the first. One frame's bytes are copied as
 * they are; those of several are put together without decoding them. Fails when what they hold is broken or
 * together too large; each by itself may still do.
 */
MUST_USE bool batch_from_frames(const struct batch_frame *frames, size_t count,
                                struct batch **ret_batch, struct err *e);

#endif
