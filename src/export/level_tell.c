/*
 * Invariants
 *   1. confirmed[key] says what the destination last accepted: firing or resolved, and when.
 *   2. An alert is due when it was never confirmed, when its state differs from the confirmed one, or
 *      when its period (level_words.c) has passed since.
 *   3. Keys that a whole walk did not meet are forgotten after it: memory follows the number of
 *      alerts.
 *   4. The source is held for a walk and for each description, never while sending.
 *   5. What is untold is due, or the destination refused it when it was told last.
 *   6. All alerts of a request have the same headers.
 */
#include "export/level_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/http_sink.h"
#include "export/outcome_rows.h"
#include "net/http_client.h"

static struct str key_bytes(const uint64_t *key)
{
    return str_make((const char *)key, sizeof(*key));
}

/* ---- what is due ---- */

struct due {
    struct level_output *output;
    VEC(struct level_alert) alerts; /* each with a reference to its labels */
    struct level_told *told;
    int64_t now_ns; /* monotonic */
    uint64_t source_number;
    struct arena words;          /* headers of groups, which the source lends for the walk only */
    const struct label *lent;    /* those copied last */
    const struct label *headers; /* and their copy */
};

static void due_at(struct due *due, int64_t at_ns)
{
    if (at_ns < due->told->next_mono_ns) {
        due->told->next_mono_ns = at_ns;
    }
}

/* Groups stand together in a walk, so the last copy is nearly always the one. */
static const struct label *keep_headers(struct due *due, const struct level_alert *a)
{
    if (a->header_count == 0) {
        return NULL;
    }
    if (a->headers != due->lent) {
        due->lent = a->headers;
        due->headers = label_pairs_dup(&due->words, a->headers, a->header_count);
    }
    return due->headers;
}

static void collect(void *arg, const struct level_alert *alert)
{
    struct due *due = arg;
    struct level_output *o = due->output;
    struct confirmed *c = map_get(&o->memory->confirmed, key_bytes(&alert->key));

    if (c != NULL) {
        int64_t again_ns = c->at_ns + level_period_ns(o, alert);
        c->walk = o->walks;
        if (c->firing == alert->firing && due->now_ns < again_ns) {
            due_at(due, again_ns);
            due->told->untold += c->refused;
            return;
        }
    } else if (o->filter.wants != NULL && !o->filter.wants(o->filter.arg, alert)) {
        return;
    }
    due->told->untold++;
    if (due->alerts.len == LEVEL_WALK_MAX) {
        due->told->more = true;
        return;
    }
    vec_push(&due->alerts, *alert);
    vec_last(&due->alerts)->headers = keep_headers(due, alert);
    (void)labels_ref(alert->labels);
}

/* Forgets alerts that the last whole walk did not meet. */
static void forget_gone(struct level_output *o)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&o->memory->confirmed, &at, NULL, &value)) {
        struct confirmed *c = value;
        if (c->walk != o->walks) {
            (void)map_del(&o->memory->confirmed, key_bytes(&c->key));
            mem_free(c);
        }
    }
}

void level_memory_free(struct level_memory *m)
{
    uint32_t at = 0;
    void *value = NULL;

    if (m == NULL) {
        return;
    }
    while (map_next(&m->confirmed, &at, NULL, &value)) {
        mem_free(value);
    }
    map_release(&m->confirmed);
    mem_free(m);
}

/* false when there is no source. */
static bool walk(struct due *due)
{
    struct level_output *o = due->output;
    const struct level_source *source = level_source_take(o, &due->source_number);

    if (source == NULL) {
        return false;
    }
    o->walks++;
    source->walk(source->arg, collect, due);
    due->told->walk_ns = clock_mono_ns(o->env->clock) - due->now_ns;
    level_source_give(o);
    if (!due->told->more) {
        forget_gone(o);
    }
    return true;
}

/* ---- requests ---- */

struct told_items {
    struct level_item items[LEVEL_BATCH];
    size_t count;
};

/* The destination, or whoever decides for it, is done with the alert until it is due again. */
static void confirm(struct due *due, const struct level_alert *a, bool refused)
{
    struct level_output *o = due->output;
    struct confirmed *c = map_get(&o->memory->confirmed, key_bytes(&a->key));

    if (c == NULL) {
        c = mem_new(struct confirmed);
        c->key = a->key;
        (void)map_put(&o->memory->confirmed, key_bytes(&c->key), c);
    }
    c->at_ns = due->now_ns;
    c->firing = a->firing;
    c->refused = refused;
    due->told->untold -= !refused;
    c->walk = o->walks;
    due_at(due, due->now_ns + level_period_ns(o, a));
}

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

static void send_items(struct due *due, const struct level_item *items, size_t count,
                       struct wait wait, struct outcome *out)
{
    struct level_output *o = due->output;
    struct export_request req = {.arena = &o->arena, .body = o->body};

    buf_clear(&req.body);
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
static bool send_all(struct due *due, const struct told_items *all, struct wait wait)
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
            confirm(due, &all->items[at].alert, out.rest == VERDICT_REJECTED);
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

/* What the target's rules drop is done with until it is due again. */
static void describe(struct due *due, const struct level_alert *a, struct told_items *batch)
{
    struct level_item *item = &batch->items[batch->count];
    enum level_words words = level_describe(due->output, &due->source_number, a, item);

    batch->count += words == LEVEL_WORDS_READY ? 1 : 0;
    due->told->untold -= words == LEVEL_WORDS_GONE;
    if (words == LEVEL_WORDS_DROPPED) {
        confirm(due, a, false);
    }
}

/* The alerts from *at on, as many as make a request; moves *at behind them. false when nothing is taken
 * now. */
static bool tell_batch(struct due *due, size_t *at, struct wait wait)
{
    struct told_items *batch = mem_new(struct told_items);
    const struct level_alert *first = &due->alerts.items[*at];
    size_t end = *at + LEVEL_BATCH < due->alerts.len ? *at + LEVEL_BATCH : due->alerts.len;

    arena_reset(&due->output->arena);
    while (*at < end && same_headers(first, &due->alerts.items[*at])) {
        if (!wait_is_over(wait, due->output->env->clock)) {
            describe(due, &due->alerts.items[*at], batch);
        }
        *at += 1;
    }
    bool ok = send_all(due, batch, wait);
    for (size_t i = 0; i < batch->count; i++) {
        labels_unref(batch->items[i].alert.labels);
    }
    mem_free(batch);
    return ok;
}

void level_tell(struct level_output *o, struct wait wait, struct level_told *ret)
{
    struct due due = {.output = o, .told = ret, .now_ns = clock_mono_ns(o->env->clock)};

    *ret = (struct level_told){.next_mono_ns = DEADLINE_NEVER};
    arena_init(&due.words, ARENA_UNLIMITED);
    if (walk(&due)) {
        for (size_t at = 0; at < due.alerts.len && !ret->failed;) {
            ret->failed = !tell_batch(&due, &at, wait);
        }
    }
    for (size_t i = 0; i < due.alerts.len; i++) {
        labels_unref(due.alerts.items[i].labels);
    }
    vec_release(&due.alerts);
    arena_release(&due.words);
}
