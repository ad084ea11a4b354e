/*
 * record_json.h - the JSON of records, for webhooks and files: an object per record, and back.
 *
 * An alert has the eight fields that webhook services expect, in order ("timestamp", "alert_name",
 * "instance", "value", "threshold", "severity", "labels", "annotations"), then ours. docs/internals/wire.md
 * lists all. Profiles and spans are those of note_json.h, events
 * those of cloudevent.h: what has a "specversion" is one. Ownership: the printer borrows the batch's info. Threads: confined. Limits: the buf's.
 */
#ifndef TELEX_WIRE_RECORD_JSON_H
#define TELEX_WIRE_RECORD_JSON_H

#include "base/buf.h"
#include "model/batch.h"
#include "wire/record_text.h"

#include <stdbool.h>
#include <stdint.h>

/* What rarely changes from row to row of a batch, written once. */
struct record_json {
    const struct batch_info *info;
    struct buf tail; /* the end of every sample's object */
    struct buf head; /* its start, for samples of <head_ns> */
    int64_t head_ns;
};

void record_json_init(struct record_json *r, const struct batch_info *info);
void record_json_release(struct record_json *r);

/* Objects that an alert edge makes: one, or one per row of its export_query's answer. */
uint32_t record_json_objects(const struct alert *a);

/* Appends object <i> of an alert edge. */
void record_json_alert(const struct record_json *r, const struct alert *a, uint32_t i,
                       struct buf *out);

/* Appends the object of a sample; false, and nothing, for a staleness marker. */
bool record_json_sample(struct record_json *r, const struct samples *s, uint32_t row,
                        struct buf *out);

/* All rows of a view as objects, whatever their kind. */
struct record_objects {
    struct record_json json;
    struct view view;
    const struct samples *samples; /* one of these four */
    const struct alerts *alerts;
    const struct notes *notes;
    const struct events *events;
};

/* False when the rows cannot be had, with nothing to release. */
MUST_USE bool record_objects_init(struct record_objects *o, struct view view, struct err *e);
void record_objects_release(struct record_objects *o);

/* How many objects row <i> of the view makes: mostly one; none for a staleness marker. */
uint32_t record_objects_count(const struct record_objects *o, uint32_t i);

/* Appends one of them. */
void record_objects_add(struct record_objects *o, uint32_t i, uint32_t part, struct buf *out);

/*
 * Reads objects back, one to a line or all in one array (record_text.h). An object without "kind" is an
 * alert when it has "alert_name": of an alert nothing else is needed, it then fires at its timestamp. Members
 * of samples and alerts that are not known are passed over; of profiles and spans they are fields.
 */
MUST_USE bool record_json_read(struct str text, int64_t now_ns,
                               const struct record_text_taker *taker,
                               struct record_text_counts *counts, struct err *e);

#endif
