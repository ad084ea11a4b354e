/*
 * kafka_consumer.h - records of topics, from offsets that somebody else keeps.
 *
 * A consumer looks at its topics (which cluster, which partitions, what they hold), is told where to go on in each, and
 * then gives records one at a time. No group shares the work and none keeps the place: all partitions are ours, and
 * offsets are the caller's. With a group's name they can be told to the brokers, for people who watch lags; they are
 * never read from there. Records of aborted transactions are passed over.
 *
 * Ownership: a consumer borrows its config and tokens; a record is the consumer's and good until the next call. Threads: calls of
 * one thread at a time; librdkafka's own threads take no signals. Limits: KAFKA_PARTITIONS_MAX partitions; the bytes read
 * ahead are in the config; every wait ends soon after its deadline or cancel.
 */
#ifndef TELEX_NET_KAFKA_CONSUMER_H
#define TELEX_NET_KAFKA_CONSUMER_H

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "net/kafka_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct kafka_consumer;
struct kafka_tokens;

enum { KAFKA_PARTITIONS_MAX = 10000, KAFKA_HEADERS_MAX = 256 };

struct kafka_reader {
    const struct kafka_config *config;
    struct kafka_tokens *tokens; /* of the config; or NULL */
    const struct option_list *topics;
    struct str group; /* empty: brokers are not told of offsets */
    bool
        from_the_oldest; /* where an offset is not there any more, go on with what is; else it is told */
    int64_t ahead_bytes; /* read ahead of the caller, at most */
};

struct kafka_partition {
    size_t topic; /* of the reader's */
    int32_t number;
    int64_t low;  /* the first offset that is there; of the last look */
    int64_t high; /* the one behind the last */
    int64_t next; /* where to go on */
};

/* What came of asking. */
enum kafka_answer {
    KAFKA_ANSWER_OK,
    KAFKA_ANSWER_NONE,      /* nothing came within the wait */
    KAFKA_ANSWER_AWAY,      /* the brokers are not to be reached: close it and begin again later */
    KAFKA_ANSWER_FORBIDDEN, /* credentials, rights or a topic: a person must change something */
    KAFKA_ANSWER_GONE, /* what is at a partition's offset is not there any more; its low is of now */
    KAFKA_ANSWERS
};

struct kafka_header {
    struct str name;
    struct str value;
};

struct kafka_record {
    size_t partition; /* index of kafka_consumer_partitions() */
    int64_t offset;
    bool is_end;      /* no record: the end of the partition, as of now, is at <offset> */
    struct str key;   /* ptr NULL: none */
    struct str value; /* ptr NULL: none, which is a tombstone */
    const struct kafka_header *headers;
    size_t header_count;
    int64_t time_ms; /* since 1970; 0: not known */
};

/* Would librdkafka take this config? */
MUST_USE bool kafka_consumer_check(const struct kafka_config *config, struct err *e);

/* Does not talk to a broker. <name> is that of the log's lines. */
MUST_USE bool kafka_consumer_open(const struct env *env, struct str name,
                                  const struct kafka_reader *reader,
                                  struct kafka_consumer **ret_consumer, struct err *e);
void kafka_consumer_close(struct kafka_consumer *c); /* NULL is fine */

/* Asks which cluster it is, which partitions there are and what those hold that are not read yet. What is new since the
 * last look stands behind the others and begins at its first offset. */
enum kafka_answer kafka_consumer_look(struct kafka_consumer *c, struct wait wait, struct err *e);

/* Of the last look. */
struct str kafka_consumer_cluster(const struct kafka_consumer *c);
const struct kafka_partition *kafka_consumer_partitions(const struct kafka_consumer *c,
                                                        size_t *ret_count);

/* Before kafka_consumer_begin(): where to go on; negative: it is not to be read. */
void kafka_consumer_set(struct kafka_consumer *c, size_t partition, int64_t offset);

/* The same for all partitions: the first record that is not older than <time_ms>, or the end. */
enum kafka_answer kafka_consumer_set_time(struct kafka_consumer *c, int64_t time_ms,
                                          struct wait wait, struct err *e);

/* Begins to read those partitions that are not read yet. */
MUST_USE bool kafka_consumer_begin(struct kafka_consumer *c, struct err *e);

/* The next record, of any partition. */
enum kafka_answer kafka_consumer_next(struct kafka_consumer *c, struct wait wait,
                                      struct kafka_record *ret, struct err *e);

/* Tells the group of offsets, one for each partition; later, and perhaps never. */
void kafka_consumer_commit(struct kafka_consumer *c, const int64_t *offsets, size_t count);

/* The end of a partition as far as it is known without asking; -1: it is not. */
int64_t kafka_consumer_end(struct kafka_consumer *c, size_t partition);

#endif
