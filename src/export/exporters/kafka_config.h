/*
 * kafka_config.h - what a config says of an exporter of kind kafka.
 *
 * Ownership: as options.h: options_release() has the secrets. Threads: immutable once read. Limits: KAFKA_SENT_HEADERS_MAX
 * headers.
 */
#ifndef TELEX_EXPORT_EXPORTERS_KAFKA_CONFIG_H
#define TELEX_EXPORT_EXPORTERS_KAFKA_CONFIG_H

#include "export/exporter_options.h"
#include "export/record_events.h"
#include "net/kafka.h"

struct kafka_exporter_config {
    struct exporter_common common;
    struct kafka_config kafka;
    struct str topic;
    struct option_map topics; /* kind -> topic */
    struct str key;
    int format; /* enum kafka_format */
    int mode;   /* enum kafka_mode: of FORMAT_CLOUDEVENTS */
    struct event_naming naming;
    int timestamps; /* enum timestamps */
    struct option_map headers;
    int64_t message_timeout_ns;
    bool transactions;
};

enum timestamps { TIMESTAMPS_RECORD, TIMESTAMPS_NOW };
enum kafka_format { FORMAT_JSON, FORMAT_CLOUDEVENTS };
enum kafka_mode { KAFKA_STRUCTURED, KAFKA_BINARY };

extern const struct option_table kafka_exporter_options;

/* What the table cannot say, and what may not be meant (exporter.h). */
MUST_USE bool kafka_exporter_check(const void *config, const struct yaml_node *node, struct err *e);
bool kafka_exporter_advise(const void *config, const struct yaml_node *node, struct err *e);

#endif
