/*
 * Invariants
 *   1. A partition is read at most once (<is_read>), from the offset that it had when it began, in order.
 *   2. <message> is the one that the last record lies in; it is given back with the next call.
 *   3. Behind a partition that vanished nothing more is given: one that comes again under its name would be read on at the old
 *      offset, in silence.
 *   4. Nothing is kept at the brokers unless there is a group, and nothing is read from there.
 */
#include "net/kafka_consumer.h"

#include "base/buf.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/vec.h"
#include "net/kafka_int.h"

enum {
    SLICE_MS = 200, /* between looks at deadline and token, beside what wakes us */
    CALL_MS = 500,  /* calls that nothing wakes */
};

struct kafka_consumer {
    struct kafka_client client; /* first: it is what librdkafka's callbacks get */
    struct kafka_reader reader;
    rd_kafka_queue_t *events; /* troubles */
    rd_kafka_queue_t *records;
    rd_kafka_topic_t **topics;
    struct buf cluster;
    VEC(struct kafka_partition) partitions;
    VEC(bool) is_read;
    rd_kafka_message_t *message; /* or NULL */
    struct kafka_header headers[KAFKA_HEADERS_MAX];
    bool is_forbidden; /* <trouble> says why */
    bool is_away;      /* no broker is to be reached */
    bool has_no_login; /* for now, which is being away too */
    bool
        has_vanished; /* a partition that is read was not there for a moment: what is, may be another */
    char trouble[KAFKA_WHY_MAX];
};

/* ---- life ---- */

static void note(struct kafka_consumer *c, const char *text)
{
    struct str cut = str_slice(str_of(text), 0, KAFKA_WHY_MAX - 1);

    memcpy(c->trouble, cut.ptr, cut.len);
    c->trouble[cut.len] = '\0';
}

/* Errors that stand among the records; called by who takes these. */
static void on_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct kafka_consumer *c = opaque;

    (void)kafka;
    trace_warn(&c->client.trace, "Kafka's client", T_STR("says", str_of(reason)));
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION) {
        c->has_vanished = true;
        note(c, reason);
    }
}

static rd_kafka_conf_t *make_conf(const struct kafka_reader *r, struct err *e)
{
    rd_kafka_conf_t *conf = kafka_conf_new(r->config, e);
    int64_t ahead_kb = r->ahead_bytes / 1024 > 0 ? r->ahead_bytes / 1024 : 1;

    if (conf != NULL && kafka_conf_put_str(conf, "group.id", r->group, e) &&
        kafka_conf_put(conf, "enable.auto.commit", "false", e) &&
        kafka_conf_put(conf, "auto.offset.reset", r->from_the_oldest ? "earliest" : "error", e) &&
        kafka_conf_put(conf, "isolation.level", "read_committed", e) &&
        kafka_conf_put(conf, "enable.partition.eof", "true", e) &&
        kafka_conf_put(conf, "allow.auto.create.topics", "false", e) &&
        kafka_conf_put(conf, "check.crcs", "true", e) &&
        kafka_conf_put_number(conf, "queued.max.messages.kbytes", ahead_kb, e)) {
        rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
        rd_kafka_conf_set_error_cb(conf, on_error);
        return conf;
    }
    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return NULL;
}

bool kafka_consumer_check(const struct kafka_config *config, struct err *e)
{
    const struct kafka_reader reader = {.config = config};
    rd_kafka_conf_t *conf = make_conf(&reader, e);

    if (conf != NULL) {
        rd_kafka_conf_destroy(conf);
    }
    return conf != NULL;
}

static bool open_topics(struct kafka_consumer *c, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    c->topics = mem_alloc0(c->reader.topics->count, sizeof(struct rd_kafka_topic_s *));
    for (size_t i = 0; i < c->reader.topics->count; i++) {
        buf_clear(&name);
        buf_add_str(&name, c->reader.topics->items[i]);
        c->topics[i] = rd_kafka_topic_new(c->client.kafka, buf_text(&name), NULL);
        if (c->topics[i] == NULL) {
            return err_set(e, ERR_CONFIG, "librdkafka does not take the topic '%s'",
                           buf_text(&name));
        }
    }
    return true;
}

