/*
 * Invariants
 *   1. A listener is in its registry while it has pages, and a page in its listener while it has users.
 *   2. Who holds a listener's lock waits for nothing: its server's threads take it to answer.
 */
#include "export/pages.h"

#include "base/mem.h"
#include "base/secret.h"
#include "base/vec.h"
#include "wire/prom_expose.h"

#include <string.h>

enum { ANSWER_MAX = 256 * 1024 * 1024, HEADER_MAX = 32 * 1024 };

struct page {
    struct pages *all;
    struct listener *listener;
    struct str path; /* owned */
    struct latest *table;
    unsigned users; /* under the registry's lock */
};

struct listener {
    struct str listen;  /* owned */
    struct arena arena; /* what its server was told; under the registry's lock */
    struct http_server_config *config;
    VEC(struct secret *) secrets; /* of configs; under the registry's lock */
    struct http_server *server;
    struct lock lock;
    VEC(struct page *) pages GUARDED_BY(lock);
};

struct pages {
    const struct env *env;
    struct lock lock;
    VEC(struct listener *) list GUARDED_BY(lock);
};

struct pages *pages_new(const struct env *env)
{
    struct pages *all = mem_new(struct pages);

    all->env = env;
    lock_init(&all->lock);
    return all;
}

void pages_free(struct pages *all)
{
    if (all != NULL) {
        vec_release(&all->list);
        lock_release(&all->lock);
        mem_free(all);
    }
}

/* ---- answers ---- */

static struct page *find_page(struct listener *l, struct str path) REQUIRES(&l->lock)
{
    for (size_t i = 0; i < l->pages.len; i++) {
        if (str_eq(l->pages.items[i]->path, path)) {
            return l->pages.items[i];
        }
    }
    return NULL;
}

/* With the listener's lock the page stays while it is printed. */
static bool print_page(struct listener *l, struct str path, enum prom_text_form form,
                       struct buf *out)
{
    lock_take(&l->lock);
    const struct page *p = find_page(l, path);
    if (p != NULL) {
        latest_render(p->table, form, out);
    }
    lock_give(&l->lock);
    return p != NULL;
}

static void answer(struct http_exchange *x)
{
    AUTO(buf_release) struct buf out = BUF_INIT(ANSWER_MAX);
    struct str path = http_exchange_path(x);
    enum prom_text_form form = prom_text_accepted(http_exchange_header(x, "Accept"));
    static const struct http_header varies[] = {{STR_INIT("Vary"), STR_INIT("Accept")}};

    if (!print_page(http_exchange_arg(x), path, form, &out)) {
        (void)http_exchange_error(x, 404, "not_found", "there is no page '%.*s' here",
                                  STR_FMT(path));
    } else if (!buf_ok(&out)) {
        (void)http_exchange_error(x, 500, "too_large", "the page is larger than %d bytes",
                                  ANSWER_MAX);
    } else {
        (void)http_exchange_answer(
            x, &(struct http_answer){.content_type = prom_text_content_type(form),
                                     .headers = varies,
                                     .header_count = ARRAY_LEN(varies),
                                     .take = &out});
    }
}

static const struct http_handler handler = {.end = answer};

static const struct http_route routes[] = {
    {.method = "GET",
     .pattern = "/{rest...}",
     .handler = &handler,
     .access = HTTP_ACCESS_CLIENT,
     .name = "exporter page"},
};

/* ---- listeners ---- */

static bool is_same_list(const struct option_list *a, const struct option_list *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = str_eq(a->items[i], b->items[i]);
    }
    return same;
}

static bool has_auth(const struct http_server_auth_config *auth)
{
    return auth->username.len > 0 || auth->password != NULL || auth->bearer_token != NULL;
}

/* Secrets are not compared: what they say may change after. */
static bool is_same_access(const struct http_server_config *now, const struct page_config *config)
{
    return is_same_list(&now->allowed_hosts, &config->allowed_hosts) && !has_auth(&now->auth) &&
           !has_auth(&config->auth);
}

static bool is_same_tls(const struct http_server_tls_config *a,
                        const struct http_server_tls_config *b)
{
    return str_eq(a->cert_file, b->cert_file) && str_eq(a->key_file, b->key_file) &&
           str_eq(a->client_ca_file, b->client_ca_file);
}

