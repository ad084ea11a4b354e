/*
 * prom_answer.h - the answer of a Prometheus-compatible query API, in one pass over its bytes.
 *
 * Each sample goes to a row function with the raw bytes of its label object, so that a caller who knows
 * those bytes from last time never parses labels again; prom_labels_parse() is for new ones. Keys may
 * come in any order. Vectors, scalars and matrices are read (a row per sample); strings are refused; native
 * histograms are passed over and flagged.
 *
 * Ownership: raw bytes are borrowed from the body for the call of the row function; texts in the result
 * live in the body or the arena. Threads: any. Limits: those of json.h; rows are for the row function to
 * count. A label object that is passed on raw has been delimited, not checked: prom_labels_parse()
 * checks it.
 */
#ifndef TELEX_WIRE_PROM_ANSWER_H
#define TELEX_WIRE_PROM_ANSWER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

/* Receives the rows. Returning false ends decoding with the error that it set. */
struct prom_rows {
    bool (*row)(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e);
    void *arg;
};

enum prom_result { PROM_NOTHING, PROM_VECTOR, PROM_MATRIX, PROM_SCALAR, PROM_STRING };

struct prom_answer {
    bool is_error; /* "status":"error": the store refused, and says why */
    struct str error_type;
    struct str error;
    enum prom_result result;
    bool is_partial;        /* VictoriaMetrics: some storage nodes did not answer */
    bool has_histograms;    /* native histograms were passed over */
    int64_t series_fetched; /* -1 when not said */
    bool is_incomplete; /* a warning that is not about the expression: some store was not asked */
    uint32_t warning_count; /* warnings and infos */
    struct str first_warning;
    uint64_t rows;
};

/*
 * Decodes <body>. False when it is no such answer or a row function stopped it; an answer that says
 * "error" is true with is_error. A scalar's row has the labels "{}".
 */
MUST_USE bool prom_answer_decode(struct str body, struct arena *a, const struct prom_rows *rows,
                                 struct prom_answer *ret_answer, struct err *e);

/* Pushes the pairs of a label object; names and values live in <raw>, or in <a> where they had escapes. */
MUST_USE bool prom_labels_parse(struct str raw, struct arena *a, struct labels_builder *b,
                                struct err *e);

/* Seconds with a fraction as text -> ns, rounded to the ms; false when it is no such number. */
bool prom_time_parse(struct str text, int64_t *ret_ns);

#endif
