/*
 * net.h - the process-wide state of the libraries below this folder, held by one owner.
 *
 * libcurl and the TLS libraries have global set-up; whoever runs the program (main, a test, the
 * library's handle) brings it up once before the first client or server and takes it down after the
 * last. Ownership: the owner keeps the struct. Threads: net_init() before threads start,
 * net_release() after they ended. Limits: several owners may exist; the libraries count.
 */
#ifndef TELEX_NET_NET_H
#define TELEX_NET_NET_H

#include "base/attr.h"
#include "base/err.h"

#include <stdbool.h>

struct net {
    bool up;
};

/* Fails when a library refuses, or is older than we can work with. */
MUST_USE bool net_init(struct net *n, struct err *e);

/* Fine on a zeroed struct, and for AUTO(net_release). */
void net_release(struct net *n);

#endif
