/*
 * prom_text.h - the text that scrapes and pushes speak: Prometheus 0.0.4 and OpenMetrics 1.0.
 *
 * The reader goes over a complete text and hands out samples and metadata line by line. 0.0.4 is read as
 * generously as stores do (any blanks, trailing commas, comments); OpenMetrics as strictly as it is
 * specified, with families, types, histograms and the order of samples checked (openmetrics.c). Names in
 * quotes inside the braces are read in both.
 *
 * Ownership: what is handed out lives in the text or the arena, for the call. Threads: confined. Limits:
 * PROM_TEXT_LABELS_MAX labels in a line; the arena's.
 */
#ifndef TELEX_WIRE_PROM_TEXT_H
#define TELEX_WIRE_PROM_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

enum { PROM_TEXT_LABELS_MAX = LABELS_MAX };

enum prom_text_form { PROM_TEXT_PLAIN, PROM_TEXT_OPENMETRICS };

enum prom_type {
    PROM_TYPE_UNKNOWN, /* "untyped" in 0.0.4 */
    PROM_TYPE_COUNTER,
    PROM_TYPE_GAUGE,
    PROM_TYPE_HISTOGRAM,
    PROM_TYPE_GAUGEHISTOGRAM,
    PROM_TYPE_SUMMARY,
    PROM_TYPE_INFO,
    PROM_TYPE_STATESET,
    PROM_TYPES
};

struct prom_exemplar {
    const struct label *labels;
    size_t label_count;
    double value;
    bool has_time;
    int64_t time_ns;
};

struct prom_sample {
    struct str name;
    const struct label *labels; /* as written; without the name */
    size_t label_count;
    double value;
    bool has_time;
    int64_t time_ns;     /* the nearest that 64 bits hold */
    double time_seconds; /* as written */
    bool has_exemplar;   /* OpenMetrics */
    struct prom_exemplar exemplar;
};

enum prom_meta_kind { PROM_META_HELP, PROM_META_TYPE, PROM_META_UNIT, PROM_META_KINDS };

struct prom_meta {
    enum prom_meta_kind kind;
    struct str name;
    struct str text; /* of HELP, without escapes; of UNIT */
    enum prom_type type;
};

/* Receives the lines. Returning false ends reading with the error that it set. */
struct prom_lines {
    bool (*sample)(void *arg, const struct prom_sample *s, struct err *e);
    bool (*meta)(void *arg, const struct prom_meta *m, struct err *e); /* NULL: not wanted */
    void *arg;
};

/* Reads <text>; stops at the first mistake, with its place. */
MUST_USE bool prom_text_read(struct str text, enum prom_text_form form, struct arena *a,
                             const struct prom_lines *lines, struct err *e);

/* Appends a sample's line in 0.0.4; the time is cut to ms and left out when <time_ns> is NULL. */
void prom_text_add_sample(struct buf *out, const struct labels *l, double value,
                          const int64_t *time_ns);

#endif
