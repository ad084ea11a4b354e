/*
 * short_line.h - a line of a spool that is like one before it but for its time and value.
 *
 *      {"kind":"sample","timestamp":"2024-01-15T10:30:00Z",...,"value":1}    a model: a space stands in front
 *     =17aa3f0c8e5b40003ff000000000000000000da7                              the same sample, later
 *
 * Behind the '=' stand the time (wall ns) and the bits of the value as 16 hex digits each, and where in the spool the
 * model's line begins in 8 of them, or 16. All is text without zeros, so a torn end is found as among any other lines.
 *
 * Ownership: borrowed. Threads: any; pure. Limits: SHORT_LINE_MAX bytes; values are finite.
 */
#ifndef TELEX_WIRE_SHORT_LINE_H
#define TELEX_WIRE_SHORT_LINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHORT_LINE_MAX = 1 + 3 * 16, SHORT_LINE_MODEL = ' ' };

struct short_line {
    int64_t time_ns;
    double value;
    uint64_t at; /* of the model */
};

static inline bool short_line_is(struct str line)
{
    return line.len > 0 && line.ptr[0] == '=';
}

static inline bool short_line_is_model(struct str line)
{
    return line.len > 0 && line.ptr[0] == SHORT_LINE_MODEL;
}

/* Appends the line, without an end. */
void short_line_add(const struct short_line *s, struct buf *out);

/* False for what is none. */
MUST_USE bool short_line_read(struct str line, struct short_line *ret, struct err *e);

/* Appends the model's line with the other time and value, as the sample would have been written by itself. False when the
 * model is none. */
MUST_USE bool short_line_expand(struct str model, const struct short_line *s, struct arena *scratch,
                                struct buf *out, struct err *e);

#endif
