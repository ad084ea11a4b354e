/*
 * record_text.h - text that people and programs keep records in, read back into batches.
 *
 * A format is a row of a table: JSON lines as our files and webhooks have them, Prometheus text,
 * OpenMetrics, line protocol, a remote-write body. What a format cannot say is filled in the same way
 * each time, so that reading a file twice gives the same ids: a record without a time is of the time
 * given, an alert without an id gets one from its name.
 *
 * Ownership: a batch handed out is the reader's; whoever keeps it takes a reference. Threads: any.
 * Limits: RECORD_TEXT_ROWS rows in a batch, but for remote-write bodies; those of the formats' readers.
 */
#ifndef TELEX_WIRE_RECORD_TEXT_H
#define TELEX_WIRE_RECORD_TEXT_H

#include "base/err.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECORD_TEXT_ROWS = 10 * 1000 };

/* Gets the batches in the order of the text; false ends reading with the error that it set. */
struct record_text_taker {
    bool (*take)(void *arg, struct batch *b, struct err *e);
    void *arg;
};

/* What was read, and what was there but is no record. */
struct record_text_counts {
    uint64_t rows;
    uint64_t no_numbers; /* fields of line protocol that are strings */
};

struct record_text_format {
    const char *name;
    const char *help;
    const char *const *extensions; /* of files, with their dot; NULL-terminated */
    bool (*read)(struct str text, int64_t now_ns, const struct record_text_taker *taker,
                 struct record_text_counts *counts, struct err *e);
};

enum { RECORD_TEXT_FORMATS = 5 };
extern const struct record_text_format record_text_formats[RECORD_TEXT_FORMATS];

/* By its name; NULL when there is none. */
const struct record_text_format *record_text_find(struct str name);

/* By the end of a file's name, else by how the text begins; never NULL. */
const struct record_text_format *record_text_guess(struct str path, struct str text);

/*
 * Reads all of <text>. False at the first mistake, with its line and column, and when <taker> says so; what
 * stood before it was handed out.
 */
MUST_USE bool record_text_read(const struct record_text_format *format, struct str text,
                               int64_t now_ns, const struct record_text_taker *taker,
                               struct record_text_counts *ret_counts, struct err *e);

#endif
