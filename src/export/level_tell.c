/*
 * Invariants
 *   1. The source is held for each description, never while sending.
 *   2. What is untold is due, or the destination refused it when it was told last.
 *   3. All alerts of a request have the same headers.
 *   4. Alerts whose texts take no query wait for no query: they go first, and a telling ends soon after
 *      TELLING_MS. A rule whose query hangs is waited for once in it.
 */
#include "export/level_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/http_sink.h"
#include "export/outcome_rows.h"
#include "net/http_client.h"

enum {
    TEXTS_MS = 2000,     /* for the texts of a request; what is described by then is sent */
    TEXT_MIN_MS = 100,   /* for those of one alert, however many took too long before */
    TELLING_MS = 10000,  /* then the source is walked again: something else may have begun */
    WAITED_MAX_MS = 6000 /* in one telling for what gave no answer */
};

/* ---- requests ---- */

struct told_items {
    struct level_item items[LEVEL_BATCH];
    size_t count;
};

static void judge(struct level_output *o, const struct http_response *res, struct level_told *told,
                  struct outcome *out)
{
    out->rest = status_verdict(o->exporter->statuses, res->status);
    out->status = res->status;
    told->retry_after_ms = http_response_retry_after_ms(res, clock_wall_ns(o->env->clock));
    if (out->rest != VERDICT_DELIVERED) {
        (void)err_set(&out->err, ERR_NET, "answered %d: %.*s", res->status,
                      STR_FMT(str_trim(str_slice(buf_str(&o->answer), 0, 200))));
    }
}

/* Those of the group (all alerts of a request have the same) win. */
static size_t add_headers(const struct export_request *req, const struct level_alert *group,
                          struct http_header *headers)
{
    size_t count = 0;

    for (size_t i = 0; i < group->header_count && count < HTTP_HEADERS_MAX / 2; i++) {
        headers[count++] = (struct http_header){group->headers[i].name, group->headers[i].value};
    }
    for (size_t i = 0; i < req->header_count; i++) {
        headers[count++] = (struct http_header){req->headers[i].name, req->headers[i].value};
    }
    return count;
}

/* Counts how a request ended; one that was cut short by us did not. */
static void note_call(struct level_output *o, const struct outcome *out, size_t count,
                      int64_t took_ns)
{
    bool is_halved = out->rest == VERDICT_REJECTED && count > 1;

    level_meter_note(o->meter, out, is_halved ? 0 : count, took_ns);
    if (o->target_meter != NULL) {
        level_target_meter_note(o->target_meter, out->rest == VERDICT_DELIVERED, count, took_ns);
    }
}

/* Sends the request that was made of them, <group> being one; how it went is in <out>. */
static void call(struct due *due, const struct export_request *req, const struct level_alert *group,
                 size_t count, struct wait wait, struct outcome *out)
{
    struct level_output *o = due->output;
    struct http_header headers[HTTP_HEADERS_MAX];
    struct str body = buf_str(&o->body);
    struct http_request request = {.method = req->method,
                                   .path = o->target != NULL ? STR("") : req->path,
                                   .headers = headers,
                                   .header_count = add_headers(req, group, headers),
                                   .parts = &body,
                                   .part_count = 1};
    struct http_response res;
    int64_t began_ns = clock_mono_ns(o->env->clock);

    http_response_init(&res, &o->answer);
    out->bytes = body.len;
    int64_t sent_ns = debug_now_ns(&o->debug);
    bool answered = http_client_call(o->client, &request, wait, &res, &out->err);
    debug_measure(&o->debug, DEBUG_SEND, sent_ns);
    if (answered) {
        judge(o, &res, due->told, out);
    } else {
        out->rest = res.failure == HTTP_FAILURE_AUTH ? VERDICT_HALT
                    : res.request_sent               ? VERDICT_UNKNOWN
                                                     : VERDICT_RETRY;
    }
    http_response_release(&res);
    out->requests = 1;
    debug_tell_request(&o->debug, count, body, out, clock_mono_ns(o->env->clock) - began_ns);
    if (out->rest == VERDICT_DELIVERED || !cancel_is_set(wait.cancel)) {
        note_call(o, out, count, clock_mono_ns(o->env->clock) - began_ns);
    }
}

