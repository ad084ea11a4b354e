/*
 * Invariants
 *   1. A listener is in its registry while it has pages, and a page in its listener while it has users.
 *   2. Who holds a listener's lock waits for nothing: its server's threads take it to answer.
 */
#include "export/pages.h"

#include "base/mem.h"
#include "base/vec.h"
#include "net/http_server.h"
#include "wire/prom_expose.h"

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
     .access = HTTP_ACCESS_OPEN,
     .name = "exporter page"},
};

/* ---- listeners ---- */

static bool says_hosts(const struct option_list *a, const struct option_list *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = str_eq(a->items[i], b->items[i]);
    }
    return same;
}

/* What a server borrows for as long as it lives. */
static struct http_server_config *own_config(struct listener *l, const struct page_config *config)
{
    struct http_server_config *c = arena_array(&l->arena, struct http_server_config, 1);
    struct str *hosts = arena_array(&l->arena, struct str, config->allowed_hosts.count + 1);

    for (size_t i = 0; i < config->allowed_hosts.count; i++) {
        hosts[i] = arena_dup(&l->arena, config->allowed_hosts.items[i]);
    }
    *c = (struct http_server_config){
        .listen = l->listen,
        .allowed_hosts = {hosts, config->allowed_hosts.count},
        .threads = 1,
        .max_connections = PAGE_CONNECTIONS_MAX,
        .max_header_bytes = HEADER_MAX,
        .idle_timeout_ns = 60 * NS_PER_S,
        .request_timeout_ns = 60 * NS_PER_S,
    };
    return c;
}

static void free_listener(struct listener *l)
{
    http_server_free(l->server);
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

/* The listener of an address; a new one where there is none yet, or where any port will do. */
static bool get_listener(struct pages *all, const struct page_config *config,
                         struct listener **ret_listener, struct err *e) REQUIRES(&all->lock)
{
    AUTO(buf_release) struct buf listen = BUF_INIT(BUF_SMALL);
    bool is_v6 = str_find_byte(config->address, ':') < config->address.len;

    buf_addf(&listen, is_v6 ? "[%.*s]:%lld" : "%.*s:%lld", STR_FMT(config->address),
             (long long)config->port);
    for (size_t i = 0; config->port != 0 && i < all->list.len; i++) {
        struct listener *l = all->list.items[i];
        if (!str_eq(l->listen, buf_str(&listen))) {
            continue;
        }
        if (!says_hosts(&l->config->allowed_hosts, &config->allowed_hosts)) {
            l->config = own_config(l, config);
            http_server_change_access(l->server, l->config);
        }
        *ret_listener = l;
        return true;
    }
    if (!new_listener(all, buf_str(&listen), config, ret_listener, e)) {
        return false;
    }
    vec_push(&all->list, *ret_listener);
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
