/*
 * kafka_message.h - records as Kafka's messages: topic, key, headers and value.
 *
 * Ownership: a message lives until the next one is made, or the maker's view ends. Threads: a sink's. Limits:
 * KAFKA_SENT_HEADERS_MAX headers of a message.
 */
#ifndef TELEX_EXPORT_EXPORTERS_KAFKA_MESSAGE_H
#define TELEX_EXPORT_EXPORTERS_KAFKA_MESSAGE_H

#include "export/exporters/kafka_config.h"

struct kafka_maker {
    const struct kafka_exporter_config *config;
    struct record_events events; /* of the view; its objects serve all formats */
    struct buf topic;
    struct buf key;
    struct buf value;
    struct arena arena; /* of one message */
    struct option_pair headers[KAFKA_SENT_HEADERS_MAX];
    struct option_map all;
};

void kafka_maker_init(struct kafka_maker *m, const struct kafka_exporter_config *config);
void kafka_maker_release(struct kafka_maker *m);

/* False when the rows cannot be had; otherwise kafka_maker_end() follows. */
MUST_USE bool kafka_maker_begin(struct kafka_maker *m, struct view view, struct err *e);
void kafka_maker_end(struct kafka_maker *m);

/* How many messages row <i> makes. */
uint32_t kafka_maker_count(const struct kafka_maker *m, uint32_t i);

/* One of them, with the row as its tag. NULL, or why there can be none; a static text. */
const char *kafka_maker_make(struct kafka_maker *m, uint32_t i, uint32_t part,
                             struct kafka_message *ret);

#endif
