/*
 * kafka_words.h - topics and keys of records: texts with words in braces.
 *
 *     {kind} {tenant} {name} {rule} {group} {database} {label.NAME}
 *
 * A metric's name, an alert's, that of a profile or span, an event's type is {name}. What a record lacks is empty. Bytes
 * that a topic's name cannot have become '_'.
 *
 * Ownership: rows borrow from the objects they are of. Threads: any. Limits: KAFKA_TOPIC_NAME_MAX bytes
 * of a topic.
 */
#ifndef TELEX_EXPORT_EXPORTERS_KAFKA_WORDS_H
#define TELEX_EXPORT_EXPORTERS_KAFKA_WORDS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/event.h"
#include "wire/record_json.h"

struct kafka_row {
    const struct batch_info *info;
    struct str name;
    const struct labels *labels;
    const struct note *note;   /* of profiles and spans; or NULL */
    const struct event *event; /* of events; or NULL */
    int64_t time_ns;
};

/* Row <i> of the view that <o> was made of. */
struct kafka_row kafka_row_of(const struct record_objects *o, uint32_t i);

/* Are all words known, and with <is_topic> all other bytes fit for a topic? */
MUST_USE bool kafka_words_check(struct str text, bool is_topic, struct err *e);

/* Appends the text with the row's words. */
void kafka_words_add(struct str text, const struct kafka_row *row, struct buf *out);

/* The same for a topic; false when none comes of it. */
MUST_USE bool kafka_words_topic(struct str text, const struct kafka_row *row, struct buf *out);

/* The key by which records stay in order: the series, the alert, the trace of a span, what an event says. */
void kafka_key_of(const struct kafka_row *row, struct buf *out);

#endif
