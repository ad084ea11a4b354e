/*
 * plan_print_delivery.h - how consumers deliver, as `telex check --tree` says it: what most of them do is said once.
 *
 * A setting (buffer, retry, ...) that two consumers or more have in common, and more than any other, is a habit:
 * it stands above all consumers, and each says only where it differs.
 *
 * Ownership: habits own their texts and borrow nothing. Threads: confined. Limits: none.
 */
#ifndef TELEX_EXPORT_PLAN_PRINT_DELIVERY_H
#define TELEX_EXPORT_PLAN_PRINT_DELIVERY_H

#include "base/buf.h"

enum { PLAN_SETTINGS = 5 };

struct output_config;
struct plan_config;

struct plan_habits {
    struct buf common[PLAN_SETTINGS]; /* lines; empty: nothing in common */
};

void plan_habits_init(struct plan_habits *h, const struct plan_config *config);
void plan_habits_release(struct plan_habits *h);

/* What holds for all consumers that say nothing else. */
void plan_print_common(const struct plan_habits *h, struct buf *out);

/* Where a consumer with a queue differs, and the limits of its calls. */
void plan_print_habits(const struct plan_habits *h, const struct output_config *o, struct buf *out);

#endif
