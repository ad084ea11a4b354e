/*
 * timetext.h - times and durations as text.
 *
 * Ownership: values. Threads: any (no tzdata, no locale). Limits: years 1678..2261.
 */
#ifndef TELEX_BASE_TIMETEXT_H
#define TELEX_BASE_TIMETEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* A civil UTC time. */
struct civil {
    int32_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t ns;
    int32_t weekday; /* 0 Sunday */
    int32_t yearday; /* 0..365 */
};

struct civil civil_of(int64_t wall_ns);

/* Weekday and yearday are not looked at; a time out of range becomes INT64_MIN or INT64_MAX. */
int64_t civil_to_ns(struct civil c);

/* "2024-01-15T10:30:00Z", with as many fraction digits as needed (none, or up to 9, without
 * trailing zeros). */
void buf_add_rfc3339(struct buf *b, int64_t wall_ns);

/* The same at <out>, which has room for RFC3339_BYTES; gives its length. No NUL follows. */
enum { RFC3339_BYTES = 40 };
size_t time_print_rfc3339(int64_t wall_ns, char *out);

/*
 * RFC 3339 with Z or offset and optional fraction, cut after nanoseconds; an impossible date is
 * refused.
 */
MUST_USE bool time_parse_rfc3339(struct str s, int64_t *ret_wall_ns, struct err *e);

/*
 * RFC 7231 date ("Mon, 15 Jan 2024 10:30:00 GMT", and its two old forms), for Retry-After and Date.
 */
MUST_USE bool time_parse_http(struct str s, int64_t *ret_wall_ns, struct err *e);

/* An RFC3339 text or Unix seconds with fraction, as query APIs take. */
MUST_USE bool time_parse_any(struct str s, int64_t *ret_wall_ns, struct err *e);

/*
 * Prometheus durations: "5m", "1h30m", "100ms", "1d", "1w", "1y", "0"; units once each, in falling
 * order. In <lenient> mode also fractions ("1.5h"), plain seconds ("30"), us, ns and a minus sign,
 * as VictoriaMetrics, Go and our options take.
 */
MUST_USE bool duration_parse(struct str s, bool lenient, int64_t *ret_ns, struct err *e);

/*
 * The form Prometheus prints: "1h30m", "90d", "2w", "0s", "100ms"; what is below a millisecond
 * follows as us and ns.
 */
void buf_add_duration(struct buf *b, int64_t ns);

#endif
