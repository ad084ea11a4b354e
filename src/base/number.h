/*
 * number.h - numbers as text, in the C locale always.
 *
 * Ownership: values. Threads: any. Limits: NUMBER_TEXT_MAX bytes hold any double.
 */
#ifndef TELEX_BASE_NUMBER_H
#define TELEX_BASE_NUMBER_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_TEXT_MAX = 32 };

/*
 * The shortest decimal that reads back as <value>; NaN, +Inf, -Inf. Exponent form below 1e-6 and
 * from 1e21 on, as JavaScript and Prometheus's 'f'/'g' mix do. Writes at most NUMBER_TEXT_MAX
 * bytes, no NUL; gives the length. Algorithm: Ryu-like or Grisu with exact fallback; the oracle in
 * tests is printf("%.17g") tried from 1 digit up.
 */
size_t number_format(double value, char *out);
void buf_add_double(struct buf *b, double value);

/* As Go's strconv.FormatFloat(v, 'g', -1, 64): exponent form below 1e-4 and from 1e21 on, "1e+06"
 * style exponents. */
size_t number_format_go(double value, char *out);

/*
 * All of <s> as a double: Go's ParseFloat forms (decimal, exponent, hexadecimal float, underscores
 * not allowed, Inf, +Inf, infinity, NaN in any case). false when it is anything else. Correctly
 * rounded. Fast path for <= 19 digits and small exponents.
 */
bool number_parse(struct str s, double *ret_value);

/* All of <s> as decimal digits with optional sign; false on anything else or overflow. */
bool number_parse_i64(struct str s, int64_t *ret_value);
bool number_parse_u64(struct str s, uint64_t *ret_value);

/* Sizes "64", "10k", "50MB", "1GiB" -> bytes (KB/MB/GB are powers of 1000, K/M/G and KiB/MiB/GiB of
 * 1024). */
bool number_parse_bytes(struct str s, int64_t *ret_bytes);

/* The staleness marker of Prometheus, a NaN of one bit pattern, and whether <value> is exactly
 * that. */
double number_stale_nan(void);
bool number_is_stale_nan(double value);

/* Bits of a double and back. */
uint64_t number_bits(double value);
double number_from_bits(uint64_t bits);

#endif
