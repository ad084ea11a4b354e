/* Messages to Kafka: what answers, silence and gone brokers come to, order, transactions, and configs. */
#include "export/exporter.h"

#include "base/metrics.h"
#include "export/outcome_rows.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/kafka_cluster.h"
#include "net/kafka.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { SERIES = 4, PATIENCE_MS = 20000, DISCONNECT = -195, READ_MS = 4000 };

struct fixture {
    struct kafka_cluster *cluster;
    struct http_kit http;
    struct export_kit kit;
    struct sink *sink;
    struct outcome out;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    f->cluster = kafka_cluster_start(3);
    http_kit_start(&f->http, 1);
    f->http.env.metrics = metrics_new();
    outcome_init(&f->out);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_close(f->sink);
    export_kit_stop(&f->kit);
    outcome_release(&f->out);
    metrics_free(f->http.env.metrics);
    http_kit_stop(&f->http);
    if (f->cluster != NULL) {
        kafka_cluster_stop(f->cluster);
    }
    mem_free(f);
    return 0;
}

/* A sink of the config with more options, into <topic> with three partitions. */
static void open_sink(struct fixture *f, const char *topic, const char *more)
{
    const struct exporter_place place = {.env = &f->http.env, .name = STR("k")};
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);

    if (f->cluster == NULL) {
        skip();
    }
    if (strchr(topic, '{') == NULL) {
        (void)kafka_cluster_create(f->cluster, topic, 3);
    }
    buf_addf(&yaml, "type: kafka\nbrokers: [ '%s' ]\ntopic: '%s'\nlinger: 0ms\n%s",
             kafka_cluster_brokers(f->cluster), topic, more);
    if (!export_kit_start(&f->kit, buf_text(&yaml)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
}

/* <n> samples, of SERIES series in turn, with their number as value. */
static struct batch *samples(uint32_t n)
{
    static const char *const series[SERIES] = {"up,job=a", "up,job=b", "up,job=c", "up,job=d"};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct kit_sample *rows = mem_alloc0(n, sizeof(*rows));

    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct kit_sample){series[i % SERIES], KIT_TIME_NS + i * NS_PER_S, i};
    }
    struct batch *b = kit_samples(NULL, &info, rows, n);
    mem_free(rows);
    return b;
}

static void deliver_in(struct fixture *f, struct view view, int64_t ms)
{
    struct wait wait = {clock_deadline_ms(clock_system(), ms), NULL};

    outcome_release(&f->out);
    outcome_init(&f->out);
    f->sink->ops->deliver(f->sink, view, wait, &f->out);
}

static void deliver(struct fixture *f, struct batch *b)
{
    deliver_in(f, view_all(b), PATIENCE_MS);
}

static void assert_delivered(const struct fixture *f, uint32_t n)
{
    if (f->out.settled != n || f->out.except.list.len > 0) {
        fail_msg("settled %u of %u, %zu exceptions, rest %s: %s; first: %s", f->out.settled, n,
                 f->out.except.list.len, verdict_name(f->out.rest), f->out.err.message,
                 f->out.except.list.len > 0 ? f->out.except.list.items[0].reason : "");
    }
}

/* How many rows have that verdict. */
static uint32_t count(const struct fixture *f, uint32_t n, enum verdict verdict)
{
    AUTO(mem_autofree) struct fate *fates = outcome_fates(&f->out, n);
    uint32_t found = 0;

    for (uint32_t i = 0; i < n; i++) {
        found += fates[i].verdict == verdict;
    }
    return found;
}

/* ---- what is there ---- */

static uint32_t value_of(const char *line)
{
    const char *at = strstr(line, "\"value\":");

    return at != NULL ? (uint32_t)strtoul(at + strlen("\"value\":"), NULL, 10) : UINT32_MAX;
}