bool kafka_consumer_open(const struct env *env, struct str name, const struct kafka_reader *reader,
                         struct kafka_consumer **ret_consumer, struct err *e)
{
    rd_kafka_conf_t *conf = make_conf(reader, e);

    if (conf == NULL) {
        return false;
    }
    struct kafka_consumer *c = mem_new(struct kafka_consumer);
    c->reader = *reader;
    kafka_client_init(&c->client, env, "events", name, reader->config, reader->tokens);
    buf_init(&c->cluster, BUF_SMALL);
    if (!kafka_client_start(&c->client, RD_KAFKA_CONSUMER, conf, e) || !open_topics(c, e)) {
        kafka_consumer_close(c);
        return false;
    }
    c->events = rd_kafka_queue_get_main(c->client.kafka);
    c->records = rd_kafka_queue_new(c->client.kafka);
    *ret_consumer = c;
    return true;
}

static void let_message_go(struct kafka_consumer *c)
{
    if (c->message != NULL) {
        rd_kafka_message_destroy(c->message);
        c->message = NULL;
    }
}

static void stop_reading(struct kafka_consumer *c)
{
    for (size_t i = 0; i < c->partitions.len; i++) {
        if (c->is_read.items[i]) {
            (void)rd_kafka_consume_stop(c->topics[c->partitions.items[i].topic],
                                        c->partitions.items[i].number);
        }
    }
    let_message_go(c);
}

void kafka_consumer_close(struct kafka_consumer *c)
{
    if (c == NULL) {
        return;
    }
    stop_reading(c);
    for (size_t i = 0; c->topics != NULL && i < c->reader.topics->count; i++) {
        if (c->topics[i] != NULL) {
            rd_kafka_topic_destroy(c->topics[i]);
        }
    }
    if (c->records != NULL) {
        rd_kafka_queue_destroy(c->records);
        rd_kafka_queue_destroy(c->events);
    }
    kafka_client_stop(&c->client);
    mem_free(c->topics);
    buf_release(&c->cluster);
    vec_release(&c->partitions);
    vec_release(&c->is_read);
    mem_free(c);
}

/* ---- troubles ---- */

/* What happened beside the records. */
static void take_events(struct kafka_consumer *c)
{
    rd_kafka_event_t *event = NULL;

    while ((event = rd_kafka_queue_poll(c->events, 0)) != NULL) {
        rd_kafka_resp_err_t code = rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR
                                       ? rd_kafka_event_error(event)
                                       : RD_KAFKA_RESP_ERR_NO_ERROR;
        bool all_down = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
        enum kafka_refusal refusal = kafka_client_judge(&c->client, code);
        c->is_forbidden = c->is_forbidden || refusal == KAFKA_REFUSAL_FINAL;
        c->has_no_login =
            c->has_no_login || refusal == KAFKA_REFUSAL_PASSES || refusal == KAFKA_REFUSAL_ANEW;
        c->is_away = c->is_away || all_down || c->has_no_login;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && (!all_down || c->trouble[0] == '\0')) {
            note(c, rd_kafka_event_error_string(event));
        }
        rd_kafka_event_destroy(event);
    }
}

/* What a call that failed says, or what came beside it. */
static enum kafka_answer judge(struct kafka_consumer *c, rd_kafka_resp_err_t code, const char *what,
                               struct err *e)
{
    take_events(c);
    bool is_forbidden = c->is_forbidden || kafka_client_is_final(&c->client, code);
    bool is_mute = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT;
    const char *why =
        c->trouble[0] != '\0' && (c->is_forbidden || is_mute) ? c->trouble : rd_kafka_err2str(code);

    (void)err_set(e, is_forbidden ? ERR_AUTH : ERR_NET, "%s: %s", what, why);
    return is_forbidden ? KAFKA_ANSWER_FORBIDDEN : KAFKA_ANSWER_AWAY;
}

/* ---- looking ---- */

static struct kafka_partition *find(struct kafka_consumer *c, size_t topic, int32_t number)
{
    for (size_t i = 0; i < c->partitions.len; i++) {
        if (c->partitions.items[i].topic == topic && c->partitions.items[i].number == number) {
            return &c->partitions.items[i];
        }
    }
    return NULL;
}

