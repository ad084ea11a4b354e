/*
 * datadog.h - what the leaves of Datadog share: metrics go to Datadog itself, spans to its agent; or both to
 * Datadog itself as OTLP.
 *
 * The agent has a client of its own, so the API key is not sent to it. Ownership: a config is the graph's; the
 * sink has a copy. Threads: as sink.h. Limits: in wire/datadog.h and wire/datadog_traces.h.
 */
#ifndef TELEX_EXPORT_EXPORTERS_DATADOG_H
#define TELEX_EXPORT_EXPORTERS_DATADOG_H

#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/measures.h"
#include "net/http_client.h"
#include "wire/datadog.h"

struct datadog_metrics {
    struct str name_space;
    struct option_list tags;
    int64_t interval_ns;
};

struct datadog_apm {
    struct str service;
    struct str env;
    struct str version;
};

struct datadog_config {
    struct exporter_common common;
    struct http_client_config client;
    struct http_client_config agent; /* without a URL: DATADOG_AGENT_URL */
    struct str url;
    struct str site;
    int metrics_via; /* enum datadog_via */
    int traces_via;
    struct str otlp_url;
    struct str otlp_source;
    struct secret *app_key;
    struct option_list tags;
    struct datadog_metrics metrics;
    struct datadog_apm apm;
    struct measure_options measures;
    int compression; /* enum datadog_compression */
    bool gzip;       /* false: no compression, as it was said before there was another */
};

/* The choices of `metrics_via` (`api`) and `traces_via` (`agent`) stand in this order. */
enum datadog_via { DATADOG_VIA_OWN, DATADOG_VIA_OTLP };

/* The choices of `compression` stand in this order. */
enum datadog_compression { DATADOG_GZIP, DATADOG_ZSTD1, DATADOG_DEFLATE, DATADOG_PLAIN };

#define DATADOG_METRIC_PREFIX "profiling."
#define DATADOG_SERVICE "telex" /* of what names none */
#define DATADOG_AGENT_URL "http://127.0.0.1:8126"

/* How series are compressed; others that are not plain as their API has it. */
enum body_encoding datadog_encoding(const struct datadog_config *c);

/* The tags of the config, all in one list. */
struct option_list datadog_all_tags(const struct datadog_config *c, struct arena *a);

extern const struct status_rule datadog_statuses[];

/* For struct http_exporter: does a request to the agent read again as the rows that it was made of? */
MUST_USE bool datadog_validate_traces(const void *config, const struct sent_rows *sent,
                                      struct str body, struct err *e);

extern const struct http_exporter datadog_series;
extern const struct http_exporter datadog_distributions;
extern const struct http_exporter datadog_traces;
extern const struct http_exporter datadog_otlp_metrics;
extern const struct http_exporter datadog_otlp_traces;

/* A leaf for all of it. */
MUST_USE bool datadog_sink_open(const struct exporter_place *place,
                                const struct datadog_config *config, struct sink **ret_sink,
                                struct err *e);

#endif