/* Each of <n> values is there at least once and <most> times at most, and those of a series first came in order. */
static void assert_there(struct fixture *f, const char *topic, uint32_t n, uint32_t most,
                         bool committed)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(mem_autofree) uint32_t *seen = mem_alloc0(n, sizeof(*seen));
    uint32_t next[SERIES] = {0, 1, 2, 3};

    (void)kafka_cluster_read(f->cluster, topic, n * most, most > 1 ? 1500 : READ_MS, committed,
                             &text);
    struct str rest = buf_str(&text);
    struct str line;
    while (str_split(&rest, '\n', &line) && line.len > 0) {
        uint32_t value = value_of(line.ptr);
        assert_true(value < n);
        if (seen[value]++ == 0) {
            assert_int_equal(next[value % SERIES], value);
            next[value % SERIES] += SERIES;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        if (seen[i] == 0 || seen[i] > most) {
            fail_msg("record %u is there %u times", i, seen[i]);
        }
    }
}

static void messages_arrive(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(1000);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    open_sink(f, "plain", "compression: lz4\nheaders: { content-type: application/json }\n");
    deliver(f, b);
    assert_delivered(f, 1000);
    assert_int_equal(f->out.requests, 1000);
    assert_true(f->out.bytes > 1000 * 50);
    assert_there(f, "plain", 1000, 1, false);
    (void)kafka_cluster_read(f->cluster, "plain", 1, READ_MS, false, &text);
    assert_non_null(strstr(buf_text(&text), " up{job=\""));
    assert_non_null(strstr(buf_text(&text), "{\"kind\":\"sample\""));
}

static void words_make_topics_and_keys(void **state)
{
    struct fixture *f = *state;
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("R"), .group = STR("g")};
    AUTO(batch_autounref) struct batch *b = samples(4);
    AUTO(batch_autounref) struct batch *alerts = kit_alerts(&info);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    open_sink(f, "t.{label.job}.{kind}",
              "key: 'k {name} {label.job}'\ntopics: { alert: 'alerts-{group}' }\n");
    deliver(f, b);
    assert_delivered(f, 4);
    deliver(f, alerts);
    assert_delivered(f, batch_rows(alerts));
    assert_int_equal(kafka_cluster_read(f->cluster, "t.b.sample", 1, READ_MS, false, &text), 1);
    assert_non_null(strstr(buf_text(&text), " k up b {"));
}

/* ---- what brokers answer ---- */

static const struct {
    int code;
    unsigned times;
} passing[] = {
    {6, 3},          /* not the leader */
    {5, 3},          /* no leader */
    {7, 3},          /* a request took too long */
    {19, 2},         /* not enough replicas */
    {20, 2},         /* the same, after it was appended */
    {46, 1},         /* it is there already: said, and not kept by this cluster */
    {DISCONNECT, 3}, /* gone */
};

static void what_passes_by_itself(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(100);

    open_sink(f, "first", "");
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
        kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, passing[i].code, passing[i].times);
        deliver(f, b);
        assert_delivered(f, 100);
        kafka_cluster_mend(f->cluster, KAFKA_API_PRODUCE);
    }
}

static void repeats_are_not_doubled(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(300);

    open_sink(f, "once", "");
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, DISCONNECT, 2);
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, 6, 2);
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, 7, 2);
    deliver(f, b);
    assert_delivered(f, 300);
    assert_there(f, "once", 300, 1, false);
}

static void a_batch_too_large_is_halved(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(40);

    open_sink(f, "halved", "");
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, 10, 3);
    deliver(f, b);
    assert_delivered(f, 40);
    assert_there(f, "halved", 40, 3, false);
}

static void who_is_refused_alone_is_a_dead_letter(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(1);

    open_sink(f, "alone", "");
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, 10, 100);
    deliver(f, b);
    assert_int_equal(f->out.settled, 1);
    assert_int_equal(count(f, 1, VERDICT_REJECTED), 1);
    assert_non_null(strstr(f->out.except.list.items[0].reason, "too large"));
    kafka_cluster_mend(f->cluster, KAFKA_API_PRODUCE);
    deliver(f, b);
    assert_delivered(f, 1);
}

