/*
 * The thread sleeps until something changes or a resend is due, walks the source, collects up to
 * LEVEL_BATCH alerts that the destination must hear of, describes them without holding the source's
 * locks, and sends them. What a 2xx confirmed is remembered per alert; what failed stays due and is
 * tried again after a backoff.
 *
 * Invariants
 *   1. confirmed[key] says what the destination last accepted: firing or resolved, and when.
 *   2. An alert is due when it was never confirmed, when its state differs from the confirmed one,
 * or when it is firing (or resolved) and resend_delay has passed since.
 *   3. Keys that a whole walk did not meet are forgotten after it: memory follows the number of
 * alerts.
 */
#include "export/level.h"

#include "base/env.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/trace.h"
#include "export/backoff.h"
#include "export/exporter.h"
#include "export/http_sink.h"
#include "net/http_client.h"

#include <stdio.h>

enum { LEVEL_TICK_MS = 1000, ANSWER_MAX = 1024 * 1024 };

/* What the destination last accepted of one alert. */
struct confirmed {
    uint64_t key;
    int64_t at_ns; /* monotonic */
    bool firing;
    uint32_t walk; /* the last walk that met it */
};

struct level_output {
    const struct level_exporter *exporter;
    const struct env *env;
    const void *config;
    const struct level_options *options;
    struct str name;
    struct http_client *client;
    struct trace trace;
    struct thread thread;
    struct cancel *cancel;

    struct lock lock;
    struct cond changed;
    const struct level_source *source GUARDED_BY(lock);
    bool walking GUARDED_BY(lock);
    bool dirty GUARDED_BY(lock);
    bool stopping GUARDED_BY(lock);
    bool done GUARDED_BY(lock); /* the thread said its last word */
    struct level_status status GUARDED_BY(lock);

    /* The thread's own. */
    struct map confirmed;
    uint32_t walks;
    struct backoff backoff;
    struct arena arena;
    struct buf body;
    struct buf answer;
};

static const struct backoff_config level_backoff = {.initial_delay_ns = NS_PER_S,
                                                    .max_delay_ns = 30 * NS_PER_S,
                                                    .multiplier = 2,
                                                    .jitter = JITTER_FRACTION};

/* ---- what is due ---- */

struct due {
    struct level_output *output;
    struct level_item items[LEVEL_BATCH];
    size_t count;
    bool more; /* the batch was full */
    int64_t now_mono_ns;
};

static struct str key_bytes(const uint64_t *key)
{
    return str_make((const char *)key, sizeof(*key));
}

static bool is_due(const struct level_output *o, const struct confirmed *c,
                   const struct level_alert *a, int64_t now_mono_ns)
{
    return c == NULL || c->firing != a->firing ||
           now_mono_ns - c->at_ns >= o->options->resend_delay_ns;
}

static void collect(void *arg, const struct level_alert *alert)
{
    struct due *due = arg;
    struct confirmed *c = map_get(&due->output->confirmed, key_bytes(&alert->key));

    if (c != NULL) {
        c->walk = due->output->walks;
    }
    if (!is_due(due->output, c, alert, due->now_mono_ns)) {
        return;
    }
    if (due->count == LEVEL_BATCH) {
        due->more = true;
        return;
    }
    struct level_item *item = &due->items[due->count++];
    *item = (struct level_item){.alert = *alert};
    item->alert.labels = labels_ref(alert->labels);
}

/* For a firing alert: four times the longer of interval and resend delay from now, as Prometheus
 * says it. */
static int64_t ends_at(const struct level_output *o, const struct level_alert *a)
{
    int64_t longer =
        a->interval_ns > o->options->resend_delay_ns ? a->interval_ns : o->options->resend_delay_ns;

    return a->firing ? clock_wall_ns(o->env->clock) + 4 * longer : a->ends_at_ns;
}

/* Fills what the walk could not: texts that may take a query. Drops alerts that are gone meanwhile.
 */
static void describe(struct level_output *o, const struct level_source *source, struct due *due)
{
    size_t kept = 0;

    for (size_t i = 0; i < due->count; i++) {
        AUTO(buf_release) struct buf annotations = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
        struct level_item *item = &due->items[i];
        if (!source->describe(source->arg, &item->alert, &annotations, &url)) {
            labels_unref(item->alert.labels);
            continue;
        }
        item->annotations = arena_dup(&o->arena, buf_str(&annotations));
        item->generator_url = arena_dup(&o->arena, buf_str(&url));
        item->ends_at_ns = ends_at(o, &item->alert);
        due->items[kept++] = *item;
    }
    due->count = kept;
}

