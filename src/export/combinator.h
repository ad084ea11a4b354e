/*
 * combinator.h - exporters around exporters: their options, for the registry and the compiler.
 *
 * A combinator's config struct begins with struct combinator_common, and its table with
 * COMBINATOR_COMMON_ROW and COMBINATOR_CHILD_ROW (or COMBINATOR_CHILDREN_ROW). A child is the name of
 * another exporter, or an exporter written on the spot: { type: ... }. The compiler (compile.h) reads
 * the children; a combinator that works below the log sees only the sinks that became of them.
 *
 * Ownership: texts and nodes live in the graph's arena. Threads: read-only after parsing. Limits:
 * EXPORTER_CHILDREN_MAX children.
 */
#ifndef TELEX_EXPORT_COMBINATOR_H
#define TELEX_EXPORT_COMBINATOR_H

#include "base/options.h"
#include "base/yaml.h"
#include "export/exporter.h"
#include "export/exporter_options.h"

struct combinator_common {
    struct str type;
    const struct yaml_node *child;    /* a name or a mapping; NULL: none is written */
    const struct yaml_node *children; /* a list or a mapping of them */
};

extern const char *const combinator_alias_child[];

#define COMBINATOR_COMMON_ROW                                                               \
    {                                                                                       \
        .name = "type", .type = OPTION_TEXT, .flags = OPTION_REQUIRED,                      \
        .offset = offsetof(struct combinator_common, type), .help = "The kind of exporter." \
    }

#define COMBINATOR_CHILD_ROW                                                               \
    {                                                                                      \
        .name = "exporter", .aliases = combinator_alias_child, .type = OPTION_NODE,        \
        .flags = OPTION_REQUIRED, .offset = offsetof(struct combinator_common, child),     \
        .help = "What it stands around: the name of an exporter, or one: `{ type: ... }`." \
    }

#define COMBINATOR_CHILDREN_ROW                                                             \
    {                                                                                       \
        .name = "exporters", .type = OPTION_NODE, .flags = OPTION_REQUIRED,                 \
        .offset = offsetof(struct combinator_common, children),                             \
        .help = "What it stands around: names of exporters, or exporters: `{ type: ... }`." \
    }

struct buffer_config {
    struct combinator_common common;
    struct exporter_buffer buffer;
};

struct resilient_config {
    struct combinator_common common;
    struct exporter_retry retry;
    struct exporter_breaker breaker;
    struct exporter_health health;
    struct exporter_dead_letters dead;
    const struct yaml_node *fallback_exporter;
    int fallback_mode; /* enum fallback_mode */
    const struct yaml_node *dlq_exporter;
};

enum multi_strategy { MULTI_PARALLEL, MULTI_SEQUENTIAL, MULTI_FAILOVER, MULTI_STRATEGIES };

enum multi_failure_policy { MULTI_CONTINUE, MULTI_STOP };

struct multi_config {
    struct combinator_common common;
    int strategy;              /* enum multi_strategy */
    int failure_policy;        /* enum multi_failure_policy */
    int64_t min_success_count; /* children that must have a record before it counts as delivered */
    int64_t max_concurrent_exports;
    int64_t export_timeout_ns; /* of a child's call */
};

enum conditional_match { CONDITIONAL_ALL, CONDITIONAL_FIRST };

struct conditional_config {
    struct combinator_common common;
    const struct yaml_node *conditions;
    int match; /* enum conditional_match */
    const struct yaml_node *otherwise;
};

/* What a monitor measures. */
struct monitor_tracks {
    bool export_latency;
    bool export_size;
    bool success_rate;
    bool error_types;
};

/* What is no longer normal. */
struct monitor_thresholds {
    double export_latency_p95_ms; /* above */
    double success_rate_percent;  /* below */
    int64_t queue_depth;          /* above: batches held */
};

struct monitor_config {
    struct combinator_common common;
    struct monitor_tracks beside; /* what both say is measured */
    struct monitor_tracks nested; /* below monitor_config */
    struct monitor_thresholds thresholds;
    const struct yaml_node *self_metrics_exporter;
    int64_t self_metrics_interval_ns;
};

/* multi as a stage, by strategy; NULL where it is none. */
extern const struct exporter_kind *const multi_stages[MULTI_STRATEGIES];

#endif
