/*
 * Records as messages to Kafka.
 *
 * Invariants
 *   1. deliver() ends with no message on its way: each was reported, or its producer is closed and its row
 *      is UNKNOWN.
 *   2. Behind a row that is still owed nothing of its key was delivered by the same producer, and a
 *      producer that left rows owed is closed. So the first copies of a key's records are in order.
 *   3. A transaction holds the rows of one call, all or none of them. One whose end is not known keeps
 *      its producer until the end is known; the call that comes with the same rows is told it.
 *   4. A transaction that is committed holds our position behind its rows (kafka_position.h); what a new producer finds there is not
 *      sent again.
 */
#include "export/exporters/exporters.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/debug.h"
#include "export/dry_run.h"
#include "export/exporters/kafka_config.h"
#include "export/exporters/kafka_message.h"
#include "export/exporters/kafka_position.h"
#include "export/extra_labels.h"
#include "net/kafka_tokens.h"

enum { HALVINGS_MAX = 256, END_MS = 5000 };

/* ---- the leaf ---- */

struct row {
    uint32_t messages; /* on their way */
    enum verdict verdict;
    bool is_judged; /* by itself: not for what was sent together with it */
    const char *why;
};

/* What was in a transaction of which nobody knows whether it is committed. */
struct unsure {
    struct batch *batch; /* NULL: there is none */
    uint32_t *rows;
    uint32_t n;
};

struct kafka_sink {
    struct sink super;
    const struct kafka_exporter_config *config;
    const struct env *env;
    struct str name;
    struct kafka_tokens *tokens;     /* or NULL */
    struct kafka_producer *producer; /* NULL: to be opened */
    struct unsure unsure;
    struct kafka_config kafka; /* with the id of this sink's own transactions */
    struct buf id;
    struct kafka_position position;
    struct metric *already_there;
    const struct dry_run *dry; /* or NULL */
    struct debug debug;
    struct kafka_maker maker;
    /* of one call */
    struct outcome *out;
    struct row *rows;
    uint32_t at_once; /* rows that are sent before their reports are waited for */
    bool is_refused;  /* some row was, that was not alone */
    bool is_alone;    /* some row was that was */
};

static void close_producer(struct kafka_sink *s)
{
    kafka_producer_close(s->producer);
    s->producer = NULL;
    kafka_position_forget(&s->position);
}

static bool has_producer(struct kafka_sink *s, struct err *e)
{
    return s->producer != NULL ||
           kafka_producer_open(s->env, s->name, &s->kafka, s->tokens, &s->producer, e);
}

/* ---- what became of messages ---- */

static const enum verdict verdicts[KAFKA_FATES] = {
    [KAFKA_SENT] = VERDICT_DELIVERED, [KAFKA_AGAIN] = VERDICT_RETRY,
    [KAFKA_UNSURE] = VERDICT_UNKNOWN, [KAFKA_REFUSED] = VERDICT_REJECTED,
    [KAFKA_HALTED] = VERDICT_HALT,
};

/* How bad a verdict is for the row whose message it is. */
static unsigned badness(enum verdict v)
{
    static const uint8_t bad[VERDICTS] = {
        [VERDICT_DELIVERED] = 0, [VERDICT_HELD] = 0, [VERDICT_RETRY] = 1,
        [VERDICT_UNKNOWN] = 2,   [VERDICT_HALT] = 3, [VERDICT_REJECTED] = 4,
    };

    return bad[v];
}

static void take_report(void *arg, const struct kafka_report *report)
{
    struct kafka_sink *s = arg;
    struct row *row = &s->rows[report->tag];
    enum verdict verdict = verdicts[report->fate];

    row->messages -= row->messages > 0;
    if (badness(verdict) > badness(row->verdict)) {
        row->verdict = verdict;
        row->why = report->why;
        s->out->status = report->code > 0 ? report->code : s->out->status;
    }
}

/* ---- sending ---- */

/* The message as kcat would print it: topic, key and headers in front. */
static void show(struct kafka_sink *s, const struct kafka_message *m)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&head, "topic: %.*s\n", STR_FMT(m->topic));
    if (m->key.ptr != NULL) {
        buf_addf(&head, "key: %.*s\n", STR_FMT(m->key));
    }
    for (size_t i = 0; i < m->headers->count; i++) {
        const struct option_pair *header = &m->headers->items[i];
        buf_addf(&head, "%.*s: %.*s\n", STR_FMT(header->name), STR_FMT(header->value));
    }
    if (m->value.ptr == NULL) {
        buf_add_text(&head, "no value: a tombstone\n");
    }
    s->dry->take(s->dry->arg, s->name, buf_str(&head), m->value);
}

