/* The options of a stream. */
#include "events/stream_config.h"

#include "export/exporter_options.h"

static const char *const alias_max_age[] = {"maxAge", NULL};
static const char *const alias_max_events[] = {"maxEvents", NULL};
static const char *const alias_batch_size[] = {"batchSize", NULL};
static const char *const alias_rate_limit[] = {"rateLimit", NULL};
static const char *const alias_failure[] = {"failureHandling", NULL};
static const char *const alias_secret[] = {"oidcSecretName", NULL};
static const char *const alias_match[] = {"filter", NULL};

#define BACKFILL_AT(member) offsetof(struct stream_backfill, member)

static const struct option backfill_rows[] = {
    {.name = "enabled",
     .type = OPTION_BOOL,
     .offset = BACKFILL_AT(enabled),
     .fallback = "false",
     .help = "When the stream starts for the first time, deliver what was there before too."},
    {.name = "max_age",
     .aliases = alias_max_age,
     .type = OPTION_DURATION,
     .offset = BACKFILL_AT(max_age_ns),
     .fallback = "720h",
     .min = 0,
     .max = 100 * 366 * 86400.0,
     .unit = "s",
     .help = "Older changes are left out; 0: none is too old."},
    {.name = "max_events",
     .aliases = alias_max_events,
     .type = OPTION_INT,
     .offset = BACKFILL_AT(max_events),
     .fallback = "1000000",
     .min = 0,
     .max = 1e15,
     .help = "Of the rest, the newest so many, oldest first; 0: all."},
    {.name = "batch_size",
     .aliases = alias_batch_size,
     .type = OPTION_INT,
     .offset = BACKFILL_AT(batch_size),
     .fallback = "500",
     .min = 1,
     .max = 100000,
     .help = "Changes that are read at once."},
    {.name = "rate_limit",
     .aliases = alias_rate_limit,
     .type = OPTION_DOUBLE,
     .offset = BACKFILL_AT(rate_limit),
     .fallback = "1000",
     .min = 0,
     .max = 1e9,
     .help =
         "Changes a second; 0: as fast as it goes. The stream itself goes first and is not limited."},
};

static const struct option_table backfill_table = {
    .name = "backfill",
    .help = "What was there before the stream started for the first time.",
    .options = backfill_rows,
    .count = ARRAY_LEN(backfill_rows),
    .config_size = sizeof(struct stream_backfill),
};

static const char *const alias_max_retries[] = {"maxRetries", NULL};
static const char *const alias_initial_backoff[] = {"initialBackoff", NULL};
static const char *const alias_max_backoff[] = {"maxBackoff", NULL};
static const char *const alias_multiplier[] = {"backoffMultiplier", NULL};
static const char *const policies[] = {"dead_letter", "halt", "drop", NULL};
_Static_assert(REFUSED_KEEP == 0 && REFUSED_HALT == 1 && REFUSED_DROP == 2,
               "the choices stand in the order of the enum");

#define FAILURE_AT(member) offsetof(struct stream_failure, member)

