/*
 * several.h - what stages around several exporters share: calling one of them with some rows, and a
 * verdict per row over all calls.
 *
 * A call is over when export_timeout is. Each is counted by child and result, and which child is in use
 * is a gauge: so the API and /metrics tell of children without a lock.
 *
 * Ownership: a stage embeds struct several first and owns what is inside. Threads: the lane's. Limits:
 * EXPORTER_CHILDREN_MAX children.
 */
#ifndef TELEX_EXPORT_STAGES_SEVERAL_H
#define TELEX_EXPORT_STAGES_SEVERAL_H

#include "base/arena.h"
#include "base/vec.h"
#include "export/combinator.h"
#include "export/outcome_rows.h"
#include "export/stage.h"

struct metric;

struct several_child {
    struct sink *sink;
    struct str name;
    struct metric *active;
    struct metric *results[VERDICTS];
};

struct several {
    struct sink sink;
    const struct env *env;
    const struct multi_config *config;
    struct several_child children[EXPORTER_CHILDREN_MAX];
    size_t count;
    struct arena arena;     /* of one delivery */
    struct fate *fates;     /* of the view's rows; a reason that is NULL: the outcome's error */
    VEC(uint32_t) index;    /* rows of the view that are called with */
    VEC(uint32_t) rows;     /* the same rows in the batch */
    struct outcome out;     /* of the last call */
    struct fate *out_fates; /* of its rows */
    const char *reason;     /* of out_fates, and its copy: the last one asked for */
    const char *reason_copy;
};

/* Takes over the children. */
void several_init(struct several *s, const struct sink_ops *ops, const struct exporter_place *place,
                  const struct stage_config *config, struct sink **children);
void several_release(struct several *s);

/* Begins a delivery: every row of <view> is <verdict>. */
void several_start(struct several *s, struct view view, enum verdict verdict);

/* Chooses rows to call with: none, then one by one. */
void several_choose_none(struct several *s);
void several_choose(struct several *s, struct view view, uint32_t index);

/* Calls the child with the chosen rows: s->out and s->out_fates say what became of them, and what it
 * sent and dropped is added to <ret>. */
void several_call(struct several *s, size_t child, struct view view, struct wait wait,
                  struct outcome *ret);

/* A copy of a reason that stands in s->out_fates, which lasts for this delivery, with the name of who
 * gave it where there is one: "influx: too old". Rows that share a reason share the copy. */
const char *several_reason(struct several *s, struct str who, const char *reason);

/* Words s->fates as <ret>; its error is that of the last call that left rows undelivered. */
void several_finish(struct several *s, struct view view, struct outcome *ret);

/* Shows which child is in use: <child>, or all. */
void several_show_active(struct several *s, size_t child);

/* Is the delivery to end now? */
static inline bool several_is_stopped(struct wait wait)
{
    return wait.cancel != NULL && cancel_is_set(wait.cancel);
}

bool several_flush(struct sink *sink, struct err *e);
int64_t several_tend(struct sink *sink, struct wait wait);

#endif
