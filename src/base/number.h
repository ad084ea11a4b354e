/*
 * number.h - numbers as text, in the C locale always.
 *
 * Formatting gives the shortest decimal that reads back as the same double, laid out in one of Go's
 * forms, because Prometheus and its peers print with Go. Parsing takes what Go's ParseFloat takes
 * and rounds correctly. Ownership: values. Threads: any. Limits: NUMBER_TEXT_MAX bytes hold any
 * double, but NUMBER_PLAIN_MAX without exponents.
 */
#ifndef TELEX_BASE_NUMBER_H
#define TELEX_BASE_NUMBER_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 48, NUMBER_PLAIN_MAX = 352 };

/*
 * All forms: NaN, +Inf, -Inf; -0 keeps its sign; an exponent has a sign and at least two digits; no
 * NUL is written; the length is given.
 *
 * number_format: as Prometheus's JSON API prints sample values: plain, with an exponent below 1e-6
 * and from 1e21 on.
 */
size_t number_format(double value, char *out);
void buf_add_double(struct buf *b, double value);

/*
 * FormatFloat(v, 'g', -1, 64), so also {{ $value }} and the text exposition: an exponent below 1e-4
 * and from 1e6 on.
 */
size_t number_format_go(double value, char *out);

/* FormatFloat(v, 'e', -1, 64): always an exponent, as in "value" of /api/v1/alerts: "1e+00". */
size_t number_format_exponent(double value, char *out);

/* FormatFloat(v, 'f', -1, 64): never an exponent. Writes at most NUMBER_PLAIN_MAX bytes. */
size_t number_format_plain(double value, char *out);

/*
 * All of <s> as a double, in the forms of Go's ParseFloat: decimal with optional exponent,
 * hexadecimal with a binary exponent, inf and infinity with optional sign, nan; in any case,
 * without underscores. Rounded to the nearest, ties to even. false when it is anything else or too
 * large for a double.
 */
bool number_parse(struct str s, double *ret_value);

/* All of <s> as decimal digits with optional sign; false on anything else or overflow. */
bool number_parse_i64(struct str s, int64_t *ret_value);
bool number_parse_u64(struct str s, uint64_t *ret_value);

/*
 * Sizes "64", "10k", "50MB", "1.5GiB" -> bytes, in any case: KB, MB, GB, TB are powers of 1000; K,
 * M, G, T and KiB, MiB, GiB, TiB are powers of 1024. false on anything else or overflow; a fraction
 * of a byte is cut.
 */
bool number_parse_bytes(struct str s, int64_t *ret_bytes);

/* Appends a size so that it reads back the same, in the largest unit that it is a multiple of: "8MB", "1GiB",
 * "64KB", "1025B". */
void buf_add_size(struct buf *b, int64_t bytes);

/* The staleness marker of Prometheus, a NaN of one bit pattern, and whether <value> is exactly
 * that. */
double number_stale_nan(void);
bool number_is_stale_nan(double value);

/* Bits of a double and back. */
uint64_t number_bits(double value);
double number_from_bits(uint64_t bits);

#endif
