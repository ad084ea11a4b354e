/*
 * statsd.h - StatsD and DogStatsD over UDP and a Unix datagram socket.
 *
 * Lines add up in a table; every <flush_interval> its samples are given to the plan. Nobody is answered, so what
 * comes while the program is down is lost, and what the kernel had no room for: it says how much where it can.
 * A flush for which the log has no room is left out and counted; totals go on with the next.
 *
 * Ownership: borrows the receiver, frees itself before it. Threads: one of its own. Limits: <max_series> series;
 * datagrams of STATSD_DATAGRAM_MAX bytes, the rest of longer ones is lost.
 */
#ifndef TELEX_RECEIVE_STATSD_H
#define TELEX_RECEIVE_STATSD_H

#include "receive/receive.h"

enum { STATSD_DATAGRAM_MAX = 64 * 1024 };

struct statsd;

/* Listens as the receiver's config says. */
MUST_USE bool statsd_start(struct receiver *r, struct statsd **ret_statsd, struct err *e);

/* Writes what there is and ends. NULL is fine. */
void statsd_free(struct statsd *s);

#endif
