/*
 * msgpack.h - writing MessagePack: the shortest form of each value.
 *
 * Ownership: the caller's buffer. Threads: any. Limits: lengths and counts below 2^32.
 */
#ifndef TELEX_WIRE_MSGPACK_H
#define TELEX_WIRE_MSGPACK_H

#include "base/buf.h"

#include <stdint.h>

/* The head of an array or map of <count> members or pairs, which follow. */
void msgpack_add_array(struct buf *out, uint32_t count);
void msgpack_add_map(struct buf *out, uint32_t count);

void msgpack_add_str(struct buf *out, struct str text);
void msgpack_add_u64(struct buf *out, uint64_t value);
void msgpack_add_i64(struct buf *out, int64_t value);
void msgpack_add_double(struct buf *out, double value);

#endif