static void a_record_too_large_is_not_sent(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf labels = BUF_INIT(BUF_UNLIMITED);
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    open_sink(f, "large", "max_message_bytes: 2000\n");
    buf_add_text(&labels, "up,job=");
    buf_add_repeat(&labels, 'x', 3000);
    const struct kit_sample rows[] = {{"up,job=a", KIT_TIME_NS, 0},
                                      {buf_text(&labels), KIT_TIME_NS, 7},
                                      {"up,job=b", KIT_TIME_NS, 1}};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, rows, 3);
    deliver(f, b);
    assert_int_equal(f->out.settled, 3);
    assert_int_equal(f->out.except.list.len, 1);
    assert_int_equal(f->out.except.list.items[0].index, 1);
    assert_int_equal(f->out.except.list.items[0].verdict, VERDICT_REJECTED);
    assert_int_equal(f->out.status, 10);
}

/* Beside a buffer that is smaller, which no config says: there is nothing to wait for. */
static void a_message_larger_than_the_buffer(void **state)
{
    struct fixture *f = *state;
    struct str broker = STR("127.0.0.1:1");
    const struct kafka_config config = {.brokers = {.items = &broker, .count = 1},
                                        .batch_bytes = 1000000,
                                        .max_message_bytes = 4000000,
                                        .buffer_bytes = 1048576};
    AUTO(buf_release) struct buf value = BUF_INIT(BUF_UNLIMITED);
    struct kafka_producer *p = NULL;
    struct kafka_report report = {0};
    struct err e = ERR_INIT;

    if (f->cluster == NULL) { /* where there is none, a producer cannot run either */
        skip();
    }
    buf_add_repeat(&value, 'x', 1500000);
    assert_true(kafka_producer_open(&f->http.env, STR("k"), &config, NULL, &p, &e));
    struct kafka_message m = {.topic = STR("t"), .value = buf_str(&value), .tag = 3};
    assert_int_equal(kafka_produce(p, &m, &report), KAFKA_NOT);
    assert_int_equal(report.fate, KAFKA_REFUSED);
    assert_int_equal(report.tag, 3);
    m.value.len = 1000000;
    assert_int_equal(kafka_produce(p, &m, &report), KAFKA_TAKEN);
    assert_int_equal(kafka_produce(p, &m, &report), KAFKA_FULL);
    kafka_producer_close(p);
}

static const char *const unreachable[] = {"", "transactions: true\ntransactional_id: a\n"};

/* It does not wait for the whole message_timeout before it says why. */
static void a_broker_that_was_never_there_is_told_soon(void **state)
{
    struct fixture *f = *state;
    const struct exporter_place place = {.env = &f->http.env, .name = STR("k")};
    AUTO(batch_autounref) struct batch *b = samples(3);

    if (f->cluster == NULL) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(unreachable); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        buf_addf(&yaml, "type: kafka\nbrokers: [ '127.0.0.1:1' ]\n%s", unreachable[i]);
        assert_true(export_kit_start(&f->kit, buf_text(&yaml)));
        assert_true(f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err));
        int64_t began_ns = clock_mono_ns(clock_system());
        deliver(f, b);
        assert_true(clock_mono_ns(clock_system()) - began_ns < 10 * NS_PER_S);
        assert_int_equal(f->out.settled, 0);
        assert_int_equal(f->out.rest, VERDICT_RETRY);
        assert_non_null(strstr(f->out.err.message, "Connection refused"));
        sink_close(f->sink);
        f->sink = NULL;
        export_kit_stop(&f->kit);
    }
    f->kit = (struct export_kit){0};
}

static const int halting[] = {29, 31, 53};

