/*
 * syslog.h - one message of syslog, in the form of RFC 5424 or of RFC 3164.
 *
 * What may stand in each part is the protocol's affair: names are cut and mended, values of structured data
 * escaped, control characters of the text become spaces. A message longer than its limit loses the end of
 * its text, at the edge of a character, and is said to be cut.
 *
 * Ownership: borrowed. Threads: any; pure. Limits: bytes_max, at least SYSLOG_BYTES_LEAST.
 */
#ifndef TELEX_WIRE_SYSLOG_H
#define TELEX_WIRE_SYSLOG_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SYSLOG_BYTES_LEAST = 480, SYSLOG_SEVERITIES = 8, SYSLOG_FACILITIES = 24 };

/* Their names in order of their numbers, NULL-terminated. */
extern const char *const syslog_severities[SYSLOG_SEVERITIES + 1];
extern const char *const syslog_facilities[SYSLOG_FACILITIES + 1];

/* What a label calls a severity ("critical", "page", "warn"), in any case; -1 when it is no such word. */
int syslog_severity_of(struct str word);

struct syslog_param {
    struct str name;
    struct str value;
};

struct syslog_message {
    unsigned facility;
    unsigned severity;
    int64_t time_ns;
    struct str host;
    struct str app;
    struct str msgid;
    struct str sd_id; /* empty: no structured data */
    const struct syslog_param *params;
    size_t param_count;
    struct str text;
};

enum syslog_form { SYSLOG_5424, SYSLOG_3164 };

/* Appends the message without any framing; true when it had to be cut. */
bool syslog_write(const struct syslog_message *m, enum syslog_form form, size_t bytes_max,
                  struct buf *out);

/* What is in a message of RFC 5424, for who checks: texts are views; params are counted. */
struct syslog_parts {
    unsigned priority;
    struct str time;
    struct str host;
    struct str app;
    struct str msgid;
    struct str sd; /* with its brackets, or "-" */
    struct str text;
};
MUST_USE bool syslog_read(struct str message, struct syslog_parts *ret);

#endif
