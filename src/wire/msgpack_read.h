/*
 * msgpack_read.h - reading MessagePack as msgpack.h writes it: the caller says what it expects next.
 *
 * Strict: each value in its shortest form, no extensions. Errors stick: after the first one every call gives
 * nothing, and msgpack_read_end() tells. Ownership: texts are views of the bytes. Threads: confined. Limits: counts
 * are never more than the bytes that are left could hold.
 */
#ifndef TELEX_WIRE_MSGPACK_READ_H
#define TELEX_WIRE_MSGPACK_READ_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct msgpack_reader {
    struct str bytes;
    size_t at;
    struct err *err;
    bool failed;
};

void msgpack_read_init(struct msgpack_reader *r, struct str bytes, struct err *e);

/* How many values or pairs follow; 0 on an error. */
uint32_t msgpack_take_array(struct msgpack_reader *r);
uint32_t msgpack_take_map(struct msgpack_reader *r);

/* The value that comes next; empty or 0 on an error. Texts are UTF-8. */
struct str msgpack_take_str(struct msgpack_reader *r);
uint64_t msgpack_take_u64(struct msgpack_reader *r);
double msgpack_take_double(struct msgpack_reader *r);

/* Says what is wrong at this place, unless something was before. */
void msgpack_fail(struct msgpack_reader *r, const char *what);

/* Was all of it read, and without an error? */
bool msgpack_read_end(struct msgpack_reader *r);

#endif
