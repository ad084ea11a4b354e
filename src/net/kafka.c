/*
 * Invariants
 *   1. Each message that was taken is reported once, or its producer was closed; <unreported> counts
 *      those between.
 *   2. A producer that failed in a way that leaves a gap in a partition is dead: nothing is sent behind
 *      the gap (enable.gapless.guarantee), and nothing more is taken.
 *   3. Nothing of librdkafka calls us back but its log and its wish for a token (kafka_client.c); reports and troubles are events that the one
 *      thread which uses the producer takes from <events>.
 */
#include "net/kafka.h"

#include "base/buf.h"
#include "base/env.h"
#include "base/map.h"
#include "base/mem.h"
#include "net/kafka_int.h"

enum {
    SLICE_MS = 200,  /* between looks at deadline and token, beside what wakes us */
    CALL_MS = 500,   /* calls that nothing wakes */
    GRACE_MS = 1000, /* for reports of what was given up */
    KEPT_MS = 5000,  /* for an answer to what is kept */
    MESSAGES_MAX = 1000 * 1000,
    TROUBLE_MAX = 256,
    PARTS_MAX = 6, /* of a message, beside its headers */
};

struct kafka_producer {
    struct kafka_client client;
    rd_kafka_queue_t *events;
    struct map topics; /* name -> rd_kafka_topic_t */
    size_t unreported;
    bool is_dead;
    bool halts;   /* what went wrong is told by <trouble> */
    bool is_down; /* no broker could be reached the last time that all were tried */
    bool was_up;  /* a broker took something */
    bool is_transactional;
    struct buf group; /* where positions are kept: called like the transactional id */
    bool has_begun;   /* a transaction */
    bool is_initial;  /* transactions are not initialised yet */
    char trouble[TROUBLE_MAX];
};

bool kafka_is_built(void)
{
    return true;
}

/* ---- what codes mean ---- */

/* All others are as the message's own status says. */
static const struct {
    rd_kafka_resp_err_t code;
    enum kafka_fate fate;
} fates[] = {
    {RD_KAFKA_RESP_ERR_NO_ERROR, KAFKA_SENT},
    {RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, KAFKA_SENT},
    {RD_KAFKA_RESP_ERR_INVALID_MSG, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, KAFKA_REFUSED},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, KAFKA_HALTED}, /* still, after a while */
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR__FENCED, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, KAFKA_HALTED},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, KAFKA_HALTED},
};

static bool is_told(rd_kafka_resp_err_t code, enum kafka_fate *ret_fate)
{
    for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
        if (fates[i].code == code) {
            *ret_fate = fates[i].fate;
            return true;
        }
    }
    return false;
}

bool kafka_is_refusal(rd_kafka_resp_err_t code)
{
    enum kafka_fate fate = KAFKA_SENT;

    return is_told(code, &fate) && fate == KAFKA_HALTED;
}

static enum kafka_fate fate_of(const rd_kafka_message_t *m)
{
    enum kafka_fate fate = KAFKA_AGAIN;

    if (is_told(m->err, &fate)) {
        return fate;
    }
    switch (rd_kafka_message_status(m)) {
    case RD_KAFKA_MSG_STATUS_PERSISTED:
        return KAFKA_SENT;
    case RD_KAFKA_MSG_STATUS_NOT_PERSISTED:
        return m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ? KAFKA_UNSURE : KAFKA_AGAIN;
    case RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED:
    default:
        return KAFKA_UNSURE;
    }
}

/* ---- troubles ---- */

static void note_trouble(struct kafka_producer *p, const char *text)
{
    struct str cut = str_slice(str_of(text), 0, TROUBLE_MAX - 1);

    memcpy(p->trouble, cut.ptr, cut.len);
    p->trouble[cut.len] = '\0';
}

static void look_for_fatal(struct kafka_producer *p)
{
    char why[TROUBLE_MAX] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(p->client.kafka, why, sizeof(why));

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && !p->is_dead) {
        p->is_dead = true;
        p->halts = p->halts || kafka_is_refusal(code) ||
                   (p->is_transactional && code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
        note_trouble(p, why);
    }
}

