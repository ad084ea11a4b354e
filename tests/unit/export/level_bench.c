/* The fixture of level outputs: alerts that the test sets, and a receiver. */
#include "level_bench.h"

#include "base/number.h"
#include "base/rand.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- a source ---- */

static void source_walk(void *arg, void (*visit)(void *visit_arg, const struct level_alert *alert),
                        void *visit_arg)
{
    struct source *s = arg;

    lock_take(&s->lock);
    s->walks++;
    for (size_t i = 0; i < s->count; i++) {
        visit(visit_arg, &s->alerts[i]);
    }
    lock_give(&s->lock);
}

static bool source_describe(void *arg, const struct level_alert *alert, struct wait wait,
                            struct buf *annotations, struct buf *generator_url)
{
    struct source *s = arg;

    while (strcmp(alert->rule_id, RULE_HANGS) == 0 && !wait_is_over(wait, clock_system())) {
        http_peer_pause_ms(2);
    }
    lock_take(&s->lock);
    bool there = !s->gone;
    buf_add_text(annotations, "{\"summary\":\"");
    buf_add_repeat(annotations, 's', s->annotation_len);
    buf_add_text(annotations, "\"}");
    lock_give(&s->lock);
    buf_addf(generator_url, "http://telex/%s", alert->rule_id);
    return there;
}

static void source_init(struct source *s)
{
    *s = (struct source){.super = {source_walk, source_describe, s}};
    lock_init(&s->lock);
    lock_take(&s->lock);
    s->annotation_len = 3;
    lock_give(&s->lock);
}

void source_clear(struct source *s)
{
    lock_take(&s->lock);
    for (size_t i = 0; i < s->count; i++) {
        labels_unref(s->alerts[i].labels);
    }
    s->count = 0;
    lock_give(&s->lock);
}

/* A firing alert called <name>. */
void source_add(struct source *s, const char *name)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("alertname"), str_of(name));
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    lock_take(&s->lock);
    assert_true(s->count < ALERTS_MAX);
    s->alerts[s->count++] = (struct level_alert){.rule_id = "r1",
                                                 .key = str_hash(str_of(name), 0),
                                                 .labels = labels,
                                                 .firing = true,
                                                 .starts_at_ns = KIT_TIME_NS,
                                                 .interval_ns = 15 * NS_PER_S};
    lock_give(&s->lock);
}

void source_resolve(struct source *s, size_t i)
{
    lock_take(&s->lock);
    s->alerts[i].firing = false;
    s->alerts[i].ends_at_ns = KIT_TIME_NS + 60 * NS_PER_S;
    lock_give(&s->lock);
}

unsigned source_walks(struct source *s)
{
    lock_take(&s->lock);
    unsigned walks = s->walks;
    lock_give(&s->lock);
    return walks;
}

/* ---- set-up ---- */

int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    receiver_listen(&f->receiver);
    http_kit_start(&f->http, f->receiver.peer.port);
    rng_seed(&f->rng, 1);
    f->env = f->http.env;
    f->env.rng = &f->rng;
    f->metrics = metrics_new();
    f->env.metrics = f->metrics;
    source_init(&f->source);
    buf_init(&f->yaml, BUF_SMALL);
    *state = f;
    return 0;
}

int teardown(void **state)
{
    struct fixture *f = *state;

    level_output_close(f->output);
    export_kit_stop(&f->kit);
    source_clear(&f->source);
    lock_release(&f->source.lock);
    buf_release(&f->yaml);
    http_kit_stop(&f->http);
    metrics_free(f->metrics);
    receiver_stop(&f->receiver);
    mem_free(f);
    return 0;
}

void start(struct fixture *f, const char *options)
{
    const struct exporter_place place = {.env = &f->env, .name = STR("am")};

    buf_addf(&f->yaml, "type: alertmanager\nurl: http://127.0.0.1:%u\n%s", f->receiver.peer.port,
             options);
    if (!export_kit_start(&f->kit, buf_text(&f->yaml)) ||
        !level_output_open(f->kit.kind->level, &place, f->kit.config, &f->filter, &f->output,
                           &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
    level_output_set_source(f->output, &f->source.super);
}

void plan_success(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        receiver_plan(&f->receiver, 200, NULL, NULL);
    }
}

/* The alerts of request <i>: names, each with an end: "a b(resolved)". */
void assert_alerts(struct fixture *f, unsigned i, const char *want)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    struct json_node *root = NULL;
    struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    receiver_body(&f->receiver, i, &body);
    if (!json_parse(buf_str(&body), &a, &root, &e)) {
        fail_msg("request %u: %s: '%s'", i, e.message, buf_text(&body));
    }
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        struct str ends_at = json_get_str(n, STR("endsAt"));
        buf_add_text(&got, got.len > 0 ? " " : "");
        buf_add_str(&got, json_get_str(json_get(n, STR("labels")), STR("alertname")));
        buf_add_text(&got, str_eq(ends_at, STR("2024-01-15T10:31:00Z")) ? "(resolved)" : "");
    }
    arena_release(&a);
    assert_string_equal(buf_text(&got), want);
}

void assert_holds(struct fixture *f, unsigned i, const char *part)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);

    receiver_body(&f->receiver, i, &body);
    if (strstr(buf_text(&body), part) == NULL) {
        fail_msg("no '%s' in '%s'", part, buf_text(&body));
    }
}

/* Says that something changed and waits until the output has looked. */
void wake_and_wait(struct fixture *f)
{
    unsigned before = source_walks(&f->source);

    level_output_wake(f->output);
    for (int ms = 0; source_walks(&f->source) == before; ms += 5) {
        assert_true(ms < HTTP_PEER_PATIENCE_MS);
        http_peer_pause_ms(5);
    }
}

/* Waits until the thread has understood the answers so far. */
struct output_status wait_status(struct fixture *f, uint64_t sent, uint64_t errors)
{
    struct output_status status = {.state = ""};

    for (int ms = 0; ms < HTTP_PEER_PATIENCE_MS; ms += 5) {
        level_output_status(f->output, &status);
        if (status.delivered_rows >= sent && status.retries + status.rejected_rows >= errors) {
            break;
        }
        http_peer_pause_ms(5);
    }
    assert_int_equal(status.delivered_rows, sent);
    assert_int_equal(status.retries + status.rejected_rows, errors);
    return status;
}

/* The value of a metric line of the output; -1 when there is none. */
double metric_of(struct fixture *f, const char *series)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    metrics_render(f->env.metrics, &text);
    const char *at = strstr(buf_text(&text), series);
    double value = -1;
    if (at != NULL) {
        at += strlen(series) + 1;
        assert_true(number_parse(str_make(at, strcspn(at, "\n")), &value));
    }
    return value;
}

/* How many alerts the destination was not told of when the output ended. */
uint64_t untold_at_the_end(struct fixture *f)
{
    struct output_status status = {.untold_alerts = UINT64_MAX};

    level_output_stop(f->output, (struct wait){DEADLINE_NEVER, NULL});
    level_output_status(f->output, &status);
    return status.untold_alerts;
}

int64_t now_ms(void)
{
    return clock_mono_ns(clock_system()) / NS_PER_MS;
}
