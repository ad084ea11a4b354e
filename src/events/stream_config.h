/*
 * stream_config.h - the sections `events` and `event-exporter`: streams, and the exporters that they deliver through.
 *
 * A stream's `sink`, `oidc` and `failureHandling` become an exporter of type cloudevents called events-NAME, which the
 * delivery plan compiles with the others; with `to` it delivers through one of these. The section
 * `event-exporter` of NVSentinel's Helm values is one more stream, of that name.
 *
 * Ownership: texts and nodes live in the arena, and the config owns secrets and conditions: streams_config_release().
 * Threads: read-only after parsing. Limits: STREAMS_MAX streams.
 */
#ifndef TELEX_EVENTS_STREAM_CONFIG_H
#define TELEX_EVENTS_STREAM_CONFIG_H

#include "base/options.h"
#include "base/yaml.h"
#include "events/source.h"
#include "events/transform.h"

enum { STREAMS_MAX = 32, STREAM_WORKERS_MAX = 63 };

struct stream_backfill {
    bool enabled;
    int64_t max_age_ns;
    int64_t max_events;
    int64_t batch_size;
    double rate_limit; /* changes a second; 0: as fast as it goes */
};

/* What becomes of what the sink does not take; the seed's numbers. */
struct stream_failure {
    int64_t max_retries;
    int64_t initial_backoff_ns;
    int64_t max_backoff_ns;
    double backoff_multiplier;
    int jitter; /* as the exporters' */
    int64_t max_age_ns;
    int policy; /* enum refused_policy */
};

/* As a stream's section has it. */
struct stream_options {
    bool enabled;
    const struct yaml_node *source;
    struct option_map metadata;
    const struct yaml_node *sink;
    const struct yaml_node *oidc;
    struct str oidc_secret_name;
    struct str to;
    struct stream_backfill backfill;
    struct stream_failure failure;
    struct transform_options event;
    struct str match;
    int64_t workers;
    bool buffer;
    int64_t max_in_flight; /* changes that are read and not done */
    int64_t max_memory_bytes;
    int64_t batch_size; /* changes that are read together */
    int64_t max_lag_ns; /* beyond it the stream is not ready; 0: never */
};

struct stream_config {
    struct str name;
    const struct yaml_node *node;
    const struct yaml_node *section; /* its options: the node, or what Helm's values come to */
    struct stream_options options;
    struct condition *match; /* NULL: all */
    const struct source_kind *kind;
    void *source;        /* of kind->options */
    struct str exporter; /* empty: it is off, and does not say where to */
    int policy;          /* enum refused_policy, of what cannot be read */
    uint64_t hash;       /* of all that was written */
};

struct streams_config {
    struct stream_config items[STREAMS_MAX];
    size_t count;
    const struct yaml_node *exporters; /* a mapping of those that were made; or NULL */
};

extern const struct option_table stream_option_table;

/* The sections as they were written; either may be NULL. False: something is left out of <ret>, which is to be
 * released all the same. */
MUST_USE bool streams_config_parse(const struct yaml_node *events, const struct yaml_node *helm,
                                   const struct option_source *source, struct arena *a,
                                   struct streams_config *ret, struct err *e);
void streams_config_release(struct streams_config *c);

/* NULL without. */
const struct stream_config *streams_config_find(const struct streams_config *c, struct str name);

#endif