/* Has one message taken, waiting for room; false when there was none before the wait was over. */
static bool produce(struct kafka_sink *s, const struct kafka_message *m, struct wait wait)
{
    struct row *row = &s->rows[m->tag];
    struct kafka_report report;

    if (s->dry != NULL) {
        show(s, m);
        return true;
    }
    for (;;) {
        enum kafka_taken taken = kafka_produce(s->producer, m, &report);
        if (taken == KAFKA_TAKEN) {
            row->messages++;
            kafka_position_wrote(&s->position, m->topic);
            s->out->bytes += m->key.len + m->value.len;
            s->out->requests++;
            return true;
        }
        if (taken == KAFKA_NOT) {
            row->messages++;
            row->is_judged = true;
            take_report(s, &report);
            return row->verdict == VERDICT_REJECTED;
        }
        if (!kafka_serve(s->producer, wait, true, take_report, s)) {
            row->verdict = row->messages > 0 ? row->verdict : VERDICT_RETRY;
            return false;
        }
    }
}

/* A row of which no message comes is refused, by itself. */
static void refuse_row(struct row *row, const char *why)
{
    row->verdict = VERDICT_REJECTED;
    row->is_judged = true;
    row->why = why;
}

/* All messages of row <i>; false when it is to be stopped there. */
static bool send_row(struct kafka_sink *s, uint32_t i, struct wait wait)
{
    uint32_t count = kafka_maker_count(&s->maker, i);
    struct row *row = &s->rows[i];
    bool ok = true;

    *row = (struct row){.verdict = VERDICT_DELIVERED};
    for (uint32_t part = 0; ok && part < count; part++) {
        struct kafka_message m;
        const char *why = kafka_maker_make(&s->maker, i, part, &m);
        if (why != NULL) {
            refuse_row(row, why);
            return true;
        }
        ok = produce(s, &m, wait);
    }
    if (!ok && row->verdict == VERDICT_DELIVERED) {
        row->verdict = VERDICT_RETRY;
    }
    return ok;
}

/* Waits for what is on its way. What has not come when the wait is over is given up, and rows whose
 * reports do not come even then are UNKNOWN. */
static bool await(struct kafka_sink *s, uint32_t end, struct wait wait)
{
    bool ok = kafka_serve(s->producer, wait, false, take_report, s);

    if (!ok) {
        kafka_producer_purge(s->producer, take_report, s);
    }
    for (uint32_t i = 0; i < end; i++) {
        if (s->rows[i].messages > 0) {
            s->rows[i] = (struct row){.verdict = VERDICT_UNKNOWN, .why = "no report came"};
        }
    }
    return ok;
}

static bool is_sent(const struct row *row)
{
    return row->verdict == VERDICT_DELIVERED || row->verdict == VERDICT_REJECTED;
}

/* Rows <first>..<end>-1 were sent together. A refusal is of all of a request: who was not alone is sent
 * again. */
static bool judge_rows(struct kafka_sink *s, uint32_t first, uint32_t end, uint32_t sent)
{
    bool ok = true;

    for (uint32_t i = first; i < end; i++) {
        struct row *row = &s->rows[i];
        if (row->verdict == VERDICT_REJECTED && sent > 1 && !row->is_judged) {
            row->verdict = VERDICT_RETRY;
            s->is_refused = true;
        } else if (row->verdict == VERDICT_REJECTED) {
            s->is_alone = s->is_alone || !row->is_judged;
            row->is_judged = true;
        }
        ok = ok && is_sent(row);
    }
    return ok;
}

/* The owed rows from <*at> on, as many as go at once; false when the pass must stop. */
static bool send_some(struct kafka_sink *s, uint32_t *at, uint32_t n, struct wait wait)
{
    uint32_t first = *at;
    uint32_t sent = 0;
    bool ok = true;

    for (; ok && *at < n && sent < s->at_once; ++*at) {
        if (!is_sent(&s->rows[*at])) {
            ok = send_row(s, *at, wait);
            sent++;
        }
    }
    ok = await(s, *at, wait) && ok;
    ok = judge_rows(s, first, *at, sent) && ok;
    return ok && !kafka_is_dead(s->producer);
}

/* Sends what is owed, in order. */
static bool send_pass(struct kafka_sink *s, uint32_t n, struct wait wait)
{
    bool ok = true;

    s->is_refused = s->is_alone = false;
    for (uint32_t at = 0; ok && at < n;) {
        ok = send_some(s, &at, n, wait);
        if (ok && s->at_once <= UINT32_MAX / 2) {
            s->at_once *= 2;
        }
    }
    return ok;
}

