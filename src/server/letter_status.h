/*
 * letter_status.h - the status that a dead letter's reason tells of.
 *
 * Reasons are words of exporters, in which a status stands behind "answered ".
 *
 * Ownership: borrows. Threads: any. Limits: the first one that is told counts.
 */
#ifndef TELEX_SERVER_LETTER_STATUS_H
#define TELEX_SERVER_LETTER_STATUS_H

#include "base/str.h"

#include <stdint.h>

/* "answered 422", "after 3 tries: answered 500: …", "answered 307 (…": the number; -1 when there is none. */
int64_t letter_status(struct str reason);

#endif