static void take_error(struct kafka_producer *p, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);

    p->is_down = p->is_down || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (rd_kafka_event_error_is_fatal(event) != 0) {
        look_for_fatal(p);
    } else if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || p->trouble[0] == '\0') {
        note_trouble(p, rd_kafka_event_error_string(event));
    }
    enum kafka_refusal refusal = kafka_client_judge(&p->client, code);
    p->is_down = p->is_down || refusal == KAFKA_REFUSAL_PASSES || refusal == KAFKA_REFUSAL_ANEW;
    p->was_up = p->was_up && refusal != KAFKA_REFUSAL_ANEW;
    p->halts = p->halts || refusal == KAFKA_REFUSAL_FINAL;
    /* The next one logs in with the secret, or the token, as it is then. */
    p->is_dead = p->is_dead || p->halts || refusal == KAFKA_REFUSAL_ANEW;
}

/* A broker took something. */
static void note_up(struct kafka_producer *p)
{
    if (!p->was_up) {
        kafka_client_is_up(&p->client);
    }
    p->was_up = true;
}

/* Has no broker ever answered? Then nothing is on its way, and who waits may as well be told why. */
static bool is_unreachable(const struct kafka_producer *p)
{
    return p->is_down && !p->was_up;
}

/* ---- the config ---- */

static bool put_producer(rd_kafka_conf_t *conf, const struct kafka_config *c, struct err *e)
{
    return kafka_conf_put(conf, "compression.codec", kafka_compressions[c->compression], e) &&
           kafka_conf_put(conf, "partitioner", kafka_partitioners[c->partitioner], e) &&
           kafka_conf_put_number(conf, "linger.ms", c->linger_ns / NS_PER_MS, e) &&
           kafka_conf_put_number(conf, "batch.size", c->batch_bytes, e) &&
           kafka_conf_put_number(conf, "message.max.bytes", c->max_message_bytes, e) &&
           kafka_conf_put_number(conf, "queue.buffering.max.kbytes", c->buffer_bytes / 1024, e) &&
           kafka_conf_put_number(conf, "queue.buffering.max.messages", MESSAGES_MAX, e);
}

/* What keeps each record, once and in order. Messages wait without an end of their own: who gives up
 * gives up all of them. */
static bool put_custody(rd_kafka_conf_t *conf, const struct kafka_config *c, struct err *e)
{
    int64_t transaction_ms = c->transaction_timeout_ns / NS_PER_MS;

    if (!kafka_conf_put(conf, "enable.idempotence", "true", e) ||
        !kafka_conf_put(conf, "acks", "all", e) ||
        !kafka_conf_put(conf, "enable.gapless.guarantee", "true", e)) {
        return false;
    }
    if (c->transactional_id.len == 0) {
        return kafka_conf_put(conf, "message.timeout.ms", "0", e);
    }
    return kafka_conf_put_str(conf, "transactional.id", c->transactional_id, e) &&
           kafka_conf_put_number(conf, "transaction.timeout.ms", transaction_ms, e) &&
           kafka_conf_put_number(conf, "message.timeout.ms", transaction_ms, e);
}

/* NULL when it makes no sense. */
static rd_kafka_conf_t *make_conf(const struct kafka_config *c, struct err *e)
{
    rd_kafka_conf_t *conf = kafka_conf_new(c, e);

    if (conf != NULL && put_producer(conf, c, e) && put_custody(conf, c, e)) {
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
        return conf;
    }
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return NULL;
}

/* ---- life ---- */

bool kafka_producer_open(const struct env *env, struct str name, const struct kafka_config *config,
                         struct kafka_tokens *tokens, struct kafka_producer **ret_producer,
                         struct err *e)
{
    rd_kafka_conf_t *conf = make_conf(config, e);

    if (conf == NULL) {
        return false;
    }
    struct kafka_producer *p = mem_new(struct kafka_producer);
    kafka_client_init(&p->client, env, "export", name, config, tokens);
    map_init(&p->topics, 0);
    buf_init(&p->group, BUF_SMALL);
    buf_add_str(&p->group, config->transactional_id);
    p->is_transactional = p->is_initial = config->transactional_id.len > 0;
    if (!kafka_client_start(&p->client, RD_KAFKA_PRODUCER, conf, e)) {
        kafka_producer_close(p);
        return false;
    }
    p->events = rd_kafka_queue_get_main(p->client.kafka);
    *ret_producer = p;
    return true;
}

