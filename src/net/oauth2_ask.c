/*
 * One request for a token: where, as whom, and what the answer means.
 *
 * Invariants:
 *   1. What proves who we are is in buffers that are cleared, and in no error: where an answer repeats it, its
 *      words are left out.
 *   2. <endpoint> is empty, or the config's, or was found under the issuer's own name.
 */
#include "net/oauth2_int.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/secret.h"
#include "net/http_client_int.h"
#include "net/url.h"

enum { TOKEN_TIMEOUT_S = 30, WORDS_MAX = 256 };

#define WELL_KNOWN "/.well-known/openid-configuration"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* --- life --- */

static enum http_oauth2_style plain_style(int style)
{
    switch ((enum http_oauth2_style)style) {
    case OAUTH2_STYLE_BASIC:
        return OAUTH2_STYLE_HEADER;
    case OAUTH2_STYLE_POST:
        return OAUTH2_STYLE_BODY;
    case OAUTH2_STYLE_AUTO:
    case OAUTH2_STYLE_HEADER:
    case OAUTH2_STYLE_BODY:
    case OAUTH2_STYLE_JWT:
    default:
        return (enum http_oauth2_style)style;
    }
}

static bool check_credential(const struct oauth2_asker *a, struct err *e)
{
    const struct http_oauth2_config *config = a->config;
    bool has_secret = config->client_secret != NULL || config->client_secret_file.len > 0;
    bool has_key = config->private_key != NULL;

    if (has_secret && has_key) {
        return err_set(e, ERR_CONFIG, "'client_secret' and 'private_key' are both set: keep one");
    }
    if (a->style == OAUTH2_STYLE_JWT && !has_key) {
        return err_set(e, ERR_CONFIG, "private_key_jwt needs 'private_key' or 'private_key_file'");
    }
    if (has_key && a->style != OAUTH2_STYLE_JWT) {
        return err_set(e, ERR_CONFIG, "this style has no use for 'private_key'");
    }
    return true;
}

static bool check_config(const struct oauth2_asker *a, struct err *e)
{
    const struct http_oauth2_config *config = a->config;
    struct url url;

    if (config->client_id.len == 0) {
        return err_set(e, ERR_CONFIG, "'client_id' is missing");
    }
    if (config->token_url.len > 0 && config->issuer.len > 0) {
        return err_set(e, ERR_CONFIG,
                       "'token_url' and 'issuer' both say where tokens are issued: keep one");
    }
    return (config->issuer.len == 0 || url_parse(config->issuer, &url, e)) &&
           check_credential(a, e);
}

static bool check_key(struct secret *key, struct err *e)
{
    struct buf AUTO(buf_release) pem = BUF_INIT(SECRET_MAX);

    secret_reveal(key, &pem);
    bool fine = oauth2_key_check(buf_str(&pem), e);
    buf_wipe(&pem);
    return fine;
}

