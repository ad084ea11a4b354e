/*
 * newrelic_validate.h - does a body for New Relic decode to the rows that it was made of?
 *
 * Metrics are compared by name, time and value, spans by their ids, events by their time. Ownership: borrowed.
 * Threads: pure. Limits: those of the JSON reader.
 */
#ifndef TELEX_EXPORT_EXPORTERS_NEWRELIC_VALIDATE_H
#define TELEX_EXPORT_EXPORTERS_NEWRELIC_VALIDATE_H

#include "export/validate.h"

/* For struct http_exporter. */
MUST_USE bool newrelic_validate(const void *config, const struct sent_rows *sent, struct str body,
                                struct err *e);

#endif
