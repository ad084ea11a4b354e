/*
 * datasource_options.h - the options that every datasource has, whatever its kind.
 *
 * A kind's config struct begins with struct datasource_common, and its table with
 * DATASOURCE_COMMON_ROWS, so that whoever opens a datasource can read them without knowing the kind.
 *
 * Ownership: texts live in the config's arena. Threads: read-only after parsing. Limits: in the rows.
 */
#ifndef TELEX_DATASOURCE_DATASOURCE_OPTIONS_H
#define TELEX_DATASOURCE_DATASOURCE_OPTIONS_H

#include "base/options.h"

/* What the rules of a datasource are written in; the choices stand in this order. */
enum datasource_dialect { DATASOURCE_PROMETHEUS, DATASOURCE_METRICSQL };

struct datasource_common {
    struct str type;
    int dialect; /* enum datasource_dialect */
    int64_t query_timeout_ns;
    bool is_cluster; /* takes tenants; a row of the kinds that can be one */
};

extern const char *const datasource_dialects[];

/* Offsets are the same in every kind's config, since struct datasource_common comes first. */
#define DATASOURCE_COMMON_ROWS                                                                \
    {.name = "type",                                                                          \
     .type = OPTION_TEXT,                                                                     \
     .offset = offsetof(struct datasource_common, type),                                      \
     .fallback = "prometheus",                                                                \
     .help = "The kind of datasource."},                                                      \
        {.name = "dialect",                                                                   \
         .type = OPTION_ENUM,                                                                 \
         .offset = offsetof(struct datasource_common, dialect),                               \
         .fallback = "prometheus",                                                            \
         .choices = datasource_dialects,                                                      \
         .help = "What rules are written in: `prometheus`, or `metricsql` when a store such " \
                 "as VictoriaMetrics answers."},                                              \
    {                                                                                         \
        .name = "query_timeout", .type = OPTION_DURATION,                                     \
        .offset = offsetof(struct datasource_common, query_timeout_ns), .fallback = "30s",    \
        .min = 0.001, .max = 3600, .unit = "s",                                               \
        .help = "Time for one query of a rule, waiting for its turn included."                \
    }

#endif