static void confirm(struct level_output *o, const struct due *due)
{
    for (size_t i = 0; i < due->count; i++) {
        const struct level_alert *a = &due->items[i].alert;
        struct confirmed *c = map_get(&o->confirmed, key_bytes(&a->key));
        if (c == NULL) {
            c = mem_new(struct confirmed);
            c->key = a->key;
            (void)map_put(&o->confirmed, key_bytes(&c->key), c);
        }
        c->at_ns = due->now_mono_ns;
        c->firing = a->firing;
        c->walk = o->walks;
    }
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

/* ---- sending ---- */

static bool send_items(struct level_output *o, const struct due *due, struct wait wait,
                       struct err *e)
{
    struct export_request req = {.arena = &o->arena, .body = o->body};
    struct http_header headers[HTTP_EXPORT_HEADERS_MAX];
    struct http_response res;

    buf_clear(&req.body);
    bool made = o->exporter->request(o->config, due->items, due->count, &req, e);
    o->body = req.body;
    if (!made) {
        return false;
    }
    for (size_t i = 0; i < req.header_count; i++) {
        headers[i] = (struct http_header){req.headers[i].name, req.headers[i].value};
    }
    struct str body = buf_str(&o->body);
    struct http_request request = {.method = req.method,
                                   .path = req.path,
                                   .headers = headers,
                                   .header_count = req.header_count,
                                   .parts = &body,
                                   .part_count = 1};
    http_response_init(&res, &o->answer);
    bool ok = http_client_call(o->client, &request, wait, &res, e);
    if (ok && status_verdict(o->exporter->statuses, res.status) != VERDICT_DELIVERED) {
        ok = err_set(e, ERR_NET, "answered %d: %.*s", res.status,
                     STR_FMT(str_slice(buf_str(&o->answer), 0, 200)));
    }
    http_response_release(&res);
    return ok;
}

static void note(struct level_output *o, size_t sent, const struct err *e)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);

    if (e != NULL) {
        err_print_line(e, &line);
        trace_warn(&o->trace, "alerts not delivered, trying again", T_STR("exporter", o->name),
                   T_ERR(e));
    }
    lock_take(&o->lock);
    o->status.failing = e != NULL;
    if (e != NULL) {
        o->status.errors++;
        (void)snprintf(o->status.last_error, sizeof(o->status.last_error), "%s", buf_text(&line));
    } else {
        o->status.sent += sent;
        o->status.last_success_ns = clock_wall_ns(o->env->clock);
    }
    lock_give(&o->lock);
}

/* One walk and what it found sent; *ret_more: the batch was full, walk again at once. */
static bool tell(struct level_output *o, const struct level_source *source, struct wait wait,
                 bool *ret_more)
{
    struct due *due = mem_new(struct due);
    struct err e = ERR_INIT;
    bool ok = true;

    arena_reset(&o->arena);
    due->output = o;
    due->now_mono_ns = clock_mono_ns(o->env->clock);
    o->walks++;
    source->walk(source->arg, collect, due);
    describe(o, source, due);
    if (due->count > 0) {
        ok = send_items(o, due, wait, &e);
        note(o, due->count, ok ? NULL : &e);
    }
    if (ok) {
        confirm(o, due);
    }
    if (!due->more) {
        forget_gone(o);
    }
    *ret_more = ok && due->more;
    for (size_t i = 0; i < due->count; i++) {
        labels_unref(due->items[i].alert.labels);
    }
    mem_free(due);
    return ok;
}

/* ---- the thread ---- */

/* Takes the source for a walk; NULL when there is none. */
static const struct level_source *begin_walk(struct level_output *o)
{
    lock_take(&o->lock);
    const struct level_source *source = o->source;
    o->walking = source != NULL;
    o->dirty = false;
    lock_give(&o->lock);
    return source;
}

