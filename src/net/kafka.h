/*
 * kafka.h - a client of Kafka, of which only producers are written: librdkafka behind a few calls.
 *
 * A producer takes messages, sends them in batches and reports what became of each, once: sent and
 * acknowledged by all replicas, not sent, perhaps sent. It is idempotent: what it repeats by itself
 * arrives once and in order, and behind a message that failed nothing of its partition is sent. Who says
 * DEAD must be closed; a new one begins with a clean slate. With a transactional id, messages count only
 * when their transaction is committed.
 *
 * Ownership: a producer copies its messages and borrows its config and tokens. Threads: calls of one thread at a time;
 * librdkafka's own threads take no signals. Limits: buffer_bytes of messages and KAFKA_TOPICS_MAX
 * topics; every wait ends soon after its deadline or cancel.
 */
#ifndef TELEX_NET_KAFKA_H
#define TELEX_NET_KAFKA_H

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "net/kafka_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct kafka_producer;
struct kafka_tokens;

enum { KAFKA_TOPICS_MAX = 1000, KAFKA_TOPIC_NAME_MAX = 249, KAFKA_SENT_HEADERS_MAX = 64 };
enum { KAFKA_KEPT_MAX = 4000 }; /* brokers take 4096 unless told otherwise */

/* What became of a message. */
enum kafka_fate {
    KAFKA_SENT,    /* acknowledged */
    KAFKA_AGAIN,   /* not sent */
    KAFKA_UNSURE,  /* perhaps sent */
    KAFKA_REFUSED, /* it, or one that was sent together with it, will never be taken */
    KAFKA_HALTED,  /* credentials, rights or topic are refused */
    KAFKA_FATES
};

struct kafka_report {
    uint32_t tag; /* as the message had it */
    enum kafka_fate fate;
    int code;        /* Kafka's; librdkafka's own are negative; 0: none */
    const char *why; /* static */
};

struct kafka_message {
    struct str topic;
    struct str key; /* ptr NULL: none */
    struct str value;
    const struct option_map *headers; /* or NULL */
    int64_t time_ms;                  /* since 1970; 0: now */
    uint32_t tag;
};

/* Is it built with librdkafka? */
bool kafka_is_built(void);

/* Would librdkafka take this config? Says which property it does not know or like. */
MUST_USE bool kafka_check(const struct kafka_config *config, struct err *e);

/* Does not talk to a broker. <name> is that of the log's lines; <tokens> those of <config>, or NULL. */
MUST_USE bool kafka_producer_open(const struct env *env, struct str name,
                                  const struct kafka_config *config, struct kafka_tokens *tokens,
                                  struct kafka_producer **ret_producer, struct err *e);

/* What was not reported is lost, perhaps sent: kafka_producer_purge() first. NULL is fine. */
void kafka_producer_close(struct kafka_producer *p);

enum kafka_taken {
    KAFKA_TAKEN, /* a report comes */
    KAFKA_FULL,  /* no room: wait for reports first, of which there are some */
    KAFKA_NOT,   /* *ret_report says why; no other report comes */
};

enum kafka_taken kafka_produce(struct kafka_producer *p, const struct kafka_message *m,
                               struct kafka_report *ret_report);

/* Messages taken and not yet reported. */
size_t kafka_unreported(const struct kafka_producer *p);

/*
 * Waits for reports and gives them to <take> until all have come or, with <once>, until there was one.
 * False when the wait was over before, or when the producer halts or has never reached a broker: waiting longer is of
 * no use.
 */
bool kafka_serve(struct kafka_producer *p, struct wait wait, bool once,
                 void (*take)(void *arg, const struct kafka_report *report), void *arg);

/* Gives up all messages that were not reported: their reports come within the grace of a second. The
 * producer is dead then. */
void kafka_producer_purge(struct kafka_producer *p,
                          void (*take)(void *arg, const struct kafka_report *report), void *arg);

/* Must it be closed? */
bool kafka_is_dead(const struct kafka_producer *p);

/* What went wrong last, as far as it is known: "127.0.0.1:9092: connection refused". Or empty. */
struct str kafka_last_trouble(const struct kafka_producer *p);

/* ---- transactions, of producers with a transactional id ---- */

/* SENT: it is done. AGAIN: not, abort it. UNSURE: nobody knows, ask again. HALTED: refused, such as by a
 * newer producer with the same id. */
enum kafka_fate kafka_begin(struct kafka_producer *p, struct wait wait, struct err *e);
enum kafka_fate kafka_commit(struct kafka_producer *p, struct wait wait, struct err *e);
enum kafka_fate kafka_abort(struct kafka_producer *p, struct wait wait, struct err *e);

/*
 * Makes <text>, of KAFKA_KEPT_MAX bytes at most, part of the open transaction, which wrote to <topic>: once it is committed,
 * kafka_kept() gives it, until something else is kept for that topic. It is the metadata of an offset, in a consumer
 * group called like the transactional id. REFUSED: we may not write to that group.
 */
enum kafka_fate kafka_keep(struct kafka_producer *p, struct str topic, struct str text,
                           struct wait wait, struct err *e);

/* All that is kept under the transactional id, in any order; behind kafka_begin(), which ends what an older producer had
 * open. SENT: that was all. REFUSED: we may not look at the group. */
enum kafka_fate kafka_kept(struct kafka_producer *p, struct wait wait,
                           void (*take)(void *arg, struct str text), void *arg, struct err *e);

/* ---- is it there? ---- */

/* Asks for the metadata of the topics that were used. */
MUST_USE bool kafka_probe(struct kafka_producer *p, struct wait wait, struct err *e);

#endif
