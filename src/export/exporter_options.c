#include "export/exporter_options.h"

const char *const exporter_alias_retry[] = {"retry_config", NULL};

const char *const exporter_jitters[] = {"full", "fraction", "false", "true", NULL};
static const char *const strategies[] = {"exponential", "linear", "constant", NULL};
static const char *const alias_initial[] = {"initial_delay_seconds", NULL};
static const char *const alias_max[] = {"max_delay_seconds", "max_backoff_seconds", NULL};
static const char *const alias_multiplier[] = {"backoff_multiplier", NULL};
static const char *const alias_max_age[] = {"max_elapsed_time", "max_age_seconds", NULL};

const char *const exporter_fsyncs[] = {"always", "interval", "never", NULL};
const char *const exporter_overflows[] = {"block", "drop_oldest", "drop_newest", NULL};
const char *const exporter_drop_oldest[] = {"auto", "true", "false", NULL};
const char *const exporter_alias_flush_interval[] = {"flush_interval_seconds", NULL};
const char *const exporter_alias_min_flush[] = {"min_flush_interval_seconds", NULL};
const char *const exporter_alias_max_flush[] = {"max_flush_interval_seconds", NULL};
const char *const exporter_alias_max_memory[] = {"max_memory_usage_mb", NULL};
const char *const exporter_alias_max_disk[] = {"max_disk_usage_mb", NULL};

static const struct option retry_rows[] = {
    {.name = "initial_delay",
     .aliases = alias_initial,
     .type = OPTION_DURATION,
     .offset = offsetof(struct exporter_retry, backoff.initial_delay_ns),
     .fallback = "1s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "Delay before the first retry."},
    {.name = "max_delay",
     .aliases = alias_max,
     .type = OPTION_DURATION,
     .offset = offsetof(struct exporter_retry, backoff.max_delay_ns),
     .fallback = "60s",
     .min = 0.001,
     .max = 86400,
     .unit = "s",
     .help = "Longest delay between two tries."},
    {.name = "multiplier",
     .aliases = alias_multiplier,
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct exporter_retry, backoff.multiplier),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .help = "Each delay is this many times the one before."},
    {.name = "jitter",
     .type = OPTION_ENUM,
     .offset = offsetof(struct exporter_retry, backoff.jitter),
     .fallback = "fraction",
     .choices = exporter_jitters,
     .help =
         "`full` picks between 0 and the delay, `fraction` between half of it and all of it, `false` takes it "
         "as it is; `true` is `full`."},
    {.name = "backoff_strategy",
     .type = OPTION_ENUM,
     .offset = offsetof(struct exporter_retry, backoff.strategy),
     .fallback = "exponential",
     .choices = strategies,
     .help = "How delays grow: by `multiplier` each time, by the first delay each time, or not."},
    {.name = "retry_on_status_codes",
     .type = OPTION_INT_LIST,
     .offset = offsetof(struct exporter_retry, retry_on_status_codes),
     .min = 100,
     .max = 599,
     .help = "HTTP statuses that are worth another try, in place of what the exporter knows of its "
             "destination; 401 and 403 always wait to be mended."},
    {.name = "max_retries",
     .type = OPTION_INT,
     .offset = offsetof(struct exporter_retry, max_retries),
     .fallback = "0",
     .min = 0,
     .max = 1e6,
     .help =
         "Tries after the first one, then the record becomes a dead letter; 0: only its age ends it."},
    {.name = "max_age",
     .aliases = alias_max_age,
     .type = OPTION_DURATION,
     .offset = offsetof(struct exporter_retry, max_age_ns),
     .fallback = "7d",
     .min = 1,
     .max = 10 * 365 * 86400.0,
     .unit = "s",
     .help = "A record held for this long becomes a dead letter."},
};

const struct option_table exporter_retry_options = {
    .name = "retry",
    .help = "Delays between tries, and when to give up.",
    .options = retry_rows,
    .count = ARRAY_LEN(retry_rows),
    .config_size = sizeof(struct exporter_retry),
};

/* An exporter's own: whatever waits is sent together, and nothing waits for company. */
static const struct option buffer_rows[] = {
    EXPORTER_BUFFER_ROWS(0, "10000", "0s", "8MB", "block", "false"),
};

const struct option_table exporter_buffer_options = {
    .name = "buffer",
    .help = "How records are held until they are delivered.",
    .options = buffer_rows,
    .count = ARRAY_LEN(buffer_rows),
    .config_size = sizeof(struct exporter_buffer),
};

enum overflow_policy exporter_overflow(const struct exporter_buffer *buffer)
{
    if (buffer->drop_oldest_on_overflow == DROP_OLDEST_TRUE) {
        return OVERFLOW_DROP_OLDEST;
    }
    if (buffer->drop_oldest_on_overflow == DROP_OLDEST_FALSE &&
        buffer->overflow == OVERFLOW_DROP_OLDEST) {
        return OVERFLOW_BLOCK;
    }
    return (enum overflow_policy)buffer->overflow;
}

