/*
 * rule_batch.h - the answers of many rules from one request.
 *
 * The expressions travel as label_replace(E, "__rule__", "N", "", "") joined by `or`; the label makes
 * the series of each distinct, so `or` drops none, and says whose a row is. It is cut out of the raw
 * bytes of a row, which are then those that the rule's own request would have given.
 *
 * Nothing that is in doubt is used: an error, a warning, a partial answer, histograms, a row without the
 * label. The caller then asks for each rule alone.
 *
 * Ownership: the batch owns the rows until it is cleared. Threads: confined. Limits: BATCH_RULES_MAX rules
 * and BATCH_EXPR_BYTES of expression in a request; rows are taken from the budget.
 */
#ifndef TELEX_RULES_RULE_BATCH_H
#define TELEX_RULES_RULE_BATCH_H

#include "base/arena.h"
#include "base/budget.h"
#include "base/vec.h"
#include "datasource/datasource.h"

/* VictoriaMetrics takes 16 KiB of query unless it is told otherwise. */
enum { BATCH_RULES_MAX = 1000, BATCH_EXPR_BYTES = 15 * 1000 };

struct batch_row {
    struct str raw; /* without __rule__ */
    int64_t time_ns;
    double value;
    uint32_t next; /* of the same rule; 0: none */
};

/* The rows of one rule. */
struct batch_part {
    uint32_t rule; /* for the caller: whose it is */
    struct str expr;
    uint32_t first; /* number of its first row; 0: none */
    uint32_t last;
    uint32_t count;
};

struct rule_batch {
    struct budget *budget;
    int64_t charged;
    struct arena arena;
    VEC(struct batch_part) parts;
    VEC(struct batch_row) rows; /* the one with number 0 is nobody's */
    size_t expr_bytes;
};

void rule_batch_init(struct rule_batch *b, struct budget *budget);
void rule_batch_release(struct rule_batch *b);

/* Forgets parts and rows. */
void rule_batch_clear(struct rule_batch *b);

/* Adds an expression that gives a vector; false when there is no room for it. */
bool rule_batch_add(struct rule_batch *b, uint32_t rule, struct str expr);

/* The expression of all parts, appended. */
void rule_batch_print(const struct rule_batch *b, struct buf *out);

/* Asks for all of them: <q> with another expression. False when the answer is not to be used. */
MUST_USE bool rule_batch_ask(struct rule_batch *b, struct datasource *d, const struct query *q,
                             struct err *e);

/* Gives the rows of one part as a request of its own would. */
MUST_USE bool rule_batch_replay(const struct rule_batch *b, size_t part,
                                const struct answer_sink *sink, struct answer_info *ret_info,
                                struct err *e);

/*
 * Splits the label object of a row: its number, and the object without the label, in <a>. False when the
 * label is not there as it was sent.
 */
bool rule_batch_split(struct str raw, struct arena *a, uint32_t *ret_number, struct str *ret_raw);

#endif
