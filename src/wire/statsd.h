/*
 * statsd.h - lines of StatsD and DogStatsD: "name:value|type|@rate|#tag:value,tag".
 *
 * A datagram holds lines, each one metric, of one value or of several ("name:1:2:3|ms"). Tags also stand
 * behind the name as in "name,tag=value:1|c". Other sections (a container, a time) are passed over; events and
 * service checks are no metrics. Ownership: views of the datagram. Threads: any. Limits: the datagram's.
 */
#ifndef TELEX_WIRE_STATSD_H
#define TELEX_WIRE_STATSD_H

#include "base/attr.h"
#include "base/str.h"

#include <stdbool.h>

enum statsd_type { STATSD_COUNTER, STATSD_GAUGE, STATSD_TIMER, STATSD_SET, STATSD_TYPES };

struct statsd_line {
    struct str name;
    struct str values; /* of statsd_next_value() */
    enum statsd_type type;
    double rate;     /* above 0, 1 at most */
    struct str tags; /* of statsd_next_tag() */
    bool has_equals; /* they are "tag=value", else "tag:value" */
};

enum statsd_result { STATSD_TAKEN, STATSD_BAD, STATSD_OTHER };

/* Cuts the next line off a datagram; false at its end. Empty lines are passed over. */
bool statsd_next_line(struct str *datagram, struct str *ret_line);

/* OTHER: no metric (an event, a service check). */
enum statsd_result statsd_read(struct str line, struct statsd_line *ret);

/* The next value as it is written: "+1" and "-1" change a gauge, those of sets are any text. */
bool statsd_next_value(struct statsd_line *line, struct str *ret_value);

/* The next tag; one without a value is "true". */
bool statsd_next_tag(struct statsd_line *line, struct str *ret_name, struct str *ret_value);

#endif
