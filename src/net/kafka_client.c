/*
 * What a producer and a consumer have in common: a handle of librdkafka, its log, and its logins.
 *
 * Invariants
 *   1. Tokens are asked for in librdkafka's background thread and nowhere else: no call of ours waits for the token server,
 *      and an idle client has a good one.
 *   2. That thread ends with the handle; <cancel> ends what it waits for before.
 */
#include "net/kafka_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "net/http_client_int.h"
#include "net/kafka_tokens.h"

#include <signal.h>
#include <syslog.h>

enum { TOKEN_MS = 30 * 1000 };

/* ---- the log ---- */

/* librdkafka's log, from any of its threads. What it thinks of our choices (CONFWARN) is for who debugs. */
static void log_line(const rd_kafka_t *kafka, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rd_kafka_opaque(kafka);

    if (client == NULL) {
        return;
    }
    struct trace *trace = &client->trace;
    if (strcmp(facility, "CONFWARN") == 0) {
        level = LOG_DEBUG;
    }
    if (level <= LOG_WARNING) {
        trace_warn(trace, "Kafka's client", T_TEXT("part", facility), T_TEXT("says", text));
    } else if (level <= LOG_INFO) {
        trace_info(trace, "Kafka's client", T_TEXT("part", facility), T_TEXT("says", text));
    } else {
        trace_debug(trace, "Kafka's client", T_TEXT("part", facility), T_TEXT("says", text));
    }
}

/* ---- tokens ---- */

/* Names and values in turn, each with a NUL behind, in <words>. */
static size_t add_extensions(const struct option_map *map, struct arena *a, const char **words)
{
    size_t count = map->count < KAFKA_EXTENSIONS_MAX ? map->count : KAFKA_EXTENSIONS_MAX;

    for (size_t i = 0; i < count; i++) {
        words[2 * i] = arena_text(a, map->items[i].name);
        words[2 * i + 1] = arena_text(a, map->items[i].value);
    }
    return 2 * count;
}

static bool set_token(struct kafka_client *c, rd_kafka_t *kafka, struct buf *token, int64_t end_ms,
                      struct err *e)
{
    AUTO(arena_release) struct arena arena = {0};
    const char *words[2 * KAFKA_EXTENSIONS_MAX];
    char why[KAFKA_WHY_MAX] = "";

    arena_init(&arena, ARENA_UNLIMITED); /* the config is capped */
    size_t count = add_extensions(&c->config->sasl_extensions, &arena, words);
    const char *who = arena_text(&arena, c->config->oauth2.client_id);
    return rd_kafka_oauthbearer_set_token(kafka, buf_text(token), end_ms, who, words, count, why,
                                          sizeof(why)) == RD_KAFKA_RESP_ERR_NO_ERROR ||
           err_set(e, ERR_AUTH, "librdkafka does not take the token: %s", why);
}

/* librdkafka wants a token: at first, and before the last one ends. Where there is none it asks again after ten seconds. */
static void refresh(rd_kafka_t *kafka, const char *unused, void *opaque)
{
    struct kafka_client *c = opaque;
    struct wait wait = {clock_deadline_ms(c->clock, TOKEN_MS), c->cancel};
    struct buf AUTO(buf_release) token = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct err e = ERR_INIT;
    int64_t end_ms = 0;

    (void)unused;
    if (!kafka_tokens_get(c->tokens, wait, &token, &end_ms, &e) ||
        !set_token(c, kafka, &token, end_ms, &e)) {
        (void)rd_kafka_oauthbearer_set_token_failure(kafka, e.message);
    }
    buf_wipe(&token);
}

static bool refresh_in_background(rd_kafka_t *kafka, struct err *e)
{
    rd_kafka_error_t *error = rd_kafka_sasl_background_callbacks_enable(kafka);

    if (error == NULL) {
        return true;
    }
    (void)err_set(e, ERR_CONFIG, "librdkafka says: %s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return false;
}

/* ---- logins ---- */

static bool is_of_login(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
           code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED;
}

bool kafka_client_is_final(const struct kafka_client *c, rd_kafka_resp_err_t code)
{
    return kafka_is_refusal(code) && (c->tokens == NULL || !is_of_login(code));
}

enum kafka_refusal kafka_client_judge(struct kafka_client *c, rd_kafka_resp_err_t code)
{
    bool anew = false;

    if (!kafka_is_refusal(code)) {
        return KAFKA_REFUSAL_NONE;
    }
    if (kafka_client_is_final(c, code) || !kafka_tokens_refused(c->tokens, &anew)) {
        return KAFKA_REFUSAL_FINAL;
    }
    return anew ? KAFKA_REFUSAL_ANEW : KAFKA_REFUSAL_PASSES;
}

void kafka_client_is_up(struct kafka_client *c)
{
    if (c->tokens != NULL) {
        kafka_tokens_worked(c->tokens);
    }
}

/* ---- life ---- */

void kafka_client_init(struct kafka_client *c, const struct env *env, const char *part,
                       struct str name, const struct kafka_config *config,
                       struct kafka_tokens *tokens)
{
    trace_init_part(&c->trace, env->trace, part, name, TRACE_INFO);
    c->clock = env->clock;
    c->config = config;
    c->tokens = tokens;
    c->cancel = cancel_new(NULL);
}

/* A new handle; takes the conf, also when it fails. */
static rd_kafka_t *start(rd_kafka_type_t type, rd_kafka_conf_t *conf, struct err *e)
{
    char why[KAFKA_WHY_MAX] = "";
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof(why));

    if (kafka == NULL) {
        rd_kafka_conf_destroy(conf);
        (void)err_set(e, ERR_CONFIG, "librdkafka says: %s", why);
    }
    return kafka;
}

bool kafka_client_start(struct kafka_client *c, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                        struct err *e)
{
    sigset_t all;
    sigset_t old;

    rd_kafka_conf_set_opaque(conf, c);
    rd_kafka_conf_set_log_cb(conf, log_line);
    if (c->tokens != NULL) {
        rd_kafka_conf_set_oauthbearer_token_refresh_cb(conf, refresh);
        rd_kafka_conf_enable_sasl_queue(conf, 1); /* which the background thread can serve */
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    c->kafka = start(type, conf, e);
    bool ok = c->kafka != NULL && (c->tokens == NULL || refresh_in_background(c->kafka, e));
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

void kafka_client_stop(struct kafka_client *c)
{
    cancel_fire(c->cancel);
    if (c->kafka != NULL) {
        rd_kafka_destroy(c->kafka);
    }
    cancel_free(c->cancel);
}
