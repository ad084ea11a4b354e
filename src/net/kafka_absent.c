/* What stands for kafka.c where librdkafka is missing: nothing can be opened, and it says why. */
#include "net/kafka.h"

#include "net/kafka_consumer.h"

static bool say_absent(struct err *e)
{
    return err_set(e, ERR_CONFIG,
                   "this program was built without Kafka; build it with librdkafka (Debian: "
                   "librdkafka-dev)");
}

bool kafka_is_built(void)
{
    return false;
}

bool kafka_check(const struct kafka_config *config, struct err *e)
{
    (void)config;
    return say_absent(e);
}

bool kafka_producer_open(const struct env *env, struct str name, const struct kafka_config *config,
                         struct kafka_tokens *tokens, struct kafka_producer **ret_producer,
                         struct err *e)
{
    (void)env;
    (void)name;
    (void)config;
    (void)tokens;
    (void)ret_producer;
    return say_absent(e);
}

void kafka_producer_close(struct kafka_producer *p)
{
    (void)p;
}

enum kafka_taken kafka_produce(struct kafka_producer *p, const struct kafka_message *m,
                               struct kafka_report *ret_report)
{
    (void)p;
    *ret_report = (struct kafka_report){m->tag, KAFKA_HALTED, 0, "built without Kafka"};
    return KAFKA_NOT;
}

size_t kafka_unreported(const struct kafka_producer *p)
{
    (void)p;
    return 0;
}

bool kafka_serve(struct kafka_producer *p, struct wait wait, bool once,
                 void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    (void)p;
    (void)wait;
    (void)once;
    (void)take;
    (void)arg;
    return true;
}

void kafka_producer_purge(struct kafka_producer *p,
                          void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    (void)p;
    (void)take;
    (void)arg;
}

bool kafka_is_dead(const struct kafka_producer *p)
{
    (void)p;
    return true;
}

struct str kafka_last_trouble(const struct kafka_producer *p)
{
    (void)p;
    return STR("");
}

enum kafka_fate kafka_begin(struct kafka_producer *p, struct wait wait, struct err *e)
{
    (void)p;
    (void)wait;
    (void)say_absent(e);
    return KAFKA_HALTED;
}

enum kafka_fate kafka_commit(struct kafka_producer *p, struct wait wait, struct err *e)
{
    return kafka_begin(p, wait, e);
}

enum kafka_fate kafka_abort(struct kafka_producer *p, struct wait wait, struct err *e)
{
    return kafka_begin(p, wait, e);
}

enum kafka_fate kafka_keep(struct kafka_producer *p, struct str topic, struct str text,
                           struct wait wait, struct err *e)
{
    (void)topic;
    (void)text;
    return kafka_begin(p, wait, e);
}

enum kafka_fate kafka_kept(struct kafka_producer *p, struct wait wait,
                           void (*take)(void *arg, struct str text), void *arg, struct err *e)
{
    (void)take;
    (void)arg;
    return kafka_begin(p, wait, e);
}

bool kafka_probe(struct kafka_producer *p, struct wait wait, struct err *e)
{
    (void)p;
    (void)wait;
    return say_absent(e);
}

bool kafka_consumer_check(const struct kafka_config *config, struct err *e)
{
    (void)config;
    return say_absent(e);
}

bool kafka_consumer_open(const struct env *env, struct str name, const struct kafka_reader *reader,
                         struct kafka_consumer **ret_consumer, struct err *e)
{
    (void)env;
    (void)name;
    (void)reader;
    (void)ret_consumer;
    return say_absent(e);
}

void kafka_consumer_close(struct kafka_consumer *c)
{
    (void)c;
}

enum kafka_answer kafka_consumer_look(struct kafka_consumer *c, struct wait wait, struct err *e)
{
    (void)c;
    (void)wait;
    (void)say_absent(e);
    return KAFKA_ANSWER_FORBIDDEN;
}

struct str kafka_consumer_cluster(const struct kafka_consumer *c)
{
    (void)c;
    return STR("");
}

const struct kafka_partition *kafka_consumer_partitions(const struct kafka_consumer *c,
                                                        size_t *ret_count)
{
    (void)c;
    *ret_count = 0;
    return NULL;
}

void kafka_consumer_set(struct kafka_consumer *c, size_t partition, int64_t offset)
{
    (void)c;
    (void)partition;
    (void)offset;
}

enum kafka_answer kafka_consumer_set_time(struct kafka_consumer *c, int64_t time_ms,
                                          struct wait wait, struct err *e)
{
    (void)time_ms;
    return kafka_consumer_look(c, wait, e);
}

bool kafka_consumer_begin(struct kafka_consumer *c, struct err *e)
{
    (void)c;
    return say_absent(e);
}

enum kafka_answer kafka_consumer_next(struct kafka_consumer *c, struct wait wait,
                                      struct kafka_record *ret, struct err *e)
{
    (void)ret;
    return kafka_consumer_look(c, wait, e);
}

void kafka_consumer_commit(struct kafka_consumer *c, const int64_t *offsets, size_t count)
{
    (void)c;
    (void)offsets;
    (void)count;
}

int64_t kafka_consumer_end(struct kafka_consumer *c, size_t partition)
{
    (void)c;
    (void)partition;
    return -1;
}