static void who_may_not_halts(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(8);

    open_sink(f, "mine", "");
    for (size_t i = 0; i < ARRAY_LEN(halting); i++) {
        kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, halting[i], 10);
        deliver(f, b);
        if (f->out.rest != VERDICT_HALT || count(f, 8, VERDICT_DELIVERED) == 8) {
            fail_msg("code %d: %s: %s", halting[i], verdict_name(f->out.rest), f->out.err.message);
        }
        kafka_cluster_mend(f->cluster, KAFKA_API_PRODUCE);
    }
    deliver(f, b);
    assert_delivered(f, 8);
}

static void an_unknown_topic_halts(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(8);

    open_sink(f, "nowhere", "properties: { topic.metadata.propagation.max.ms: '100' }\n");
    kafka_cluster_topic_error(f->cluster, "nowhere", 3);
    deliver(f, b);
    assert_int_equal(f->out.rest, VERDICT_HALT);
    assert_int_equal(count(f, 8, VERDICT_HALT), 8);
    assert_true(f->out.err.message[0] != '\0');
}

/* ---- silence ---- */

static int64_t now_ms(void)
{
    return clock_mono_ns(clock_system()) / NS_PER_MS;
}

static void brokers_that_are_gone(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(200);

    open_sink(f, "gone", "");
    deliver_in(f, view_slice(view_all(b), 0, 4), PATIENCE_MS);
    assert_delivered(f, 4);
    kafka_cluster_down(f->cluster, true);
    int64_t began = now_ms();
    deliver_in(f, view_slice(view_all(b), 4, 196), 700);
    assert_in_range(now_ms() - began, 690, 6000);
    assert_int_equal(count(f, 196, VERDICT_DELIVERED), 0);
    assert_int_equal(count(f, 196, VERDICT_RETRY) + count(f, 196, VERDICT_UNKNOWN), 196);
    assert_true(f->out.err.message[0] != '\0');
    kafka_cluster_down(f->cluster, false);
    deliver_in(f, view_slice(view_all(b), 4, 196), PATIENCE_MS);
    assert_delivered(f, 196);
    assert_there(f, "gone", 200, 2, false);
}

static void brokers_that_are_slow(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(50);

    open_sink(f, "slow", "");
    deliver_in(f, view_slice(view_all(b), 0, 4), PATIENCE_MS);
    kafka_cluster_slow(f->cluster, 3000);
    int64_t began = now_ms();
    deliver_in(f, view_slice(view_all(b), 4, 46), 500);
    assert_in_range(now_ms() - began, 490, 2900);
    assert_int_equal(count(f, 46, VERDICT_DELIVERED), 0);
    assert_true(count(f, 46, VERDICT_UNKNOWN) > 0);
    kafka_cluster_slow(f->cluster, 0);
    deliver_in(f, view_slice(view_all(b), 4, 46), PATIENCE_MS);
    assert_delivered(f, 46);
    assert_there(f, "slow", 50, 2, false);
}

struct firing {
    struct cancel *cancel;
    struct thread thread;
};

static void fire(void *arg)
{
    struct firing *firing = arg;

    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 200), NULL});
    cancel_fire(firing->cancel);
}

static void who_is_cancelled_ends(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(50);
    struct firing firing = {.cancel = cancel_new(NULL)};
    struct err e = ERR_INIT;

    open_sink(f, "stopped", "");
    kafka_cluster_down(f->cluster, true);
    assert_true(thread_start(&firing.thread, "fire", fire, &firing, &e));
    int64_t began = now_ms();
    f->sink->ops->deliver(f->sink, view_all(b), (struct wait){DEADLINE_NEVER, firing.cancel},
                          &f->out);
    assert_in_range(now_ms() - began, 150, 6000);
    assert_int_equal(count(f, 50, VERDICT_RETRY), 50);
    thread_join(&firing.thread);
    cancel_free(firing.cancel);
}

static void there_or_not(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    open_sink(f, "probed", "");
    struct wait wait = {clock_deadline_ms(clock_system(), PATIENCE_MS), NULL};
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_THERE);
    kafka_cluster_down(f->cluster, true);
    wait.deadline_mono_ns = clock_deadline_ms(clock_system(), 600);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_FAILED);
    assert_true(e.message[0] != '\0');
}

