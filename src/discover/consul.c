/* Targets from Consul: the services that are named, or all of the catalog, with their instances and health. */
#include "discover/discovery.h"

#include "base/env.h"
#include "discover/consul_json.h"
#include "net/http_options.h"
#include "net/url.h"

struct consul_config {
    struct discovery_common common;
    struct str server;
    int scheme;
    struct option_list services;
    struct option_list tags;
    struct str tag_separator;
    struct option_map node_meta;
    struct str filter;
    struct str datacenter;
    struct str namespace;
    struct str partition;
    bool allow_stale;
    struct http_client_config client;
};

struct consul_discovery {
    struct discovery super;
    const struct consul_config *config;
    struct http_client_config client_config;
    struct http_client *client;
    struct buf url;
    struct buf answer;
};

enum { CLIENT = offsetof(struct consul_config, client) };

static const char *const schemes[] = {"http", "https", NULL};

static const struct option options[] = {
    DISCOVERY_REFRESH_ROW("30s"),
    {.name = "server",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, server),
     .fallback = "localhost:8500",
     .help = "Consul's `host:port`."},
    {.name = "scheme",
     .type = OPTION_ENUM,
     .offset = offsetof(struct consul_config, scheme),
     .fallback = "http",
     .choices = schemes,
     .help = "How it is spoken to."},
    {.name = "token",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(CLIENT, api_key),
     .help = "Consul's access token, sent as `X-Consul-Token`."},
    {.name = "services",
     .type = OPTION_LIST,
     .offset = offsetof(struct consul_config, services),
     .help = "The services to look for; none: all of the catalog."},
    {.name = "tags",
     .type = OPTION_LIST,
     .offset = offsetof(struct consul_config, tags),
     .help = "Tags that an instance must have, all of them."},
    {.name = "tag_separator",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, tag_separator),
     .fallback = "\",\"",
     .help = "What stands between tags in `__meta_consul_tags`."},
    {.name = "node_meta",
     .type = OPTION_MAP,
     .offset = offsetof(struct consul_config, node_meta),
     .help = "Metadata that a node must have."},
    {.name = "filter",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, filter),
     .help = "A filter in Consul's own language, for the catalog of services."},
    {.name = "datacenter",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, datacenter),
     .help = "The data centre; without it that of the server."},
    {.name = "namespace",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, namespace),
     .help = "The namespace, of Consul Enterprise."},
    {.name = "partition",
     .type = OPTION_TEXT,
     .offset = offsetof(struct consul_config, partition),
     .help = "The admin partition, of Consul Enterprise."},
    {.name = "allow_stale",
     .type = OPTION_BOOL,
     .offset = offsetof(struct consul_config, allow_stale),
     .fallback = "true",
     .help = "May any server answer, or only the leader?"},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "16MB"),
};

const struct option_table discovery_consul_options = {
    .name = "consul_sd_configs",
    .help = "Targets from Consul.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct consul_config),
};

static void add_param(struct buf *path, const char *name, struct str value)
{
    if (value.len > 0) {
        url_add_param(path, str_of(name), value);
    }
}

/* What every question says. */
static void add_common(const struct consul_config *c, struct buf *path)
{
    add_param(path, "dc", c->datacenter);
    add_param(path, "ns", c->namespace);
    add_param(path, "partition", c->partition);
    add_param(path, "stale", c->allow_stale ? STR("true") : STR(""));
    for (size_t i = 0; i < c->node_meta.count; i++) {
        AUTO(buf_release) struct buf pair = BUF_INIT(BUF_SMALL);
        buf_addf(&pair, "%.*s:%.*s", STR_FMT(c->node_meta.items[i].name),
                 STR_FMT(c->node_meta.items[i].value));
        add_param(path, "node-meta", buf_str(&pair));
    }
}

/* The answer is in d->answer. */
static bool ask(struct consul_discovery *d, const struct buf *path, struct wait wait, struct err *e)
{
    const struct http_request req = {.path = buf_str(path)};
    struct http_response res;

    http_response_init(&res, &d->answer);
    bool ok = http_client_call(d->client, &req, wait, &res, e);
    int status = res.status;
    http_response_release(&res);
    return ok && (status == 200 || err_set(e, ERR_NET, "Consul answered %d: %.*s", status,
                                           STR_FMT(str_slice(buf_str(&d->answer), 0, 200))));
}

static bool ask_catalog(struct consul_discovery *d, struct wait wait, struct arena *a,
                        struct str **ret_names, size_t *ret_count, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_add_text(&path, "/v1/catalog/services");
    add_common(d->config, &path);
    add_param(&path, "filter", d->config->filter);
    return ask(d, &path, wait, e) &&
           consul_read_services(buf_str(&d->answer), a, ret_names, ret_count, e);
}

static bool ask_service(struct consul_discovery *d, struct str name, struct wait wait,
                        struct target_list *list, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_add_text(&path, "/v1/health/service/");
    url_add_escaped(&path, name, URL_SEGMENT);
    add_common(d->config, &path);
    for (size_t i = 0; i < d->config->tags.count; i++) {
        add_param(&path, "tag", d->config->tags.items[i]);
    }
    return (ask(d, &path, wait, e) &&
            consul_read_health(buf_str(&d->answer), d->config->tag_separator, list, e)) ||
           err_wrap(e, "service '%.*s'", STR_FMT(str_slice(name, 0, 80)));
}

static bool look(struct discovery *super, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e)
{
    struct consul_discovery *d = (struct consul_discovery *)super;
    AUTO(arena_release) struct arena a;
    const struct str *names = d->config->services.items;
    size_t count = d->config->services.count;
    bool ok = true;

    *ret_same = false;
    arena_init(&a, ARENA_UNLIMITED);
    if (count == 0) {
        struct str *found = NULL;
        ok = ask_catalog(d, wait, &a, &found, &count, e);
        names = found;
    }
    for (size_t i = 0; ok && i < count; i++) {
        ok = ask_service(d, names[i], wait, ret_list, e);
    }
    return ok;
}

static void close_it(struct discovery *super)
{
    struct consul_discovery *d = (struct consul_discovery *)super;

    http_client_free(d->client);
    buf_release(&d->url);
    buf_release(&d->answer);
    mem_free(d);
}

static bool open(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e)
{
    static const struct discovery_ops ops = {look, close_it};
    const struct consul_config *c = config;
    struct consul_discovery *d = mem_new(struct consul_discovery);
    bool is_url = str_find(c->server, STR("://")) < c->server.len;

    *d = (struct consul_discovery){.super = {&ops}, .config = c, .client_config = c->client};
    buf_init(&d->url, BUF_SMALL);
    buf_init(&d->answer, TARGET_TEXT_MAX);
    buf_addf(&d->url, "%s%s%.*s", is_url ? "" : schemes[c->scheme], is_url ? "" : "://",
             STR_FMT(c->server));
    d->client_config.url = buf_str(&d->url);
    d->client_config.api_key_header = STR("X-Consul-Token");
    if (!http_client_new(env, &d->client_config, &d->client, e)) {
        close_it(&d->super);
        return false;
    }
    *ret_discovery = &d->super;
    return true;
}

const struct discovery_kind discovery_consul = {
    .key = "consul_sd_configs",
    .name = "consul",
    .help = "Targets from Consul's catalog of services, asked anew at each look.",
    .options = &discovery_consul_options,
    .open = open,
};
