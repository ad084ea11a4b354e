/*
 * The client: a policy, and a stack of idle pairs.
 *
 * Invariants:
 *   1. A pair is either on the idle list or held by exactly one call.
 *   2. The list is in the order of used_ns; calls take the newest, so that what is not needed grows
 *      old at the other end and is let go.
 *   3. The lock is held over list operations only, never over libcurl.
 */
#include "net/http_client.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/trace.h"
#include "net/http_client_int.h"
#include "net/oauth2_pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* --- the pool --- */

static void pair_free(struct http_pair *pair)
{
    if (pair == NULL) {
        return;
    }
    curl_easy_cleanup(pair->easy);
    (void)curl_multi_cleanup(pair->multi);
    mem_free(pair);
}

static void unlink_pair(struct http_client *c, struct http_pair *pair) REQUIRES(&c->lock)
{
    if (pair->older != NULL) {
        pair->older->newer = pair->newer;
    } else {
        c->oldest = pair->newer;
    }
    if (pair->newer != NULL) {
        pair->newer->older = pair->older;
    } else {
        c->newest = pair->older;
    }
    pair->older = NULL;
    pair->newer = NULL;
    c->idle_count--;
}

static void push_pair(struct http_client *c, struct http_pair *pair) REQUIRES(&c->lock)
{
    pair->older = c->newest;
    pair->newer = NULL;
    if (c->newest != NULL) {
        c->newest->newer = pair;
    } else {
        c->oldest = pair;
    }
    c->newest = pair;
    c->idle_count++;
}

static struct http_pair *take_pair(struct http_client *c, struct err *e)
{
    lock_take(&c->lock);
    struct http_pair *pair = c->newest;
    if (pair != NULL) {
        unlink_pair(c, pair);
    }
    lock_give(&c->lock);
    if (pair == NULL) {
        pair = mem_new(struct http_pair);
        if (!transfer_prepare_pair(c, pair, e)) {
            pair_free(pair);
            return NULL;
        }
    }
    return pair;
}

static void give_pair(struct http_client *c, struct http_pair *pair)
{
    pair->used_ns = clock_mono_ns(c->env->clock);
    lock_take(&c->lock);
    push_pair(c, pair);
    struct http_pair *spare = c->oldest;
    bool cold = pair->used_ns - spare->used_ns > c->config->idle_timeout_ns;
    if (cold || c->idle_count > HTTP_IDLE_MAX) {
        unlink_pair(c, spare);
    } else {
        spare = NULL;
    }
    lock_give(&c->lock);
    pair_free(spare);
}

/* --- life --- */

static bool check_file(struct str path, const char *option, struct err *e)
{
    if (path.len == 0) {
        return true;
    }
    char *AUTO(mem_autofree) name = mem_dup_text(path.ptr, path.len);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return err_set_errno(e, ERR_CONFIG, errno, "%s: cannot read '%s'", option, name);
    }
    (void)fclose(file);
    return true;
}

static bool check_tls(const struct http_tls_config *tls, struct err *e)
{
    if (tls->key_file.len > 0 && tls->cert_file.len == 0) {
        return err_set(e, ERR_CONFIG, "tls: 'key_file' is set but 'cert_file' is not");
    }
    return check_file(tls->ca_file, "tls: ca_file", e) &&
           check_file(tls->cert_file, "tls: cert_file", e) &&
           check_file(tls->key_file, "tls: key_file", e);
}

static bool check_limits(const struct http_client_config *config, struct err *e)
{
    if (config->timeout_ns <= 0 || config->connect_timeout_ns <= 0 ||
        config->idle_timeout_ns <= 0 || config->max_connection_ns <= 0 ||
        config->max_response_bytes <= 0) {
        return err_set(e, ERR_CONFIG, "timeouts, ages and max_response_bytes must be above zero");
    }
    return true;
}

static bool check_config(struct http_client *c, struct err *e)
{
    const struct http_client_config *config = c->config;
    struct url proxy;

    if (config->url.len > 0 && !url_parse(config->url, &c->url, e)) {
        return false;
    }
    if (config->proxy_url.len > 0 && !url_parse(config->proxy_url, &proxy, e)) {
        return err_wrap(e, "proxy_url");
    }
    return check_limits(config, e) && check_tls(&config->tls, e);
}

static const struct metric_desc unverified_desc = {
    .name = "telex_http_unverified_clients",
    .help = "1: some HTTP client accepts any certificate of this server (insecure_skip_verify).",
    .type = METRIC_GAUGE,
    .labels = {"server"},
};

