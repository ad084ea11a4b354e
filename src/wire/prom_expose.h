/*
 * prom_expose.h - the last values of series as a page: Prometheus text 0.0.4 or OpenMetrics 1.0.
 *
 * One block for each metric with what is known of it (HELP, TYPE, UNIT), its series in order of their labels,
 * no times. OpenMetrics is stricter: a counter's metric is named without `_total`, must not be negative
 * or NaN, and no other metric may have a name that belongs to it; a unit is the name's end. What does not
 * fit is said to be of unknown type.
 *
 * Ownership: points borrow sets and metadata for the call. Threads: any; pure. Limits: the buffer's.
 */
#ifndef TELEX_WIRE_PROM_EXPOSE_H
#define TELEX_WIRE_PROM_EXPOSE_H

#include "base/buf.h"
#include "model/batch.h"
#include "wire/prom_text.h"

struct prom_point {
    struct labels *labels;
    const struct series_meta *meta; /* or NULL */
    double value;
    uint32_t row;    /* the caller's */
    struct str name; /* set by prom_points_sort() */
};

/* Why a series cannot stand on a page, since its name or one of a label is none; NULL: it can. */
const char *prom_expose_refusal(const struct labels *l);

/* By metric, then by labels; equal sets stand together. */
void prom_points_sort(struct prom_point *points, size_t count);

/* Appends the page of <points>, sorted and without equal sets. */
void prom_expose(const struct prom_point *points, size_t count, enum prom_text_form form,
                 struct buf *out);

/* The form that an Accept header likes best; PLAIN where it says nothing, or likes both the same. */
enum prom_text_form prom_text_accepted(struct str accept);

/* The Content-Type of a form. */
const char *prom_text_content_type(enum prom_text_form form);

#endif