static void release_topics(struct kafka_producer *p)
{
    uint32_t at = 0;
    struct str name;
    void *topic = NULL;

    while (map_next(&p->topics, &at, &name, &topic)) {
        rd_kafka_topic_destroy(topic);
    }
    map_release(&p->topics);
}

static void nobody(void *arg, const struct kafka_report *report)
{
    (void)arg;
    (void)report;
}

void kafka_producer_close(struct kafka_producer *p)
{
    if (p == NULL) {
        return;
    }
    if (p->unreported > 0) {
        kafka_producer_purge(p, nobody, NULL);
    }
    release_topics(p);
    if (p->events != NULL) {
        rd_kafka_queue_destroy(p->events);
    }
    kafka_client_stop(&p->client);
    buf_release(&p->group);
    mem_free(p);
}

bool kafka_check(const struct kafka_config *config, struct err *e)
{
    rd_kafka_conf_t *conf = make_conf(config, e);

    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return conf != NULL;
}

bool kafka_is_dead(const struct kafka_producer *p)
{
    return p->is_dead;
}

size_t kafka_unreported(const struct kafka_producer *p)
{
    return p->unreported;
}

struct str kafka_last_trouble(const struct kafka_producer *p)
{
    return str_of(p->trouble);
}

/* ---- messages ---- */

static rd_kafka_topic_t *topic_of(struct kafka_producer *p, struct str name)
{
    rd_kafka_topic_t *topic = map_get(&p->topics, name);

    if (topic != NULL || p->topics.len >= KAFKA_TOPICS_MAX) {
        return topic;
    }
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    buf_add_str(&text, name);
    topic = rd_kafka_topic_new(p->client.kafka, buf_text(&text), NULL);
    if (topic != NULL) {
        (void)map_put(&p->topics, str_of(rd_kafka_topic_name(topic)), topic);
    }
    return topic;
}

static void *bytes_of(struct str s)
{
    return (void *)(uintptr_t)s.ptr;
}

/* librdkafka wants names of headers with a NUL behind; <names> holds them. */
static size_t add_headers(const struct option_map *headers, struct buf *names, rd_kafka_vu_t *parts)
{
    size_t count = headers != NULL && headers->count < KAFKA_SENT_HEADERS_MAX ? headers->count : 0;
    size_t offset = 0;

    for (size_t i = 0; i < count; i++) {
        buf_add_str(names, headers->items[i].name);
        buf_add_byte(names, '\0');
    }
    for (size_t i = 0; i < count; i++) {
        parts[i].vtype = RD_KAFKA_VTYPE_HEADER;
        parts[i].u.header.name = names->ptr + offset;
        parts[i].u.header.val = headers->items[i].value.ptr;
        parts[i].u.header.size = (ssize_t)headers->items[i].value.len;
        offset += headers->items[i].name.len + 1;
    }
    return count;
}

