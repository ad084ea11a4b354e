/*
 * grpc.h - what gRPC puts on HTTP/2: the frame of a message, codes and their names, texts of its headers.
 *
 * Pure functions for both sides; HTTP/2 itself is somebody else's. A call here has one message each way.
 * Ownership: values and views; texts go to the caller's buffer. Threads: any. Limits: GRPC_TEXT_MAX bytes
 * of grpc-message, the rest is cut.
 */
#ifndef TELEX_WIRE_GRPC_H
#define TELEX_WIRE_GRPC_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum grpc_code {
    GRPC_OK,
    GRPC_CANCELLED,
    GRPC_UNKNOWN,
    GRPC_INVALID_ARGUMENT,
    GRPC_DEADLINE_EXCEEDED,
    GRPC_NOT_FOUND,
    GRPC_ALREADY_EXISTS,
    GRPC_PERMISSION_DENIED,
    GRPC_RESOURCE_EXHAUSTED,
    GRPC_FAILED_PRECONDITION,
    GRPC_ABORTED,
    GRPC_OUT_OF_RANGE,
    GRPC_UNIMPLEMENTED,
    GRPC_INTERNAL,
    GRPC_UNAVAILABLE,
    GRPC_DATA_LOSS,
    GRPC_UNAUTHENTICATED,
    GRPC_CODES
};

enum { GRPC_PREFIX_BYTES = 5, GRPC_TEXT_MAX = 1024 };

/* "UNAVAILABLE"; codes that are none are UNKNOWN. */
const char *grpc_code_name(int code);

/* The status of HTTP that says the same, for tables that are made of those. */
int grpc_code_to_http(int code);

/* What an answer of HTTP means that has no grpc-status: from something on the way. */
enum grpc_code grpc_code_from_http(int status);

/* grpc-status; GRPC_UNKNOWN when it is no number. */
enum grpc_code grpc_code_read(struct str header);

/* Whether it is compressed, and the length: what stands before a message. */
void grpc_prefix(bool is_compressed, size_t len, char ret_prefix[static GRPC_PREFIX_BYTES]);

/* Takes one message off the front of <rest>; false when it is not all there. */
bool grpc_next(struct str *rest, bool *ret_is_compressed, struct str *ret_message);

/* The length that a prefix announces. */
size_t grpc_prefix_length(const char prefix[static GRPC_PREFIX_BYTES]);

/* grpc-message, percent-encoded; and back, where wrong escapes stay as they are. */
void grpc_add_text(struct buf *out, struct str text);
void grpc_read_text(struct str header, struct buf *out);

/* grpc-timeout in the finest unit of which eight digits do; and back: false when it is none. */
void grpc_add_timeout(struct buf *out, int64_t timeout_ns);
bool grpc_read_timeout(struct str header, int64_t *ret_timeout_ns);

#endif
