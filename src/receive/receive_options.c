/* The section `receive` of the config. */
#include "receive/receive.h"

static const struct option rows[] = {
    {.name = "remote_write",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, remote_write),
     .fallback = "false",
     .help = "Take Prometheus remote write 1.0 on `POST /api/v1/write`."},
    {.name = "max_body",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct receive_config, max_body_bytes),
     .fallback = "32MiB",
     .min = 1024,
     .max = 256 << 20,
     .unit = "bytes",
     .help = "Largest body of a push, as sent; larger ones are answered 413."},
    {.name = "max_decoded",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct receive_config, max_decoded_bytes),
     .fallback = "128MiB",
     .min = 1024,
     .max = 256 << 20,
     .unit = "bytes",
     .help = "Largest body of a push, unpacked; larger ones are answered 413."},
};

const struct option_table receive_options = {
    .name = "receive",
    .help = "What others may push to us.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct receive_config),
};
