/*
 * print.h - the printer's atoms: numbers, quoted texts, labels, selectors. Included only inside
 * this folder.
 *
 * Ownership: text goes to the caller's buf. Threads: any. Limits: the buf's.
 */
#ifndef TELEX_PROMQL_PRINT_H
#define TELEX_PROMQL_PRINT_H

#include "promql/promql.h"

/* A number without exponent, as Go's FormatFloat(v, 'f', -1, 64). */
void print_value(double value, struct buf *out);

/* Seconds as a duration: "1h30m". */
void print_seconds(double seconds, struct buf *out);

/* In double quotes, with Go's escapes. */
void print_quoted(struct str text, struct buf *out);

/* A label's name, in quotes where it needs them. */
void print_label(struct str name, struct buf *out);

/* Name and matchers, these in the order of their text; no modifiers. */
void print_selector(const struct promql_vector *vector, struct buf *out);

#endif
