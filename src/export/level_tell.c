/*
 * Invariants
 *   1. confirmed[key] says what the destination last accepted: firing or resolved, and when.
 *   2. An alert is due when it was never confirmed, when its state differs from the confirmed one, or
 *      when resend_delay has passed since.
 *   3. Keys that a whole walk did not meet are forgotten after it: memory follows the number of
 *      alerts.
 *   4. The source is held for a walk and for each description, never while sending.
 */
#include "export/level_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/extra_labels.h"
#include "export/http_sink.h"
#include "export/outcome_rows.h"
#include "net/http_client.h"

enum { ANNOTATIONS_MAX = 1024 * 1024 };

/* What the destination last accepted of one alert. */
struct confirmed {
    uint64_t key;
    int64_t at_ns; /* monotonic */
    bool firing;
    uint32_t walk; /* the last walk that met it */
};

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
};

static void due_at(struct due *due, int64_t at_ns)
{
    if (at_ns < due->told->next_mono_ns) {
        due->told->next_mono_ns = at_ns;
    }
}

static void collect(void *arg, const struct level_alert *alert)
{
    struct due *due = arg;
    struct level_output *o = due->output;
    struct confirmed *c = map_get(&o->confirmed, key_bytes(&alert->key));

    if (c != NULL) {
        int64_t again_ns = c->at_ns + o->options->resend_delay_ns;
        c->walk = o->walks;
        if (c->firing == alert->firing && due->now_ns < again_ns) {
            due_at(due, again_ns);
            return;
        }
    } else if (o->filter.wants != NULL && !o->filter.wants(o->filter.arg, alert)) {
        return;
    }
    if (due->alerts.len == LEVEL_WALK_MAX) {
        due->told->more = true;
        return;
    }
    vec_push(&due->alerts, *alert);
    (void)labels_ref(alert->labels);
}

/* Forgets alerts that the last whole walk did not meet. */
static void forget_gone(struct level_output *o)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&o->confirmed, &at, NULL, &value)) {
        struct confirmed *c = value;
        if (c->walk != o->walks) {
            (void)map_del(&o->confirmed, key_bytes(&c->key));
            mem_free(c);
        }
    }
}

void level_forget_all(struct level_output *o)
{
    o->walks++;
    forget_gone(o);
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

/* ---- what the walk could not fill: texts that may take a query ---- */

struct told_items {
    struct level_item items[LEVEL_BATCH];
    size_t count;
};

/* For a firing alert: four times the longer of interval and resend delay from now, as Prometheus
 * says it. */
static int64_t ends_at(const struct level_output *o, const struct level_alert *a)
{
    int64_t longer =
        a->interval_ns > o->options->resend_delay_ns ? a->interval_ns : o->options->resend_delay_ns;

    return a->firing ? clock_wall_ns(o->env->clock) + 4 * longer : a->ends_at_ns;
}

static bool ask_source(struct due *due, const struct level_alert *a, struct buf *annotations,
                       struct buf *url)
{
    const struct level_source *source = level_source_take(due->output, &due->source_number);

    if (source == NULL) {
        return false;
    }
    bool there = source->describe(source->arg, a, annotations, url);
    level_source_give(due->output);
    return there;
}

/* Adds the alert as it goes out; not when it is gone meanwhile. */
static void describe(struct due *due, const struct level_alert *a, struct told_items *out)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(ANNOTATIONS_MAX);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct level_output *o = due->output;

    if (!ask_source(due, a, &annotations, &url)) {
        return;
    }
    struct level_item *item = &out->items[out->count++];
    *item = (struct level_item){.alert = *a, .ends_at_ns = ends_at(o, a)};
    item->alert.labels = extra_labels_merge(&o->common->labels, a->labels);
    item->annotations =
        buf_ok(&annotations) ? arena_dup(&o->arena, buf_str(&annotations)) : STR("{}");
    item->generator_url = buf_ok(&url) ? arena_dup(&o->arena, buf_str(&url)) : STR("");
}

/* ---- sending ---- */

static void confirm(struct due *due, const struct level_item *items, size_t count)
{
    struct level_output *o = due->output;

    for (size_t i = 0; i < count; i++) {
        const struct level_alert *a = &items[i].alert;
        struct confirmed *c = map_get(&o->confirmed, key_bytes(&a->key));
        if (c == NULL) {
            c = mem_new(struct confirmed);
            c->key = a->key;
            (void)map_put(&o->confirmed, key_bytes(&c->key), c);
        }
        c->at_ns = due->now_ns;
        c->firing = a->firing;
        c->walk = o->walks;
    }
    due_at(due, due->now_ns + o->options->resend_delay_ns);
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

/* Sends the request that was made of them; how it went is in <out>. */
static void call(struct due *due, const struct export_request *req, size_t count, struct wait wait,
                 struct outcome *out)
{
    struct level_output *o = due->output;
    struct http_header headers[HTTP_EXPORT_HEADERS_MAX];
    struct str body = buf_str(&o->body);
    struct http_request request = {.method = req->method,
                                   .path = req->path,
                                   .headers = headers,
                                   .header_count = req->header_count,
                                   .parts = &body,
                                   .part_count = 1};
    struct http_response res;
    int64_t began_ns = clock_mono_ns(o->env->clock);

    for (size_t i = 0; i < req->header_count; i++) {
        headers[i] = (struct http_header){req->headers[i].name, req->headers[i].value};
    }
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
        bool is_halved = out->rest == VERDICT_REJECTED && count > 1;
        level_meter_note(o->meter, out, is_halved ? 0 : count,
                         clock_mono_ns(o->env->clock) - began_ns);
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
        call(due, &req, count, wait, out);
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
        confirm(due, &all->items[at], step);
        at += step;
        step *= 2;
    }
    return true;
}

/* The alerts from <from> on, as many as make a request; false when nothing is taken now. */
static bool tell_batch(struct due *due, size_t from, struct wait wait)
{
    struct told_items *batch = mem_new(struct told_items);
    bool ok = true;

    arena_reset(&due->output->arena);
    for (size_t i = from; i < due->alerts.len && i < from + LEVEL_BATCH; i++) {
        if (!wait_is_over(wait, due->output->env->clock)) {
            describe(due, &due->alerts.items[i], batch);
        }
    }
    ok = send_all(due, batch, wait);
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
    if (walk(&due)) {
        for (size_t at = 0; at < due.alerts.len && !ret->failed; at += LEVEL_BATCH) {
            ret->failed = !tell_batch(&due, at, wait);
        }
    }
    for (size_t i = 0; i < due.alerts.len; i++) {
        labels_unref(due.alerts.items[i].labels);
    }
    vec_release(&due.alerts);
}
