/* Tries, breaker, fallback, dead letters and health: options of the consumer that stands above. */
#include "export/combinator.h"
#include "export/delivery.h"
#include "export/exporters/exporters.h"
#include "export/stages/insist.h"

static const char *const alias_health[] = {"health_check_interval_seconds", NULL};
static const char *const modes[] = {"hold", "divert", "copy", NULL};

static const struct option breaker_rows[] = {EXPORTER_BREAKER_ROWS("5")};

static const struct option_table breaker_options = {
    .name = "circuit_breaker",
    .help = "Lets a destination in trouble rest.",
    .options = breaker_rows,
    .count = ARRAY_LEN(breaker_rows),
    .config_size = sizeof(struct exporter_breaker),
};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    {.name = "retry",
     .aliases = exporter_alias_retry,
     .type = OPTION_TABLE,
     .offset = offsetof(struct resilient_config, retry),
     .table = &exporter_retry_options,
     .help = "What happens when the destination does not take a record now; absent: as the "
             "exporter itself says."},
    {.name = "circuit_breaker",
     .type = OPTION_TABLE,
     .offset = offsetof(struct resilient_config, breaker),
     .table = &breaker_options,
     .help = "When no calls are made for a while. An open breaker spends neither tries nor age."},
    {.name = "fallback_exporter",
     .type = OPTION_NODE,
     .offset = offsetof(struct resilient_config, fallback_exporter),
     .help = "Who is called when tries are used up, and while the breaker is open: the name of an "
             "exporter, or one. It must take alerts and samples where the other does; profiles and "
             "spans that it does not take stay with the other."},
    {.name = "fallback_mode",
     .type = OPTION_ENUM,
     .offset = offsetof(struct resilient_config, fallback_mode),
     .fallback = "divert",
     .choices = modes,
     .help = "`divert`: what the fallback has is done; `copy`: the first destination is still owed "
             "it; `hold`: done as well, but it is called only when tries are used up: while the "
             "breaker is open records wait."},
    {.name = "dlq_exporter",
     .type = OPTION_NODE,
     .offset = offsetof(struct resilient_config, dlq_exporter),
     .help = "Who else gets dead letters, beside the folder that keeps them: the name of an "
             "exporter, or one."},
    {.name = "dead_letters",
     .type = OPTION_TABLE,
     .offset = offsetof(struct resilient_config, dead),
     .table = &exporter_dead_letter_options,
     .help =
         "How much of what can never be delivered is kept; absent: as the exporter itself says."},
    {.name = "health_check_interval",
     .aliases = alias_health,
     .type = OPTION_DURATION,
     .offset = offsetof(struct resilient_config, health.interval_ns),
     .fallback = "30s",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "Time between two questions whether the destination is there; 0: none."},
    {.name = "unhealthy_threshold_failures",
     .type = OPTION_INT,
     .offset = offsetof(struct resilient_config, health.unhealthy_threshold),
     .fallback = "3",
     .min = 1,
     .max = 1e6,
     .help = "Failures in a row after which the exporter is called unhealthy."},
};

static const struct option_table option_table = {
    .name = "exporter resilient",
    .help = "Retries, a circuit breaker, a fallback, dead letters and health checks.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct resilient_config),
};

const struct exporter_kind exporter_resilient = {
    .name = "resilient",
    .help = "Retries, breaks off, falls back, and keeps what cannot be delivered.",
    .example = "type: resilient\nexporter: { type: webhook, url: 'http://127.0.0.1:8080/hook' }\n"
               "circuit_breaker: { failure_threshold: 5, recovery_timeout_seconds: 60 }\n"
               "fallback_exporter: { type: file, output_directory: out }\n",
    .combinator = COMBINATOR_RESILIENT,
    .options = &option_table,
    .stage = &stage_insist, /* below failover and sequential */
};
