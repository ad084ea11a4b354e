/*
 * Invariants:
 *   1. At most one token request is on its way (<fetching>).
 *   2. <token> is empty, or was good when it came; <generation> grows with each new one.
 *   3. The lock is not held while the token server is asked.
 *   4. Whoever set <fetching> clears it and wakes those who wait, whatever came of it.
 */
#include "net/oauth2.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/http_client_int.h"
#include "net/url.h"

enum {
    RENEW_PERCENT = 80,        /* of a token's life */
    LEEWAY_MAX_MS = 60 * 1000, /* renewed at most this long before it ends */
    SPARE_MS = 1000,           /* not used in its last second */
    TOKEN_TIMEOUT_S = 30,
    RETRY_MS = 5000, /* between tries to renew a token that is still good */
};

struct oauth2 {
    const struct env *env;
    const struct http_oauth2_config *config;
    struct http_client_config http; /* of the token server */
    struct http_client *client;
    struct secret *own_secret;
    struct secret *secret; /* own_secret or the config's */
    struct lock lock;
    struct cond changed;
    bool fetching GUARDED_BY(&lock);
    struct buf token GUARDED_BY(&lock);
    uint64_t generation GUARDED_BY(&lock);
    int64_t renew_at_ns GUARDED_BY(&lock);
    int64_t expires_at_ns GUARDED_BY(&lock);
    enum http_failure last_failure GUARDED_BY(&lock); /* of the last request */
    struct err last_err GUARDED_BY(&lock);
};

/* --- life --- */

static void configure(struct oauth2 *o, const struct http_client_config *config)
{
    o->config = &config->oauth2;
    o->http = (struct http_client_config){
        .url = config->oauth2.token_url,
        .timeout_ns = TOKEN_TIMEOUT_S * NS_PER_S,
        .connect_timeout_ns = config->connect_timeout_ns,
        .idle_timeout_ns = config->idle_timeout_ns,
        .max_connection_ns = config->max_connection_ns,
        .max_response_bytes = OAUTH2_ANSWER_MAX,
        .user_agent = config->user_agent,
        .proxy_url = config->proxy_url,
        .proxy_username = config->proxy_username,
        .proxy_password = config->proxy_password,
        .tls = config->oauth2.tls,
    };
}

bool oauth2_new(const struct env *env, const struct http_client_config *config,
                struct oauth2 **ret_source, struct err *e)
{
    struct oauth2 *AUTO(oauth2_autofree) o = mem_new(struct oauth2);

    o->env = env;
    lock_init(&o->lock);
    cond_init(&o->changed);
    buf_init(&o->token, HTTP_AUTHORIZATION_MAX - 256);
    configure(o, config);
    if (o->config->client_id.len == 0) {
        return err_set(e, ERR_CONFIG, "'client_id' is missing");
    }
    if (!secret_open(o->config->client_secret, o->config->client_secret_file, "client_secret",
                     &o->own_secret, e) ||
        !http_client_new(env, &o->http, &o->client, e)) {
        return false;
    }
    o->secret = o->own_secret != NULL ? o->own_secret : o->config->client_secret;
    *ret_source = TAKE(o);
    return true;
}

void oauth2_free(struct oauth2 *o)
{
    if (o == NULL) {
        return;
    }
    http_client_free(o->client);
    secret_free(o->own_secret);
    lock_take(&o->lock);
    buf_wipe(&o->token);
    buf_release(&o->token);
    lock_give(&o->lock);
    cond_release(&o->changed);
    lock_release(&o->lock);
    mem_free(o);
}

/* --- the token request --- */

static void add_scopes(const struct http_oauth2_config *config, struct buf *form)
{
    struct buf AUTO(buf_release) scopes = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < config->scopes.count; i++) {
        if (i > 0) {
            buf_add_byte(&scopes, ' ');
        }
        buf_add_str(&scopes, config->scopes.items[i]);
    }
    if (scopes.len > 0) {
        form_add_param(form, STR("scope"), buf_str(&scopes));
    }
}

static void build_form(struct oauth2 *o, struct buf *form)
{
    const struct http_oauth2_config *config = o->config;

    form_add_param(form, STR("grant_type"), STR("client_credentials"));
    add_scopes(config, form);
    for (size_t i = 0; i < config->endpoint_params.count; i++) {
        const struct option_pair *pair = &config->endpoint_params.items[i];
        form_add_param(form, pair->name, pair->value);
    }
    if (config->style == OAUTH2_STYLE_BODY) {
        struct buf AUTO(buf_release) plain = BUF_INIT(HTTP_AUTHORIZATION_MAX);
        form_add_param(form, STR("client_id"), config->client_id);
        if (o->secret != NULL) {
            secret_reveal(o->secret, &plain);
            form_add_param(form, STR("client_secret"), buf_str(&plain));
            buf_wipe(&plain);
        }
    }
}

