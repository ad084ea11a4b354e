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

struct exporter_retry {
    struct backoff_config backoff;
    int64_t max_retries; /* 0: no limit but age */
    int64_t max_age_ns;
};

struct exporter_buffer {
    int fsync; /* enum fsync_policy, for samples; alerts are always synced */
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
