/*
 * self_rules.h - alert rules about our own exporters, from what monitors call no longer normal.
 *
 * Each consumer below a monitor gets a group that asks the datasource `self`; its alerts go the way of
 * all others. Ownership: the text is the caller's. Threads: any. Limits: the buffer's.
 */
#ifndef TELEX_APP_SELF_RULES_H
#define TELEX_APP_SELF_RULES_H

#include "base/buf.h"
#include "export/plan.h"

/* Appends a rule file; nothing when there is no monitor. */
void self_rules_write(const struct plan_config *plan, struct buf *out);

#endif
