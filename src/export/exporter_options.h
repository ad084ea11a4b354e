/*
 * exporter_options.h - the options that every exporter has, whatever its kind.
 *
 * A kind's config struct begins with struct exporter_common, and its table with
 * EXPORTER_COMMON_ROWS, so that names, defaults and help are the same everywhere.
 *
 * Ownership: texts live in the graph's arena. Threads: read-only after parsing. Limits: in the
 * rows.
 */
#ifndef TELEX_EXPORT_EXPORTER_OPTIONS_H
#define TELEX_EXPORT_EXPORTER_OPTIONS_H

#include "base/options.h"
#include "export/backoff.h"

enum fsync_policy { FSYNC_ALWAYS, FSYNC_INTERVAL, FSYNC_NEVER };

enum overflow_policy { OVERFLOW_BLOCK, OVERFLOW_DROP_OLDEST, OVERFLOW_DROP_NEWEST };

struct exporter_retry {
    struct backoff_config backoff;
    int64_t max_retries; /* 0: no limit but age */
    int64_t max_age_ns;
    struct option_ints retry_on_status_codes; /* none: the exporter's own table decides */
};

/* How records are held and sent together. The defaults of an exporter's own `buffer:` send at once;
 * those of the combinator collect. */
struct exporter_buffer {
    int fsync;                 /* enum fsync_policy, for samples; alerts are always synced */
    int64_t buffer_size;       /* records that are sent together */
    int64_t flush_interval_ns; /* how long samples wait for company; 0: not at all */
    bool flush_on_shutdown;
    int64_t max_memory_bytes; /* of records collected: more are sent at once */
    int overflow;             /* enum overflow_policy, when max_disk_bytes are owed */
    int64_t max_disk_bytes;   /* 0: no quota of its own */
    bool adaptive_flushing;
    int64_t min_flush_interval_ns;
    int64_t max_flush_interval_ns;
    bool compress_buffer;
    int64_t compression_threshold; /* records */
    int64_t lanes;                 /* threads that deliver side by side, a series always in one */
};

struct exporter_breaker {
    int64_t failure_threshold; /* calls that failed in a row; 0: no breaker */
    int64_t recovery_timeout_ns;
    int64_t half_open_max_calls;
};

struct exporter_health {
    int64_t interval_ns; /* between probes; 0: none */
    int64_t unhealthy_threshold;
};

struct exporter_common {
    struct str type;
    struct option_map labels; /* added to every record, where it has none of that name */
    struct exporter_retry retry;
    struct exporter_buffer buffer;
};

extern const struct option_table exporter_retry_options;
extern const struct option_table exporter_buffer_options;
extern const char *const exporter_alias_retry[];

/* Offsets are the same in every kind's config, since struct exporter_common comes first. */
#define EXPORTER_COMMON_ROWS                                                                   \
    {.name = "type",                                                                           \
     .type = OPTION_TEXT,                                                                      \
     .flags = OPTION_REQUIRED,                                                                 \
     .offset = offsetof(struct exporter_common, type),                                         \
     .help = "The kind of exporter."},                                                         \
        {.name = "labels",                                                                     \
         .type = OPTION_MAP,                                                                   \
         .offset = offsetof(struct exporter_common, labels),                                   \
         .help = "Labels added to every record that has none of that name."},                  \
        {.name = "retry",                                                                      \
         .aliases = exporter_alias_retry,                                                      \
         .type = OPTION_TABLE,                                                                 \
         .offset = offsetof(struct exporter_common, retry),                                    \
         .table = &exporter_retry_options,                                                     \
         .help = "What happens when the destination does not take a record now."},             \
    {                                                                                          \
        .name = "buffer", .type = OPTION_TABLE,                                                \
        .offset = offsetof(struct exporter_common, buffer), .table = &exporter_buffer_options, \
        .help = "How records are held until they are delivered."                               \
    }

#endif
