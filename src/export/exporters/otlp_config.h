/*
 * otlp_config.h - what an exporter of OTLP was told: addresses and protocols by signal, and who it speaks for.
 *
 * A base address gets the signal's path; an address of a signal is taken as it is, unless it has no path;
 * over gRPC all paths are the service's. "host:port" alone is one over TLS unless insecure is said.
 * Where one signal only has an address that ends as usual, the other goes beside it. Jaeger's Thrift intake
 * (port 14268) is no OTLP: what is sent there goes to the OTLP port of the same Jaeger, which takes traces.
 *
 * Ownership: texts made live in the arena given, the rest is the config's. Threads: const. Limits: none.
 */
#ifndef TELEX_EXPORT_EXPORTERS_OTLP_CONFIG_H
#define TELEX_EXPORT_EXPORTERS_OTLP_CONFIG_H

#include "export/exporter_options.h"
#include "export/measures.h"
#include "net/http_client.h"
#include "wire/otlp.h"

struct yaml_node;

enum otlp_signal { OTLP_METRICS, OTLP_TRACES, OTLP_SIGNALS };
enum { OTLP_GRPC_PORT = 4317, OTLP_HTTP_PORT = 4318, OTLP_THRIFT_PORT = 14268 };
enum otlp_protocol { OTLP_PROTOBUF, OTLP_JSON, OTLP_GRPC, OTLP_PROTOCOLS };

/* Those that begin with a parent go by the whole trace too: a parent is of the same trace. */
enum otlp_sampler {
    OTLP_PARENT_ON,
    OTLP_PARENT_OFF,
    OTLP_PARENT_RATIO,
    OTLP_ALWAYS_ON,
    OTLP_ALWAYS_OFF,
    OTLP_RATIO,
    OTLP_SAMPLERS
};

/* Of a choice that a signal may leave to what is said for both. */
enum { OTLP_SAME, OTLP_FALSE, OTLP_TRUE };

/* What goes for one signal instead of what is said for both; empty: that. */
struct otlp_of_signal {
    struct option_map headers;
    int64_t timeout_ns;
    int compression; /* OTLP_SAME; else enum body_encoding and 1 */
    struct str certificate;
    struct str client_certificate;
    struct str client_key;
    int insecure; /* OTLP_SAME, OTLP_FALSE, OTLP_TRUE */
};

struct otlp_config {
    struct exporter_common common;
    struct http_client_config client; /* its URL is the base */
    struct str traces_endpoint;
    struct str metrics_endpoint;
    int traces_protocol;  /* enum otlp_protocol */
    int metrics_protocol; /* 0: as traces; else enum otlp_protocol and 1 */
    int compression;      /* enum body_encoding: none, gzip */
    bool insecure;        /* addresses without a scheme are ones without TLS */
    struct otlp_of_signal of[OTLP_SIGNALS];
    enum otlp_signal signal; /* of the copy that a signal has */
    struct str service_name;
    struct str service_namespace;
    struct str service_version;
    struct option_map resource_attributes;
    struct str span_name_prefix;
    bool create_child_spans;
    int sampler; /* enum otlp_sampler */
    double sample_rate;
    struct measure_options measures;
};

extern const struct option_table otlp_options;
extern const struct option_usual otlp_usual[];

/* Where a signal goes, made in <a>; empty: nowhere. */
struct str otlp_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a);

/* What was said of where it goes, with a scheme; empty: nothing. And the port of an address; 0: none. */
struct str otlp_said(const struct otlp_config *c, enum otlp_signal signal, struct arena *a);
uint16_t otlp_port(struct str text);

bool otlp_is_insecure(const struct otlp_config *c, enum otlp_signal signal);

/* Makes <c>, a copy, that of the leaf of one signal, which is at <url>. */
void otlp_make_own(struct otlp_config *c, enum otlp_signal signal, struct str url, struct arena *a);

enum otlp_protocol otlp_protocol_of(const struct otlp_config *c, enum otlp_signal signal);

/* Who it speaks for, as attributes of a resource. */
struct otlp_origin otlp_origin_of(const struct otlp_config *c, struct arena *a);

/* <map> as it is, but for values of variables, which are percent-encoded there. */
struct option_map otlp_decoded(struct option_map map, struct arena *a);

/* For the kind's check() and advise(). */
MUST_USE bool otlp_check(const void *config, const struct yaml_node *node, struct err *e);
bool otlp_advise(const void *config, const struct yaml_node *node, struct err *e);

#endif