/* Is the request to be sent in spite of what validation says? */
static bool passes(struct level_output *o, const struct level_item *items, size_t count,
                   struct outcome *out)
{
    struct err e = ERR_INIT;

    if (!debug_wants_validation(&o->debug) || o->exporter->validate == NULL ||
        o->exporter->validate(items, count, buf_str(&o->body), &e) ||
        !debug_refuses(&o->debug, &e)) {
        return true;
    }
    out->err = e;
    return err_wrap(&out->err, "refused by debug.refuse_invalid");
}

/* When they end is said as late as this: texts and earlier requests may have taken their time. */
static void send_items(struct due *due, struct level_item *items, size_t count, struct wait wait,
                       struct outcome *out)
{
    struct level_output *o = due->output;
    struct export_request req = {.arena = &o->arena, .body = o->body};

    buf_clear(&req.body);
    for (size_t i = 0; i < count; i++) {
        items[i].ends_at_ns = level_ends_at(o, &items[i].alert);
    }
    int64_t began_ns = debug_now_ns(&o->debug);
    bool made = o->exporter->request(o->config, items, count, &req, &out->err);
    debug_measure(&o->debug, DEBUG_ENCODE, began_ns);
    o->body = req.body;
    if (made && passes(o, items, count, out)) {
        call(due, &req, &items[0].alert, count, wait, out);
    } else {
        out->rest = VERDICT_REJECTED;
        level_meter_note(o->meter, out, count > 1 ? 0 : count, 0);
    }
}

static void tell_failed(struct level_output *o, const struct outcome *out)
{
    trace_warn(&o->trace,
               out->rest == VERDICT_REJECTED ? "an alert was refused"
                                             : "alerts not delivered, trying again",
               T_STR("exporter", o->name), T_ERR(&out->err));
}

/*
 * Sends all, and when the destination refuses a request halves it until the alert that it will not
 * have is alone; that one is told again only when it is due. false when nothing is taken now.
 */
static bool send_all(struct due *due, struct told_items *all, struct wait wait)
{
    size_t at = 0;
    size_t step = all->count;

    while (at < all->count) {
        struct outcome out = {.rest = VERDICT_RETRY};
        step = step < all->count - at ? step : all->count - at;
        send_items(due, &all->items[at], step, wait, &out);
        if (out.rest == VERDICT_REJECTED && step > 1) {
            step = (step + 1) / 2;
            continue;
        }
        if (out.rest != VERDICT_DELIVERED) {
            tell_failed(due->output, &out);
        }
        if (verdict_is_owed(out.rest)) {
            return false;
        }
        for (size_t end = at + step; at < end; at++) {
            level_confirm(due, &all->items[at].alert, out.rest == VERDICT_REJECTED);
        }
        step *= 2;
    }
    return true;
}

static bool same_headers(const struct level_alert *a, const struct level_alert *b)
{
    bool same = a->header_count == b->header_count;

    for (size_t i = 0; same && a->headers != b->headers && i < a->header_count; i++) {
        same = str_eq(a->headers[i].name, b->headers[i].name) &&
               str_eq(a->headers[i].value, b->headers[i].value);
    }
    return same;
}

/* ---- texts ---- */

static bool is_slow(const struct due *due, uint64_t rule)
{
    bool found = false;

    for (size_t i = 0; !found && i < due->slow.len; i++) {
        found = due->slow.items[i] == rule;
    }
    return found;
}

/* How long the texts of an alert may take: no time is left for a rule that took too long, or where the
 * alert itself has none left. */
