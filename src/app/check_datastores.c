/*
 * `check --connect`: what the datastores of streams would say to `run`, and their token servers, asked without making or
 * changing anything. A Telex that runs with this state folder has its slots and locks, which is no mistake.
 */
#include "app/load.h"

#include "app/environment.h"
#include "base/clock.h"
#include "events/source.h"
#include "export/exporters/exporters.h"
#include "export/exporters/kafka_config.h"
#include "export/http_sink.h"
#include "net/http_client.h"
#include "net/http_options.h"
#include "net/kafka_tokens.h"
#include "net/oauth2.h"
#include "state/stream_positions.h"

#include <unistd.h>

enum { LOOK_MS = 30 * 1000 };

struct looker {
    const struct config *config;
    const struct env *env;
    const struct stream_row *rows;
    size_t row_count;
    bool is_running; /* a Telex with this state folder */
    struct problems *problems;
    struct buf *told;
};

static struct wait look_wait(const struct looker *k)
{
    return (struct wait){clock_deadline_ms(k->env->clock, LOOK_MS), NULL};
}

static struct source_start start_of(const struct looker *k, const struct stream_config *s)
{
    for (size_t i = 0; i < k->row_count; i++) {
        if (str_eq(k->rows[i].name, s->name)) {
            return (struct source_start){k->rows[i].place.position, k->rows[i].place.identity};
        }
    }
    return (struct source_start){STR(""), STR("")};
}

static void tell_trouble(const struct looker *k, const struct stream_config *s,
                         const struct yaml_node *node, enum sourced result, bool is_held,
                         const struct err *why)
{
    static const char *const words[SOURCED_RESULTS] = {[SOURCED_AGAIN] = "would wait",
                                                       [SOURCED_REFUSED] = "would be refused",
                                                       [SOURCED_LOST] = "would be lost"};
    struct err e = ERR_INIT;

    (void)yaml_key_err(node != NULL ? node : s->node, &e, ERR_CONFIG, "stream '%.*s' %s: %s%s",
                       STR_FMT(s->name), words[result], why->message,
                       is_held ? " (a Telex runs with this state folder: it may be that one)" : "");
    (is_held ? problems_warning : problems_error)(k->problems, &e);
}

static enum sourced look_at(const struct looker *k, const struct stream_config *s, struct buf *told,
                            struct err *e)
{
    const struct source_place place = {.env = k->env, .stream = s->name};
    const struct source_start from = start_of(k, s);
    struct source *source = NULL;
    struct source_begun begun;

    if (!s->kind->open(&place, s->source, &source, e)) {
        return SOURCED_REFUSED;
    }
    source_begun_init(&begun);
    enum sourced result = s->kind->look(source, &from, &begun, told, look_wait(k), e);
    if (result == SOURCED_OK &&
        !source_is_same(s->name, from.identity, buf_str(&begun.identity), e)) {
        result = SOURCED_LOST;
    }
    source_begun_release(&begun);
    source_close(source);
    return result;
}

static void look_at_source(const struct looker *k, const struct stream_config *s)
{
    AUTO(buf_release) struct buf told = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    if (source_kind_is_own(s->kind)) {
        return;
    }
    enum sourced result = look_at(k, s, &told, &e);
    if (result != SOURCED_OK) {
        bool is_taken = result == SOURCED_AGAIN && e.code == ERR_CONFLICT;
        tell_trouble(k, s, s->options.source, result, is_taken && k->is_running, &e);
        return;
    }
    buf_addf(k->told, "stream '%.*s': %s answers", STR_FMT(s->name), s->kind->name);
    if (told.len > 0) {
        buf_addf(k->told, "; a start would %s", buf_text(&told));
    }
    buf_add_byte(k->told, '\n');
}

/* ---- token servers ---- */