/* RFC 6749 section 2.3.1: both are form-encoded before they are joined. */
static void build_basic(struct oauth2 *o, struct buf *out)
{
    struct buf AUTO(buf_release) plain = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct buf AUTO(buf_release) pair = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    url_add_escaped(&pair, o->config->client_id, URL_FORM);
    buf_add_byte(&pair, ':');
    if (o->secret != NULL) {
        secret_reveal(o->secret, &plain);
        url_add_escaped(&pair, buf_str(&plain), URL_FORM);
    }
    buf_add_text(out, "Basic ");
    base64_encode(buf_str(&pair), out);
    buf_wipe(&plain);
    buf_wipe(&pair);
}

static bool ask(struct oauth2 *o, struct wait wait, struct http_response *answer, struct err *e)
{
    struct buf AUTO(buf_release) form = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct buf AUTO(buf_release) basic = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct http_header headers[3] = {
        {STR("Content-Type"), STR("application/x-www-form-urlencoded")},
        {STR("Accept"), STR("application/json")},
    };
    struct http_request request = {
        .method = "POST", .headers = headers, .header_count = 2, .part_count = 1};

    build_form(o, &form);
    if (o->config->style == OAUTH2_STYLE_HEADER) {
        build_basic(o, &basic);
        headers[request.header_count++] =
            (struct http_header){STR("Authorization"), buf_str(&basic)};
    }
    struct str part = buf_str(&form);
    request.parts = &part;
    bool answered = http_client_call(o->client, &request, wait, answer, e);
    buf_wipe(&form);
    buf_wipe(&basic);
    return answered;
}

/* 429 and 5xx pass; the rest is what the token server thinks of us. */
static enum http_failure failure_of_status(int status)
{
    return status == 429 || status == 408 || status >= 500 ? HTTP_FAILURE_CONNECT
                                                           : HTTP_FAILURE_AUTH;
}

static bool refuse_answer(int status, struct str why, enum http_failure *ret_failure, struct err *e)
{
    *ret_failure = failure_of_status(status);
    return err_set(e, *ret_failure == HTTP_FAILURE_AUTH ? ERR_AUTH : ERR_NET,
                   "the token server answered %d%s%.*s", status, why.len > 0 ? ": " : "",
                   STR_FMT(str_slice(why, 0, 256)));
}

static bool read_answer(int status, struct str body, struct arena *a, struct oauth2_answer *ret,
                        enum http_failure *ret_failure, struct err *e)
{
    bool is_json = oauth2_parse_answer(body, a, ret);

    if (status != 200) {
        return refuse_answer(status, is_json ? ret->error : STR_NONE, ret_failure, e);
    }
    if (!is_json || ret->token.len == 0) {
        return refuse_answer(status, STR("but without a JSON object with an access_token"),
                             ret_failure, e);
    }
    return true;
}

static void keep_token(struct oauth2 *o, const struct oauth2_answer *answer)
{
    int64_t now_ns = clock_mono_ns(o->env->clock);
    int64_t life_ns = answer->expires_in_ns;

    lock_take(&o->lock);
    buf_wipe(&o->token);
    buf_add_str(&o->token, answer->token);
    o->generation++;
    o->renew_at_ns = DEADLINE_NEVER;
    o->expires_at_ns = DEADLINE_NEVER;
    if (life_ns > 0) {
        int64_t leeway_ns = life_ns / 100 * (100 - RENEW_PERCENT);
        int64_t leeway_max_ns = LEEWAY_MAX_MS * NS_PER_MS;
        int64_t spare_ns = SPARE_MS * NS_PER_MS;
        leeway_ns = leeway_ns < leeway_max_ns ? leeway_ns : leeway_max_ns;
        spare_ns = spare_ns < leeway_ns / 2 ? spare_ns : leeway_ns / 2;
        o->renew_at_ns = now_ns + life_ns - leeway_ns;
        o->expires_at_ns = now_ns + life_ns - spare_ns;
    }
    lock_give(&o->lock);
}