/* ---- what is told ---- */

/* What the producer knows, before it is closed. */
static void say_trouble(struct kafka_sink *s)
{
    struct str trouble = kafka_last_trouble(s->producer);

    if (s->out->err.code == ERR_NONE && trouble.len > 0) {
        (void)err_set(&s->out->err, ERR_NET, "%.*s", STR_FMT(trouble));
    }
}

static void say_why(struct kafka_sink *s, const char *why)
{
    if (s->out->err.code == ERR_NONE) {
        (void)err_set(&s->out->err, ERR_NET, "%s", why != NULL ? why : "not acknowledged in time");
    }
}

/* From rows to the outcome: rows at the end that share a verdict are the rest. */
static void tell(struct kafka_sink *s, uint32_t n)
{
    const struct row *worst = NULL;
    uint32_t settled = n;

    for (uint32_t i = 0; i < n; i++) {
        const struct row *row = &s->rows[i];
        if (!is_sent(row) && (worst == NULL || badness(row->verdict) > badness(worst->verdict))) {
            worst = row;
        }
    }
    s->out->rest = VERDICT_DELIVERED;
    if (worst != NULL) {
        s->out->rest = worst->verdict;
        say_why(s, worst->why);
        while (settled > 0 && s->rows[settled - 1].verdict == worst->verdict) {
            settled--;
        }
    }
    for (uint32_t i = 0; i < settled; i++) {
        const struct row *row = &s->rows[i];
        if (row->verdict != VERDICT_DELIVERED) {
            outcome_except(s->out, i, row->verdict, row->why != NULL ? row->why : "not sent");
        }
    }
    s->out->settled = settled;
}

static void fail_all(struct kafka_sink *s, uint32_t n, enum verdict verdict)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s->rows[i].verdict != VERDICT_REJECTED) {
            s->rows[i] =
                (struct row){.verdict = verdict, .why = "its transaction was not committed"};
        }
    }
}

/* ---- transactions ---- */

static void forget_unsure(struct kafka_sink *s)
{
    batch_unref(s->unsure.batch);
    mem_free(s->unsure.rows);
    s->unsure = (struct unsure){0};
}

static void remember_unsure(struct kafka_sink *s, struct view view)
{
    forget_unsure(s);
    s->unsure.batch = batch_ref(view.batch);
    s->unsure.n = view.n;
    s->unsure.rows = mem_alloc((size_t)view.n * sizeof(uint32_t) + 1);
    for (uint32_t i = 0; i < view.n; i++) {
        s->unsure.rows[i] = view_row(view, i);
    }
}

/* Are these the rows of the transaction that is not known to have ended? */
static bool is_unsure(const struct kafka_sink *s, struct view view)
{
    bool same = s->unsure.batch == view.batch && s->unsure.n == view.n;

    for (uint32_t i = 0; same && i < view.n; i++) {
        same = s->unsure.rows[i] == view_row(view, i);
    }
    return same;
}

/* Ends may take a little longer than the wait: an aborted transaction is better than one left open. */
static struct wait end_wait(const struct kafka_sink *s)
{
    return (struct wait){clock_deadline_ms(s->env->clock, END_MS), NULL};
}

static enum kafka_fate commit(struct kafka_sink *s, struct view view, struct wait wait)
{
    enum kafka_fate fate = kafka_commit(s->producer, wait, &s->out->err);

    if (fate == KAFKA_UNSURE) {
        remember_unsure(s, view);
    } else {
        forget_unsure(s);
    }
    return fate;
}

static bool has_row(const struct kafka_sink *s, uint32_t n, enum verdict verdict)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s->rows[i].verdict == verdict) {
            return true;
        }
    }
    return false;
}

/* Takes back what the transaction holds. */
static void take_back(struct kafka_sink *s, uint32_t n, enum kafka_fate fate)
{
    bool halts = fate == KAFKA_HALTED || has_row(s, n, VERDICT_HALT);
    struct err ignored = ERR_INIT;

    if (kafka_is_dead(s->producer) ||
        kafka_abort(s->producer, end_wait(s), &ignored) != KAFKA_SENT) {
        close_producer(s); /* the next one's beginning aborts it */
    }
    fail_all(s, n, halts ? VERDICT_HALT : VERDICT_RETRY);
}

/* The transaction of an earlier call ends first, one way or the other. True: these rows were its, and
 * no more is to be done for them. */
