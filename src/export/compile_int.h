/*
 * compile_int.h - what compile.c (ways down to consumers) and compile_consumer.c (consumers) share.
 *
 * Ownership: on the stack and in the tree's arena. Threads: confined. Limits: as compile.h.
 */
#ifndef TELEX_EXPORT_COMPILE_INT_H
#define TELEX_EXPORT_COMPILE_INT_H

#include "export/combinator.h"
#include "export/compile.h"

/* What stands above, nearest first. Multis are here only where they are a quorum. */
struct above {
    const struct above *outer;
    const struct tree_exporter *by;
};

/* A place on the way down from an entry. */
struct spot {
    struct tree_exporter *x;
    const struct above *above;
    struct str path;              /* what a consumer is called that begins here */
    const struct yaml_node *node; /* where <x> is named; NULL: it is an entry */
};

struct compiler {
    struct tree *tree;
    struct output_config outputs[PLAN_OUTPUTS_MAX];
    const struct tree_exporter **ways[PLAN_OUTPUTS_MAX]; /* what each output leads through and to */
    size_t output_count;
    struct self_metrics_config self_metrics[PLAN_OUTPUTS_MAX];
    size_t self_metrics_count;
    unsigned steps;
    const struct err *warnings[PLAN_WARNINGS_MAX]; /* of options that nobody reads */
    size_t warning_count;
};

/* An error where <spot> is named. Always false. */
bool compile_err(const struct spot *spot, struct err *e, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;

/* Counts a step; false when there were too many. */
MUST_USE bool compile_step(struct compiler *c, const struct spot *spot, struct err *e);

/* The nearest of that kind above; NULL: none. */
const struct tree_exporter *above_find(const struct above *above, enum combinator combinator);

/* Does it only choose who gets a record? Then it changes nothing for the consumers below. */
bool above_is_chooser(const struct above *above);

/* Does what stands above change how a consumer delivers? */
bool above_changes(const struct above *above);
bool multi_is_quorum(const struct tree_exporter *x);

/* ---- options: compile_options.c ---- */

bool says_retry(const struct tree_exporter *x);

/* What <leaf> says of its buffer goes into <ret>, that of <above>, unless <above> says it too;
 * <plain> is what nobody said. */
void merge_buffer(const struct tree_exporter *above, const struct tree_exporter *leaf,
                  const struct exporter_buffer *plain, struct exporter_buffer *ret);

/* What <above>, a resilient, says goes into <ret>, which has what <end> says: where <above> says
 * nothing, a leaf's own stays. */
void merge_resilient(const struct tree_exporter *above, const struct tree_exporter *end,
                     struct delivery_config *ret);

/* Warns of what <x> says that has no effect <below> something that calls it. */
void warn_leaf(struct compiler *c, const struct tree_exporter *x, struct str below);
void warn_resilient(struct compiler *c, const struct tree_exporter *x, struct str below);

/* Warns that the multi <x> is one too many to limit the calls of consumer <name>. */
void warn_limits(struct compiler *c, const struct tree_exporter *x, struct str name);
void warn_advice(struct compiler *c, const struct tree_exporter *x);

/* Variables that are set and have no value. */
void warn_unmade(struct compiler *c);

/* The consumer that delivers through <spot>, a leaf or a multi that is a stage. */
MUST_USE bool compile_consumer(struct compiler *c, const struct spot *spot, size_t *ret_output,
                               struct err *e);

#endif
