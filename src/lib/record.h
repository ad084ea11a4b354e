/*
 * record.h - a record as the application gives it, checked and written as the log keeps it.
 *
 * record_measure() looks at everything once and says how many bytes it takes; record_write() writes them, and
 * cannot fail. Neither allocates, locks or calls the system, since both run on the application's threads.
 *
 * Ownership: views of the caller's record for the time of its call. Threads: confined. Limits: telex.h's.
 */
#ifndef TELEX_LIB_RECORD_H
#define TELEX_LIB_RECORD_H

#include "base/attr.h"
#include <telex/telex.h>

#include <stdbool.h>

/* What metrics and spans have in common, and the lengths of their texts. */
struct record {
    int64_t time_ns;
    const char *name; /* or NULL */
    const struct telex_field *fields;
    size_t field_count;
    const struct telex_label *labels;
    size_t label_count;            /* of those in <order> */
    const struct telex_span *span; /* NULL: metrics */
    struct telex_span_ids ids;     /* of the span */
    uint32_t name_len;
    uint32_t message_len; /* of the span */
    uint32_t labels_len;  /* of all pairs as they are written */
    uint32_t span_len;
    uint32_t note_len;
    uint8_t order[TELEX_LABELS_MAX]; /* of labels that have a value, by name */
    uint32_t label_lens[TELEX_LABELS_MAX][2];
    uint32_t field_lens[TELEX_FIELDS_MAX][2]; /* of name and text */
};

/* Fills <r>; TELEX_OK with the bytes in *ret_len, TELEX_INVALID or TELEX_TOO_LARGE. */
MUST_USE int record_of_metrics(struct record *r, const struct telex_metrics *m, int64_t now_ns,
                               uint32_t *ret_len);
/* The same; <ids> are used where the span has none. */
MUST_USE int record_of_span(struct record *r, const struct telex_span *span, int64_t now_ns,
                            const struct telex_span_ids *ids, uint32_t *ret_len);

void record_write(const struct record *r, char *out);

#endif
