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

/* Where it is said where a signal goes; NULL when a variable says it, or nobody. */
static const struct yaml_node *place_of(const struct yaml_node *node, enum otlp_signal signal)
{
    static const char *const names[OTLP_SIGNALS][4] = {
        [OTLP_METRICS] = {"metrics_endpoint", "url", "endpoint", NULL},
        [OTLP_TRACES] = {"otlp_endpoint", "traces_endpoint", "url", "endpoint"},
    };

    for (size_t i = 0; i < ARRAY_LEN(names[0]) && names[signal][i] != NULL; i++) {
        const struct yaml_node *at = yaml_get(node, str_of(names[signal][i]));
        if (at != NULL) {
            return at;
        }
    }
    return NULL;
}

/* Always true. */
static bool say(const struct yaml_node *at, struct err *e, struct str text)
{
    return !(at != NULL ? yaml_err(at, e, ERR_CONFIG, "%.*s", STR_FMT(text))
                        : err_set(e, ERR_CONFIG, "%.*s", STR_FMT(text)));
}

/* What advice goes by. */
struct advice {
    const struct otlp_config *c;
    const struct yaml_node *node;
    struct arena *arena;
};

static bool advise_thrift(const struct advice *x, struct err *e)
{
    struct str url = otlp_url(x->c, OTLP_TRACES, x->arena);

    if (otlp_port(otlp_said(x->c, OTLP_TRACES, x->arena)) != OTLP_THRIFT_PORT) {
        return false;
    }
    bool has_metrics = otlp_url(x->c, OTLP_METRICS, x->arena).len > 0;
    return say(
        place_of(x->node, OTLP_TRACES), e,
        arena_printf(x->arena,
                     "port 14268 (/api/traces) is where Jaeger takes Thrift, not OTLP: "
                     "spans are sent to %.*s instead; write that%s",
                     STR_FMT(url),
                     has_metrics ? "" : ". Jaeger takes no metrics: name a metrics_endpoint"));
}

/* The port that is usual for the other protocol: nearly always a mistake. */
static bool advise_port(const struct advice *x, enum otlp_signal signal, struct err *e)
{
    uint16_t port = otlp_port(otlp_said(x->c, signal, x->arena));
    bool is_grpc = otlp_protocol_of(x->c, signal) == OTLP_GRPC;

    if (port != (is_grpc ? OTLP_HTTP_PORT : OTLP_GRPC_PORT)) {
        return false;
    }
    return say(
        place_of(x->node, signal), e,
        arena_printf(
            x->arena,
            "port %u is where OTLP is usually taken over %s, and %s are sent over %s: say port "
            "%d, or '%s: %s'",
            port, is_grpc ? "HTTP" : "gRPC", signal == OTLP_METRICS ? "metrics" : "traces",
            is_grpc ? "gRPC" : "HTTP", is_grpc ? OTLP_GRPC_PORT : OTLP_HTTP_PORT,
            signal == OTLP_METRICS ? "metrics_protocol" : "otlp_protocol",
            is_grpc ? "http/protobuf" : "grpc"));
}

/* A path of OTLP over HTTP with gRPC, where paths are the service's. */
static bool advise_path(const struct advice *x, enum otlp_signal signal, struct err *e)
{
    static const struct str paths[OTLP_SIGNALS] = {STR_INIT("/v1/metrics"), STR_INIT("/v1/traces")};
    struct str said = otlp_said(x->c, signal, x->arena);

    if (otlp_protocol_of(x->c, signal) != OTLP_GRPC || !str_ends(said, paths[signal])) {
        return false;
    }
    return say(place_of(x->node, signal), e,
               arena_printf(x->arena,
                            "%.*s is a path of OTLP over HTTP, and %s are sent over gRPC, where it "
                            "means nothing: leave it away, or say '%s: http/protobuf'",
                            STR_FMT(paths[signal]), signal == OTLP_METRICS ? "metrics" : "traces",
                            signal == OTLP_METRICS ? "metrics_protocol" : "otlp_protocol"));
}

static bool advise_scheme(const struct advice *x, struct err *e)
{
    const struct {
        struct str said;
        enum otlp_signal signal;
    } all[] = {{x->c->traces_endpoint, OTLP_TRACES},
               {x->c->metrics_endpoint, OTLP_METRICS},
               {x->c->client.url, OTLP_TRACES}};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        struct str said = all[i].said;
        bool is_bare = said.len > 0 && str_find(said, STR("://")) == said.len;
        if (is_bare && !otlp_is_insecure(x->c, all[i].signal)) {
            return say(place_of(x->node, all[i].signal), e,
                       arena_printf(x->arena,
                                    "'%.*s' says neither http:// nor https://: TLS is used, as "
                                    "OpenTelemetry has it; say which, or 'insecure: true'",
                                    STR_FMT(said)));
        }
    }
    return false;
}

bool otlp_advise(const void *config, const struct yaml_node *node, struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct advice x = {config, node, &a};
    bool is_said = false;

    arena_init(&a, ARENA_UNLIMITED);
    is_said = advise_thrift(&x, e);
    for (int i = OTLP_SIGNALS - 1; i >= 0 && !is_said; i--) {
        enum otlp_signal signal = (enum otlp_signal)i;
        is_said = advise_port(&x, signal, e) || advise_path(&x, signal, e);
    }
    return is_said || advise_scheme(&x, e);
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
