/* Where each signal goes. */
#include "export/exporters/otlp_config.h"
#include "net/url.h"

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

bool otlp_is_insecure(const struct otlp_config *c, enum otlp_signal signal)
{
    int own = c->of[signal].insecure;

    return own == OTLP_SAME ? c->insecure : own == OTLP_TRUE;
}

static bool has_scheme(struct str text)
{
    return str_find(text, STR("://")) < text.len;
}

/* As it was said, for <signal>; "host:port" is one over TLS, as OpenTelemetry has it. */
static struct str with_scheme(const struct otlp_config *c, enum otlp_signal signal, struct str text,
                              struct arena *a)
{
    if (text.len == 0 || has_scheme(text)) {
        return text;
    }
    return arena_printf(a, "%s://%.*s", otlp_is_insecure(c, signal) ? "http" : "https",
                        STR_FMT(text));
}

static struct str own_of(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    return with_scheme(c, signal, signal == OTLP_METRICS ? c->metrics_endpoint : c->traces_endpoint,
                       a);
}

struct str otlp_said(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    struct str own = own_of(c, signal, a);

    return own.len > 0 ? own : with_scheme(c, signal, c->client.url, a);
}

uint16_t otlp_port(struct str text)
{
    struct url url;
    struct err ignored = ERR_INIT;

    return text.len > 0 && url_parse(text, &url, &ignored) ? url.port : 0;
}

static bool is_jaeger_thrift(struct str text)
{
    return otlp_port(text) == OTLP_THRIFT_PORT;
}

/* The OTLP intake of a Jaeger whose Thrift intake was named. */
static struct str beside_thrift(struct str text, uint16_t port, const char *path, struct arena *a)
{
    struct url url;
    struct err ignored = ERR_INIT;

    if (!url_parse(text, &url, &ignored)) {
        return STR("");
    }
    return arena_printf(a, url.ipv6 ? "%.*s://[%.*s]:%u%s" : "%.*s://%.*s:%u%s",
                        STR_FMT(url.scheme), STR_FMT(url.host), port, path);
}

/* ---- over HTTP ---- */

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
    struct str own = own_of(c, signal, a);
    struct str other = own_of(c, other_of(signal), a);
    struct str base = with_scheme(c, signal, c->client.url, a);

    if (own.len > 0) {
        return is_jaeger_thrift(own) && signal == OTLP_TRACES
                   ? beside_thrift(own, OTLP_HTTP_PORT, paths[OTLP_TRACES], a)
                   : as_said(own, signal, a);
    }
    if (base.len == 0 && other.len > 0) {
        bool is_usual =
            str_ends(as_said(other, other_of(signal), a), str_of(paths[other_of(signal)]));
        base = is_usual || is_jaeger_thrift(other) ? other : base;
    }
    if (is_jaeger_thrift(base)) {
        return signal == OTLP_TRACES ? beside_thrift(base, OTLP_HTTP_PORT, paths[OTLP_TRACES], a)
                                     : STR("");
    }
    return on_base(base.len > 0 ? base : STR("http://localhost:4318"), signal, a);
}

/* ---- over gRPC ---- */

/* Without a port: the usual one, but for https, which has one of its own. */
static const char *grpc_port(const struct url *url)
{
    size_t host = url->host.len + (url->ipv6 ? 2 : 0);
    bool has_port = url->authority.len > host;

    return has_port || url->secure ? "" : ":4317";
}

/* A service has a path of its own on whatever server was named. */
static struct str grpc_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    struct str said = otlp_said(c, signal, a);
    struct url url;
    struct err ignored = ERR_INIT;

    said = said.len > 0 ? said : own_of(c, other_of(signal), a);
    said = said.len > 0 ? said : STR("http://localhost:4317");
    if (!url_parse(said, &url, &ignored)) {
        return STR("");
    }
    if (url.port == OTLP_THRIFT_PORT) {
        return signal == OTLP_TRACES ? beside_thrift(said, OTLP_GRPC_PORT, services[OTLP_TRACES], a)
                                     : STR("");
    }
    return arena_printf(a, "%.*s://%.*s%s%s", STR_FMT(url.scheme), STR_FMT(url.authority),
                        grpc_port(&url), services[signal]);
}

struct str otlp_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a)
{
    return otlp_protocol_of(c, signal) == OTLP_GRPC ? grpc_url(c, signal, a)
                                                    : http_url(c, signal, a);
}
