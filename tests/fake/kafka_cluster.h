/*
 * kafka_cluster.h - brokers of librdkafka's mock cluster, in this process.
 *
 * Ownership: the test's. Threads: the cluster has one of its own. Limits: one process; records are kept in
 * memory. Where librdkafka is missing, and under the thread sanitizer, there is no cluster and tests skip.
 */
#ifndef TELEX_FAKE_KAFKA_CLUSTER_H
#define TELEX_FAKE_KAFKA_CLUSTER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kafka_cluster;

/* Request kinds, as Kafka numbers them. */
enum kafka_api {
    KAFKA_API_PRODUCE = 0,
    KAFKA_API_METADATA = 3,
    KAFKA_API_INIT_PRODUCER_ID = 22,
    KAFKA_API_ADD_PARTITIONS = 24,
    KAFKA_API_END_TXN = 26,
};

/* NULL where there is none. */
struct kafka_cluster *kafka_cluster_start(unsigned brokers);
void kafka_cluster_stop(struct kafka_cluster *c);

/* "127.0.0.1:1,127.0.0.1:2" */
const char *kafka_cluster_brokers(const struct kafka_cluster *c);

bool kafka_cluster_create(struct kafka_cluster *c, const char *topic, unsigned partitions);

/* The next <count> requests of that kind are answered with <code>; a disconnection for -195. */
void kafka_cluster_fail(struct kafka_cluster *c, enum kafka_api api, int code, unsigned count);

/* No more of what kafka_cluster_fail() said. */
void kafka_cluster_mend(struct kafka_cluster *c, enum kafka_api api);

/* What is told of a topic. */
void kafka_cluster_topic_error(struct kafka_cluster *c, const char *topic, int code);

/* All brokers answer only after <ms>, or are down. */
void kafka_cluster_slow(struct kafka_cluster *c, int ms);
void kafka_cluster_down(struct kafka_cluster *c, bool down);

/*
 * Reads a topic from its start until <count> records or <ms>, and appends "partition key value\n" for each
 * as it is kept; gives their number. Aborted transactions are read over when <committed>.
 */
unsigned kafka_cluster_read(struct kafka_cluster *c, const char *topic, unsigned count, int ms,
                            bool committed, struct buf *out);

#endif
