/* Records gathered before they are sent: options of the consumer that stands above. */
#include "export/combinator.h"
#include "export/exporters/exporters.h"

enum { BUFFER = offsetof(struct buffer_config, buffer) };

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    EXPORTER_BUFFER_ROWS(BUFFER, "1000", "30s", "50MB", "block", "false"),
};

static const struct option_table option_table = {
    .name = "exporter buffer",
    .help = "Samples are gathered and sent together; alerts and events go at once.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct buffer_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct buffer_config *c = config;
    const struct yaml_node *overflow = yaml_get(node, STR("overflow"));

    if (c->buffer.drop_oldest_on_overflow == DROP_OLDEST_TRUE && overflow != NULL &&
        c->buffer.overflow != OVERFLOW_DROP_OLDEST) {
        return yaml_err(overflow, e, ERR_CONFIG,
                        "overflow: '%s' contradicts 'drop_oldest_on_overflow: true'; remove one of "
                        "them",
                        exporter_overflows[c->buffer.overflow]);
    }
    if (c->buffer.adaptive_flushing &&
        c->buffer.min_flush_interval_ns > c->buffer.max_flush_interval_ns) {
        return yaml_err(node, e, ERR_CONFIG,
                        "min_flush_interval is longer than max_flush_interval");
    }
    return true;
}

const struct exporter_kind exporter_buffer = {
    .name = "buffer",
    .help = "Gathers samples and sends them together.",
    .example = "type: buffer\nexporter: { type: file, output_directory: out }\n"
               "buffer_size: 1000\nflush_interval_seconds: 30\n",
    .combinator = COMBINATOR_BUFFER,
    .options = &option_table,
    .check = check,
};
