/*
 * kafka_change.h - from a record of Kafka to a change.
 *
 * A record whose content-type is that of CloudEvents, or whose headers are ("ce_id"), is that event; any other value is
 * a document, and no value at all a deletion. Key, id and place are the record's own, and the same whenever it is read.
 *
 * Ownership: texts are copied into the batch's arena. Threads: confined. Limits: CHANGE_BYTES_MAX of a value.
 */
#ifndef TELEX_EVENTS_SOURCES_KAFKA_CHANGE_H
#define TELEX_EVENTS_SOURCES_KAFKA_CHANGE_H

#include "events/change.h"
#include "net/kafka_consumer.h"

/* The choices of `format` stand in this order. */
enum kafka_format { KAFKA_FORMAT_AUTO, KAFKA_FORMAT_JSON, KAFKA_FORMAT_CLOUDEVENTS };

struct kafka_change_rules {
    enum kafka_format format;
    struct str id_field; /* of a document; empty: its id is where it stands */
};

/* Appends the change of a record of <topic>/<partition>; its position is left to the caller. */
struct change *kafka_change_add(const struct kafka_change_rules *rules, struct str topic,
                                int32_t partition, const struct kafka_record *r,
                                struct changes *out);

#endif