const char *const exporter_alias_recovery[] = {"recovery_timeout_seconds", NULL};
static const char *const alias_health[] = {"health_check_interval_seconds", "interval_seconds",
                                           NULL};
static const char *const alias_unhealthy[] = {"unhealthy_threshold_failures", NULL};

static const struct option breaker_rows[] = {EXPORTER_BREAKER_ROWS("0")};

const struct option_table exporter_breaker_options = {
    .name = "circuit_breaker",
    .help = "Lets a destination in trouble rest.",
    .options = breaker_rows,
    .count = ARRAY_LEN(breaker_rows),
    .config_size = sizeof(struct exporter_breaker),
};

static const struct option health_rows[] = {
    {.name = "interval",
     .aliases = alias_health,
     .type = OPTION_DURATION,
     .offset = offsetof(struct exporter_health, interval_ns),
     .fallback = "30s",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help =
         "Time between two questions whether the destination is there, where there is something "
         "safe to ask; 0: none."},
    {.name = "unhealthy_threshold",
     .aliases = alias_unhealthy,
     .type = OPTION_INT,
     .offset = offsetof(struct exporter_health, unhealthy_threshold),
     .fallback = "3",
     .min = 1,
     .max = 1e6,
     .help = "Calls or questions that fail in a row before the exporter is called unhealthy."},
};

const struct option_table exporter_health_options = {
    .name = "health_check",
    .help = "Whether the destination is there.",
    .options = health_rows,
    .count = ARRAY_LEN(health_rows),
    .config_size = sizeof(struct exporter_health),
};

static const struct option debug_rows[] = {
    {.name = "trace_exports",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_debug, trace_exports),
     .fallback = "false",
     .help = "A line in the log for each call: records, what became of them, status, bytes, time."},
    {.name = "log_payloads",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_debug, log_payloads),
     .fallback = "false",
     .help =
         "The first 20 records of each call in the log, cut at 8 KiB. Values that are named like a secret are "
         "left out; what else may be private is not."},
    {.name = "measure_performance",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_debug, measure_performance),
     .fallback = "false",
     .help = "Count the time of encoding, compressing, sending and judging answers: "
             "`telex_exporter_stage_seconds_total`, and `performance` in the API."},
    {.name = "validate_schemas",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_debug, validate_schemas),
     .fallback = "false",
     .help =
         "Decode each request before it is sent and compare it with its records; what differs is "
         "counted (`telex_exporter_schema_errors_total`) and logged."},
    {.name = "refuse_invalid",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_debug, refuse_invalid),
     .fallback = "false",
     .help = "With `validate_schemas`: what differs is not sent, its records become dead letters."},
};

const struct option_table exporter_debug_options = {
    .name = "debug",
    .help = "For who debugs it.",
    .options = debug_rows,
    .count = ARRAY_LEN(debug_rows),
    .config_size = sizeof(struct exporter_debug),
};

static const char *const alias_dead_age[] = {"max_age_seconds", NULL};
static const char *const dead_overflows[] = {"drop_oldest", "block", NULL};

/* As enum refused_policy. */
static const char *const refused_policies[] = {"dead_letter", "halt", "drop", NULL};

static const struct option dead_letter_rows[] = {
    {.name = "max_disk_bytes",
     .aliases = exporter_alias_max_disk,
     .type = OPTION_BYTES,
     .offset = offsetof(struct exporter_dead_letters, max_disk_bytes),
     .fallback = "1GB",
     .min = 0,
     .max = 1e15,
     .help = "Bytes of dead letters that are kept on disk; 0: as many as the disk holds."},
    {.name = "max_age",
     .aliases = alias_dead_age,
     .type = OPTION_DURATION,
     .offset = offsetof(struct exporter_dead_letters, max_age_ns),
     .fallback = "0s",
     .min = 0,
     .max = 10 * 365 * 86400.0,
     .unit = "s",
     .help = "Letters older than this are dropped when another one comes; 0: none is too old."},
    {.name = "overflow",
     .type = OPTION_ENUM,
     .offset = offsetof(struct exporter_dead_letters, overflow),
     .fallback = "drop_oldest",
     .choices = dead_overflows,
     .help =
         "When `max_disk_bytes` are kept: drop the oldest letters, counted by reason, or "
         "`block`: the exporter waits until letters are replayed or dropped. The disk has the room of one that left "
         "only when all older ones have: at most twice the bytes then."},
    {.name = "on_refused",
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct exporter_dead_letters, on_refused),
     .fallback = "dead_letter",
     .choices = refused_policies,
     .help =
         "What becomes of a record that the destination refuses for good, or did not take in `max_retries` "
         "or `max_age`: a dead letter; or `halt`: nothing behind it is delivered (over HTTP; elsewhere nothing behind "
         "its batch), and it is tried again every 30 s until somebody mends what is wrong; or `drop`: it is counted and lost."},
};

const struct option_table exporter_dead_letter_options = {
    .name = "dead_letters",
    .help = "How much of what can never be delivered is kept.",
    .options = dead_letter_rows,
    .count = ARRAY_LEN(dead_letter_rows),
    .config_size = sizeof(struct exporter_dead_letters),
};