static bool end_earlier(struct kafka_sink *s, struct view view, struct wait wait)
{
    bool same = is_unsure(s, view);
    enum kafka_fate fate = kafka_commit(s->producer, wait, &s->out->err);

    if (fate != KAFKA_UNSURE) {
        forget_unsure(s);
    }
    if (fate == KAFKA_AGAIN) {
        take_back(s, view.n, fate);
    } else if (same && fate != KAFKA_SENT) {
        fail_all(s, view.n, verdicts[fate]);
    }
    return same && fate != KAFKA_AGAIN;
}

/* A transaction is open; rows that Kafka has are passed over. */
static enum kafka_fate begin(struct kafka_sink *s, struct view view, struct wait wait)
{
    enum kafka_fate fate = kafka_begin(s->producer, wait, &s->out->err);

    if (fate == KAFKA_SENT) {
        fate = kafka_position_load(&s->position, s->producer, wait, &s->out->err);
    }
    if (fate != KAFKA_SENT) {
        return fate;
    }
    kafka_position_begin(&s->position);
    for (uint32_t i = 0; i < view.n; i++) {
        if (s->rows[i].verdict != VERDICT_REJECTED && kafka_position_has(&s->position, view, i)) {
            s->rows[i] = (struct row){.verdict = VERDICT_DELIVERED};
            metric_add(s->already_there, 1);
        }
    }
    return KAFKA_SENT;
}

static enum kafka_fate keep_and_commit(struct kafka_sink *s, struct view view, struct wait wait)
{
    enum kafka_fate fate = kafka_position_keep(&s->position, view, s->producer, wait, &s->out->err);
    fate = fate == KAFKA_SENT ? commit(s, view, wait) : fate;
    if (fate == KAFKA_SENT) {
        kafka_position_kept(&s->position);
    }
    return fate;
}

/* False when rows are owed. */
static bool send_transaction(struct kafka_sink *s, struct view view, struct wait wait)
{
    enum kafka_fate fate = begin(s, view, wait);

    if (fate != KAFKA_SENT) {
        fail_all(s, view.n, verdicts[fate]);
        return false;
    }
    bool ok = send_pass(s, view.n, wait) && !has_row(s, view.n, VERDICT_REJECTED);
    fate = ok ? keep_and_commit(s, view, wait) : KAFKA_AGAIN;
    if (fate == KAFKA_UNSURE) {
        fail_all(s, view.n, VERDICT_UNKNOWN);
    } else if (fate != KAFKA_SENT) {
        take_back(s, view.n, fate);
    }
    return fate == KAFKA_SENT;
}

/* ---- one call ---- */

/* Fewer at once, down to one by one, until those that are refused are alone; behind those it goes on. */
static bool halve(struct kafka_sink *s, uint32_t n, uint32_t *halvings)
{
    bool goes_on = s->is_refused || (s->is_alone && !s->config->transactions);

    if (!goes_on || ++*halvings > HALVINGS_MAX) {
        return false;
    }
    uint32_t at_once = s->at_once < n ? s->at_once : n;
    if (s->is_refused) {
        s->at_once = at_once > 1 ? at_once / 2 : 1;
    }
    return true;
}

static void send_view(struct kafka_sink *s, struct view view, struct wait wait)
{
    uint32_t halvings = 0;
    bool goes_on = true;

    while (goes_on) {
        if (!has_producer(s, &s->out->err)) {
            fail_all(s, view.n, VERDICT_HALT);
            return;
        }
        bool ok =
            s->config->transactions ? send_transaction(s, view, wait) : send_pass(s, view.n, wait);
        goes_on = !ok && !wait_is_over(wait, s->env->clock) && halve(s, view.n, &halvings);
        if (!ok && !goes_on && s->producer != NULL) {
            say_trouble(s);
        }
        if (s->producer != NULL && kafka_is_dead(s->producer)) {
            close_producer(s);
        }
    }
    s->at_once = s->is_refused ? s->at_once : UINT32_MAX;
}

static void deliver_rows(struct kafka_sink *s, struct view view, struct wait wait)
{
    for (uint32_t i = 0; s->dry != NULL && i < view.n; i++) {
        (void)send_row(s, i, wait);
    }
    if (s->dry != NULL) {
        return;
    }
    if (s->unsure.batch != NULL && s->producer != NULL && end_earlier(s, view, wait)) {
        return;
    }
    if (s->producer != NULL && (kafka_is_dead(s->producer) || s->unsure.batch != NULL)) {
        close_producer(s);
        forget_unsure(s);
    }
    s->out->err = ERR_INIT;
    fail_all(s, view.n, VERDICT_RETRY);
    for (uint32_t i = 0; i < view.n; i++) {
        s->rows[i].why = NULL;
    }
    send_view(s, view, wait);
}

