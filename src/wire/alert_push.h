/*
 * alert_push.h - alerts as others push them: Alertmanager's API v2 (what Prometheus and vmalert post) and
 * the webhook that Alertmanager sends.
 *
 * Both forms are read in one pass, strictly as to form and types; members that are not known are passed
 * over. An alert that is well formed but makes no sense (no labels, ends before it starts) is left out and
 * said, since the others of its push should not be lost with it.
 *
 * Ownership: a push owns its label sets; texts live in the body or the arena. Threads: confined. Limits:
 * ALERT_PUSH_MAX alerts; levels and sizes of json.h; the arena's cap.
 */
#ifndef TELEX_WIRE_ALERT_PUSH_H
#define TELEX_WIRE_ALERT_PUSH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

enum { ALERT_PUSH_MAX = 50 * 1000 };

struct pushed_alert {
    struct labels *labels;
    const struct label *annotations;
    size_t annotation_count;
    int64_t starts_ns; /* wall clock; 0: not said */
    int64_t ends_ns;
    bool says_resolved; /* the webhook's status */
    struct str generator_url;
};

struct alert_push {
    VEC(struct pushed_alert) alerts;
    uint32_t bad;         /* alerts that were left out */
    struct err first_bad; /* why */
};

enum alert_push_form {
    ALERT_PUSH_V2,      /* an array of alerts */
    ALERT_PUSH_WEBHOOK, /* an object with "alerts" */
};

/* Reads a body. False with the place of what is wrong with its form; then nothing is owned. */
MUST_USE bool alert_push_read(struct str text, enum alert_push_form form, struct arena *a,
                              struct alert_push *ret_push, struct err *e);

void alert_push_release(struct alert_push *push);

#endif