static bool add_partitions(struct kafka_consumer *c, size_t topic,
                           const rd_kafka_metadata_topic_t *found, struct err *e)
{
    for (int i = 0; i < found->partition_cnt; i++) {
        if (find(c, topic, found->partitions[i].id) != NULL) {
            continue;
        }
        if (c->partitions.len == KAFKA_PARTITIONS_MAX) {
            return err_set(e, ERR_LIMIT, "more than %d partitions", KAFKA_PARTITIONS_MAX);
        }
        struct kafka_partition *p = vec_add(&c->partitions);
        *p =
            (struct kafka_partition){.topic = topic, .number = found->partitions[i].id, .next = -1};
        vec_push(&c->is_read, false);
    }
    return true;
}

/* A call that nothing wakes, again and again until it succeeds, is refused, or the wait is over. */
static bool goes_on(struct kafka_consumer *c, rd_kafka_resp_err_t code, struct wait wait)
{
    bool passes = code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                  code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                  code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION;

    take_events(c);
    return passes && !c->is_forbidden && !c->has_no_login && !wait_is_over(wait, c->client.clock);
}

static enum kafka_answer look_at_topic(struct kafka_consumer *c, size_t topic, struct wait wait,
                                       struct err *e)
{
    const char *name = rd_kafka_topic_name(c->topics[topic]);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    enum kafka_answer answer = KAFKA_ANSWER_NONE;

    do {
        const struct rd_kafka_metadata *m = NULL;
        int ms = kafka_left_ms(wait, c->client.clock, CALL_MS);
        code = rd_kafka_metadata(c->client.kafka, 0, c->topics[topic], &m, ms);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            code = m->topic_cnt == 1 ? m->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            answer = add_partitions(c, topic, &m->topics[0], e) ? KAFKA_ANSWER_OK
                                                                : KAFKA_ANSWER_FORBIDDEN;
        }
        if (m != NULL) {
            rd_kafka_metadata_destroy(m);
        }
    } while (goes_on(c, code, wait));
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? answer : judge(c, code, name, e);
}

static enum kafka_answer look_at_offsets(struct kafka_consumer *c, struct kafka_partition *p,
                                         struct wait wait, struct err *e)
{
    const char *name = rd_kafka_topic_name(c->topics[p->topic]);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;

    do {
        int ms = kafka_left_ms(wait, c->client.clock, CALL_MS);
        code = rd_kafka_query_watermark_offsets(c->client.kafka, name, p->number, &p->low, &p->high,
                                                ms);
    } while (goes_on(c, code, wait));
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return judge(c, code, name, e);
    }
    p->next = p->next < 0 ? p->low : p->next;
    return KAFKA_ANSWER_OK;
}

static enum kafka_answer look_at_cluster(struct kafka_consumer *c, struct wait wait, struct err *e)
{
    char *id = NULL;

    do {
        id = rd_kafka_clusterid(c->client.kafka, kafka_left_ms(wait, c->client.clock, CALL_MS));
    } while (id == NULL && goes_on(c, RD_KAFKA_RESP_ERR__TIMED_OUT, wait));
    if (id == NULL) {
        return judge(c, RD_KAFKA_RESP_ERR__TIMED_OUT, "the brokers", e);
    }
    buf_clear(&c->cluster);
    buf_add_text(&c->cluster, id);
    rd_kafka_mem_free(c->client.kafka, id);
    return KAFKA_ANSWER_OK;
}

enum kafka_answer kafka_consumer_look(struct kafka_consumer *c, struct wait wait, struct err *e)
{
    enum kafka_answer answer = look_at_cluster(c, wait, e);

    for (size_t i = 0; answer == KAFKA_ANSWER_OK && i < c->reader.topics->count; i++) {
        answer = look_at_topic(c, i, wait, e);
    }
    for (size_t i = 0; answer == KAFKA_ANSWER_OK && i < c->partitions.len; i++) {
        if (!c->is_read.items[i]) {
            answer = look_at_offsets(c, &c->partitions.items[i], wait, e);
        }
    }
    if (answer == KAFKA_ANSWER_OK) {
        c->trouble[0] = '\0';
        c->is_away = false;
        kafka_client_is_up(&c->client);
    }
    return answer;
}

