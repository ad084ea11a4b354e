/*
 * level.h - outputs that want the level of alerts, not their edges (Alertmanager).
 *
 * Such an output keeps no queue. It walks the current alerts, compares with what it last confirmed
 * to each target and sends the difference and the resends that are due. A restart forgets what was
 * confirmed and sends everything once more, with the same startsAt, which the destination takes as
 * the same alert.
 *
 * Ownership: the source (rules) owns alert state; views are borrowed during a walk. Threads: one
 * thread per output walks; the source locks as it must. Limits: a batch of LEVEL_BATCH alerts per
 * request.
 */
#ifndef TELEX_EXPORT_LEVEL_H
#define TELEX_EXPORT_LEVEL_H

#include "base/buf.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

enum { LEVEL_BATCH = 256 };

/* One alert as it stands. */
struct level_alert {
    uint64_t key;          /* stable identity of (rule, labels) while the process runs */
    struct labels *labels; /* borrowed: ref to keep */
    bool firing;           /* false: resolved */
    int64_t starts_at_ns;  /* when it fired */
    int64_t ends_at_ns;    /* when it resolved; for a firing one 0 */
    int64_t interval_ns;   /* of its group, for endsAt */
    struct str generator_url;
};

/* Where alerts are found: implemented by rules, injected by app. */
struct level_source {
    /* Visits firing alerts and those resolved less than 15 minutes ago. <visit> must not block. */
    void (*walk)(void *arg, void (*visit)(void *visit_arg, const struct level_alert *alert),
                 void *visit_arg);
    /* Renders the annotations of an alert into <out> as a JSON object; false when it is gone. */
    bool (*annotations)(void *arg, uint64_t key, struct buf *out);
    void *arg;
};

#endif
