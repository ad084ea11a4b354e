/* Targets from DNS: SRV records name host and port, the others need a port from the config. */
#include "discover/discovery.h"

#include "base/env.h"
#include "net/resolver.h"

struct dns_config {
    struct discovery_common common;
    struct option_list names;
    int type; /* enum dns_type, as the choices stand */
    int64_t port;
    struct str nameservers;
};

struct dns_discovery {
    struct discovery super;
    const struct env *env;
    const struct dns_config *config;
};

static const char *const types[] = {"A", "AAAA", "SRV", "MX", NULL};

static const struct option options[] = {
    DISCOVERY_REFRESH_ROW("30s"),
    {.name = "names",
     .type = OPTION_LIST,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct dns_config, names),
     .help = "The names to ask for, such as `_web._tcp.alertmanager.example`."},
    {.name = "type",
     .type = OPTION_ENUM,
     .offset = offsetof(struct dns_config, type),
     .fallback = "SRV",
     .choices = types,
     .help = "The kind of record."},
    {.name = "port",
     .type = OPTION_INT,
     .offset = offsetof(struct dns_config, port),
     .min = 0,
     .max = 65535,
     .help = "The port of what A, AAAA and MX records name."},
    {.name = "nameservers",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct dns_config, nameservers),
     .help = "Servers to ask, as `10.0.0.1:53,10.0.0.2`; without it the system's."},
};

const struct option_table discovery_dns_options = {
    .name = "dns_sd_configs",
    .help = "Targets from DNS.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct dns_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct dns_config *c = config;

    return c->type == DNS_SRV || c->port > 0 ||
           yaml_err(node, e, ERR_CONFIG, "%s records have no port; add 'port'", types[c->type]);
}

/* A name without the dot at its end; an IPv6 address in brackets. */
static void add_address(struct buf *out, struct str host, uint16_t port)
{
    bool is_ipv6 = str_find_byte(host, ':') < host.len;

    host.len -= host.len > 0 && host.ptr[host.len - 1] == '.' ? 1 : 0;
    buf_addf(out, is_ipv6 ? "[%.*s]:%u" : "%.*s:%u", STR_FMT(host), port);
}

static bool add(struct dns_discovery *d, struct str name, const struct dns_record *r,
                struct target_list *list, struct err *e)
{
    AUTO(buf_release) struct buf address = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf port = BUF_INIT(BUF_SMALL);
    bool is_srv = d->config->type == DNS_SRV;
    uint16_t number = is_srv ? r->port : (uint16_t)d->config->port;
    struct labels_builder b;

    add_address(&address, r->host, number);
    buf_add_u64(&port, number);
    labels_builder_init(&b);
    labels_builder_set(&b, STR("__address__"), buf_str(&address));
    labels_builder_set(&b, STR("__meta_dns_name"), name);
    if (is_srv) {
        labels_builder_set(&b, STR("__meta_dns_srv_record_target"), r->host);
        labels_builder_set(&b, STR("__meta_dns_srv_record_port"), buf_str(&port));
    }
    if (d->config->type == DNS_MX) {
        labels_builder_set(&b, STR("__meta_dns_mx_record_target"), r->host);
    }
    bool ok = target_list_add(list, &b, e);
    labels_builder_release(&b);
    return ok;
}

static bool look_name(struct dns_discovery *d, struct str name, struct wait wait,
                      struct target_list *list, struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct dns_question question = {name, (enum dns_type)d->config->type,
                                          d->config->nameservers};
    struct dns_record *records = NULL;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = dns_ask(d->env, &question, wait, &a, &records, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        ok = add(d, name, &records[i], list, e);
    }
    return ok;
}

static bool look(struct discovery *super, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e)
{
    struct dns_discovery *d = (struct dns_discovery *)super;
    bool ok = true;

    *ret_same = false;
    for (size_t i = 0; ok && i < d->config->names.count; i++) {
        ok = look_name(d, d->config->names.items[i], wait, ret_list, e);
    }
    return ok;
}

static void close_it(struct discovery *d)
{
    mem_free(d);
}

static bool open(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e)
{
    static const struct discovery_ops ops = {look, close_it};
    struct dns_discovery *d = mem_new(struct dns_discovery);

    (void)e;
    *d = (struct dns_discovery){{&ops}, env, config};
    *ret_discovery = &d->super;
    return true;
}

const struct discovery_kind discovery_dns = {
    .key = "dns_sd_configs",
    .name = "dns",
    .help = "Targets from DNS records.",
    .options = &discovery_dns_options,
    .check = check,
    .open = open,
};