/* The mask of blocked signals of a thread, from its status. */
static unsigned long long blocked(const char *thread)
{
    char path[300];
    char line[256];
    unsigned long long mask = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0) {
            mask = strtoull(line + 7, NULL, 16);
        }
    }
    if (status != NULL) {
        (void)fclose(status);
    }
    return mask;
}

/* How many threads there are, and how many of them take SIGTERM. */
static void count_threads(unsigned *ret_all, unsigned *ret_taking)
{
    DIR *folder = opendir("/proc/self/task");

    *ret_all = *ret_taking = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            ++*ret_all;
            *ret_taking += (blocked(entry->d_name) & (1ULL << (15 - 1))) == 0;
        }
    }
    (void)closedir(folder);
}

static void its_threads_take_no_signals(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(4);
    unsigned all[2];
    unsigned taking[2];

    open_sink(f, "signals", "");
    count_threads(&all[0], &taking[0]);
    deliver(f, b);
    count_threads(&all[1], &taking[1]);
    assert_true(all[1] >= all[0] + 3);
    assert_int_equal(taking[1], taking[0]);
}

/* ---- transactions ---- */

#define TRANSACTIONS "transactions: true\ntransactional_id: t1\n"

static void a_batch_is_a_transaction(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(200);

    open_sink(f, "txn", TRANSACTIONS);
    deliver_in(f, view_slice(view_all(b), 0, 100), PATIENCE_MS);
    assert_delivered(f, 100);
    kafka_cluster_fail(f->cluster, KAFKA_API_PRODUCE, 6, 2);
    deliver_in(f, view_slice(view_all(b), 100, 100), PATIENCE_MS);
    assert_delivered(f, 100);
    assert_there(f, "txn", 200, 1, true);
}

static void a_newer_producer_shuts_out(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(10);

    open_sink(f, "fenced", TRANSACTIONS);
    deliver(f, b);
    assert_delivered(f, 10);
    kafka_cluster_fail(f->cluster, KAFKA_API_END_TXN, 90, 1);
    deliver(f, b);
    assert_int_equal(f->out.rest, VERDICT_HALT);
    assert_int_equal(count(f, 10, VERDICT_HALT), 10);
    assert_non_null(strstr(f->out.err.message, "commit the transaction"));
}

static void a_commit_without_an_end(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(10);

    open_sink(f, "unsure", TRANSACTIONS);
    deliver(f, b);
    assert_delivered(f, 10);
    kafka_cluster_fail(f->cluster, KAFKA_API_END_TXN, 14, 100000); /* the coordinator loads */
    deliver_in(f, view_all(b), 1500);
    assert_int_equal(count(f, 10, VERDICT_UNKNOWN), 10);
    kafka_cluster_mend(f->cluster, KAFKA_API_END_TXN);
    deliver(f, b); /* the same rows: the same transaction */
    assert_delivered(f, 10);
    assert_int_equal(f->out.requests, 0);
}

/* Whose end nobody knew, and which then can only be taken back. */
static void a_commit_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = samples(20);

    open_sink(f, "wedged", TRANSACTIONS);
    for (uint32_t same = 0; same < 2; same++) {
        uint32_t then = same == 1 ? 0 : 10;
        kafka_cluster_fail(f->cluster, KAFKA_API_END_TXN, 14, 100000);
        deliver_in(f, view_slice(view_all(b), 0, 10), 1500);
        assert_int_equal(count(f, 10, VERDICT_UNKNOWN), 10);
        kafka_cluster_mend(f->cluster, KAFKA_API_END_TXN);
        kafka_cluster_fail(f->cluster, KAFKA_API_END_TXN, 59, 1); /* the producer is not known */
        deliver_in(f, view_slice(view_all(b), then, 10), PATIENCE_MS);
        assert_delivered(f, 10);
        assert_int_equal(f->out.requests, 10);
    }
}

/* ---- configs ---- */

