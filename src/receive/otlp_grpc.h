/*
 * otlp_grpc.h - OTLP over gRPC, on an address of its own.
 *
 * A call is answered OK when what it brought is HELD by every output that its routes chose. Under pressure it is
 * answered UNAVAILABLE with RetryInfo before its message is read. Ownership: the caller owns the server and frees
 * it before the receiver. Threads: as receive.h. Limits: as receive.h and net/grpc_server.h.
 */
#ifndef TELEX_RECEIVE_OTLP_GRPC_H
#define TELEX_RECEIVE_OTLP_GRPC_H

#include "net/grpc_server.h"
#include "receive/receive.h"

/* Listens as the receiver's config says; TLS, credentials and limits are those of <server>. */
MUST_USE bool receiver_start_grpc(struct receiver *r, const struct http_server_config *server,
                                  struct grpc_server **ret_server, struct err *e);

#endif