struct str kafka_consumer_cluster(const struct kafka_consumer *c)
{
    return buf_str(&c->cluster);
}

const struct kafka_partition *kafka_consumer_partitions(const struct kafka_consumer *c,
                                                        size_t *ret_count)
{
    *ret_count = c->partitions.len;
    return c->partitions.items;
}

void kafka_consumer_set(struct kafka_consumer *c, size_t partition, int64_t offset)
{
    c->partitions.items[partition].next = offset;
}

static rd_kafka_topic_partition_list_t *list_all(const struct kafka_consumer *c, int64_t offset)
{
    rd_kafka_topic_partition_list_t *all =
        rd_kafka_topic_partition_list_new((int)c->partitions.len);

    for (size_t i = 0; i < c->partitions.len; i++) {
        const struct kafka_partition *p = &c->partitions.items[i];
        rd_kafka_topic_partition_list_add(all, rd_kafka_topic_name(c->topics[p->topic]), p->number)
            ->offset = offset;
    }
    return all;
}

enum kafka_answer kafka_consumer_set_time(struct kafka_consumer *c, int64_t time_ms,
                                          struct wait wait, struct err *e)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_topic_partition_list_t *all = NULL;

    do {
        if (all != NULL) {
            rd_kafka_topic_partition_list_destroy(all);
        }
        all = list_all(c, time_ms);
        code = rd_kafka_offsets_for_times(c->client.kafka, all,
                                          kafka_left_ms(wait, c->client.clock, 4 * CALL_MS));
        for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < all->cnt; i++) {
            code = all->elems[i].err;
        }
    } while (goes_on(c, code, wait));
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < all->cnt; i++) {
        struct kafka_partition *p = &c->partitions.items[i];
        p->next = all->elems[i].offset >= 0 ? all->elems[i].offset : p->high;
    }
    rd_kafka_topic_partition_list_destroy(all);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? KAFKA_ANSWER_OK
                                              : judge(c, code, "offsets by time", e);
}

bool kafka_consumer_begin(struct kafka_consumer *c, struct err *e)
{
    for (size_t i = 0; i < c->partitions.len; i++) {
        const struct kafka_partition *p = &c->partitions.items[i];
        if (c->is_read.items[i] || p->next < 0) {
            continue;
        }
        if (rd_kafka_consume_start_queue(c->topics[p->topic], p->number, p->next, c->records) !=
            0) {
            return err_set(e, ERR_NET, "%s/%d: %s", rd_kafka_topic_name(c->topics[p->topic]),
                           p->number, rd_kafka_err2str(rd_kafka_last_error()));
        }
        c->is_read.items[i] = true;
    }
    return true;
}

/* ---- records ---- */

static size_t read_headers(struct kafka_consumer *c, const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    size_t count = 0;

    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    while (count < KAFKA_HEADERS_MAX &&
           rd_kafka_header_get_all(headers, count, &name, &value, &size) ==
               RD_KAFKA_RESP_ERR_NO_ERROR) {
        c->headers[count++] =
            (struct kafka_header){str_of(name), value != NULL ? str_make(value, size) : STR_NONE};
    }
    return count;
}

static size_t index_of(struct kafka_consumer *c, const rd_kafka_message_t *m)
{
    for (size_t i = 0; i < c->partitions.len; i++) {
        const struct kafka_partition *p = &c->partitions.items[i];
        if (p->number == m->partition && c->topics[p->topic] == m->rkt) {
            return i;
        }
    }
    for (size_t i = 0; i < c->partitions.len; i++) { /* another handle of the same topic */
        const struct kafka_partition *p = &c->partitions.items[i];
        if (p->number == m->partition &&
            strcmp(rd_kafka_topic_name(c->topics[p->topic]), rd_kafka_topic_name(m->rkt)) == 0) {
            return i;
        }
    }
    return 0;
}

