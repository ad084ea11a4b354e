/*
 * otlp_config.h - what an exporter of OTLP was told: addresses and protocols by signal, and who it speaks for.
 *
 * A base address gets the signal's path; an address of a signal is taken as it is, unless it has no path.
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

struct otlp_config {
    struct exporter_common common;
    struct http_client_config client; /* its URL is the base */
    struct str traces_endpoint;
    struct str metrics_endpoint;
    int traces_protocol;  /* enum otlp_protocol */
    int metrics_protocol; /* 0: as traces; else enum otlp_protocol and 1 */
    int compression;      /* enum body_encoding: none, gzip */
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

/* Where a signal goes, made in <a>; empty: nowhere. */
struct str otlp_url(const struct otlp_config *c, enum otlp_signal signal, struct arena *a);

enum otlp_protocol otlp_protocol_of(const struct otlp_config *c, enum otlp_signal signal);

/* Who it speaks for, as attributes of a resource. */
struct otlp_origin otlp_origin_of(const struct otlp_config *c, struct arena *a);

/* <map> as it is, but for values of variables, which are percent-encoded there. */
struct option_map otlp_decoded(struct option_map map, struct arena *a);

/* For the kind's check() and advise(). */
MUST_USE bool otlp_check(const void *config, const struct yaml_node *node, struct err *e);
bool otlp_advise(const void *config, const struct yaml_node *node, struct err *e);

#endif
