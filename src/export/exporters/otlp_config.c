#include "export/exporters/otlp_config.h"

#include "net/url.h"

enum { JAEGER_THRIFT_PORT = 14268, PATH_MAX_BYTES = 8 * 1024 };

static const char *const paths[OTLP_SIGNALS] = {
    [OTLP_METRICS] = "/v1/metrics",
    [OTLP_TRACES] = "/v1/traces",
};

static const char *const services[OTLP_SIGNALS] = {
    [OTLP_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    [OTLP_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
};

static enum otlp_signal other_of(enum otlp_signal signal)
{
    return signal == OTLP_METRICS ? OTLP_TRACES : OTLP_METRICS;
}

static struct str own_of(const struct otlp_config *c, enum otlp_signal signal)
{
    return signal == OTLP_METRICS ? c->metrics_endpoint : c->traces_endpoint;
}

enum otlp_protocol otlp_protocol_of(const struct otlp_config *c, enum otlp_signal signal)
{
    int protocol = signal == OTLP_METRICS && c->metrics_protocol > 0 ? c->metrics_protocol - 1
                                                                     : c->traces_protocol;

    return (enum otlp_protocol)protocol;
}

/* ---- addresses ---- */

static bool is_jaeger_thrift(struct str text)
{
    struct url url;
    struct err ignored = ERR_INIT;

    return text.len > 0 && url_parse(text, &url, &ignored) && url.port == JAEGER_THRIFT_PORT;
}

/* The OTLP intake of a Jaeger whose Thrift intake was named. */
static struct str beside_thrift(struct str text, struct arena *a)
{
    struct url url;
    struct err ignored = ERR_INIT;

    if (!url_parse(text, &url, &ignored)) {
        return STR("");
    }
    return arena_printf(a, url.ipv6 ? "%.*s://[%.*s]:4318/v1/traces" : "%.*s://%.*s:4318/v1/traces",
                        STR_FMT(url.scheme), STR_FMT(url.host));
}

static struct str without_slash(struct str text)
{
    while (str_ends(text, STR("/"))) {
        text.len--;
    }
    return text;
}

/* <base> with the signal's path in place of the other's, or behind it. */
static struct str on_base(struct str base, enum otlp_signal signal, struct arena *a)
{
    struct str other = str_of(paths[other_of(signal)]);

    base = without_slash(base);
    if (str_ends(base, str_of(paths[signal]))) {
        return base;
    }
    if (str_ends(base, other)) {
        base.len -= other.len;
    }
    return arena_printf(a, "%.*s%s", STR_FMT(base), paths[signal]);
}

/* An address of a signal's own: as it is, unless it is one of a server alone. */
static struct str as_said(struct str own, enum otlp_signal signal, struct arena *a)
{
    struct url url;
    struct err ignored = ERR_INIT;

    bool is_bare = url_parse(own, &url, &ignored) && url.path.len <= 1;
    return is_bare ? on_base(own, signal, a) : own;
}

static struct str http_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    struct str own = own_of(c, signal);
    struct str other = own_of(c, other_of(signal));
    struct str base = c->client.url;

    if (own.len > 0) {
        return is_jaeger_thrift(own) && signal == OTLP_TRACES ? beside_thrift(own, a)
                                                              : as_said(own, signal, a);
    }
    if (base.len == 0 && other.len > 0) {
        bool is_usual =
            str_ends(as_said(other, other_of(signal), a), str_of(paths[other_of(signal)]));
        base = is_usual || is_jaeger_thrift(other) ? other : base;
    }
    if (is_jaeger_thrift(base)) {
        return signal == OTLP_TRACES ? beside_thrift(base, a) : STR("");
    }
    return on_base(base.len > 0 ? base : STR("http://localhost:4318"), signal, a);
}

/* A gRPC service has a path of its own on whatever server was named. */
static struct str grpc_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    struct str said = own_of(c, signal).len > 0 ? own_of(c, signal) : c->client.url;
    struct url url;
    struct err ignored = ERR_INIT;

    if (said.len == 0) {
        said = own_of(c, other_of(signal));
    }
    if (!url_parse(said.len > 0 ? said : STR("http://localhost:4317"), &url, &ignored)) {
        return STR("");
    }
    return arena_printf(a, "%.*s://%.*s%s", STR_FMT(url.scheme), STR_FMT(url.authority),
                        services[signal]);
}

