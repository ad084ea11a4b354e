/*
 * rw1_series.h - a TimeSeries as nearly every sender writes it: label fields in front, then samples.
 *
 * Who goes through a message by this form never looks at a label's text nor at a sample's value; what
 * has another form, all that protobuf allows, goes the long way through pb.h. Ownership: parts are of
 * the bytes given. Threads: any. Limits: none of its own.
 */
#ifndef TELEX_WIRE_RW1_SERIES_H
#define TELEX_WIRE_RW1_SERIES_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct rw1_series {
    struct str labels;  /* their fields, unchecked */
    struct str samples; /* their fields, each with a time within int64 nanoseconds */
    uint32_t count;     /* samples */
};

/* Passes over the label fields that a series begins with; gives the byte behind them. */
const char *rw1_pass_labels(struct str series);

/* The parts of a series, as far as it has the usual form: all of it when they end where it does. */
struct rw1_series rw1_series_split(struct str series);

/* The metric's name among label fields; empty when there is none, or they are no labels. */
struct str rw1_series_name(struct str labels);

/* Is that the whole of <series>? */
static inline bool rw1_series_is_all(const struct rw1_series *s, struct str series)
{
    return s->samples.ptr + s->samples.len == series.ptr + series.len;
}

#endif
