/*
 * udp.h - sockets that take datagrams: UDP, and Unix ones with a file.
 *
 * Ownership: the caller closes the descriptor, and removes the file. Threads: any. Limits: the kernel's queue,
 * asked to be UDP_QUEUE_BYTES; what it had no room for it counts, for UDP.
 */
#ifndef TELEX_NET_UDP_H
#define TELEX_NET_UDP_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { UDP_QUEUE_BYTES = 4 << 20 };

/* Listens on "host:port", without waiting when it is read. */
MUST_USE bool udp_listen(struct str listen, int *ret_fd, struct err *e);

/* Is <listen> an address and a port? */
MUST_USE bool udp_listen_check(struct str listen, struct err *e);

/* Makes the socket's file; one that is left of somebody who listens no more is replaced. */
MUST_USE bool unix_datagram_listen(struct str path, int *ret_fd, struct err *e);

/* Bytes of the next datagram; negative: there is none now. *dropped is how many were lost so far, where known. */
ssize_t udp_receive(int fd, char *out, size_t max, uint32_t *dropped);

#endif
