/* The sections that the library reads, as tables. */
#include "lib/compiled.h"

#include "base/trace.h"

static const struct option place_rows[] = {
    {.name = "path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct lib_place_settings, path),
     .help =
         "The folder. Of `state`: where records are held until they are delivered; without it they are "
         "held in memory and gone with the process."},
};

static const struct option_table place_options = {
    .name = "folder",
    .help = "A folder.",
    .options = place_rows,
    .count = ARRAY_LEN(place_rows),
    .config_size = sizeof(struct lib_place_settings),
};

/* In the order of enum trace_level and trace_format. */
static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};

static const struct option log_rows[] = {
    {.name = "level",
     .type = OPTION_ENUM,
     .offset = offsetof(struct lib_log_settings, level),
     .fallback = "warn",
     .choices = levels,
     .help = "The least severe lines that are written to standard error."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct lib_log_settings, format),
     .fallback = "logfmt",
     .choices = formats,
     .help = "How a line is written."},
};

static const struct option_table log_options = {
    .name = "log",
    .help = "The library's log on standard error.",
    .options = log_rows,
    .count = ARRAY_LEN(log_rows),
    .config_size = sizeof(struct lib_log_settings),
};

static const struct option limit_rows[] = {
    {.name = "ring_bytes",
     .type = OPTION_BYTES,
     .offset = offsetof(struct lib_limits, ring_bytes),
     .fallback = "8MiB",
     .min = 1 << 20,
     .max = 1 << 30,
     .unit = "bytes",
     .help =
         "Memory between the application's threads and the hub's, taken when the hub is opened. What "
         "it has no room for is dropped and counted. Rounded up to a power of two."},
    {.name = "memory_bytes",
     .type = OPTION_BYTES,
     .offset = offsetof(struct lib_limits, memory_bytes),
     .fallback = "64MiB",
     .min = 1 << 20,
     .max = 1e12,
     .unit = "bytes",
     .help = "Records that are held for destinations where there is no `state.path`."},
    {.name = "budget_bytes",
     .type = OPTION_BYTES,
     .offset = offsetof(struct lib_limits, budget_bytes),
     .fallback = "256MiB",
     .min = 1 << 20,
     .max = 1e12,
     .unit = "bytes",
     .help = "Memory for what others decide the size of, such as answers of servers."},
};

static const struct option_table limit_options = {
    .name = "library",
    .help = "How much memory a hub may take.",
    .options = limit_rows,
    .count = ARRAY_LEN(limit_rows),
    .config_size = sizeof(struct lib_limits),
};

static const struct option rows[] = {
    {.name = "exporters",
     .type = OPTION_NODE,
     .offset = offsetof(struct lib_settings, exporters),
     .help = "Where records go: as in telex.yaml."},
    {.name = "routes",
     .type = OPTION_NODE,
     .offset = offsetof(struct lib_settings, routes),
     .help =
         "Which records go where: as in telex.yaml. Without: all exporters get what they take."},
    {.name = "state",
     .type = OPTION_TABLE,
     .offset = offsetof(struct lib_settings, state),
     .table = &place_options,
     .help = "Where records are held."},
    {.name = "secrets",
     .type = OPTION_TABLE,
     .offset = offsetof(struct lib_settings, secrets),
     .table = &place_options,
     .help = "A folder with one file per secret."},
    {.name = "log",
     .type = OPTION_TABLE,
     .offset = offsetof(struct lib_settings, log),
     .table = &log_options,
     .help = "The library's log."},
    {.name = "library",
     .type = OPTION_TABLE,
     .offset = offsetof(struct lib_settings, limits),
     .table = &limit_options,
     .help = "Limits."},
};

const struct option_table lib_options = {
    .name = "libtelex",
    .help = "What a hub of libtelex does.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct lib_settings),
};