static void end_walk(struct level_output *o)
{
    lock_take(&o->lock);
    o->walking = false;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

/* Walks until nothing is due; false when the destination failed. */
static bool tell_all(struct level_output *o)
{
    struct wait wait = {DEADLINE_NEVER, o->cancel};
    bool more = true;
    bool ok = true;

    while (ok && more && !cancel_is_set(o->cancel)) {
        const struct level_source *source = begin_walk(o);
        if (source == NULL) {
            return true;
        }
        ok = tell(o, source, wait, &more);
        end_walk(o);
    }
    return ok;
}

/* Sleeps at least <least_ms>, then until something changed or a tick has passed (resends); false
 * when stopping. */
static bool sleep_until_due(struct level_output *o, int64_t least_ms)
{
    int64_t earliest = clock_deadline_ms(o->env->clock, least_ms);
    int64_t latest =
        clock_deadline_ms(o->env->clock, least_ms > LEVEL_TICK_MS ? least_ms : LEVEL_TICK_MS);

    lock_take(&o->lock);
    while (!o->stopping) {
        int64_t now = clock_mono_ns(o->env->clock);
        if (now >= latest || (o->dirty && now >= earliest)) {
            break;
        }
        (void)cond_wait_until(&o->changed, &o->lock, o->dirty ? earliest : latest);
    }
    bool goes_on = !o->stopping;
    lock_give(&o->lock);
    return goes_on;
}

static void run(void *arg)
{
    struct level_output *o = arg;
    int64_t least_ms = 0;

    while (sleep_until_due(o, least_ms)) {
        if (tell_all(o)) {
            backoff_reset(&o->backoff);
            least_ms = 0;
        } else {
            least_ms = backoff_next_ms(&o->backoff, o->env->rng, 0);
        }
    }
    (void)tell_all(o); /* a last word; close() bounds it */
    lock_take(&o->lock);
    o->done = true;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

/* ---- life ---- */

bool level_output_open(const struct level_exporter *exporter, const struct exporter_place *place,
                       const void *config, struct level_output **ret_output, struct err *e)
{
    const struct http_client_config *client_config =
        (const void *)((const char *)config + exporter->client_offset);
    struct http_client *client = NULL;

    if (!http_client_new(place->env, client_config, &client, e)) {
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct level_output *o = mem_new(struct level_output);
    o->exporter = exporter;
    o->env = place->env;
    o->config = config;
    o->options = (const void *)((const char *)config + exporter->options_offset);
    o->name = place->name;
    o->client = client;
    trace_init(&o->trace, place->env->trace, "export", TRACE_INFO);
    lock_init(&o->lock);
    cond_init(&o->changed);
    map_init(&o->confirmed, rng_u64(place->env->rng));
    backoff_init(&o->backoff, &level_backoff);
    arena_init(&o->arena, ARENA_UNLIMITED);
    buf_init(&o->body, BUF_UNLIMITED);
    buf_init(&o->answer, ANSWER_MAX);
    o->cancel = cancel_new(NULL);
    if (!thread_start(&o->thread, "level", run, o, e)) {
        level_output_close(o);
        return false;
    }
    *ret_output = o;
    return true;
}

void level_output_set_source(struct level_output *o, const struct level_source *source)
{
    lock_take(&o->lock);
    while (o->walking) {
        (void)cond_wait_until(&o->changed, &o->lock, DEADLINE_NEVER);
    }
    o->source = source;
    o->dirty = source != NULL;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

void level_output_wake(struct level_output *o)
{
    lock_take(&o->lock);
    o->dirty = true;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

void level_output_status(struct level_output *o, struct level_status *ret)
{
    lock_take(&o->lock);
    *ret = o->status;
    lock_give(&o->lock);
}

static void free_confirmed(struct level_output *o)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&o->confirmed, &at, NULL, &value)) {
        mem_free(value);
    }
    map_release(&o->confirmed);
}

void level_output_drain(struct level_output *o)
{
    lock_take(&o->lock);
    o->stopping = true;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

void level_output_stop(struct level_output *o, struct wait wait)
{
    struct waiter waiter;

    level_output_drain(o);
    waiter_begin(&waiter, wait, &o->lock, &o->changed);
    lock_take(&o->lock);
    while (o->thread.started && !o->done && waiter_pause(&waiter)) {
    }
    lock_give(&o->lock);
    waiter_end(&waiter);
    cancel_fire(o->cancel);
    thread_join(&o->thread);
}

void level_output_close(struct level_output *o)
{
    if (o == NULL) {
        return;
    }
    level_output_stop(o, (struct wait){0, NULL});
    free_confirmed(o);
    http_client_free(o->client);
    cancel_free(o->cancel);
    cond_release(&o->changed);
    lock_release(&o->lock);
    arena_release(&o->arena);
    buf_release(&o->body);
    buf_release(&o->answer);
    mem_free(o);
}
