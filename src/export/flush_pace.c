#include "export/flush_pace.h"

static int64_t within(const struct exporter_buffer *config, int64_t interval_ns)
{
    if (interval_ns > config->max_flush_interval_ns) {
        interval_ns = config->max_flush_interval_ns;
    }
    return interval_ns > config->min_flush_interval_ns ? interval_ns
                                                       : config->min_flush_interval_ns;
}

int64_t flush_pace_first(const struct exporter_buffer *config)
{
    return config->adaptive_flushing ? within(config, config->flush_interval_ns)
                                     : config->flush_interval_ns;
}

int64_t flush_pace_next(const struct exporter_buffer *config, int64_t interval_ns, uint64_t rows,
                        bool early)
{
    if (!config->adaptive_flushing) {
        return config->flush_interval_ns;
    }
    if (early) {
        return within(config, interval_ns / 2);
    }
    if (rows < (uint64_t)config->buffer_size / 2) {
        return within(config, interval_ns + interval_ns / 4);
    }
    return within(config, interval_ns);
}
