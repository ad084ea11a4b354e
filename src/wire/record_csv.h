/*
 * record_csv.h - records as comma-separated values (RFC 4180): a line per alert edge or sample.
 *
 * Columns are timestamp, name, value, state, threshold, and then one per label name that any of the
 * rows has, in their order: so the rows of a body are looked at first, then written. Ownership: the
 * writer borrows the batch's info and the label sets; release it. Threads: confined. Limits:
 * RECORD_CSV_COLUMNS_MAX label names, what is beyond is left out; the buf's.
 */
#ifndef TELEX_WIRE_RECORD_CSV_H
#define TELEX_WIRE_RECORD_CSV_H

#include "base/buf.h"
#include "base/vec.h"
#include "model/batch.h"

enum { RECORD_CSV_COLUMNS_MAX = 1000 };

struct record_csv {
    const struct batch_info *info;
    VEC(struct str) columns; /* sorted label names */
};

void record_csv_init(struct record_csv *r, const struct batch_info *info);
void record_csv_release(struct record_csv *r);

/* Makes columns for the labels of a row that is to be written. */
void record_csv_look_at(struct record_csv *r, const struct labels *labels);
void record_csv_look_at_alert(struct record_csv *r, const struct alert *a);

/* Appends the line of names. */
void record_csv_head(const struct record_csv *r, struct buf *out);

/* Appends the lines of an alert edge: one, or one per row of its export_query's answer. */
void record_csv_alert(const struct record_csv *r, const struct alert *a, struct buf *out);

/* Appends the line of a sample; false, and nothing, for a staleness marker. */
bool record_csv_sample(const struct record_csv *r, const struct samples *s, uint32_t row,
                       struct buf *out);

#endif
