/*
 * alertmanager_json.h - entries of the array that Alertmanager's POST /api/v2/alerts takes.
 *
 * The caller begins and ends the array. Ownership: borrowed. Threads: confined, as the writer. Limits: the
 * writer's.
 */
#ifndef TELEX_WIRE_ALERTMANAGER_JSON_H
#define TELEX_WIRE_ALERTMANAGER_JSON_H

#include "model/labels.h"
#include "wire/json.h"

struct alertmanager_alert {
    const struct labels *labels;
    struct str annotations; /* a JSON object, or empty */
    int64_t starts_at_ns;
    int64_t
        ends_at_ns; /* in the future for a firing alert; 0: Alertmanager's own resolve_timeout */
    struct str generator_url; /* or empty */
};

void alertmanager_json_add(struct json_writer *w, const struct alertmanager_alert *a);

#endif
