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

enum { EXPORTER_LANES_MAX = 16 };

/* The other spelling of drop_oldest; AUTO: not written. */
enum drop_oldest { DROP_OLDEST_AUTO, DROP_OLDEST_TRUE, DROP_OLDEST_FALSE };

struct exporter_retry {
    struct backoff_config backoff;
    int64_t max_retries; /* 0: no limit but age */
    int64_t max_age_ns;
    struct option_ints retry_on_status_codes; /* none: the exporter's own table decides */
};

/* How records are held and sent together. The defaults of an exporter's own `buffer:` send at once;
 * those of the combinator collect. */
struct exporter_buffer {
    int fsync;           /* enum fsync_policy, for samples; alerts are always synced */
    int64_t buffer_size; /* records that are sent together */
    int64_t
        together_max; /* where so many are there already: a kind's, see TABLE_BATCH_ROWS; 0: no more */
    int64_t flush_interval_ns; /* how long samples wait for company; 0: not at all */
    bool flush_on_shutdown;
    int64_t max_memory_bytes; /* of records collected: more are sent at once */
    int overflow; /* enum overflow_policy, when max_disk_bytes are owed; see exporter_overflow() */
    int drop_oldest_on_overflow; /* enum drop_oldest */
    int64_t max_disk_bytes;      /* 0: no quota of its own */
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

/* For who debugs an exporter (debug.h). */
struct exporter_debug {
    bool trace_exports;
    bool log_payloads;
    bool measure_performance;
    bool validate_schemas;
    bool refuse_invalid;
};

enum dead_letters_overflow { DEAD_LETTERS_DROP_OLDEST, DEAD_LETTERS_BLOCK };

/* What becomes of a record that the destination will never take, or did not in all its tries. */
enum refused_policy { REFUSED_KEEP, REFUSED_HALT, REFUSED_DROP };

struct exporter_dead_letters {
    int64_t max_disk_bytes; /* 0: as many as the disk holds */
    int64_t max_age_ns;     /* 0: for ever */
    int overflow;           /* enum dead_letters_overflow */
    int on_refused;         /* enum refused_policy */
};

struct exporter_common {
    struct str type;
    struct option_map labels; /* added to every record, where it has none of that name */
    struct exporter_retry retry;
    struct exporter_buffer buffer;
    struct exporter_breaker breaker;
    struct exporter_health health;
    struct exporter_debug debug;
    struct exporter_dead_letters dead;
};

extern const struct option_table exporter_retry_options;
extern const struct option_table exporter_buffer_options;
extern const struct option_table exporter_breaker_options;
extern const struct option_table exporter_health_options;
extern const struct option_table exporter_dead_letter_options;
extern const struct option_table exporter_debug_options;
extern const char *const exporter_alias_recovery[];
extern const char *const exporter_alias_retry[];
extern const char *const exporter_jitters[];
extern const char *const exporter_fsyncs[];
extern const char *const exporter_overflows[];
extern const char *const exporter_drop_oldest[];
extern const char *const exporter_alias_flush_interval[];
extern const char *const exporter_alias_min_flush[];
extern const char *const exporter_alias_max_flush[];
extern const char *const exporter_alias_max_memory[];
extern const char *const exporter_alias_max_disk[];

/* What happens when max_disk_bytes are owed, however it is written. */
enum overflow_policy exporter_overflow(const struct exporter_buffer *buffer);

/* The rows of a struct exporter_buffer at offset BASE of a config; exporters and the combinator
 * differ in what they fall back to. */
#define EXPORTER_BUFFER_ROWS(BASE, SIZE, INTERVAL, MEMORY, OVERFLOW, ADAPTIVE)                     \
    {.name = "buffer_size",                                                                        \
     .type = OPTION_INT,                                                                           \
     .offset = (BASE) + offsetof(struct exporter_buffer, buffer_size),                             \
     .fallback = (SIZE),                                                                           \
     .min = 1,                                                                                     \
     .max = 1e6,                                                                                   \
     .help = "Records that are sent together at most."},                                           \
        {.name = "flush_interval",                                                                 \
         .aliases = exporter_alias_flush_interval,                                                 \
         .type = OPTION_DURATION,                                                                  \
         .offset = (BASE) + offsetof(struct exporter_buffer, flush_interval_ns),                   \
         .fallback = (INTERVAL),                                                                   \
         .min = 0,                                                                                 \
         .max = 3600,                                                                              \
         .unit = "s",                                                                              \
         .help = "How long samples wait for company; 0: only what waits anyway is sent together. " \
                 "Alerts and events never wait."},                                                 \
        {.name = "flush_on_shutdown",                                                              \
         .type = OPTION_BOOL,                                                                      \
         .offset = (BASE) + offsetof(struct exporter_buffer, flush_on_shutdown),                   \
         .fallback = "true",                                                                       \
         .help =                                                                                   \
             "Deliver what is held before the program ends; otherwise it stays on disk for the "   \
             "next start."},                                                                       \
        {.name = "max_memory_bytes",                                                               \
         .aliases = exporter_alias_max_memory,                                                     \
         .type = OPTION_BYTES,                                                                     \
         .offset = (BASE) + offsetof(struct exporter_buffer, max_memory_bytes),                    \
         .fallback = (MEMORY),                                                                     \
         .min = 1024,                                                                              \
         .max = 1024.0 * 1024 * 1024,                                                              \
         .help = "Bytes of collected records, without compression; beyond it they are sent."},     \
        {.name = "overflow",                                                                       \
         .type = OPTION_ENUM,                                                                      \
         .offset = (BASE) + offsetof(struct exporter_buffer, overflow),                            \
         .fallback = (OVERFLOW),                                                                   \
         .choices = exporter_overflows,                                                            \
         .help =                                                                                   \
             "When `max_disk_bytes` are owed: refuse new records (`block`: rules miss a tick, "    \
             "receivers answer 503), or drop the oldest or the newest ones, counted by reason."},  \
        {.name = "drop_oldest_on_overflow",                                                        \
         .type = OPTION_ENUM,                                                                      \
         .flags = OPTION_HIDDEN,                                                                   \
         .offset = (BASE) + offsetof(struct exporter_buffer, drop_oldest_on_overflow),             \
         .fallback = "auto",                                                                       \
         .choices = exporter_drop_oldest,                                                          \
         .help = "`true` is `overflow: drop_oldest`, `false` makes that `block`; `auto`: as "      \
                 "`overflow` says."},                                                              \
        {.name = "max_disk_bytes",                                                                 \
         .aliases = exporter_alias_max_disk,                                                       \
         .type = OPTION_BYTES,                                                                     \
         .offset = (BASE) + offsetof(struct exporter_buffer, max_disk_bytes),                      \
         .fallback = "0",                                                                          \
         .min = 0,                                                                                 \
         .max = 1e15,                                                                              \
         .help =                                                                                   \
             "Bytes on disk that may be owed to this destination; 0: as many as the disk holds."}, \
        {.name = "adaptive_flushing",                                                              \
         .type = OPTION_BOOL,                                                                      \
         .offset = (BASE) + offsetof(struct exporter_buffer, adaptive_flushing),                   \
         .fallback = (ADAPTIVE),                                                                   \
         .help =                                                                                   \
             "Fit the flush interval to the load: halved when `buffer_size` is reached before "    \
             "the time, a quarter longer when less than half of it came."},                        \
        {.name = "min_flush_interval",                                                             \
         .aliases = exporter_alias_min_flush,                                                      \
         .type = OPTION_DURATION,                                                                  \
         .offset = (BASE) + offsetof(struct exporter_buffer, min_flush_interval_ns),               \
         .fallback = "5s",                                                                         \
         .min = 0.001,                                                                             \
         .max = 3600,                                                                              \
         .unit = "s",                                                                              \
         .help = "Shortest interval that `adaptive_flushing` takes."},                             \
        {.name = "max_flush_interval",                                                             \
         .aliases = exporter_alias_max_flush,                                                      \
         .type = OPTION_DURATION,                                                                  \
         .offset = (BASE) + offsetof(struct exporter_buffer, max_flush_interval_ns),               \
         .fallback = "300s",                                                                       \
         .min = 0.001,                                                                             \
         .max = 86400,                                                                             \
         .unit = "s",                                                                              \
         .help = "Longest interval that `adaptive_flushing` takes."},                              \
        {.name = "compress_buffer",                                                                \
         .type = OPTION_BOOL,                                                                      \
         .offset = (BASE) + offsetof(struct exporter_buffer, compress_buffer),                     \
         .fallback = "true",                                                                       \
         .help = "Keep collected records compressed."},                                            \
        {.name = "compression_threshold",                                                          \
         .type = OPTION_INT,                                                                       \
         .offset = (BASE) + offsetof(struct exporter_buffer, compression_threshold),               \
         .fallback = "100",                                                                        \
         .min = 0,                                                                                 \
         .max = 1e9,                                                                               \
         .help = "Records that may be collected before they are compressed."},                     \
        {.name = "lanes",                                                                          \
         .type = OPTION_INT,                                                                       \
         .offset = (BASE) + offsetof(struct exporter_buffer, lanes),                               \
         .fallback = "1",                                                                          \
         .min = 1,                                                                                 \
         .max = EXPORTER_LANES_MAX,                                                                \
         .help = "Deliveries side by side; records of one series or alert stay in order."},        \
    {                                                                                              \
        .name = "fsync", .type = OPTION_ENUM,                                                      \
        .offset = (BASE) + offsetof(struct exporter_buffer, fsync), .fallback = "interval",        \
        .choices = exporter_fsyncs,                                                                \
        .help = "When samples are synced to disk: before they count as held (`always`), once a "   \
                "second (`interval`), or when the system likes (`never`). Alerts are always "      \
                "synced. The strictest exporter decides for all."                                  \
    }

/* The rows of a circuit breaker; an exporter has none unless it says so, `resilient` has one. */
#define EXPORTER_BREAKER_ROWS(THRESHOLD)                                                     \
    {.name = "failure_threshold",                                                            \
     .type = OPTION_INT,                                                                     \
     .offset = offsetof(struct exporter_breaker, failure_threshold),                         \
     .fallback = (THRESHOLD),                                                                \
     .min = 0,                                                                               \
     .max = 1e6,                                                                             \
     .help = "Calls that fail in a row before the breaker opens; 0: no breaker."},           \
        {.name = "recovery_timeout",                                                         \
         .aliases = exporter_alias_recovery,                                                 \
         .type = OPTION_DURATION,                                                            \
         .offset = offsetof(struct exporter_breaker, recovery_timeout_ns),                   \
         .fallback = "60s",                                                                  \
         .min = 0.001,                                                                       \
         .max = 86400,                                                                       \
         .unit = "s",                                                                        \
         .help = "Time for which an open breaker lets no call through."},                    \
    {                                                                                        \
        .name = "half_open_max_calls", .type = OPTION_INT,                                   \
        .offset = offsetof(struct exporter_breaker, half_open_max_calls), .fallback = "3",   \
        .min = 1, .max = 1e6, .help = "Calls that must succeed after that before it closes." \
    }

/* Offsets are the same in every kind's config, since struct exporter_common comes first. */
#define EXPORTER_COMMON_ROWS EXPORTER_COMMON_ROWS_WITH(exporter_buffer_options)

/* The same with a table of EXPORTER_BUFFER_ROWS of the kind's own. */
#define EXPORTER_COMMON_ROWS_WITH(BUFFER_TABLE)                                            \
    {.name = "type",                                                                       \
     .type = OPTION_TEXT,                                                                  \
     .flags = OPTION_REQUIRED,                                                             \
     .offset = offsetof(struct exporter_common, type),                                     \
     .help = "The kind of exporter."},                                                     \
        {.name = "labels",                                                                 \
         .type = OPTION_MAP,                                                               \
         .offset = offsetof(struct exporter_common, labels),                               \
         .help = "Labels added to every record that has none of that name."},              \
        {.name = "retry",                                                                  \
         .aliases = exporter_alias_retry,                                                  \
         .type = OPTION_TABLE,                                                             \
         .offset = offsetof(struct exporter_common, retry),                                \
         .table = &exporter_retry_options,                                                 \
         .help = "What happens when the destination does not take a record now."},         \
        {.name = "circuit_breaker",                                                        \
         .type = OPTION_TABLE,                                                             \
         .offset = offsetof(struct exporter_common, breaker),                              \
         .table = &exporter_breaker_options,                                               \
         .help = "When no calls are made for a while."},                                   \
        {.name = "health_check",                                                           \
         .type = OPTION_TABLE,                                                             \
         .offset = offsetof(struct exporter_common, health),                               \
         .table = &exporter_health_options,                                                \
         .help = "Whether the destination is there."},                                     \
        {.name = "dead_letters",                                                           \
         .type = OPTION_TABLE,                                                             \
         .offset = offsetof(struct exporter_common, dead),                                 \
         .table = &exporter_dead_letter_options,                                           \
         .help = "How much of what can never be delivered is kept."},                      \
        {.name = "debug",                                                                  \
         .type = OPTION_TABLE,                                                             \
         .flags = OPTION_ADVANCED,                                                         \
         .offset = offsetof(struct exporter_common, debug),                                \
         .table = &exporter_debug_options,                                                 \
         .help = "For who debugs it."},                                                    \
        {.name = "buffer",                                                                 \
         .type = OPTION_TABLE,                                                             \
         .offset = offsetof(struct exporter_common, buffer),                               \
         .table = &(BUFFER_TABLE),                                                         \
         .help = "How records are held until they are delivered."},                        \
    {                                                                                      \
        .name = "flush_interval", .aliases = exporter_alias_flush_interval,                \
        .type = OPTION_DURATION, .flags = OPTION_HIDDEN,                                   \
        .offset = offsetof(struct exporter_common, buffer.flush_interval_ns), .max = 3600, \
        .unit = "s", .help = "The same as `buffer.flush_interval`, and goes before it."    \
    }

#endif
