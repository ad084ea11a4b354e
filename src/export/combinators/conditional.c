/* Conditions choose where a record goes: compiled to what routes are. */
#include "export/combinator.h"
#include "export/exporters/exporters.h"

static const char *const matches[] = {"all", "first", NULL};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    {.name = "conditions",
     .type = OPTION_NODE,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct conditional_config, conditions),
     .help =
         "A list of `{ condition, exporter, description }`: a record goes to the exporters whose "
         "condition holds for it. The condition `true` always holds."},
    {.name = "match",
     .type = OPTION_ENUM,
     .offset = offsetof(struct conditional_config, match),
     .fallback = "all",
     .choices = matches,
     .help = "`all`: to every exporter whose condition holds; `first`: only to the first of them."},
    {.name = "default",
     .type = OPTION_NODE,
     .offset = offsetof(struct conditional_config, otherwise),
     .help = "Where a record goes for which no condition holds: the name of an exporter, or one; "
             "absent: nowhere."},
};

static const struct option_table option_table = {
    .name = "exporter conditional",
    .help = "Conditions over a record choose the exporters that get it.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct conditional_config),
};

const struct exporter_kind exporter_conditional = {
    .name = "conditional",
    .help = "Gives each record to the exporters whose condition holds for it.",
    .example = "type: conditional\nconditions:\n"
               "  - condition: kind == \"alert\" and severity == \"critical\"\n"
               "    exporter: { type: webhook, url: 'http://127.0.0.1:8080/page' }\n"
               "    description: What wakes people\n"
               "  - condition: 'true'\n"
               "    exporter: { type: file, output_directory: out }\n",
    .combinator = COMBINATOR_CONDITIONAL,
    .options = &option_table,
};
