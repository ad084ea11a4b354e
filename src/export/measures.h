/*
 * measures.h - what profiles measured, as samples: one mapping from fields to metrics for all backends.
 *
 * Each number of a profile is a sample at the profile's time with the profile's labels, by names that
 * the destination takes (`label_names`). What it is called,
 * its type, help and unit are what `metrics_mapping` (by field) and `custom_metrics` (by any name, with
 * `source_field`) say; a field that neither names is called `metric_prefix` and its own name. Flags are 0
 * and 1; texts are no samples. A profile's own name becomes the label `profile`.
 *
 *   measure_sink_open() puts this around the sink of an exporter that knows samples only; such a kind
 *   takes RECORD_PROFILE, has MEASURE_ROWS among its options and calls measures_check() in its check.
 *
 * Ownership: measures own what they were made of, texts are the config's; a sink owns the one inside.
 * Threads: measures are immutable; the sink is a lane's. Limits: MEASURES_MAX entries.
 */
#ifndef TELEX_EXPORT_MEASURES_H
#define TELEX_EXPORT_MEASURES_H

#include "base/options.h"
#include "export/sink.h"
#include "model/batch.h"

struct exporter_place;
struct http_exporter;

enum { MEASURES_MAX = 1000 };

/* What of an exporter's config says how fields become metrics. */
struct measure_options {
    const struct yaml_node *metrics_mapping; /* or NULL */
    const struct yaml_node *custom_metrics;  /* or NULL */
    struct str metric_prefix;
    bool only_mapped;
    int label_names;        /* enum measure_names */
    bool has_distributions; /* set by a kind that takes metrics of that type */
};

/* The choices of `label_names` stand in this order. */
enum measure_names { MEASURE_NAMES_ANY, MEASURE_NAMES_LEGACY };

extern const char *const measure_names[];

/* The rows of a struct measure_options at offset BASE of a config; NAMES is what label_names are by default. */
#define MEASURE_ROWS(BASE, PREFIX, NAMES) \
    MEASURE_ROWS_WITH(BASE, PREFIX, NAMES, "`gauge`, `counter` or `rate`")

/* The same for a kind whose metrics have the TYPES. */
#define MEASURE_ROWS_WITH(BASE, PREFIX, NAMES, TYPES)                                             \
    {.name = "metrics_mapping",                                                                   \
     .type = OPTION_NODE,                                                                         \
     .offset = (BASE) + offsetof(struct measure_options, metrics_mapping),                        \
     .help = "What fields of profiles are called here: `FIELD: NAME`, or `FIELD: {name, type, "   \
             "help, unit}` with the type " TYPES "."},                                            \
        {.name = "custom_metrics",                                                                \
         .type = OPTION_NODE,                                                                     \
         .offset = (BASE) + offsetof(struct measure_options, custom_metrics),                     \
         .help = "The same from the other side: `ANY_NAME: {metric_name, metric_type, "           \
                 "source_field, help, unit}`; one field can make several metrics."},              \
        {.name = "metric_prefix",                                                                 \
         .type = OPTION_TEXT,                                                                     \
         .offset = (BASE) + offsetof(struct measure_options, metric_prefix),                      \
         .fallback = (PREFIX),                                                                    \
         .help = "What stands before the name of a field that neither mapping names."},           \
        {.name = "label_names",                                                                   \
         .type = OPTION_ENUM,                                                                     \
         .flags = OPTION_ADVANCED,                                                                \
         .offset = (BASE) + offsetof(struct measure_options, label_names),                        \
         .choices = measure_names,                                                                \
         .fallback = (NAMES),                                                                     \
         .help =                                                                                  \
             "Names of the labels of profiles: `any` are sent as they are, `legacy` have `_` in " \
             "the place of what Prometheus's names do not have, `service_name` for "              \
             "`service.name`."},                                                                  \
    {                                                                                             \
        .name = "only_mapped", .type = OPTION_BOOL,                                               \
        .offset = (BASE) + offsetof(struct measure_options, only_mapped), .fallback = "false",    \
        .help = "Leave out the fields of profiles that neither mapping names.",                   \
    }

struct measures;

/* Errors point at the entry that makes no sense. */
MUST_USE bool measures_compile(const struct measure_options *options,
                               struct measures **ret_measures, struct err *e);
void measures_free(struct measures *m);

/* For a kind's check(). */
MUST_USE bool measures_check(const struct measure_options *options, struct err *e);

/*
 * The samples of a view of profiles. Those of row i of the view are ret_first[i]..ret_first[i + 1] - 1;
 * the array, of view.n + 1, is the caller's to mem_free(). Fails when the rows do not decode.
 */
MUST_USE bool measures_make(const struct measures *m, struct view view, struct batch **ret_samples,
                            uint32_t **ret_first, struct err *e);

/* Puts the mapping around <*sink>, which is from then on the inner one; on failure it is unchanged. */
MUST_USE bool measure_sink_open(const struct measure_options *options, struct sink **sink,
                                struct err *e);

/* A leaf over HTTP (http_sink.h) with the mapping around it. */
MUST_USE bool measure_http_open(const struct http_exporter *exporter,
                                const struct exporter_place *place, const void *config,
                                const struct measure_options *options, struct sink **ret_sink,
                                struct err *e);

#endif