/* As a start would: a refusal is for a person, and what is away is waited for. A token is thrown away: it runs out by itself. */
static enum sourced ask_for_http(const struct looker *k, const struct http_client_config *client,
                                 struct buf *token, struct err *e)
{
    struct oauth2 *AUTO(oauth2_autofree) tokens = NULL;
    enum http_failure failure = HTTP_FAILURE_NONE;
    uint64_t generation = 0;

    if (!oauth2_new(k->env, client, &tokens, e)) {
        return SOURCED_REFUSED;
    }
    if (oauth2_token(tokens, look_wait(k), token, &generation, &failure, e)) {
        return SOURCED_OK;
    }
    return failure == HTTP_FAILURE_AUTH || failure == HTTP_FAILURE_REQUEST ? SOURCED_REFUSED
                                                                           : SOURCED_AGAIN;
}

static enum sourced ask_for_kafka(const struct looker *k, const struct kafka_config *config,
                                  struct buf *token, struct err *e)
{
    enum sourced result = SOURCED_OK;
    struct kafka_tokens *tokens = NULL;
    int64_t end_ms = 0;
    bool anew = false;

    if (!kafka_tokens_new(k->env, config, &tokens, e)) {
        return SOURCED_REFUSED;
    }
    if (tokens != NULL && !kafka_tokens_get(tokens, look_wait(k), token, &end_ms, e)) {
        result = kafka_tokens_refused(tokens, &anew) ? SOURCED_AGAIN : SOURCED_REFUSED;
    }
    kafka_tokens_free(tokens);
    return result;
}

/* <token> stays empty where none is needed. */
static enum sourced ask_for(const struct looker *k, const struct exporter_config *x,
                            struct buf *token, struct err *e)
{
    if (x->kind == &exporter_kafka) {
        const struct kafka_exporter_config *config = x->config;
        return ask_for_kafka(k, &config->kafka, token, e);
    }
    if (x->kind->http == NULL) {
        return SOURCED_OK;
    }
    const struct http_client_config *client =
        (const void *)((const char *)x->config + x->kind->http->client_offset);
    return http_oauth2_is_set(&client->oauth2) ? ask_for_http(k, client, token, e) : SOURCED_OK;
}

static const struct exporter_config *sink_of(const struct looker *k, const struct stream_config *s)
{
    const struct plan_config *plan = &k->config->plan;

    for (size_t i = 0; i < plan->exporter_count; i++) {
        if (str_eq(plan->exporters[i].name, s->exporter)) {
            return &plan->exporters[i];
        }
    }
    return NULL;
}

static void look_at_tokens(const struct looker *k, const struct stream_config *s)
{
    const struct exporter_config *sink = sink_of(k, s);
    AUTO(buf_release) struct buf token = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct err e = ERR_INIT;

    enum sourced result = sink != NULL ? ask_for(k, sink, &token, &e) : SOURCED_OK;
    if (result != SOURCED_OK) {
        tell_trouble(k, s, s->options.oidc != NULL ? s->options.oidc : s->options.sink, result,
                     false, &e);
    } else if (token.len > 0) {
        buf_addf(k->told, "stream '%.*s': its token server gave a token\n", STR_FMT(s->name));
    }
    if (token.len > 0) {
        explicit_bzero(token.ptr, token.len);
    }
}

void check_datastores(const struct config *c, struct problems *problems, struct buf *out)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct looker k = {.config = c, .problems = problems, .told = out};
    struct stream_row *rows = NULL;
    struct environment en;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    buf_addf(&path, "%.*s/streams.db", STR_FMT(c->settings.state.path));
    if (!stream_positions_peek(buf_str(&path), &a, &rows, &k.row_count, &e)) {
        problems_error(problems, &e);
        return;
    }
    environment_init(&en, c, STDERR_FILENO);
    k.rows = rows;
    k.env = &en.env;
    k.is_running = check_runs_here(c);
    for (size_t i = 0; i < c->streams.count; i++) {
        const struct stream_config *s = &c->streams.items[i];
        if (s->options.enabled) {
            look_at_source(&k, s);
            look_at_tokens(&k, s);
        }
    }
    environment_release(&en);
}