/* Is kept until the listener ends: requests under way may look at it. */
static struct secret *keep_secret(struct listener *l, struct secret *s)
{
    if (s != NULL) {
        vec_push(&l->secrets, secret_ref(s));
    }
    return s;
}

static struct http_server_config server_config(const struct page_config *config, struct str listen)
{
    return (struct http_server_config){
        .listen = listen,
        .allowed_hosts = config->allowed_hosts,
        .tls = config->tls,
        .auth = config->auth,
        .threads = 1,
        .max_connections = PAGE_CONNECTIONS_MAX,
        .max_header_bytes = HEADER_MAX,
        .idle_timeout_ns = 60 * NS_PER_S,
        .request_timeout_ns = 60 * NS_PER_S,
    };
}

/* What a server borrows for as long as it lives. */
static struct http_server_config *own_config(struct listener *l, const struct page_config *config)
{
    struct http_server_config *c = arena_array(&l->arena, struct http_server_config, 1);
    struct str *hosts = arena_array(&l->arena, struct str, config->allowed_hosts.count + 1);

    for (size_t i = 0; i < config->allowed_hosts.count; i++) {
        hosts[i] = arena_dup(&l->arena, config->allowed_hosts.items[i]);
    }
    *c = server_config(config, l->listen);
    c->allowed_hosts.items = hosts;
    c->tls.cert_file = arena_dup(&l->arena, config->tls.cert_file);
    c->tls.key_file = arena_dup(&l->arena, config->tls.key_file);
    c->tls.client_ca_file = arena_dup(&l->arena, config->tls.client_ca_file);
    c->auth.username = arena_dup(&l->arena, config->auth.username);
    c->auth.password = keep_secret(l, config->auth.password);
    c->auth.bearer_token = keep_secret(l, config->auth.bearer_token);
    return c;
}

static void free_listener(struct listener *l)
{
    http_server_free(l->server);
    for (size_t i = 0; i < l->secrets.len; i++) {
        secret_free(l->secrets.items[i]);
    }
    vec_release(&l->secrets);
    vec_release(&l->pages);
    lock_release(&l->lock);
    arena_release(&l->arena);
    mem_free(l->listen.ptr);
    mem_free(l);
}

static bool new_listener(struct pages *all, struct str listen, const struct page_config *config,
                         struct listener **ret_listener, struct err *e)
{
    struct listener *l = mem_new(struct listener);

    l->listen = str_make(mem_dup_text(listen.ptr, listen.len), listen.len);
    arena_init(&l->arena, ARENA_UNLIMITED);
    lock_init(&l->lock);
    l->config = own_config(l, config);
    const struct http_routes table = {routes, ARRAY_LEN(routes), l};
    if (!http_server_check(l->config, e) ||
        !http_server_start(all->env, l->config, &table, 1, &l->server, e)) {
        free_listener(l);
        return false;
    }
    *ret_listener = l;
    return true;
}

void page_add_listen(const struct page_config *config, struct buf *out)
{
    bool is_v6 = str_find_byte(config->address, ':') < config->address.len;

    buf_addf(out, is_v6 ? "[%.*s]:%lld" : "%.*s:%lld", STR_FMT(config->address),
             (long long)config->port);
}

static struct listener *find_listener(struct pages *all, struct str listen) REQUIRES(&all->lock)
{
    for (size_t i = 0; i < all->list.len; i++) {
        if (str_eq(all->list.items[i]->listen, listen)) {
            return all->list.items[i];
        }
    }
    return NULL;
}

static bool take_up(struct listener *l, const struct page_config *config, struct err *e)
{
    if (!is_same_tls(&l->config->tls, &config->tls)) {
        return err_set(
            e, ERR_CONFLICT,
            "a page at %.*s is served with other certificates: give it another port, or stop "
            "Telex and start it again",
            STR_FMT(l->listen));
    }
    if (!is_same_access(l->config, config)) {
        l->config = own_config(l, config);
        http_server_change_access(l->server, l->config);
    }
    return true;
}

/* The listener of an address; a new one where there is none yet, or where any port will do. */
static bool get_listener(struct pages *all, const struct page_config *config,
                         struct listener **ret_listener, struct err *e) REQUIRES(&all->lock)
{
    AUTO(buf_release) struct buf listen = BUF_INIT(BUF_SMALL);

