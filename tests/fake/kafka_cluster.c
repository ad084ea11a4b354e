#include "fake/kafka_cluster.h"

#include "base/mem.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct kafka_cluster {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *mock;
    unsigned brokers;
};

struct kafka_cluster *kafka_cluster_start(unsigned brokers)
{
    struct kafka_cluster *c = mem_new(struct kafka_cluster);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    (void)rd_kafka_conf_set(conf, "client.id", "cluster", why, sizeof(why));
    (void)rd_kafka_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", why, sizeof(why));
    (void)rd_kafka_conf_set(conf, "log_level", "0", why, sizeof(why));
    c->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    c->mock = rd_kafka_mock_cluster_new(c->handle, (int)brokers);
    c->brokers = brokers;
    return c;
}

void kafka_cluster_stop(struct kafka_cluster *c)
{
    rd_kafka_mock_cluster_destroy(c->mock);
    rd_kafka_destroy(c->handle);
    mem_free(c);
}

const char *kafka_cluster_brokers(const struct kafka_cluster *c)
{
    return rd_kafka_mock_cluster_bootstraps(c->mock);
}

bool kafka_cluster_create(struct kafka_cluster *c, const char *topic, unsigned partitions)
{
    return rd_kafka_mock_topic_create(c->mock, topic, (int)partitions, 1) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
}

void kafka_cluster_fail(struct kafka_cluster *c, enum kafka_api api, int code, unsigned count)
{
    rd_kafka_resp_err_t *codes = mem_alloc0(count, sizeof(*codes));

    for (unsigned i = 0; i < count; i++) {
        codes[i] = (rd_kafka_resp_err_t)code;
    }
    rd_kafka_mock_push_request_errors_array(c->mock, (int16_t)api, count, codes);
    mem_free(codes);
}

void kafka_cluster_mend(struct kafka_cluster *c, enum kafka_api api)
{
    rd_kafka_mock_clear_request_errors(c->mock, (int16_t)api);
}

void kafka_cluster_topic_error(struct kafka_cluster *c, const char *topic, int code)
{
    rd_kafka_mock_topic_set_error(c->mock, topic, (rd_kafka_resp_err_t)code);
}

void kafka_cluster_slow(struct kafka_cluster *c, int ms)
{
    for (unsigned i = 1; i <= c->brokers; i++) {
        (void)rd_kafka_mock_broker_set_rtt(c->mock, (int32_t)i, ms);
    }
}

void kafka_cluster_down(struct kafka_cluster *c, bool down)
{
    for (unsigned i = 1; i <= c->brokers; i++) {
        (void)(down ? rd_kafka_mock_broker_set_down(c->mock, (int32_t)i)
                    : rd_kafka_mock_broker_set_up(c->mock, (int32_t)i));
    }
}

static void put(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];

    (void)rd_kafka_conf_set(conf, name, value, why, sizeof(why));
}

static rd_kafka_t *start_reader(const struct kafka_cluster *c, const char *topic, bool committed)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];

    put(conf, "bootstrap.servers", kafka_cluster_brokers(c));
    put(conf, "group.id", "reader");
    put(conf, "auto.offset.reset", "earliest");
    put(conf, "enable.auto.commit", "false");
    put(conf, "isolation.level", committed ? "read_committed" : "read_uncommitted");
    rd_kafka_t *reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    (void)rd_kafka_poll_set_consumer(reader);

    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader, topic, NULL);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    if (rd_kafka_metadata(reader, 0, handle, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
            rd_kafka_topic_partition_list_add(all, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
        }
        rd_kafka_metadata_destroy(metadata);
    }
    (void)rd_kafka_assign(reader, all);
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_topic_destroy(handle);
    return reader;
}

unsigned kafka_cluster_read(struct kafka_cluster *c, const char *topic, unsigned count, int ms,
                            bool committed, struct buf *out)
{
    rd_kafka_t *reader = start_reader(c, topic, committed);
    unsigned found = 0;

    for (int waited = 0; found < count && waited < ms; waited += 20) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(reader, 20);
        while (m != NULL && found < count) {
            if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                buf_addf(out, "%d %.*s %.*s\n", m->partition, (int)m->key_len,
                         m->key_len > 0 ? (const char *)m->key : "", (int)m->len,
                         (const char *)m->payload);
                found++;
            }
            rd_kafka_message_destroy(m);
            m = found < count ? rd_kafka_consumer_poll(reader, 20) : NULL;
        }
    }
    (void)rd_kafka_consumer_close(reader);
    rd_kafka_destroy(reader);
    return found;
}
