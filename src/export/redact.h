/*
 * redact.h - JSON as it may be shown: values of members that are named like a secret are replaced, and
 * URLs lose what may be one.
 *
 * Ownership: borrowed. Threads: any; pure. Limits: the buf's.
 */
#ifndef TELEX_EXPORT_REDACT_H
#define TELEX_EXPORT_REDACT_H

#include "base/buf.h"
#include "base/str.h"

/* Appends <json>; what is no JSON becomes a string that says so. */
void redact_json(struct str json, struct buf *out);

#endif