static void kafka_sink_deliver(struct sink *sink, struct view view, struct wait wait,
                               struct outcome *ret)
{
    struct kafka_sink *s = container_of(sink, struct kafka_sink, super);
    AUTO(batch_autounref) struct batch *labelled = NULL;
    int64_t began_ns = clock_mono_ns(s->env->clock);
    struct view sent = view;

    if (!extra_labels_view(&s->config->common.labels, &sent, &labelled, &ret->err) ||
        !kafka_maker_begin(&s->maker, sent, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    AUTO(mem_autofree) struct row *rows = mem_alloc0((size_t)view.n + 1, sizeof(*rows));
    s->out = ret;
    s->rows = rows;
    deliver_rows(s, view,
                 wait_limit_ms(wait, s->env->clock, s->config->message_timeout_ns / NS_PER_MS));
    tell(s, view.n);
    kafka_maker_end(&s->maker);
    s->rows = NULL;
    debug_tell(&s->debug, view, ret, clock_mono_ns(s->env->clock) - began_ns);
}

static enum probed kafka_sink_probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct kafka_sink *s = container_of(sink, struct kafka_sink, super);
    bool ok = has_producer(s, e) && kafka_probe(s->producer, wait, e);

    if (s->producer != NULL && kafka_is_dead(s->producer)) {
        close_producer(s);
    }
    return ok ? PROBED_THERE : PROBED_FAILED;
}

static void kafka_sink_close(struct sink *sink)
{
    struct kafka_sink *s = container_of(sink, struct kafka_sink, super);

    close_producer(s);
    kafka_tokens_free(s->tokens);
    kafka_position_release(&s->position);
    buf_release(&s->id);
    metric_drop(s->already_there);
    forget_unsure(s);
    debug_close(&s->debug);
    kafka_maker_release(&s->maker);
    mem_free(s->name.ptr);
    mem_free(s);
}

static const struct sink_ops kafka_sink_ops = {
    .deliver = kafka_sink_deliver,
    .probe = kafka_sink_probe,
    .close = kafka_sink_close,
};

/* Each log has a producer of its own, which would shut out another of its id. */
static void place_transactions(struct kafka_sink *s, const struct lane_place *lane)
{
    bool is_bulk = lane != NULL && str_eq(lane->log, STR("bulk"));

    s->kafka = s->config->kafka;
    buf_init(&s->id, BUF_SMALL);
    if (s->config->transactions) {
        buf_add_str(&s->id, s->kafka.transactional_id);
        buf_add_text(&s->id, is_bulk ? "-bulk" : "");
        s->kafka.transactional_id = buf_str(&s->id);
    }
    kafka_position_init(&s->position, s->config->transactions ? lane : NULL);
}

static const struct metric_desc already_desc = {
    .name = "telex_exporter_already_there_total",
    .help = "Records that the destination said it has, and that were not written again.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"},
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct kafka_exporter_config *c = config;
    struct kafka_tokens *tokens = NULL;

    if (place->dry == NULL && !kafka_tokens_new(place->env, &c->kafka, &tokens, e)) {
        return false;
    }
    struct kafka_sink *s = mem_new(struct kafka_sink);
    s->tokens = tokens;
    s->super.ops = &kafka_sink_ops;
    s->config = c;
    s->env = place->env;
    place_transactions(s, place->lane);
    s->already_there = metrics_get1(place->env->metrics, &already_desc, place->name);
    s->name = str_make(mem_dup_text(place->name.ptr, place->name.len), place->name.len);
    s->at_once = UINT32_MAX;
    s->dry = place->dry;
    debug_open(&s->debug, place, &c->common);
    kafka_maker_init(&s->maker, c);
    *ret_sink = &s->super;
    return true;
}

const struct exporter_kind exporter_kafka = {
    .name = "kafka",
    .help = "Records as messages to Kafka: once and in order per key as far as it can be known.",
    .example = "type: kafka\nbrokers: [ 127.0.0.1:9092 ]\ntopic: telex-{kind}\n",
    .caps = EXPORTER_SHOWS,
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_PROFILE) |
             TAKES(RECORD_SPAN) | TAKES(RECORD_EVENT),
    .options = &kafka_exporter_options,
    .check = kafka_exporter_check,
    .advise = kafka_exporter_advise,
    .open = open_sink,
};
