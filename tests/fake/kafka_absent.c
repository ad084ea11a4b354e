/* Where librdkafka is missing, or cannot run: no cluster. */
#include "fake/kafka_cluster.h"

struct kafka_cluster *kafka_cluster_start(unsigned brokers)
{
    (void)brokers;
    return NULL;
}

void kafka_cluster_stop(struct kafka_cluster *c)
{
    (void)c;
}

const char *kafka_cluster_brokers(const struct kafka_cluster *c)
{
    (void)c;
    return "";
}

bool kafka_cluster_create(struct kafka_cluster *c, const char *topic, unsigned partitions)
{
    (void)c;
    (void)topic;
    (void)partitions;
    return false;
}

void kafka_cluster_fail(struct kafka_cluster *c, enum kafka_api api, int code, unsigned count)
{
    (void)c;
    (void)api;
    (void)code;
    (void)count;
}

void kafka_cluster_mend(struct kafka_cluster *c, enum kafka_api api)
{
    (void)c;
    (void)api;
}

void kafka_cluster_topic_error(struct kafka_cluster *c, const char *topic, int code)
{
    (void)c;
    (void)topic;
    (void)code;
}

void kafka_cluster_slow(struct kafka_cluster *c, int ms)
{
    (void)c;
    (void)ms;
}

void kafka_cluster_down(struct kafka_cluster *c, bool down)
{
    (void)c;
    (void)down;
}

unsigned kafka_cluster_read(struct kafka_cluster *c, const char *topic, unsigned count, int ms,
                            bool committed, struct buf *out)
{
    (void)c;
    (void)topic;
    (void)count;
    (void)ms;
    (void)committed;
    (void)out;
    return 0;
}
