/*
 * Invariants
 *   1. Settings of two entries differ.
 *   2. An entry has users; it goes with the last one.
 */
#include "net/oauth2_pool.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/vec.h"

struct pooled {
    const struct http_client_config *config; /* of the first user */
    struct oauth2 *source;
    unsigned users;
};

struct oauth2_pool {
    const struct env *env;
    struct lock lock;
    VEC(struct pooled) list GUARDED_BY(lock);
};

/* ---- what is equal ---- */

static bool is_same_list(struct option_list a, struct option_list b)
{
    bool same = a.count == b.count;

    for (size_t i = 0; same && i < a.count; i++) {
        same = str_eq(a.items[i], b.items[i]);
    }
    return same;
}

static bool is_same_map(struct option_map a, struct option_map b)
{
    bool same = a.count == b.count;

    for (size_t i = 0; same && i < a.count; i++) {
        same =
            str_eq(a.items[i].name, b.items[i].name) && str_eq(a.items[i].value, b.items[i].value);
    }
    return same;
}

static bool is_same_tls(const struct http_tls_config *a, const struct http_tls_config *b)
{
    return str_eq(a->ca_file, b->ca_file) && str_eq(a->cert_file, b->cert_file) &&
           str_eq(a->key_file, b->key_file) && str_eq(a->server_name, b->server_name) &&
           a->insecure_skip_verify == b->insecure_skip_verify;
}

/* Who we are, and what for. */
static bool is_same_claim(const struct http_oauth2_config *a, const struct http_oauth2_config *b)
{
    return str_eq(a->client_id, b->client_id) && a->style == b->style &&
           secret_is_same(a->client_secret, b->client_secret) &&
           str_eq(a->client_secret_file, b->client_secret_file) &&
           secret_is_same(a->private_key, b->private_key) && str_eq(a->key_id, b->key_id) &&
           str_eq(a->assertion_audience, b->assertion_audience) &&
           is_same_list(a->scopes, b->scopes) && str_eq(a->audience, b->audience) &&
           is_same_list(a->resource, b->resource) &&
           is_same_map(a->endpoint_params, b->endpoint_params);
}

/* Whom we ask, and on which way. */
static bool is_same_way(const struct http_client_config *a, const struct http_client_config *b)
{
    return str_eq(a->oauth2.token_url, b->oauth2.token_url) &&
           str_eq(a->oauth2.issuer, b->oauth2.issuer) &&
           is_same_tls(&a->oauth2.tls, &b->oauth2.tls) && str_eq(a->proxy_url, b->proxy_url) &&
           str_eq(a->proxy_username, b->proxy_username) &&
           secret_is_same(a->proxy_password, b->proxy_password) &&
           str_eq(a->user_agent, b->user_agent) && a->connect_timeout_ns == b->connect_timeout_ns &&
           a->idle_timeout_ns == b->idle_timeout_ns && a->max_connection_ns == b->max_connection_ns;
}

static bool is_same(const struct http_client_config *a, const struct http_client_config *b)
{
    return a == b || (is_same_way(a, b) && is_same_claim(&a->oauth2, &b->oauth2));
}

/* ---- life ---- */

struct oauth2_pool *oauth2_pool_new(const struct env *env)
{
    struct oauth2_pool *p = mem_new(struct oauth2_pool);

    p->env = env;
    lock_init(&p->lock);
    return p;
}

void oauth2_pool_free(struct oauth2_pool *p)
{
    if (p != NULL) {
        vec_release(&p->list);
        lock_release(&p->lock);
        mem_free(p);
    }
}

static struct pooled *find(struct oauth2_pool *p, const struct http_client_config *config)
    REQUIRES(&p->lock)
{
    for (size_t i = 0; i < p->list.len; i++) {
        if (is_same(p->list.items[i].config, config)) {
            return &p->list.items[i];
        }
    }
    return NULL;
}

bool oauth2_pool_get(struct oauth2_pool *p, const struct http_client_config *config,
                     struct oauth2 **ret_source, struct err *e)
{
    struct pooled fresh = {.config = config};
    bool ok = true;

    lock_take(&p->lock);
    struct pooled *found = find(p, config);
    if (found == NULL) {
        ok = oauth2_new(p->env, config, &fresh.source, e); /* talks to nobody */
        if (ok) {
            vec_push(&p->list, fresh);
            found = &p->list.items[p->list.len - 1];
        }
    }
    if (ok) {
        found->users++;
        *ret_source = found->source;
    }
    lock_give(&p->lock);
    return ok;
}

void oauth2_pool_put(struct oauth2_pool *p, struct oauth2 *source)
{
    bool is_last = false;

    lock_take(&p->lock);
    for (size_t i = 0; i < p->list.len; i++) {
        struct pooled *x = &p->list.items[i];
        if (x->source == source && --x->users == 0) {
            is_last = true;
            *x = p->list.items[--p->list.len];
            break;
        }
    }
    lock_give(&p->lock);
    if (is_last) {
        oauth2_free(source);
    }
}