static size_t make_parts(rd_kafka_topic_t *topic, const struct kafka_message *m, struct buf *names,
                         rd_kafka_vu_t *parts)
{
    size_t count = 0;

    parts[count].vtype = RD_KAFKA_VTYPE_RKT;
    parts[count++].u.rkt = topic;
    parts[count].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[count].u.mem.ptr = bytes_of(m->value);
    parts[count++].u.mem.size = m->value.len;
    parts[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[count++].u.i = RD_KAFKA_MSG_F_COPY;
    parts[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[count++].u.ptr = (void *)(uintptr_t)m->tag;
    parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[count++].u.i64 = m->time_ms;
    if (m->key.ptr != NULL) {
        parts[count].vtype = RD_KAFKA_VTYPE_KEY;
        parts[count].u.mem.ptr = bytes_of(m->key);
        parts[count++].u.mem.size = m->key.len;
    }
    return count + add_headers(m->headers, names, parts + count);
}

static enum kafka_taken refuse(struct kafka_producer *p, rd_kafka_resp_err_t code, uint32_t tag,
                               struct kafka_report *ret)
{
    enum kafka_fate fate = KAFKA_AGAIN;

    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && p->unreported > 0) {
        return KAFKA_FULL;
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        *ret = (struct kafka_report){tag, KAFKA_REFUSED, code, "it is larger than buffer_memory"};
        return KAFKA_NOT;
    }
    (void)is_told(code, &fate);
    look_for_fatal(p);
    *ret = (struct kafka_report){tag, p->halts ? KAFKA_HALTED : fate, code, rd_kafka_err2str(code)};
    return KAFKA_NOT;
}

enum kafka_taken kafka_produce(struct kafka_producer *p, const struct kafka_message *m,
                               struct kafka_report *ret_report)
{
    AUTO(buf_release) struct buf names = BUF_INIT(BUF_SMALL);
    rd_kafka_vu_t parts[PARTS_MAX + KAFKA_SENT_HEADERS_MAX];
    rd_kafka_topic_t *topic = topic_of(p, m->topic);

    if (topic == NULL) {
        *ret_report = (struct kafka_report){m->tag, KAFKA_REFUSED, 0,
                                            p->topics.len >= KAFKA_TOPICS_MAX
                                                ? "more topics than one exporter may have"
                                                : "librdkafka does not take the topic's name"};
        return KAFKA_NOT;
    }
    rd_kafka_error_t *error =
        rd_kafka_produceva(p->client.kafka, parts, make_parts(topic, m, &names, parts));
    if (error == NULL) {
        p->unreported++;
        return KAFKA_TAKEN;
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return refuse(p, code, m->tag, ret_report);
}

/* ---- reports ---- */

static void take_reports(struct kafka_producer *p, rd_kafka_event_t *event,
                         void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    const rd_kafka_message_t *m = NULL;

    while ((m = rd_kafka_event_message_next(event)) != NULL) {
        struct kafka_report report = {.tag = (uint32_t)(uintptr_t)m->_private,
                                      .fate = fate_of(m),
                                      .code = m->err,
                                      .why = rd_kafka_err2str(m->err)};
        if (m->err == RD_KAFKA_RESP_ERR__FATAL || m->err == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) {
            look_for_fatal(p);
        }
        if (p->halts && report.fate == KAFKA_AGAIN) {
            report.fate = KAFKA_HALTED;
        }
        if (report.fate == KAFKA_SENT) {
            note_up(p);
        }
        p->unreported--;
        take(arg, &report);
    }
}

/* One event within <ms>; false when there was none. */
static bool take_event(struct kafka_producer *p, int ms,
                       void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(p->events, ms);

    if (event == NULL) {
        return false;
    }
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
        take_reports(p, event, take, arg);
    } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
        take_error(p, event);
    }
    rd_kafka_event_destroy(event);
    return true;
}

static void wake(void *arg)
{
    rd_kafka_queue_yield(arg);
}

int kafka_left_ms(struct wait w, const struct clock *clock, int max)
{
    int64_t left_ns =
        w.deadline_mono_ns == DEADLINE_NEVER ? NS_PER_S : w.deadline_mono_ns - clock_mono_ns(clock);
    int64_t left = left_ns / NS_PER_MS + 1;

    return left < 0 ? 0 : left > max ? max : (int)left;
}

bool kafka_serve(struct kafka_producer *p, struct wait wait, bool once,
                 void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    struct cancel_hook hook = {.wake = wake, .arg = p->events};
    size_t until = once && p->unreported > 0 ? p->unreported - 1 : 0;
    bool goes_on = true;

    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    while (goes_on && p->unreported > until) {
        bool came = take_event(p, kafka_left_ms(wait, p->client.clock, SLICE_MS), take, arg);
        goes_on = !p->halts && !is_unreachable(p) && (came || !wait_is_over(wait, p->client.clock));
    }
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
    return p->unreported <= until;
}