static void skip_without_kafka(void)
{
    if (!kafka_is_built()) {
        skip();
    }
}

#define TOKENS                      \
    "sasl_mechanism: OAUTHBEARER\n" \
    "oauth2: { token_url: 'http://t', client_id: c }\n"

static const char *const bad[][2] = {
    {"", "brokers"},
    {"brokers: [ a ]\nproperties: { acks: '1' }\n", "all replicas"},
    {"brokers: [ a ]\nproperties: { enable.idempotence: 'false' }\n", "doubled"},
    {"brokers: [ a ]\nproperties: { retries: '1' }\n", "retry_config"},
    {"brokers: [ a ]\nproperties: { sasl.password: x }\n", "secret"},
    {"brokers: [ a ]\nproperties: { ssl.key.password: x }\n", "tls_key_password"},
    {"brokers: [ a ]\nproperties: { ssl.keystore.password: x }\n", "a secret"},
    {"brokers: [ a ]\nproperties: { sasl.oauthbearer.client.secret: x }\n", "a secret"},
    {"brokers: [ a ]\ntls_key_password: x\n", "no meaning without tls.key_file"},
    {"brokers: [ a ]\nproperties: { no.such.thing: '1' }\n", "no.such.thing"},
    {"brokers: [ a ]\nproperties: { socket.timeout.ms: many }\n", "socket.timeout.ms"},
    {"brokers: [ a ]\ntopic: 'a b'\n", "letters, digits"},
    {"brokers: [ a ]\ntopic: 'a{nothing}'\n", "{nothing} is not known"},
    {"brokers: [ a ]\ntopics: { metric: a }\n", "no kind of record"},
    {"brokers: [ a ]\nkey: '{nobody}'\n", "{nobody} is not known"},
    {"brokers: [ a ]\ntransactions: true\n", "need a transactional_id"},
    {"brokers: [ a ]\ntransactional_id: x\n", "no meaning without transactions"},
    {"brokers: [ a ]\n" TRANSACTIONS "buffer: { lanes: 2 }\n", "one lane"},
    {"brokers: [ a ]\nsasl_mechanism: PLAIN\n", "sasl_username"},
    {"brokers: [ a ]\nsecurity_protocol: sasl_ssl\n", "do not go together"},
    {"brokers: [ a ]\nsasl_mechanism: OAUTHBEARER\n", "needs oauth2"},
    {"brokers: [ a ]\nsasl_mechanism: OAUTHBEARER\noauth2: { token_url: 'http://t' }\n",
     "client_id"},
    {"brokers: [ a ]\nsasl_mechanism: OAUTHBEARER\noauth2: { token_url: 'http://t', issuer: "
     "'http://i', client_id: c }\n",
     "keep one"},
    {"brokers: [ a ]\n" TOKENS "sasl_username: u\n", "no use for sasl_username"},
    {"brokers: [ a ]\noauth2: { token_url: 'http://t', client_id: c }\n", "OAUTHBEARER"},
    {"brokers: [ a ]\nsasl_extensions: { a: b }\n", "OAUTHBEARER"},
    {"brokers: [ a ]\nsasl_kerberos_principal: p\n", "GSSAPI"},
    {"brokers: [ a ]\nsasl_mechanism: GSSAPI\nsasl_username: u\n", "no use for sasl_username"},
    {"brokers: [ a ]\nsasl_mechanism: GSSAPI\nsasl_kerberos_keytab: /k\n", "principal"},
    {"brokers: [ a ]\nsasl_mechanism: GSSAPI\nsasl_kerberos_principal: 'a;reboot'\n", "only"},
    {"brokers: [ a ]\nsasl_mechanism: GSSAPI\nsasl_kerberos_principal: a\n"
     "sasl_kerberos_keytab: '/k$(reboot)'\n",
     "only"},
    {"brokers: [ a ]\nproperties: { sasl.kerberos.kinit.cmd: reboot }\n", "a command"},
    {"brokers: [ a ]\n" TOKENS "properties: { enable.sasl.oauthbearer.unsecure.jwt: 'true' }\n",
     "anyone could"},
    {"brokers: [ a ]\ntls: { server_name: x }\n", "no meaning here"},
    {"brokers: [ a ]\nformat: avro\n", "format"},
    {"brokers: [ a ]\nmax_message_bytes: 50MB\n", "more than buffer_memory"},
    {"brokers: [ a ]\nmax_message_bytes: 2MB\nbuffer_memory: 1MiB\n", "more than buffer_memory"},
};

