/*
 * kafka_int.h - what the producer and the consumer share; for src/net only.
 *
 * Ownership: a conf is its maker's until kafka_start() takes it. Threads: any; librdkafka's own take no
 * signals. Limits: as kafka_options.h.
 */
#ifndef TELEX_NET_KAFKA_INT_H
#define TELEX_NET_KAFKA_INT_H

#include "base/thread.h"
#include "net/kafka_options.h"

#include <librdkafka/rdkafka.h>

struct trace;

enum { KAFKA_WHY_MAX = 256 };

/* Who we are, where they are and what the user says; NULL when it makes no sense. */
rd_kafka_conf_t *kafka_conf_new(const struct kafka_config *c, struct err *e);

MUST_USE bool kafka_conf_put(rd_kafka_conf_t *conf, const char *name, const char *value,
                             struct err *e);

/* Nothing is put when <value> is empty. */
MUST_USE bool kafka_conf_put_str(rd_kafka_conf_t *conf, const char *name, struct str value,
                                 struct err *e);
MUST_USE bool kafka_conf_put_number(rd_kafka_conf_t *conf, const char *name, int64_t value,
                                    struct err *e);

/* A new handle, which writes its log to <trace>; takes the conf, also when it fails (NULL). */
rd_kafka_t *kafka_start(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct trace *trace,
                        struct err *e);

/* Credentials, rights or topic: nothing that passes. */
bool kafka_is_refusal(rd_kafka_resp_err_t code);

/* Milliseconds of a wait that are left, at most <max>. */
int kafka_left_ms(struct wait w, const struct clock *clock, int max);

#endif
