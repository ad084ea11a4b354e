/*
 * parquet_encode.h - the encodings of Parquet's values: run lengths and packed bits, packed differences, split bytes.
 *
 * Ownership: values are borrowed, bytes appended to the caller's buf. Threads: any; pure. Limits: 2^31 values.
 */
#ifndef TELEX_WIRE_PARQUET_ENCODE_H
#define TELEX_WIRE_PARQUET_ENCODE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Bits that hold values up to <max>. */
unsigned parquet_width(uint32_t max);

/* Runs of equal values, and what is none packed with <width> bits each. Width 0 adds runs without values. */
void parquet_add_hybrid(const uint32_t *values, size_t count, unsigned width, struct buf *out);

/* DELTA_BINARY_PACKED. */
void parquet_add_deltas(const int64_t *values, size_t count, struct buf *out);

/* BYTE_STREAM_SPLIT of 8-byte values: all first bytes, then all second ones, ... */
void parquet_add_split(const void *values, size_t count, struct buf *out);

#endif