/* The bounds are those of an exporter's `retry`. */
static const struct option failure_rows[] = {
    {.name = "max_retries",
     .aliases = alias_max_retries,
     .type = OPTION_INT,
     .offset = FAILURE_AT(max_retries),
     .fallback = "17",
     .min = 0,
     .max = 1e6,
     .help = "Tries after the first one; 0: only the age ends them."},
    {.name = "initial_backoff",
     .aliases = alias_initial_backoff,
     .type = OPTION_DURATION,
     .offset = FAILURE_AT(initial_backoff_ns),
     .fallback = "1s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "The wait before the second try."},
    {.name = "max_backoff",
     .aliases = alias_max_backoff,
     .type = OPTION_DURATION,
     .offset = FAILURE_AT(max_backoff_ns),
     .fallback = "5m",
     .min = 0.001,
     .max = 86400,
     .unit = "s",
     .help = "The longest wait."},
    {.name = "backoff_multiplier",
     .aliases = alias_multiplier,
     .type = OPTION_DOUBLE,
     .offset = FAILURE_AT(backoff_multiplier),
     .fallback = "2",
     .min = 1,
     .max = 100,
     .help = "Each wait is this many times the one before."},
    {.name = "jitter",
     .type = OPTION_ENUM,
     .offset = FAILURE_AT(jitter),
     .fallback = "fraction",
     .choices = exporter_jitters,
     .help = "`full` picks between 0 and the wait, `fraction` between half of it and all of it, "
             "`false` takes it as it is; `true` is `full`."},
    {.name = "max_age",
     .aliases = alias_max_age,
     .type = OPTION_DURATION,
     .offset = FAILURE_AT(max_age_ns),
     .fallback = "7d",
     .min = 1,
     .max = 10 * 365 * 86400.0,
     .unit = "s",
     .help = "An event that is tried for this long is tried no more."},
    {.name = "policy",
     .type = OPTION_ENUM,
     .offset = FAILURE_AT(policy),
     .fallback = "dead_letter",
     .choices = policies,
     .help = "What an event becomes that the sink refuses or that used up its tries, and what "
             "cannot be read: `dead_letter` (on disk, with the reason), `halt` (nothing behind it "
             "is delivered until somebody decides) or `drop` (counted and lost)."},
};

static const struct option_table failure_table = {
    .name = "failure_handling",
    .help = "What becomes of what the sink does not take.",
    .options = failure_rows,
    .count = ARRAY_LEN(failure_rows),
    .config_size = sizeof(struct stream_failure),
};

#define AT(member) offsetof(struct stream_options, member)

static const struct option rows[] = {
    {.name = "enabled",
     .type = OPTION_BOOL,
     .offset = AT(enabled),
     .fallback = "true",
     .help = "Run the stream. What it knows of its position stays when it does not run."},
    {.name = "source",
     .type = OPTION_NODE,
     .offset = AT(source),
     .help =
         "Where the changes are: `{ type: KIND, ... }`, see the kinds below; without it Telex's own table of "
         "events."},
    {.name = "metadata",
     .type = OPTION_MAP,
     .offset = AT(metadata),
     .help =
         "Texts that each event carries in `data.metadata`; `cluster` is part of its `source`."},
    {.name = "sink",
     .type = OPTION_NODE,
     .offset = AT(sink),
     .help =
         "Where the events go: the options of an exporter [`cloudevents`](exporters/cloudevents.md), with "
         "`endpoint` for the URL."},
    {.name = "oidc",
     .type = OPTION_NODE,
     .offset = AT(oidc),
     .help = "Who gives tokens for the sink: the exporter's `oauth2`."},
    {.name = "oidc_secret_name",
     .aliases = alias_secret,
     .type = OPTION_TEXT,
     .offset = AT(oidc_secret_name),
     .help =
         "The secret that has the client's: a file of that name in `secrets.path`, or a variable."},
    {.name = "to",
     .type = OPTION_TEXT,
     .offset = AT(to),
     .help = "An exporter of the config that the events go to, instead of `sink`."},
    {.name = "backfill",
     .type = OPTION_TABLE,
     .offset = AT(backfill),
     .table = &backfill_table,
     .help = "What was there before the stream started for the first time."},
    {.name = "failure_handling",
     .aliases = alias_failure,
     .type = OPTION_TABLE,
     .offset = AT(failure),
     .table = &failure_table,
     .help = "What becomes of what the sink does not take."},
    {.name = "event",
     .type = OPTION_TABLE,
     .offset = AT(event),
     .table = &transform_option_table,
     .help = "What the events are called and carry."},
    {.name = "match",
     .aliases = alias_match,
     .type = OPTION_TEXT,
     .offset = AT(match),
     .help =
         "Only changes for which this condition holds become events: over attributes, metadata and members of the "
         "record, such as `isFatal == \"true\"`."},
    {.name = "workers",
     .type = OPTION_INT,
     .offset = AT(workers),
     .fallback = "10",
     .min = 1,
     .max = STREAM_WORKERS_MAX,
     .help = "Requests at the same time. Events of one key stay with one worker, in order."},
    {.name = "buffer",
     .type = OPTION_BOOL,
     .offset = AT(buffer),
     .fallback = "false",
     .help =
         "Put our log between: the source is told at once that we have its changes, and a sink that is down does not "
         "pin it. It is one copy more on disk, and needed where several exporters get the events."},
    {.name = "max_in_flight",
     .type = OPTION_INT,
     .flags = OPTION_ADVANCED,
     .offset = AT(max_in_flight),
     .fallback = "20000",
     .min = 1,
     .max = 1e7,
     .help = "Changes that are read and not yet delivered."},
    {.name = "max_memory_bytes",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = AT(max_memory_bytes),
     .fallback = "64MB",
     .min = 65536,
     .max = 64e9,
     .unit = "bytes",
     .help = "The same in bytes."},
    {.name = "batch_size",
     .type = OPTION_INT,
     .flags = OPTION_ADVANCED,
     .offset = AT(batch_size),
     .fallback = "2000",
     .min = 1,
     .max = 100000,
     .help = "Changes that are read at once; the workers share them."},
    {.name = "max_lag",
     .type = OPTION_DURATION,
     .offset = AT(max_lag_ns),
     .fallback = "5m",
     .min = 0,
     .max = 366 * 86400.0,
     .unit = "s",
     .help = "Further behind the stream is not ready; 0: it may be as far behind as it is."},
};

const struct option_table stream_option_table = {
    .name = "events",
    .help = "A change stream: what it reads, what it makes of it, and where that goes.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct stream_options),
};
