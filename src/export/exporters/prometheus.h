/*
 * prometheus.h - what the kinds `prometheus` and `pushgateway` share: their options, and a push.
 *
 * Ownership: texts are the config's. Threads: const. Limits: in the options.
 */
#ifndef TELEX_EXPORT_EXPORTERS_PROMETHEUS_H
#define TELEX_EXPORT_EXPORTERS_PROMETHEUS_H

#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/latest.h"
#include "export/measures.h"
#include "export/pages.h"
#include "net/http_client.h"
#include "net/http_options.h"

enum push_method { PUSH_POST, PUSH_PUT, PUSH_DELETE };

struct prometheus_config {
    struct exporter_common common;
    struct http_client_config client; /* the Pushgateway */
    struct str job_name;
    struct str instance_label;
    struct option_map grouping_key;
    struct option_list grouping_labels;
    int method; /* enum push_method */
    bool gzip;
    int mode; /* of `prometheus` alone */
    struct page_config page;
    struct latest_limits limits;
    struct measure_options measures;
};

/* The option `mode`. */
enum prometheus_mode { PROMETHEUS_AUTO, PROMETHEUS_PUSH, PROMETHEUS_PULL };

extern const char *const prometheus_methods[];
extern const char *const prometheus_alias_gateway[];
extern const char *const prometheus_alias_stale[];
extern const struct http_exporter prometheus_push;

/* All rows of a push, and of both ways; GATEWAY_FLAGS is OPTION_REQUIRED or 0. */
#define PROMETHEUS_PUSH_ROWS(GATEWAY_FLAGS)                                                        \
    {.name = "pushgateway_url",                                                                    \
     .aliases = prometheus_alias_gateway,                                                          \
     .type = OPTION_URL,                                                                           \
     .flags = (GATEWAY_FLAGS),                                                                     \
     .offset = HTTP_AT(offsetof(struct prometheus_config, client), url),                           \
     .help = "Where the Pushgateway is: `http://host:9091`."},                                     \
        {.name = "job_name",                                                                       \
         .type = OPTION_TEXT,                                                                      \
         .offset = offsetof(struct prometheus_config, job_name),                                   \
         .fallback = "telex",                                                                      \
         .help = "The `job` of the group that is pushed to."},                                     \
        {.name = "instance_label",                                                                 \
         .type = OPTION_TEXT,                                                                      \
         .offset = offsetof(struct prometheus_config, instance_label),                             \
         .help = "The `instance` of that group; none: the group has a job only."},                 \
        {.name = "grouping_key",                                                                   \
         .type = OPTION_MAP,                                                                       \
         .offset = offsetof(struct prometheus_config, grouping_key),                               \
         .help = "More labels of the group, with their values."},                                  \
        {.name = "grouping_labels",                                                                \
         .type = OPTION_LIST,                                                                      \
         .offset = offsetof(struct prometheus_config, grouping_labels),                            \
         .help = "Labels of the series whose values make groups of their own, each pushed with a " \
                 "request of its own."},                                                           \
        {.name = "method",                                                                         \
         .type = OPTION_ENUM,                                                                      \
         .offset = offsetof(struct prometheus_config, method),                                     \
         .fallback = "POST",                                                                       \
         .choices = prometheus_methods,                                                            \
         .help = "`POST` replaces metrics of the same name in the group, `PUT` the whole group, "  \
                 "and `DELETE` removes the group of what comes."},                                 \
        {.name = "gzip",                                                                           \
         .type = OPTION_BOOL,                                                                      \
         .offset = offsetof(struct prometheus_config, gzip),                                       \
         .fallback = "true",                                                                       \
         .help = "Compress pushes (Pushgateway 1.5 and newer)."},                                  \
        {.name = "additional_labels",                                                              \
         .type = OPTION_MAP,                                                                       \
         .offset = offsetof(struct prometheus_config, common.labels),                              \
         .help = "Another name of `labels`."},                                                     \
        {.name = "max_series",                                                                     \
         .type = OPTION_INT,                                                                       \
         .offset = offsetof(struct prometheus_config, limits.max_series),                          \
         .fallback = "100000",                                                                     \
         .min = 1,                                                                                 \
         .max = 1e7,                                                                               \
         .help = "Series whose last values are remembered; more are rejected."},                   \
    {                                                                                              \
        .name = "stale_after", .aliases = prometheus_alias_stale, .type = OPTION_DURATION,         \
        .offset = offsetof(struct prometheus_config, limits.stale_after_ns), .fallback = "5m",     \
        .min = 0, .max = 86400.0 * 365, .unit = "s",                                               \
        .help = "A series that nothing was heard of for so long is told of no more; 0: it stays."  \
    }

/* A sink that pushes, with the mapping of profiles around it. */
MUST_USE bool prometheus_push_open(const struct exporter_place *place,
                                   const struct prometheus_config *config, struct sink **ret_sink,
                                   struct err *e);

/* What the tables cannot say of a push. */
MUST_USE bool prometheus_push_check(const struct prometheus_config *config,
                                    const struct yaml_node *node, struct err *e);

#endif