static void configure(struct oauth2_asker *a, const struct http_client_config *config)
{
    a->http = (struct http_client_config){
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
    a->style = plain_style(a->config->style);
    if (a->style == OAUTH2_STYLE_AUTO && a->config->private_key != NULL) {
        a->style = OAUTH2_STYLE_JWT;
    } else if (a->style == OAUTH2_STYLE_AUTO && a->config->issuer.len == 0) {
        a->style = OAUTH2_STYLE_HEADER;
    }
    buf_add_str(&a->endpoint, a->config->token_url);
}

bool oauth2_asker_init(struct oauth2_asker *a, const struct env *env,
                       const struct http_client_config *config, struct err *e)
{
    a->env = env;
    a->config = &config->oauth2;
    buf_init(&a->endpoint, URL_MAX);
    configure(a, config);
    if (!check_config(a, e) ||
        !secret_open(a->config->client_secret, a->config->client_secret_file, "client_secret",
                     &a->own_secret, e) ||
        (a->config->private_key != NULL && !check_key(a->config->private_key, e)) ||
        !http_client_new(env, &a->http, &a->client, e)) {
        return false;
    }
    a->credential = a->config->private_key != NULL ? a->config->private_key
                    : a->own_secret != NULL        ? a->own_secret
                                                   : a->config->client_secret;
    return true;
}

void oauth2_asker_release(struct oauth2_asker *a)
{
    http_client_free(a->client);
    secret_free(a->own_secret);
    buf_release(&a->endpoint);
}

void oauth2_reply_init(struct oauth2_reply *r)
{
    buf_init(&r->body, OAUTH2_ANSWER_MAX);
    arena_init(&r->arena, ARENA_UNLIMITED); /* the answer is capped */
    r->answer = (struct oauth2_answer){.expires_in_ns = -1};
}

void oauth2_reply_release(struct oauth2_reply *r)
{
    buf_wipe(&r->body);
    buf_release(&r->body);
    arena_release(&r->arena);
}

/* --- what failed --- */

static bool fail(struct oauth2_trouble *ret, enum http_failure failure, enum oauth2_result result)
{
    *ret = (struct oauth2_trouble){failure, result};
    return false;
}

/* There was no answer. */
static bool fail_call(struct oauth2_trouble *ret, enum http_failure failure)
{
    static const enum oauth2_result results[HTTP_FAILURES] = {
        [HTTP_FAILURE_CONNECT] = OAUTH2_UNREACHABLE, [HTTP_FAILURE_BROKEN] = OAUTH2_UNREACHABLE,
        [HTTP_FAILURE_TLS] = OAUTH2_UNTRUSTED,       [HTTP_FAILURE_TIMEOUT] = OAUTH2_TIMEOUT,
        [HTTP_FAILURE_CANCELED] = OAUTH2_TIMEOUT,    [HTTP_FAILURE_TOO_LARGE] = OAUTH2_MALFORMED,
        [HTTP_FAILURE_AUTH] = OAUTH2_REFUSED,        [HTTP_FAILURE_REQUEST] = OAUTH2_OURS,
    };

    return fail(ret, failure, results[failure]);
}

/* 408, 429 and 5xx pass; the rest is what the token server thinks of us. */
static bool is_busy(int status)
{
    return status == 429 || status == 408 || status >= 500;
}

/* --- where the token server is --- */

static bool choose_style(struct oauth2_asker *a, const struct oauth2_metadata *m, struct err *e)
{
    if (a->config->style != OAUTH2_STYLE_AUTO) {
        return true; /* who wrote it knows better than a list that is often not kept */
    }
    if (a->config->private_key != NULL) {
        return m->takes_jwt || m->methods.len == 0 ||
               err_set(e, ERR_AUTH, "it takes no private_key_jwt, only %.*s", STR_FMT(m->methods));
    }
    if (!m->takes_basic && !m->takes_post) {
        return err_set(e, ERR_AUTH, "it takes no client_secret, only %.*s", STR_FMT(m->methods));
    }
    a->style = m->takes_basic ? OAUTH2_STYLE_HEADER : OAUTH2_STYLE_BODY;
    return true;
}

static bool take_metadata(struct oauth2_asker *a, struct str json, struct err *e)
{
    struct arena AUTO(arena_release) arena = {0};
    struct oauth2_metadata found = {0};

    arena_init(&arena, ARENA_UNLIMITED); /* the answer is capped */
    if (!oauth2_parse_metadata(json, a->config->issuer, &arena, &found, e) ||
        !choose_style(a, &found, e)) {
        return false;
    }
    buf_add_str(&a->endpoint, found.token_endpoint);
    return true;
}

static bool discover(struct oauth2_asker *a, struct wait wait, struct oauth2_trouble *ret,
                     struct err *e)
{
    struct buf AUTO(buf_release) body = BUF_INIT(OAUTH2_ANSWER_MAX);
    struct buf AUTO(buf_release) where = BUF_INIT(URL_MAX);
    struct http_response AUTO(http_response_release) answer = {0};
    struct str issuer = a->config->issuer;
    const struct http_header accept = {STR("Accept"), STR("application/json")};

    if (issuer.len > 0 && issuer.ptr[issuer.len - 1] == '/') {
        issuer = str_slice(issuer, 0, issuer.len - 1);
    }
    buf_add_str(&where, issuer);
    buf_add_text(&where, WELL_KNOWN);
    struct http_request request = {.url = buf_str(&where), .headers = &accept, .header_count = 1};
    http_response_init(&answer, &body);
    if (!http_client_call(a->client, &request, wait, &answer, e)) {
        return fail_call(ret, answer.failure);
    }
    if (answer.status != 200) {
        (void)err_set(e, is_busy(answer.status) ? ERR_NET : ERR_AUTH, "%s answered %d",
                      buf_text(&where), answer.status);
        return fail(ret, is_busy(answer.status) ? HTTP_FAILURE_CONNECT : HTTP_FAILURE_AUTH,
                    OAUTH2_DISCOVERY);
    }
    if (!take_metadata(a, buf_str(&body), e)) {
        (void)err_wrap(e, "the issuer at %s", buf_text(&where));
        return fail(ret, HTTP_FAILURE_AUTH, OAUTH2_DISCOVERY);
    }
    return true;
}

/* What was discovered is asked for again when nobody is there. */
static void forget_endpoint(struct oauth2_asker *a, const struct oauth2_trouble *trouble,
                            int status)
{
    bool gone = status == 404 || status == 405 || status == 410;

    if (a->config->issuer.len > 0 && (gone || trouble->failure == HTTP_FAILURE_CONNECT ||
                                      trouble->failure == HTTP_FAILURE_TLS)) {
        buf_clear(&a->endpoint);
    }
}

/* --- the request --- */

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

static void add_params(const struct http_oauth2_config *config, struct buf *form)
{
    if (config->audience.len > 0) {
        form_add_param(form, STR("audience"), config->audience);
    }
    for (size_t i = 0; i < config->resource.count; i++) {
        form_add_param(form, STR("resource"), config->resource.items[i]);
    }
    for (size_t i = 0; i < config->endpoint_params.count; i++) {
        const struct option_pair *pair = &config->endpoint_params.items[i];
        form_add_param(form, pair->name, pair->value);
    }
}

static bool add_assertion(struct oauth2_asker *a, struct str pem, struct buf *form, struct err *e)
{
    struct buf AUTO(buf_release) assertion = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    const struct http_oauth2_config *config = a->config;
    struct oauth2_claims claims = {
        .client_id = config->client_id,
        .audience =
            config->assertion_audience.len > 0 ? config->assertion_audience : buf_str(&a->endpoint),
        .key_id = config->key_id,
        .now_s = clock_wall_ns(a->env->clock) / NS_PER_S,
    };

    if (!oauth2_add_assertion(pem, &claims, &assertion, e)) {
        return false;
    }
    form_add_param(form, STR("client_id"), config->client_id);
    form_add_param(form, STR("client_assertion_type"), STR(ASSERTION_TYPE));
    form_add_param(form, STR("client_assertion"), buf_str(&assertion));
    buf_wipe(&assertion);
    return true;
}

static bool build_form(struct oauth2_asker *a, struct str credential, struct buf *form,
                       struct err *e)
{
    form_add_param(form, STR("grant_type"), STR("client_credentials"));
    add_scopes(a->config, form);
    add_params(a->config, form);
    if (a->style == OAUTH2_STYLE_JWT) {
        return add_assertion(a, credential, form, e);
    }
    if (a->style == OAUTH2_STYLE_BODY) {
        form_add_param(form, STR("client_id"), a->config->client_id);
        if (a->credential != NULL) {
            form_add_param(form, STR("client_secret"), credential);
        }
    }
    return true;
}

/* RFC 6749 section 2.3.1: both are form-encoded before they are joined. */
static void build_basic(struct str client_id, struct str secret, struct buf *out)
{
    struct buf AUTO(buf_release) pair = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    url_add_escaped(&pair, client_id, URL_FORM);
    buf_add_byte(&pair, ':');
    url_add_escaped(&pair, secret, URL_FORM);
    buf_add_text(out, "Basic ");
    base64_encode(buf_str(&pair), out);
    buf_wipe(&pair);
}

static bool send_form(struct oauth2_asker *a, struct str form, struct str credential,
                      struct wait wait, struct http_response *answer, struct err *e)
{
    struct buf AUTO(buf_release) basic = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct http_header headers[3] = {
        {STR("Content-Type"), STR("application/x-www-form-urlencoded")},
        {STR("Accept"), STR("application/json")},
    };
    struct http_request request = {
        .method = "POST", .headers = headers, .header_count = 2, .parts = &form, .part_count = 1};

    if (a->config->token_url.len == 0) {
        request.url = buf_str(&a->endpoint);
    }
    if (a->style == OAUTH2_STYLE_HEADER) {
        build_basic(a->config->client_id, credential, &basic);
        headers[request.header_count++] =
            (struct http_header){STR("Authorization"), buf_str(&basic)};
    }
    bool answered = http_client_call(a->client, &request, wait, answer, e);
    buf_wipe(&basic);
    return answered;
}

/* --- the answer --- */

/* What it says in words, unless they are our own secret. */
static struct str words_of(const struct oauth2_answer *answer, struct str credential)
{
    bool is_echo = credential.len > 0 && str_find(answer->error, credential) < answer->error.len;
    bool has_token = str_find(answer->error, STR("eyJ")) < answer->error.len;

    return str_slice(is_echo || has_token ? answer->code : answer->error, 0, WORDS_MAX);
}

static bool refuse(int status, const struct oauth2_answer *answer, struct str credential,
                   struct oauth2_trouble *ret, struct err *e)
{
    struct str words = words_of(answer, credential);
    bool not_client = status == 401 || str_eq(answer->code, STR("invalid_client"));

    (void)err_set(e, is_busy(status) ? ERR_NET : ERR_AUTH, "the token server answered %d%s%.*s",
                  status, words.len > 0 ? ": " : "", STR_FMT(words));
    if (is_busy(status)) {
        return fail(ret, HTTP_FAILURE_CONNECT, OAUTH2_BUSY);
    }
    return fail(ret, HTTP_FAILURE_AUTH, not_client ? OAUTH2_NOT_CLIENT : OAUTH2_REFUSED);
}

static bool read_answer(int status, struct str credential, struct oauth2_reply *reply,
                        struct oauth2_trouble *ret, struct err *e)
{
    struct oauth2_answer *answer = &reply->answer;
    bool is_json = oauth2_parse_answer(buf_str(&reply->body), &reply->arena, answer);

    if (status != 200) {
        return refuse(status, answer, credential, ret, e);
    }
    if (!is_json || answer->token.len == 0) {
        (void)err_set(
            e, ERR_AUTH,
            "the token server answered 200, but without a JSON object with an access_token");
        return fail(ret, HTTP_FAILURE_AUTH, OAUTH2_MALFORMED);
    }
    if (answer->type.len > 0 && !str_eq_nocase(answer->type, STR("bearer"))) {
        (void)err_set(e, ERR_AUTH, "the token server gives a token of type '%.*s'; expected Bearer",
                      STR_FMT(str_slice(answer->type, 0, 64)));
        return fail(ret, HTTP_FAILURE_AUTH, OAUTH2_MALFORMED);
    }
    return true;
}

static bool ask_as(struct oauth2_asker *a, struct str credential, struct wait wait,
                   struct oauth2_reply *reply, struct oauth2_trouble *ret, struct err *e)
{
    struct buf AUTO(buf_release) form = BUF_INIT(HTTP_AUTHORIZATION_MAX);
    struct http_response AUTO(http_response_release) answer = {0};

    if (a->endpoint.len == 0 && !discover(a, wait, ret, e)) {
        return false;
    }
    if (!build_form(a, credential, &form, e)) {
        return fail(ret, HTTP_FAILURE_AUTH, OAUTH2_OURS);
    }
    http_response_init(&answer, &reply->body);
    bool fine = send_form(a, buf_str(&form), credential, wait, &answer, e);
    buf_wipe(&form);
    fine = fine ? read_answer(answer.status, credential, reply, ret, e)
                : fail_call(ret, answer.failure);
    if (!fine) {
        forget_endpoint(a, ret, answer.status);
    }
    return fine;
}

bool oauth2_ask(struct oauth2_asker *a, struct wait wait, struct oauth2_reply *ret_reply,
                struct oauth2_trouble *ret_trouble, struct err *e)
{
    struct buf AUTO(buf_release) credential = BUF_INIT(SECRET_MAX);

    secret_reveal(a->credential, &credential);
    bool fine = ask_as(a, buf_str(&credential), wait, ret_reply, ret_trouble, e);
    if (!fine && ret_trouble->result == OAUTH2_NOT_CLIENT && a->credential != NULL) {
        secret_reread(a->credential);
        if (!secret_equals(a->credential, buf_str(&credential))) {
            buf_wipe(&credential);
            secret_reveal(a->credential, &credential);
            *e = ERR_INIT;
            fine = ask_as(a, buf_str(&credential), wait, ret_reply, ret_trouble, e);
        }
    }
    buf_wipe(&credential);
    return fine;
}
