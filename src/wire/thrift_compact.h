/*
 * thrift_compact.h - a writer of Thrift's compact protocol, as far as Parquet's metadata needs it.
 *
 * Fields of a struct are written in rising order of their ids. An element of a list that is a struct is written between
 * thrift_begin() and thrift_end() too.
 *
 * Ownership: the writer borrows its buf. Threads: confined. Limits: THRIFT_DEPTH_MAX structs inside each other.
 */
#ifndef TELEX_WIRE_THRIFT_COMPACT_H
#define TELEX_WIRE_THRIFT_COMPACT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { THRIFT_DEPTH_MAX = 16 };

/* Types of lists' elements. */
enum thrift_type { THRIFT_I32 = 5, THRIFT_I64 = 6, THRIFT_BINARY = 8, THRIFT_STRUCT = 12 };

struct thrift_writer {
    struct buf *out;
    uint32_t depth;
    int16_t last[THRIFT_DEPTH_MAX]; /* the id before, per struct that is open */
};

void thrift_init(struct thrift_writer *w, struct buf *out);

/* A struct that stands alone or in a list; and its end, and that of one in a field. */
void thrift_begin(struct thrift_writer *w);
void thrift_end(struct thrift_writer *w);

/* Fields. After thrift_list() come <count> elements, without ids. */
void thrift_struct(struct thrift_writer *w, int16_t id);
void thrift_list(struct thrift_writer *w, int16_t id, enum thrift_type type, size_t count);
void thrift_i32(struct thrift_writer *w, int16_t id, int32_t value);
void thrift_i64(struct thrift_writer *w, int16_t id, int64_t value);
void thrift_bool(struct thrift_writer *w, int16_t id, bool value);
void thrift_binary(struct thrift_writer *w, int16_t id, struct str value);

/* Elements. */
void thrift_add_int(struct thrift_writer *w, int64_t value);
void thrift_add_binary(struct thrift_writer *w, struct str value);

/* A number as seven bits to a byte, the low ones first. */
void thrift_add_varint(struct buf *out, uint64_t value);

#endif
