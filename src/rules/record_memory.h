/*
 * record_memory.h - what a recording rule remembers of its last answer: about forty bytes a series.
 *
 * Kept are the bodies that were written (compressed) and a hash per raw label object, in the order
 * of the answer. When the next answer names the same series in the same order, which is nearly
 * always so, the bodies are unpacked, given the new values, and packed again: no labels are looked
 * up, copied or held. When it does not, the label sets are read back from the bodies.
 *
 * Ownership: the memory owns bodies and hashes. Threads: confined to the evaluating one, but for those
 * that read bodies under <guard>. Limits: RECORD_BODY_ROWS series per body.
 */
#ifndef TELEX_RULES_RECORD_MEMORY_H
#define TELEX_RULES_RECORD_MEMORY_H

#include "base/arena.h"
#include "base/vec.h"
#include "model/batch.h"
#include "rules/series_table.h"

#include <stdbool.h>
#include <stdint.h>

enum { RECORD_BODY_ROWS = 10000 };

struct lock;

struct record_memory {
    struct lock *guard;        /* held while bodies change; NULL: nobody else reads */
    VEC(struct str) bodies;    /* rw1 codec bytes, RECORD_BODY_ROWS series each but the last */
    VEC(struct raw_hash) raws; /* one per series, in the order of the bodies */
    uint32_t count;            /* series */
    bool raws_hold;            /* the hashes still mean the series: the rule was not edited since */
};

void record_memory_release(struct record_memory *m);

/*
 * The remembered bodies with <values> at <time_ns>, remembered in their place, as batches with
 * <info> (a vector to append to). False: the form does not allow it; nothing changed.
 */
struct batch_list {
    VEC(struct batch *) items;
};
MUST_USE bool record_memory_repeat(struct record_memory *m, const double *values, int64_t time_ns,
                                   const struct batch_info *info, struct batch_list *batches);

/* The label sets of the remembered series, in order, each referenced for the caller; lives in <a>.
 */
MUST_USE bool record_memory_read(const struct record_memory *m, struct arena *a,
                                 struct labels ***ret_labels, struct err *e);

/* Forgets everything, then remembers these bodies (copied) and hashes (copied). */
void record_memory_set(struct record_memory *m, const struct str *bodies, size_t body_count,
                       const struct raw_hash *raws, uint32_t count);

/* Another body behind those there are (copied), of an earlier program: which bytes the datasource has for its
 * series is not known. False when the one before is not full, or this one is too large. */
MUST_USE bool record_memory_restore(struct record_memory *m, struct str body, uint32_t rows);

/* Rows of body <i>. */
uint32_t record_memory_body_rows(const struct record_memory *m, size_t i);

/* Bytes held. */
size_t record_memory_bytes(const struct record_memory *m);

#endif