static int64_t text_ms(const struct due *due, const struct due_alert *d, uint64_t rule)
{
    int64_t left_ms = WAITED_MAX_MS - due->waited_ns / NS_PER_MS;

    left_ms = left_ms < TEXTS_MS ? left_ms : TEXTS_MS;
    left_ms = left_ms > TEXT_MIN_MS ? left_ms : TEXT_MIN_MS;
    return d->alert.asks_ns > 0 && (!d->may_wait || is_slow(due, rule)) ? 0 : left_ms;
}

static enum level_words find_words(struct due *due, const struct due_alert *d, struct wait wait,
                                   struct level_item *ret_item)
{
    struct level_output *o = due->output;
    const struct clock *clock = o->env->clock;
    uint64_t rule = str_hash(str_of(d->alert.rule_id), 0);
    int64_t began_ns = clock_mono_ns(clock);
    int64_t most_ms = text_ms(due, d, rule);
    struct wait texts = wait_limit_ms(wait, clock, most_ms);
    enum level_words words = level_describe(o, &due->source_number, &d->alert, texts, ret_item);

    int64_t took_ns = clock_mono_ns(clock) - began_ns;
    bool is_late = took_ns >= most_ms * NS_PER_MS || took_ns >= d->alert.asks_ns;
    if (d->may_wait && is_late && !is_slow(due, rule)) {
        vec_push(&due->slow, rule);
        due->waited_ns += took_ns;
    }
    return words;
}

/* What the target's rules drop is done with until it is due again. */
static void describe(struct due *due, const struct due_alert *d, struct wait wait,
                     struct told_items *batch)
{
    struct level_item *item = &batch->items[batch->count];
    enum level_words words = find_words(due, d, wait, item);

    batch->count += words == LEVEL_WORDS_READY ? 1 : 0;
    due->told->untold -= words == LEVEL_WORDS_GONE;
    if (words == LEVEL_WORDS_DROPPED) {
        level_confirm(due, &d->alert, false);
    }
}

static bool fits(const struct due_alert *first, const struct due_alert *next)
{
    return first->may_wait == next->may_wait && same_headers(&first->alert, &next->alert);
}

/* The alerts from *at on, as many as make a request or are described in time; moves *at behind them. false
 * when nothing is taken now. */
static bool tell_batch(struct due *due, size_t *at, struct wait wait)
{
    const struct clock *clock = due->output->env->clock;
    struct told_items *batch = mem_new(struct told_items);
    const struct due_alert *first = &due->alerts.items[*at];
    size_t end = *at + LEVEL_BATCH < due->alerts.len ? *at + LEVEL_BATCH : due->alerts.len;
    struct wait texts = wait_limit_ms(wait, clock, TEXTS_MS);

    arena_reset(&due->output->arena);
    do {
        if (!wait_is_over(wait, clock)) {
            describe(due, &due->alerts.items[*at], wait, batch);
        }
        *at += 1;
    } while (*at < end && fits(first, &due->alerts.items[*at]) &&
             !(first->may_wait && wait_is_over(texts, clock)));
    bool ok = send_all(due, batch, wait);
    for (size_t i = 0; i < batch->count; i++) {
        labels_unref(batch->items[i].alert.labels);
    }
    mem_free(batch);
    return ok;
}

static void tell_all(struct due *due, struct wait wait)
{
    const struct clock *clock = due->output->env->clock;
    int64_t until_ns = clock_deadline_ms(clock, TELLING_MS);
    size_t at = 0;

    while (at < due->alerts.len && !due->told->failed) {
        if (due->alerts.items[at].may_wait && clock_mono_ns(clock) > until_ns) {
            due->told->more = true;
            return;
        }
        due->told->failed = !tell_batch(due, &at, wait);
    }
}

void level_tell(struct level_output *o, struct wait wait, struct level_told *ret)
{
    struct due due;

    *ret = (struct level_told){.next_mono_ns = DEADLINE_NEVER};
    if (level_due_find(&due, o, ret)) {
        tell_all(&due, wait);
    }
    level_due_release(&due);
}
