/*
 * kafka_int.h - what the producer and the consumer share; for src/net only.
 *
 * Ownership: a conf is its maker's until kafka_client_start() takes it; a client borrows its config and its tokens. Threads: any; librdkafka's own take no
 * signals. Limits: as kafka_options.h.
 */
#ifndef TELEX_NET_KAFKA_INT_H
#define TELEX_NET_KAFKA_INT_H

#include "base/thread.h"
#include "base/trace.h"
#include "net/kafka_options.h"

#include <librdkafka/rdkafka.h>

struct env;
struct kafka_tokens;

enum { KAFKA_WHY_MAX = 256 };

/* A handle with its log and its logins; stands first in what it belongs to, which is what callbacks get. */
struct kafka_client {
    struct trace trace;
    rd_kafka_t *kafka; /* NULL: it was not started */
    const struct clock *clock;
    const struct kafka_config *config;
    struct kafka_tokens *tokens; /* or NULL */
    struct cancel *cancel;       /* of a token request */
};

/* What a refusal is. */
enum kafka_refusal {
    KAFKA_REFUSAL_NONE,   /* it is none */
    KAFKA_REFUSAL_PASSES, /* the token server is away */
    KAFKA_REFUSAL_ANEW,   /* a new client logs in with a new token */
    KAFKA_REFUSAL_FINAL,
};

/* Who we are, where they are and what the user says; NULL when it makes no sense. */
rd_kafka_conf_t *kafka_conf_new(const struct kafka_config *c, struct err *e);

MUST_USE bool kafka_conf_put(rd_kafka_conf_t *conf, const char *name, const char *value,
                             struct err *e);

/* Nothing is put when <value> is empty. */
MUST_USE bool kafka_conf_put_str(rd_kafka_conf_t *conf, const char *name, struct str value,
                                 struct err *e);
MUST_USE bool kafka_conf_put_number(rd_kafka_conf_t *conf, const char *name, int64_t value,
                                    struct err *e);

/* <part> and <name> are those of the log's lines. kafka_client_stop() follows, whatever comes of the start. */
void kafka_client_init(struct kafka_client *c, const struct env *env, const char *part,
                       struct str name, const struct kafka_config *config,
                       struct kafka_tokens *tokens);

/* Takes the conf, also when it fails. */
MUST_USE bool kafka_client_start(struct kafka_client *c, rd_kafka_type_t type,
                                 rd_kafka_conf_t *conf, struct err *e);
void kafka_client_stop(struct kafka_client *c);

/* Judges the code of an error, once for each that came. */
enum kafka_refusal kafka_client_judge(struct kafka_client *c, rd_kafka_resp_err_t code);

/* Is the code of a call that failed a refusal whatever becomes of our login? The login's own comes as an error, too. */
bool kafka_client_is_final(const struct kafka_client *c, rd_kafka_resp_err_t code);

/* A broker took our login. */
void kafka_client_is_up(struct kafka_client *c);

/* Credentials, rights or topic: nothing that passes. */
bool kafka_is_refusal(rd_kafka_resp_err_t code);

/* Milliseconds of a wait that are left, at most <max>. */
int kafka_left_ms(struct wait w, const struct clock *clock, int max);

#endif