static bool fetch(struct oauth2 *o, struct wait wait, enum http_failure *ret_failure, struct err *e)
{
    struct buf AUTO(buf_release) body = BUF_INIT(OAUTH2_ANSWER_MAX);
    struct arena AUTO(arena_release) arena = {0};
    struct http_response AUTO(http_response_release) answer = {0};
    struct oauth2_answer parsed;

    arena_init(&arena, ARENA_UNLIMITED); /* the answer is capped */
    http_response_init(&answer, &body);
    bool fine = ask(o, wait, &answer, e);
    *ret_failure = answer.failure;
    if (fine) {
        fine = read_answer(answer.status, buf_str(&body), &arena, &parsed, ret_failure, e);
    }
    if (fine) {
        keep_token(o, &parsed);
    }
    buf_wipe(&body);
    return fine;
}

/* --- who fetches, who waits --- */

static bool is_good(const struct oauth2 *o, int64_t now_ns) REQUIRES(&o->lock)
{
    return o->token.len > 0 && now_ns < o->expires_at_ns;
}

/* Called with the lock; gives it up while it asks. */
static void fetch_alone(struct oauth2 *o, struct wait wait) REQUIRES(&o->lock)
{
    struct err e = ERR_INIT;
    enum http_failure failure = HTTP_FAILURE_NONE;

    o->fetching = true;
    lock_give(&o->lock);
    bool fine = fetch(o, wait, &failure, &e);
    lock_take(&o->lock);
    o->fetching = false;
    o->last_failure = fine ? HTTP_FAILURE_NONE : failure;
    o->last_err = e;
    if (!fine) {
        o->renew_at_ns = clock_deadline_ms(o->env->clock, RETRY_MS);
    }
    cond_broadcast(&o->changed);
}

/* Called with the lock; gives it up while it waits. */
static void wait_for_fetch(struct oauth2 *o, struct wait wait) REQUIRES(&o->lock)
{
    struct waiter waiter;

    lock_give(&o->lock);
    waiter_begin(&waiter, wait, &o->lock, &o->changed);
    lock_take(&o->lock);
    while (o->fetching && waiter_pause(&waiter)) {
    }
    lock_give(&o->lock);
    waiter_end(&waiter);
    lock_take(&o->lock);
}

static bool give_last_error(const struct oauth2 *o, enum http_failure *ret_failure, struct err *e)
    REQUIRES(&o->lock)
{
    *ret_failure = o->last_failure;
    *e = o->last_err;
    return false;
}

/* Was the last request given up by its caller, so that it says nothing to others? */
static bool was_abandoned(const struct oauth2 *o) REQUIRES(&o->lock)
{
    return o->last_failure == HTTP_FAILURE_CANCELED || o->last_failure == HTTP_FAILURE_TIMEOUT;
}

/* Sees to it that there is a good token; called with the lock, which it gives up while it waits. */
static bool ensure_token(struct oauth2 *o, struct wait wait, enum http_failure *ret_failure,
                         struct err *e) REQUIRES(&o->lock)
{
    const struct clock *clock = o->env->clock;

    for (;;) {
        int64_t now_ns = clock_mono_ns(clock);
        bool good = is_good(o, now_ns);
        if (good && (o->fetching || now_ns < o->renew_at_ns)) {
            return true;
        }
        if (wait_is_over(wait, clock)) {
            bool canceled = wait.cancel != NULL && cancel_is_set(wait.cancel);
            *ret_failure = canceled ? HTTP_FAILURE_CANCELED : HTTP_FAILURE_TIMEOUT;
            return wait_err(wait, e);
        }
        bool others = o->fetching;
        if (others) {
            wait_for_fetch(o, wait);
        } else {
            fetch_alone(o, wait);
        }
        bool failed = !o->fetching && o->last_failure != HTTP_FAILURE_NONE;
        if (failed && !is_good(o, clock_mono_ns(clock)) && !(others && was_abandoned(o))) {
            return give_last_error(o, ret_failure, e);
        }
    }
}

bool oauth2_token(struct oauth2 *o, struct wait wait, struct buf *out, uint64_t *ret_generation,
                  enum http_failure *ret_failure, struct err *e)
{
    lock_take(&o->lock);
    bool fine = ensure_token(o, wait, ret_failure, e);
    if (fine) {
        buf_add_str(out, buf_str(&o->token));
        *ret_generation = o->generation;
    }
    lock_give(&o->lock);
    return fine;
}

void oauth2_refused(struct oauth2 *o, uint64_t generation)
{
    lock_take(&o->lock);
    if (o->generation == generation) {
        buf_wipe(&o->token);
    }
    lock_give(&o->lock);
}