static void what_makes_no_sense(void **state)
{
    (void)state;
    skip_without_kafka();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct export_kit kit;

        buf_addf(&yaml, "type: kafka\n%s", bad[i][0]);
        if (export_kit_start(&kit, buf_text(&yaml)) || strstr(kit.err.message, bad[i][1]) == NULL) {
            fail_msg("%s: %s", bad[i][0], kit.err.message);
        }
        export_kit_stop(&kit);
    }
}

static const char *const good[] = {
    "brokers: [ a, 'b:9093' ]\nlinger_ms: 10\nmessage_timeout_ms: 1000\n",
    "bootstrap_servers: a\ncompression: zstd\npartitioner: murmur2\nbatch_bytes: 100KB\n",
    "brokers: a\nsasl_mechanisms: SCRAM-SHA-512\nsasl_username: u\nsasl_password: p\n",
    "brokers: a\ntls: { cert_file: c.pem, key_file: k.pem }\ntls_key_password: x\n",
    "brokers: a\nsecurity_protocol: ssl\nproperties: { socket.keepalive.enable: 'true' }\n",
    "brokers: a\n" TRANSACTIONS "transaction_timeout: 20s\n",
    "brokers: a\nsasl_mechanism: GSSAPI\n",
    "brokers: a\nsasl_mechanism: GSSAPI\nsasl_kerberos_principal: telex/host@EXAMPLE.COM\n"
    "sasl_kerberos_keytab: /etc/telex.keytab\nsasl_kerberos_service_name: broker\n",
    "brokers: a\n" TOKENS "sasl_extensions: { logicalCluster: lkc-1 }\n",
};

static void what_makes_sense(void **state)
{
    (void)state;
    skip_without_kafka();
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct export_kit kit;

        buf_addf(&yaml, "type: kafka\n%s", good[i]);
        if (!export_kit_start(&kit, buf_text(&yaml))) {
            fail_msg("%s: %s", good[i], kit.err.message);
        }
        export_kit_stop(&kit);
    }
}

#define WITH_CLUSTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CLUSTER(messages_arrive),
        WITH_CLUSTER(words_make_topics_and_keys),
        WITH_CLUSTER(what_passes_by_itself),
        WITH_CLUSTER(repeats_are_not_doubled),
        WITH_CLUSTER(a_batch_too_large_is_halved),
        WITH_CLUSTER(who_is_refused_alone_is_a_dead_letter),
        WITH_CLUSTER(a_broker_that_was_never_there_is_told_soon),
        WITH_CLUSTER(a_record_too_large_is_not_sent),
        WITH_CLUSTER(a_message_larger_than_the_buffer),
        WITH_CLUSTER(who_may_not_halts),
        WITH_CLUSTER(an_unknown_topic_halts),
        WITH_CLUSTER(brokers_that_are_gone),
        WITH_CLUSTER(brokers_that_are_slow),
        WITH_CLUSTER(who_is_cancelled_ends),
        WITH_CLUSTER(there_or_not),
        WITH_CLUSTER(its_threads_take_no_signals),
        WITH_CLUSTER(a_batch_is_a_transaction),
        WITH_CLUSTER(a_newer_producer_shuts_out),
        WITH_CLUSTER(a_commit_without_an_end),
        WITH_CLUSTER(a_commit_that_cannot_be),
        cmocka_unit_test(what_makes_no_sense),
        cmocka_unit_test(what_makes_sense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