void kafka_producer_purge(struct kafka_producer *p,
                          void (*take)(void *arg, const struct kafka_report *report), void *arg)
{
    struct wait grace = {clock_deadline_ms(p->client.clock, GRACE_MS), NULL};

    p->is_dead = true;
    if (rd_kafka_purge(p->client.kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT) !=
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    while (p->unreported > 0 && !wait_is_over(grace, p->client.clock)) {
        (void)take_event(p, kafka_left_ms(grace, p->client.clock, SLICE_MS), take, arg);
    }
}

/* ---- transactions ---- */

/* What an error means, which is freed. */
static enum kafka_fate judge(struct kafka_producer *p, rd_kafka_error_t *error, const char *what,
                             struct err *e)
{
    if (error == NULL) {
        return KAFKA_SENT;
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    bool is_fatal = rd_kafka_error_is_fatal(error) != 0;
    bool is_open = rd_kafka_error_is_retriable(error) != 0;
    bool is_over = rd_kafka_error_txn_requires_abort(error) != 0;
    (void)err_set(e, ERR_NET, "cannot %s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    if (is_fatal) {
        look_for_fatal(p);
        p->is_dead = true;
        p->halts = p->halts || kafka_is_refusal(code);
    }
    if (p->halts || kafka_client_is_final(&p->client, code)) {
        return KAFKA_HALTED;
    }
    return is_open && !is_over && !is_fatal ? KAFKA_UNSURE : KAFKA_AGAIN;
}

/* Calls until it is decided or the wait is over: a call that ran out of time goes on with the next. */
static enum kafka_fate repeat(struct kafka_producer *p, struct wait wait, const char *what,
                              rd_kafka_error_t *(*call)(rd_kafka_t *kafka, int ms), struct err *e)
{
    enum kafka_fate fate = KAFKA_UNSURE;

    do {
        fate =
            judge(p, call(p->client.kafka, kafka_left_ms(wait, p->client.clock, CALL_MS)), what, e);
        while (take_event(p, 0, nobody, NULL)) {
        }
        if (p->halts && fate != KAFKA_SENT) {
            fate = KAFKA_HALTED;
        }
    } while (fate == KAFKA_UNSURE && !is_unreachable(p) && !wait_is_over(wait, p->client.clock));
    if (fate == KAFKA_SENT) {
        note_up(p);
    }
    if (fate != KAFKA_SENT && is_unreachable(p) && p->trouble[0] != '\0') {
        (void)err_set(e, ERR_NET, "cannot %s: %s", what, p->trouble);
    }
    return fate;
}

enum kafka_fate kafka_begin(struct kafka_producer *p, struct wait wait, struct err *e)
{
    enum kafka_fate fate = KAFKA_SENT;

    if (p->is_initial) {
        fate = repeat(p, wait, "begin transactions", rd_kafka_init_transactions, e);
        p->is_initial = fate != KAFKA_SENT;
    }
    if (fate == KAFKA_SENT) {
        fate = judge(p, rd_kafka_begin_transaction(p->client.kafka), "begin a transaction", e);
    }
    /* In a state that no call of ours leads out of. */
    p->is_dead = p->is_dead || fate == KAFKA_AGAIN;
    return fate == KAFKA_UNSURE ? KAFKA_AGAIN : fate;
}

enum kafka_fate kafka_commit(struct kafka_producer *p, struct wait wait, struct err *e)
{
    return repeat(p, wait, "commit the transaction", rd_kafka_commit_transaction, e);
}

enum kafka_fate kafka_abort(struct kafka_producer *p, struct wait wait, struct err *e)
{
    return repeat(p, wait, "abort the transaction", rd_kafka_abort_transaction, e);
}

/* ---- what is kept with transactions ---- */

static enum kafka_fate refuse_keeping(struct kafka_producer *p)
{
    trace_warn(&p->client.trace,
               "no position is kept with transactions: after a kill, the last one may come again",
               T_TEXT("reason", rd_kafka_err2str(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED)));
    return KAFKA_REFUSED;
}

static enum kafka_fate send_offsets(struct kafka_producer *p,
                                    const rd_kafka_topic_partition_list_t *list, struct wait wait,
                                    struct err *e)
{
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata_new(buf_text(&p->group));
    enum kafka_fate fate = KAFKA_UNSURE;
    bool may = true;

    do {
        rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(
            p->client.kafka, list, group, kafka_left_ms(wait, p->client.clock, CALL_MS));
        may = error == NULL ||
              rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
        fate = judge(p, error, "keep the position", e);
    } while (may && fate == KAFKA_UNSURE && !wait_is_over(wait, p->client.clock));
    rd_kafka_consumer_group_metadata_destroy(group);
    return may ? fate == KAFKA_UNSURE ? KAFKA_AGAIN : fate : refuse_keeping(p);
}

enum kafka_fate kafka_keep(struct kafka_producer *p, struct str topic, struct str text,
                           struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    buf_add_str(&name, topic);
    rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, buf_text(&name), 0);
    one->offset = 0; /* what counts is beside it */
    one->metadata = bytes_of(text);
    one->metadata_size = text.len;
    enum kafka_fate fate = send_offsets(p, list, wait, e);
    one->metadata = NULL; /* not the list's */
    one->metadata_size = 0;
    rd_kafka_topic_partition_list_destroy(list);
    return fate;
}

/* Gives what one answer has. */
static rd_kafka_resp_err_t take_kept(rd_kafka_event_t *event,
                                     void (*take)(void *arg, struct str text), void *arg)
{
    size_t count = 0;
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    const rd_kafka_group_result_t **groups =
        code == RD_KAFKA_RESP_ERR_NO_ERROR
            ? rd_kafka_ListConsumerGroupOffsets_result_groups(
                  rd_kafka_event_ListConsumerGroupOffsets_result(event), &count)
            : NULL;

    if (groups == NULL || count != 1) {
        return code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : RD_KAFKA_RESP_ERR__BAD_MSG;
    }
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    code = error != NULL ? rd_kafka_error_code(error) : code;
    for (int i = 0; list != NULL && code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *one = &list->elems[i];
        code = one->err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR && one->metadata != NULL) {
            take(arg, str_make(one->metadata, one->metadata_size));
        }
    }
    return code;
}

