#include "export/exporters/otlp_config.h"

#include "net/url.h"

enum { PATH_MAX_BYTES = 8 * 1024 };

enum otlp_protocol otlp_protocol_of(const struct otlp_config *c, enum otlp_signal signal)
{
    int protocol = signal == OTLP_METRICS && c->metrics_protocol > 0 ? c->metrics_protocol - 1
                                                                     : c->traces_protocol;

    return (enum otlp_protocol)protocol;
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
    return measures_check(&c->measures, e);
}

/* ---- advice ---- */

static bool advise_thrift(const struct otlp_config *c, struct arena *a, struct err *e)
{
    struct str url = otlp_url(c, OTLP_TRACES, a);

    if (otlp_port(otlp_said(c, OTLP_TRACES, a)) != OTLP_THRIFT_PORT) {
        return false;
    }
    bool has_metrics = otlp_url(c, OTLP_METRICS, a).len > 0;
    (void)err_set(e, ERR_CONFIG,
                  "port 14268 (/api/traces) is where Jaeger takes Thrift, not OTLP: spans are "
                  "sent to %.*s instead; write that%s",
                  STR_FMT(url),
                  has_metrics ? "" : ". Jaeger takes no metrics: name a metrics_endpoint");
    return true;
}

/* The port that is usual for the other protocol: nearly always a mistake. */
static bool advise_port(const struct otlp_config *c, enum otlp_signal signal, struct arena *a,
                        struct err *e)
{
    uint16_t port = otlp_port(otlp_said(c, signal, a));
    bool is_grpc = otlp_protocol_of(c, signal) == OTLP_GRPC;

    if (port != (is_grpc ? OTLP_HTTP_PORT : OTLP_GRPC_PORT)) {
        return false;
    }
    (void)err_set(
        e, ERR_CONFIG,
        "port %u is where OTLP is usually taken over %s, and %s are sent over %s: say port "
        "%d, or '%s: %s'",
        port, is_grpc ? "HTTP" : "gRPC", signal == OTLP_METRICS ? "metrics" : "traces",
        is_grpc ? "gRPC" : "HTTP", is_grpc ? OTLP_GRPC_PORT : OTLP_HTTP_PORT,
        signal == OTLP_METRICS ? "metrics_protocol" : "otlp_protocol",
        is_grpc ? "http/protobuf" : "grpc");
    return true;
}

static bool advise_scheme(const struct otlp_config *c, struct err *e)
{
    const struct str said[] = {c->traces_endpoint, c->metrics_endpoint, c->client.url};

    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        bool is_bare = said[i].len > 0 && str_find(said[i], STR("://")) == said[i].len;
        if (is_bare && !otlp_is_insecure(c, i == 1 ? OTLP_METRICS : OTLP_TRACES)) {
            (void)err_set(e, ERR_CONFIG,
                          "'%.*s' says neither http:// nor https://: TLS is used, as OpenTelemetry "
                          "has it; say which, or 'insecure: true'",
                          STR_FMT(said[i]));
            return true;
        }
    }
    return false;
}

bool otlp_advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct otlp_config *c = config;
    AUTO(arena_release) struct arena a;

    (void)node;
    arena_init(&a, ARENA_UNLIMITED);
    return advise_thrift(c, &a, e) || advise_port(c, OTLP_TRACES, &a, e) ||
           advise_port(c, OTLP_METRICS, &a, e) || advise_scheme(c, e);
}

/* ---- by signal ---- */

void otlp_make_own(struct otlp_config *c, enum otlp_signal signal, struct str url, struct arena *a)
{
    const struct otlp_of_signal *own = &c->of[signal];
    struct http_tls_config *tls = &c->client.tls;

    c->signal = signal;
    c->client.url = url;
    c->client.http2 = otlp_protocol_of(c, signal) == OTLP_GRPC;
    c->client.headers = otlp_decoded(own->headers.count > 0 ? own->headers : c->client.headers, a);
    c->client.timeout_ns = own->timeout_ns > 0 ? own->timeout_ns : c->client.timeout_ns;
    c->compression = own->compression != OTLP_SAME ? own->compression - 1 : c->compression;
    tls->ca_file = own->certificate.len > 0 ? own->certificate : tls->ca_file;
    tls->cert_file = own->client_certificate.len > 0 ? own->client_certificate : tls->cert_file;
    tls->key_file = own->client_key.len > 0 ? own->client_key : tls->key_file;
}
