/*
 * grpc_call.h - a call of gRPC as the sink over HTTP makes it: the headers that it has beside those of a
 * request, the prefix of its message, and what its trailers say.
 *
 * Ownership: texts live in the arena given, the message in the answer's body. Threads: confined. Limits:
 * as wire/grpc.h.
 */
#ifndef TELEX_EXPORT_GRPC_CALL_H
#define TELEX_EXPORT_GRPC_CALL_H

#include "base/arena.h"
#include "net/http_client.h"
#include "wire/grpc.h"

enum { GRPC_CALL_HEADERS = 4 };

/* What a call is answered. */
struct grpc_answer {
    enum grpc_code code;
    struct str text;    /* grpc-message */
    struct str details; /* google.rpc.Status, encoded; empty: there is none */
    struct str message; /* the response; empty: there is none */
};

/* Fills <headers>; <compression> is the name of what was done to the message, or NULL. */
size_t grpc_call_headers(const char *compression, int64_t timeout_ns, struct arena *a,
                         struct http_header headers[static GRPC_CALL_HEADERS]);

/* The code of an answer without a grpc-status is that which its status of HTTP stands for. */
void grpc_call_read(const struct http_response *res, struct str body, struct arena *a,
                    struct grpc_answer *ret);

#endif