static void read_record(struct kafka_consumer *c, struct kafka_record *ret)
{
    const rd_kafka_message_t *m = c->message;
    rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t time_ms = rd_kafka_message_timestamp(m, &kind);

    *ret = (struct kafka_record){
        .partition = index_of(c, m),
        .offset = m->offset,
        .key = m->key != NULL ? str_make(m->key, m->key_len) : STR_NONE,
        .value = m->payload != NULL ? str_make(m->payload, m->len) : STR_NONE,
        .headers = c->headers,
        .header_count = read_headers(c, m),
        .time_ms = kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? time_ms : 0,
    };
}

/* A message that is an error. */
static enum kafka_answer take_trouble(struct kafka_consumer *c, struct kafka_record *ret,
                                      struct err *e)
{
    const rd_kafka_message_t *m = c->message;

    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        *ret =
            (struct kafka_record){.partition = index_of(c, m), .offset = m->offset, .is_end = true};
        return KAFKA_ANSWER_OK;
    }
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        ret->partition = index_of(c, m);
        struct kafka_partition *p = &c->partitions.items[ret->partition];
        (void)rd_kafka_query_watermark_offsets(c->client.kafka, rd_kafka_topic_name(m->rkt),
                                               m->partition, &p->low, &p->high, CALL_MS);
        (void)err_set(e, ERR_CONFLICT, "%s/%d: %s", rd_kafka_topic_name(m->rkt), m->partition,
                      rd_kafka_message_errstr(m));
        return KAFKA_ANSWER_GONE;
    }
    return judge(c, m->err, rd_kafka_topic_name(m->rkt), e);
}

static void wake(void *arg)
{
    rd_kafka_queue_yield(arg);
}

/* A message, or NULL when none came. */
static rd_kafka_message_t *wait_for_message(struct kafka_consumer *c, struct wait wait)
{
    rd_kafka_message_t *m = rd_kafka_consume_queue(c->records, 0);
    struct cancel_hook hook = {.wake = wake, .arg = c->records};

    if (m != NULL || wait_is_over(wait, c->client.clock)) {
        return m;
    }
    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    while (m == NULL && !c->is_away && !c->is_forbidden && !c->has_vanished &&
           !wait_is_over(wait, c->client.clock)) {
        m = rd_kafka_consume_queue(c->records, kafka_left_ms(wait, c->client.clock, SLICE_MS));
        take_events(c);
    }
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
    return m;
}

enum kafka_answer kafka_consumer_next(struct kafka_consumer *c, struct wait wait,
                                      struct kafka_record *ret, struct err *e)
{
    let_message_go(c);
    c->message = wait_for_message(c, wait);
    if (c->has_vanished) {
        let_message_go(c);
        (void)err_set(e, ERR_NET, "%s", c->trouble[0] != '\0' ? c->trouble : "a topic is gone");
        return KAFKA_ANSWER_AWAY;
    }
    if (c->message == NULL) {
        take_events(c);
        return c->is_away || c->is_forbidden
                   ? judge(c, RD_KAFKA_RESP_ERR__TRANSPORT, "the brokers", e)
                   : KAFKA_ANSWER_NONE;
    }
    if (c->message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return take_trouble(c, ret, e);
    }
    read_record(c, ret);
    return KAFKA_ANSWER_OK;
}

void kafka_consumer_commit(struct kafka_consumer *c, const int64_t *offsets, size_t count)
{
    if (c->reader.group.len == 0 || count != c->partitions.len) {
        return;
    }
    rd_kafka_topic_partition_list_t *all = list_all(c, 0);
    for (size_t i = 0; i < count; i++) {
        all->elems[i].offset = offsets[i];
    }
    (void)rd_kafka_commit(c->client.kafka, all, 1);
    rd_kafka_topic_partition_list_destroy(all);
}

int64_t kafka_consumer_end(struct kafka_consumer *c, size_t partition)
{
    const struct kafka_partition *p = &c->partitions.items[partition];
    int64_t low = -1;
    int64_t high = -1;

    return rd_kafka_get_watermark_offsets(c->client.kafka, rd_kafka_topic_name(c->topics[p->topic]),
                                          p->number, &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                   high >= 0
               ? high
               : -1;
}