struct str otlp_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    return otlp_protocol_of(c, signal) == OTLP_GRPC ? grpc_url(c, signal, a)
                                                    : http_url(c, signal, a);
}

/* ---- who it speaks for ---- */

struct option_map otlp_decoded(struct option_map map, struct arena *a)
{
    struct option_pair *pairs = arena_array(a, struct option_pair, map.count);

    for (size_t i = 0; i < map.count; i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(PATH_MAX_BYTES);
        pairs[i] = map.items[i];
        if (pairs[i].node == NULL && url_add_unescaped(&text, pairs[i].value, URL_PATH)) {
            pairs[i].value = arena_dup(a, buf_str(&text));
        }
    }
    return (struct option_map){pairs, map.count};
}

static bool has_attribute(const struct option_map *map, struct str name)
{
    for (size_t i = 0; i < map->count; i++) {
        if (str_eq(map->items[i].name, name)) {
            return true;
        }
    }
    return false;
}

struct otlp_origin otlp_origin_of(const struct otlp_config *c, struct arena *a)
{
    const struct label service[] = {{STR("service.name"), c->service_name},
                                    {STR("service.namespace"), c->service_namespace},
                                    {STR("service.version"), c->service_version}};
    struct option_map map = otlp_decoded(c->resource_attributes, a);
    struct label *all = arena_array(a, struct label, ARRAY_LEN(service) + map.count);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(service); i++) {
        if (service[i].value.len > 0 && !has_attribute(&map, service[i].name)) {
            all[count++] = service[i];
        }
    }
    for (size_t i = 0; i < map.count; i++) {
        all[count++] = (struct label){map.items[i].name, map.items[i].value};
    }
    return (struct otlp_origin){all, count, STR("telex"), STR("")};
}

/* ---- check ---- */

/* The row that says the protocol of a signal; NULL when the environment does. */
static const struct yaml_node *said_at(const struct yaml_node *node, enum otlp_signal signal)
{
    static const char *const keys[] = {"metrics_protocol", "otlp_protocol", "protocol",
                                       "traces_protocol"};
    const struct yaml_node *at = NULL;

    for (size_t i = signal == OTLP_METRICS ? 0 : 1; i < ARRAY_LEN(keys) && at == NULL; i++) {
        at = yaml_get(node, str_of(keys[i]));
        at = at != NULL && str_eq(at->text, STR("same")) ? NULL : at;
    }
    return at;
}

static bool refuse_protocols(const struct otlp_config *c, const struct yaml_node *node,
                             struct err *e)
{
    for (int signal = 0; signal < OTLP_SIGNALS; signal++) {
        const struct yaml_node *at = said_at(node, (enum otlp_signal)signal);
        if (otlp_protocol_of(c, (enum otlp_signal)signal) != OTLP_PROTOBUF) {
            return yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                            "only http/protobuf is spoken yet, which the same collectors take on "
                            "port 4318: say 'otlp_protocol: http/protobuf'");
        }
    }
    return true;
}

bool otlp_check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct otlp_config *c = config;
    const struct yaml_node *rate = yaml_get(node, STR("trace_sample_rate"));
    bool is_ratio = c->sampler == OTLP_RATIO || c->sampler == OTLP_PARENT_RATIO;

    if (rate != NULL && !is_ratio) {
        return yaml_key_err(rate, e, ERR_CONFIG,
                            "a rate is for 'trace_sampler: parentbased_traceidratio' or "
                            "'traceidratio'; the sampler here keeps all or nothing");
    }
    return refuse_protocols(c, node, e) && measures_check(&c->measures, e);
}

bool otlp_advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct otlp_config *c = config;
    struct str said = c->traces_endpoint.len > 0 ? c->traces_endpoint : c->client.url;

    (void)node;
    if (is_jaeger_thrift(said) && otlp_protocol_of(c, OTLP_TRACES) != OTLP_GRPC) {
        AUTO(arena_release) struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        struct str url = otlp_url(c, OTLP_TRACES, &a);
        bool has_metrics = otlp_url(c, OTLP_METRICS, &a).len > 0;
        (void)err_set(e, ERR_CONFIG,
                      "port 14268 (/api/traces) is where Jaeger takes Thrift, not OTLP: spans are "
                      "sent to %.*s instead; write that%s",
                      STR_FMT(url),
                      has_metrics ? "" : ". Jaeger takes no metrics: name a metrics_endpoint");
        return true;
    }
    return false;
}