    page_add_listen(config, &listen);
    struct listener *l = config->port != 0 ? find_listener(all, buf_str(&listen)) : NULL;
    if (l == NULL) {
        if (!new_listener(all, buf_str(&listen), config, &l, e)) {
            return false;
        }
        vec_push(&all->list, l);
    } else if (!take_up(l, config, e)) {
        return false;
    }
    *ret_listener = l;
    return true;
}

/* ---- pages ---- */

static struct page *add_page(struct pages *all, struct listener *l,
                             const struct page_config *config) REQUIRES(&l->lock)
{
    struct page *p = mem_new(struct page);

    p->all = all;
    p->listener = l;
    p->path = str_make(mem_dup_text(config->path.ptr, config->path.len), config->path.len);
    p->table = latest_new(all->env, &config->limits);
    vec_push(&l->pages, p);
    return p;
}

bool page_check(const struct page_config *config, struct err *e)
{
    AUTO(buf_release) struct buf listen = BUF_INIT(BUF_SMALL);

    page_add_listen(config, &listen);
    const struct http_server_config server = server_config(config, buf_str(&listen));
    return http_server_check(&server, e);
}

static bool is_same_secret(struct secret *a, struct secret *b)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);

    secret_reveal(a, &text);
    bool same = secret_equals(b, buf_str(&text));
    explicit_bzero(text.ptr, text.len);
    return same;
}

static bool is_same_credential(struct secret *a, struct secret *b)
{
    return secret_is_empty(a) || secret_is_empty(b) ? secret_is_empty(a) == secret_is_empty(b)
                                                    : is_same_secret(a, b);
}

bool page_agrees(const struct page_config *a, const struct page_config *b, struct err *e)
{
    bool is_same_place = a->port != 0 && a->port == b->port && str_eq(a->address, b->address);
    bool is_same_way = is_same_list(&a->allowed_hosts, &b->allowed_hosts) &&
                       is_same_tls(&a->tls, &b->tls) &&
                       str_eq(a->auth.username, b->auth.username) &&
                       is_same_credential(a->auth.password, b->auth.password) &&
                       is_same_credential(a->auth.bearer_token, b->auth.bearer_token);

    return !is_same_place || is_same_way ||
           err_set(
               e, ERR_CONFLICT,
               "pages of one address and port, here %.*s:%lld, are asked for in one way: give them the same "
               "allowed_hosts, metrics_auth and metrics_tls, or another metrics_port",
               STR_FMT(a->address), (long long)a->port);
}

bool page_get(struct pages *all, const struct page_config *config, struct page **ret_page,
              struct err *e)
{
    struct listener *l = NULL;

    lock_take(&all->lock);
    bool ok = get_listener(all, config, &l, e);
    if (ok) {
        lock_take(&l->lock);
        struct page *p = find_page(l, config->path);
        p = p != NULL ? p : add_page(all, l, config);
        lock_give(&l->lock);
        latest_limit(p->table, &config->limits);
        p->users++;
        *ret_page = p;
    }
    lock_give(&all->lock);
    return ok;
}

/* Takes <p> off its listener; true when that has no pages any more. */
static bool leave_listener(struct listener *l, const struct page *p)
{
    size_t kept = 0;

    lock_take(&l->lock);
    for (size_t i = 0; i < l->pages.len; i++) {
        if (l->pages.items[i] != p) {
            l->pages.items[kept++] = l->pages.items[i];
        }
    }
    l->pages.len = kept;
    lock_give(&l->lock);
    return kept == 0;
}

static void drop_listener(struct pages *all, struct listener *l) REQUIRES(&all->lock)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->list.len; i++) {
        if (all->list.items[i] != l) {
            all->list.items[kept++] = all->list.items[i];
        }
    }
    all->list.len = kept;
    free_listener(l);
}

void page_put(struct page *p)
{
    if (p == NULL) {
        return;
    }
    struct pages *all = p->all;
    lock_take(&all->lock);
    if (--p->users == 0) {
        if (leave_listener(p->listener, p)) {
            drop_listener(all, p->listener);
        }
        latest_free(p->table);
        mem_free(p->path.ptr);
        mem_free(p);
    }
    lock_give(&all->lock);
}

struct latest *page_table(const struct page *p)
{
    return p->table;
}

uint16_t page_port(const struct page *p)
{
    return http_server_port(p->listener->server);
}
