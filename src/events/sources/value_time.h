/*
 * value_time.h - what a column or a member says of a time.
 *
 * Ownership: values. Threads: any. Limits: the years of base/timetext.h.
 */
#ifndef TELEX_EVENTS_SOURCES_VALUE_TIME_H
#define TELEX_EVENTS_SOURCES_VALUE_TIME_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * A text is RFC 3339, or that with a blank and without a zone, as SQL has it (UTC then); a number is Unix time, in
 * seconds, milliseconds, microseconds or nanoseconds by its size. 0 when it is none of them.
 */
int64_t value_time_ns(struct str value, bool is_text);

#endif
