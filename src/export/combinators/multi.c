/* Several exporters: side by side (a consumer each), one after the other, or one in place of another. */
#include "export/combinator.h"
#include "export/exporters/exporters.h"
#include "export/stages/multi_stages.h"

static const char *const strategies[] = {"parallel", "sequential", "failover", NULL};
static const char *const policies[] = {"continue", "stop", NULL};
static const char *const alias_timeout[] = {"export_timeout_seconds", NULL};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILDREN_ROW,
    {.name = "strategy",
     .type = OPTION_ENUM,
     .offset = offsetof(struct multi_config, strategy),
     .fallback = "parallel",
     .choices = strategies,
     .help = "`parallel`: all of them, each at its own pace; `sequential`: all of them, one after "
             "the other; `failover`: the first that takes it."},
    {.name = "failure_policy",
     .type = OPTION_ENUM,
     .offset = offsetof(struct multi_config, failure_policy),
     .fallback = "continue",
     .choices = policies,
     .help = "`continue`: the failure of one is its own; `stop`: with `sequential` those behind it "
             "are not called, with `parallel` a record counts as delivered when all have it."},
    {.name = "min_success_count",
     .type = OPTION_INT,
     .offset = offsetof(struct multi_config, min_success_count),
     .fallback = "1",
     .min = 1,
     .max = EXPORTER_CHILDREN_MAX,
     .help =
         "With `parallel`: exporters that must have a record before it counts as delivered; the "
         "others get it all the same. With `sequential` all must have it, and one that has it "
         "does not get it again."},
    {.name = "max_concurrent_exports",
     .type = OPTION_INT,
     .offset = offsetof(struct multi_config, max_concurrent_exports),
     .fallback = "3",
     .min = 1,
     .max = EXPORTER_CHILDREN_MAX,
     .help = "With `parallel`: calls that its exporters make at the same time at most; the others "
             "wait for their turn, in order, and records wait on disk."},
    {.name = "export_timeout",
     .aliases = alias_timeout,
     .type = OPTION_DURATION,
     .offset = offsetof(struct multi_config, export_timeout_ns),
     .fallback = "30s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "Time for one call of an exporter, unless its own timeout is shorter."},
};

static const struct option_table option_table = {
    .name = "exporter multi",
    .help = "Several exporters as one.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct multi_config),
};

const struct exporter_kind exporter_multi = {
    .name = "multi",
    .help = "Several exporters as one: all of them, or one in place of another.",
    .example = "type: multi\nstrategy: failover\nexporters:\n"
               "  - { type: webhook, url: 'http://127.0.0.1:8080/hook' }\n"
               "  - { type: file, output_directory: out }\n",
    .combinator = COMBINATOR_MULTI,
    .options = &option_table,
};

static const struct exporter_kind sequential = {
    .name = "sequential", .options = &option_table, .stage = &stage_sequential};
static const struct exporter_kind failover = {
    .name = "failover", .options = &option_table, .stage = &stage_failover};

const struct exporter_kind *const multi_stages[MULTI_STRATEGIES] = {
    [MULTI_SEQUENTIAL] = &sequential,
    [MULTI_FAILOVER] = &failover,
};
