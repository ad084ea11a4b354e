/*
 * What the peer's handlers share: the answers of both kinds of rule, the gate, the sink, counters.
 *
 * Ownership: main() owns the one struct peer; it lives as long as the process.
 *
 * Threads: one thread per connection; each answer, the gate and the sink lock themselves.
 *
 * Limits: 50,000 rules of each kind.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include "bench/answer.h"
#include "bench/gate.h"
#include "bench/http.h"
#include "bench/sink.h"

#include <pthread.h>
#include <stdatomic.h>

enum peer_kind { PEER_RECORD, PEER_ALERT, PEER_KINDS };
enum { PEER_RULES_MAX = 50000 };

struct slot {
    pthread_mutex_t lock; /* held while the answer is patched and sent */
    struct answer answer;
    bool built;
};

struct peer {
    struct slot slots[PEER_KINDS][PEER_RULES_MAX];
    struct gate gate;
    struct sink sink;
    uint32_t series;
    bool rotate;
    atomic_bool on; /* false: every answer is empty */
    pthread_mutex_t lock;
    struct served served[PEER_KINDS]; /* under lock, as is all below */
    uint64_t answered[PEER_KINDS];
    uint64_t other_queries;
    uint64_t abandoned; /* the client went away before its answer */
    uint64_t notified_posts;
    uint64_t notified_alerts;
    double label_bytes;
};

/* Answers one request by its path; false when the connection is done. */
bool peer_handle(struct peer *p, struct conn *c, const struct request *r);

#endif
