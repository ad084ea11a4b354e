/*
 * record_gather.h - records read one by one, gathered into batches: what readers of text share.
 *
 * Ownership: the gatherer owns what it was given until it hands a batch out; texts are copied. Threads:
 * confined. Limits: RECORD_TEXT_ROWS rows in a batch.
 */
#ifndef TELEX_WIRE_RECORD_GATHER_H
#define TELEX_WIRE_RECORD_GATHER_H

#include "base/vec.h"
#include "wire/record_text.h"

struct record_gather {
    const struct record_text_taker *taker;
    struct record_text_counts *counts;
    struct buf info_key; /* what the rows so far share, as text */
    struct batch_info info;
    struct arena info_arena;
    struct arena row_arena;
    VEC(struct labels *) series;
    VEC(int64_t) times;
    VEC(double) values;
    VEC(const struct series_meta *) metas; /* of samples */
    bool has_metas;
    VEC(struct alert) alerts;
    VEC(struct note) notes;
    VEC(struct event) events;
};

void record_gather_init(struct record_gather *g, const struct record_text_taker *taker,
                        struct record_text_counts *counts);
void record_gather_release(struct record_gather *g);

/*
 * The rows that follow are of <info>, of which <key> is the same exactly when all of it is; rows before
 * that are of another go out first. Texts are copied.
 */
MUST_USE bool record_gather_info(struct record_gather *g, struct str key,
                                 const struct batch_info *info, struct err *e);

/* A sample as it is read. */
struct gathered_sample {
    struct labels *labels;
    const struct series_meta *meta; /* or NULL; borrowed until the batch goes out */
    int64_t time_ns;
    double value;
};

/* Adds a sample; takes over the reference to its labels. */
MUST_USE bool record_gather_sample(struct record_gather *g, const struct gathered_sample *sample,
                                   struct err *e);

/* Adds an alert edge, whose texts are copied and whose label sets are taken over. */
MUST_USE bool record_gather_alert(struct record_gather *g, const struct alert *a, struct err *e);

/* Adds a profile or span; texts are copied, and the reference to its labels is taken over. */
MUST_USE bool record_gather_note(struct record_gather *g, const struct note *n, struct err *e);

/* Adds an event, which is copied. */
MUST_USE bool record_gather_event(struct record_gather *g, const struct event *ev, struct err *e);

/* Hands out what is there. */
MUST_USE bool record_gather_flush(struct record_gather *g, struct err *e);

#endif