static void ask_for_kept(struct kafka_producer *p, rd_kafka_queue_t *answers)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(p->client.kafka, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *what =
        rd_kafka_ListConsumerGroupOffsets_new(buf_text(&p->group), NULL); /* of all topics */
    rd_kafka_error_t *error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);

    (void)rd_kafka_AdminOptions_set_request_timeout(options, KEPT_MS, NULL, 0);
    rd_kafka_ListConsumerGroupOffsets(p->client.kafka, &what, 1, options, answers);
    rd_kafka_ListConsumerGroupOffsets_destroy(what);
    rd_kafka_AdminOptions_destroy(options);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    }
}

/* The answer to one question; NULL when the wait was over before. */
static rd_kafka_event_t *await_kept(struct kafka_producer *p, rd_kafka_queue_t *answers,
                                    struct wait wait)
{
    rd_kafka_event_t *event = NULL;

    while (event == NULL && !p->halts && !is_unreachable(p) &&
           !wait_is_over(wait, p->client.clock)) {
        event = rd_kafka_queue_poll(answers, kafka_left_ms(wait, p->client.clock, SLICE_MS));
        while (take_event(p, 0, nobody, NULL)) {
        }
    }
    return event;
}

/* Between questions. False: the wait is over. */
static bool rest(struct kafka_producer *p, struct wait wait)
{
    (void)wait_sleep(wait_limit_ms(wait, p->client.clock, SLICE_MS));
    return !wait_is_over(wait, p->client.clock);
}

enum kafka_fate kafka_kept(struct kafka_producer *p, struct wait wait,
                           void (*take)(void *arg, struct str text), void *arg, struct err *e)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(p->client.kafka);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    bool goes_on = true;

    while (goes_on) {
        ask_for_kept(p, answers);
        rd_kafka_event_t *event = await_kept(p, answers, wait);
        goes_on = event != NULL;
        if (event != NULL) {
            code = take_kept(event, take, arg);
            rd_kafka_event_destroy(event);
            goes_on = code != RD_KAFKA_RESP_ERR_NO_ERROR &&
                      code != RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED && rest(p, wait);
        }
    }
    rd_kafka_queue_destroy(answers);
    if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        return refuse_keeping(p);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return KAFKA_SENT;
    }
    (void)err_set(e, ERR_NET, "cannot ask for the position: %s", rd_kafka_err2str(code));
    return p->halts ? KAFKA_HALTED : KAFKA_AGAIN;
}

/* ---- is it there? ---- */

bool kafka_probe(struct kafka_producer *p, struct wait wait, struct err *e)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;

    do {
        const struct rd_kafka_metadata *metadata = NULL;
        code = rd_kafka_metadata(p->client.kafka, 0, NULL, &metadata,
                                 kafka_left_ms(wait, p->client.clock, CALL_MS));
        if (metadata != NULL) {
            rd_kafka_metadata_destroy(metadata);
        }
        while (p->unreported == 0 && take_event(p, 0, nobody, NULL)) {
        }
    } while (code != RD_KAFKA_RESP_ERR_NO_ERROR && !p->halts &&
             !wait_is_over(wait, p->client.clock));
    if (p->halts || code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return err_set(e, p->halts ? ERR_AUTH : ERR_NET, "%s",
                       p->trouble[0] != '\0' ? p->trouble : rd_kafka_err2str(code));
    }
    return true;
}
