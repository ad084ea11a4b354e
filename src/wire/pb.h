/*
 * pb.h - protobuf on the wire: a writer on a buf, a reader that walks the fields of a message.
 *
 * No schema and no generated code: a message is a loop over pb_next(). Errors stick: after one, pb_next()
 * finds nothing and pb_ok() says so. Ownership: the reader's views are of the bytes given. Threads:
 * confined. Limits: field numbers below 2^29, lengths within the bytes given; groups are refused, since
 * nothing we speak has them.
 */
#ifndef TELEX_WIRE_PB_H
#define TELEX_WIRE_PB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/varint.h"

#include <stdbool.h>
#include <stdint.h>

enum pb_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

/* Appends a field. Values that are zero or empty are left out, as proto3 does. */
void pb_add_u64(struct buf *out, uint32_t field, uint64_t value);
void pb_add_i64(struct buf *out, uint32_t field, int64_t value);    /* int64: two's complement */
void pb_add_sint(struct buf *out, uint32_t field, int64_t value);   /* sint64: zigzag */
void pb_add_fixed(struct buf *out, uint32_t field, uint64_t value); /* fixed64 */
void pb_add_double(struct buf *out, uint32_t field, double value);
void pb_add_str(struct buf *out, uint32_t field, struct str value);

/* Appends a length-delimited field even when it is empty: an element of a repeated field. */
void pb_add_bytes(struct buf *out, uint32_t field, struct str value);

/* Appends a number even when it is zero: a member of a oneof. */
void pb_put_u64(struct buf *out, uint32_t field, uint64_t value);
void pb_put_fixed(struct buf *out, uint32_t field,
                  uint64_t value); /* fixed64, and a double's bits */

/* Appends the tag and length of a length-delimited field whose <len> bytes the caller writes elsewhere. */
void pb_add_length(struct buf *out, uint32_t field, size_t len);

/* Appends an embedded message: everything between begin and end. */
size_t pb_begin(struct buf *out, uint32_t field);
void pb_end(struct buf *out, size_t begun);

/* A field: value of a varint or fixed one, bytes of a length-delimited one. */
struct pb_field {
    uint32_t number;
    enum pb_type type;
    uint64_t value;
    struct str bytes;
};

struct pb_reader {
    const char *start;
    const char *at;
    const char *end;
    bool failed;
};

void pb_read_init(struct pb_reader *r, struct str message);

/* The next field; false at the end or on bytes that are no field. */
bool pb_next(struct pb_reader *r, struct pb_field *ret_field);

/* Was everything so far well formed? */
static inline bool pb_ok(const struct pb_reader *r)
{
    return !r->failed;
}

/* Where the reader stands, for errors. */
static inline size_t pb_offset(const struct pb_reader *r)
{
    return (size_t)(r->at - r->start);
}

double pb_double(const struct pb_field *f);

/* A fixed64 at <p>, which has 8 bytes; and writing one. */
static inline uint64_t pb_load64(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

static inline char *pb_store64(char *p, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (char)(value >> (8 * i));
    }
    return p + 8;
}

/* The `join` of codecs whose message is one repeated field: messages behind each other are one. */
MUST_USE bool pb_join(const struct str *parts, size_t count, struct buf *out, struct err *e);

#endif