/* Whoever turned verification off shall not forget it; of many clients of one server the first tells. */
static void tell_unverified(struct http_client *c)
{
    struct trace trace;
    struct str server = c->config->url.len > 0 ? c->url.authority : STR("any");

    if (!c->config->tls.insecure_skip_verify) {
        return;
    }
    if (c->env->metrics != NULL) {
        c->unverified = metrics_get1(c->env->metrics, &unverified_desc, server);
        if (metric_value(c->unverified) > 0) {
            return;
        }
        metric_set(c->unverified, 1);
    }
    trace_init(&trace, c->env->trace, "net", TRACE_INFO);
    trace_warn(&trace,
               "certificates are not verified: anyone on the way can read and change what is sent",
               T_STR("server", server));
}

static bool open_tokens(struct http_client *c, struct err *e)
{
    bool ok = !http_oauth2_is_set(&c->config->oauth2) ||
              (c->tokens != NULL ? oauth2_pool_get(c->tokens, c->config, &c->oauth2, e)
                                 : oauth2_new(c->env, c->config, &c->oauth2, e));

    return ok || err_wrap(e, "oauth2");
}

static void close_tokens(struct http_client *c)
{
    if (c->tokens != NULL) {
        oauth2_pool_put(c->tokens, c->oauth2);
    } else {
        oauth2_free(c->oauth2);
    }
}

bool http_client_new(const struct env *env, const struct http_client_config *config,
                     struct http_client **ret_client, struct err *e)
{
    return http_client_new_sharing(env, config, NULL, ret_client, e);
}

bool http_client_new_sharing(const struct env *env, const struct http_client_config *config,
                             struct oauth2_pool *tokens, struct http_client **ret_client,
                             struct err *e)
{
    struct http_client *AUTO(http_client_autofree) c = mem_new(struct http_client);

    c->env = env;
    c->config = config;
    c->tokens = tokens;
    lock_init(&c->lock);
    if (!check_config(c, e) || !http_credentials_init(&c->credentials, config, e) ||
        !open_tokens(c, e)) {
        return false;
    }
    tell_unverified(c);
    *ret_client = TAKE(c);
    return true;
}

void http_client_free(struct http_client *c)
{
    if (c == NULL) {
        return;
    }
    lock_take(&c->lock);
    while (c->newest != NULL) {
        struct http_pair *pair = c->newest;
        unlink_pair(c, pair);
        pair_free(pair);
    }
    lock_give(&c->lock);
    lock_release(&c->lock);
    metric_drop(c->unverified);
    close_tokens(c);
    http_credentials_release(&c->credentials);
    mem_free(c);
}

/* --- a call --- */

static void reset_response(struct http_client *c, struct http_response *r)
{
    struct buf *body = r->body;

    http_response_release(r);
    http_response_init(r, body);
    r->budget = c->env->budget;
    if (body != NULL) {
        buf_clear(body);
    }
}

static void transfer_release(struct transfer *t)
{
    header_lines_release(&t->headers);
    curl_slist_free_all(t->connect_list);
    buf_release(&t->url);
}

static bool call_once(struct http_client *c, const struct http_request *req, struct wait wait,
                      struct str token, struct http_response *ret, struct err *e)
{
    struct transfer AUTO(transfer_release) t = {
        .client = c, .request = req, .response = ret, .wait = wait};

    reset_response(c, ret);
    ret->failure = HTTP_FAILURE_REQUEST;
    header_lines_init(&t.headers);
    buf_init(&t.url, URL_MAX);
    t.pair = take_pair(c, e);
    if (t.pair == NULL) {
        return false;
    }
    bool answered = transfer_run(&t, token, e);
    give_pair(c, t.pair);
    return answered;
}

static bool call_with_token(struct http_client *c, const struct http_request *req, struct wait wait,
                            uint64_t *ret_generation, struct http_response *ret, struct err *e)
{
    struct buf AUTO(buf_release) token = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    reset_response(c, ret);
    if (!oauth2_token(c->oauth2, wait, &token, ret_generation, &ret->failure, e)) {
        return err_wrap(e, "fetching a token");
    }
    bool answered = call_once(c, req, wait, buf_str(&token), ret, e);
    buf_wipe(&token);
    return answered;
}

bool http_client_call(struct http_client *c, const struct http_request *req, struct wait wait,
                      struct http_response *ret, struct err *e)
{
    uint64_t generation;

    if (c->oauth2 == NULL) {
        return call_once(c, req, wait, STR(""), ret, e);
    }
    if (!call_with_token(c, req, wait, &generation, ret, e)) {
        return false;
    }
    if (ret->status != 401) {
        return true;
    }
    oauth2_refused(c->oauth2, generation);
    bool answered = call_with_token(c, req, wait, &generation, ret, e);
    ret->token_refused = true;
    return answered;
}

int64_t http_client_token_issued_ns(struct http_client *c)
{
    return c->oauth2 != NULL ? oauth2_issued_ns(c->oauth2) : 0;
}
