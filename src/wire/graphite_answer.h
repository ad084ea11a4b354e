/*
 * graphite_answer.h - the answer of Graphite's render API as JSON, in one pass over its bytes.
 *
 * Of each series the last point that has a value goes to a row function, with raw bytes that say which
 * series it is: the object of its tags, or its target (a string) where it has none.
 *
 * Ownership: raw bytes are borrowed from the body for the call. Threads: any. Limits: those of json.h.
 */
#ifndef TELEX_WIRE_GRAPHITE_ANSWER_H
#define TELEX_WIRE_GRAPHITE_ANSWER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

/* Receives the rows. Returning false ends decoding with the error that it set. */
struct graphite_rows {
    bool (*row)(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e);
    void *arg;
};

/* Decodes <body>; *ret_series are all, *ret_rows those with a value. */
MUST_USE bool graphite_answer_decode(struct str body, struct arena *a,
                                     const struct graphite_rows *rows, uint64_t *ret_series,
                                     uint64_t *ret_rows, struct err *e);

/* Pushes the pairs that the raw bytes of a row stand for: its tags, or name="<target>". */
MUST_USE bool graphite_labels_parse(struct str raw, struct arena *a, struct labels_builder *b,
                                    struct err *e);

#endif
