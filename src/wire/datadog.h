/*
 * datadog.h - Datadog's metrics as JSON. Series (POST /api/v2/series) are an object per run of samples of a
 * series, distributions (POST /api/v1/distribution_points) one per run of values with the same labels:
 *
 *     {"metric":"web.cpu_usage","type":3,"points":[{"timestamp":1705314600,"value":85.4}],
 *      "resources":[{"type":"host","name":"a"}],"tags":["env:production","zone:b"]}
 *     {"metric":"web.latency","type":"distribution","host":"a","tags":["zone:b"],"points":[[1705314600,[12,3.5]]]}
 *
 * The name is the metric's, behind the namespace unless it has a dot; tags are those of the config and the
 * labels. What Datadog would change or refuse is changed here in one way, always: other characters than
 * letters, digits, '_' and '.' in a name become '_', a name or tag that begins with something else gets an
 * "x_" in front, tags end after 200 bytes. Times are whole seconds.
 *
 * Ownership: everything is borrowed. Threads: pure. Limits: DATADOG_NAME_MAX; ages as said below.
 */
#ifndef TELEX_WIRE_DATADOG_H
#define TELEX_WIRE_DATADOG_H

#include "base/buf.h"
#include "base/options.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdint.h>

enum {
    DATADOG_NAME_MAX = 200,
    DATADOG_TAG_MAX = 200,
    DATADOG_BODY_MAX = 5242880,  /* bytes before compression */
    DATADOG_PACKED_MAX = 512000, /* and on the wire, compressed or not */
    DATADOG_OLDEST_S = 60 * 60,  /* before now */
    DATADOG_NEWEST_S = 10 * 60,  /* after now */
};

/* What became of a row. */
enum datadog_result {
    DATADOG_WRITTEN,
    DATADOG_STALE, /* a staleness marker: nothing to write, nothing lost */
    DATADOG_NOT_FINITE,
    DATADOG_NAMELESS,
    DATADOG_LONG_NAME,
    DATADOG_TOO_OLD,
    DATADOG_TOO_NEW,
    DATADOG_RESULTS
};

/* Why a row was not written, for a dead letter; NULL for the others. */
const char *datadog_refusal(enum datadog_result result);

struct datadog_writer {
    struct str name_space;          /* or empty */
    const struct option_list *tags; /* of every series; or NULL */
    const struct label *defaults; /* tags of what has no label of that name; empty ones are none */
    size_t default_count;
    int64_t interval_s; /* of counts and rates */
    int64_t now_ns;     /* 0: ages are not looked at */
};

/* Can the row be sent? DATADOG_WRITTEN says so. */
enum datadog_result datadog_judge(const struct datadog_writer *w, const struct samples *s,
                                  uint32_t row);

/* The object of a series without its end: datadog_add_point() and datadog_end_series() follow. */
void datadog_begin_series(const struct datadog_writer *w, const struct samples *s, uint32_t series,
                          struct buf *out);
void datadog_add_point(const struct samples *s, uint32_t row, bool is_first, struct buf *out);
void datadog_end_series(struct buf *out);

/* The same of a distribution, where <row> is a value; all values of one second are one point. */
void datadog_begin_distribution(const struct datadog_writer *w, const struct samples *s,
                                uint32_t series, struct buf *out);
void datadog_add_value(const struct samples *s, uint32_t row, struct buf *out);
/* Another value behind that of <before>. */
void datadog_add_next_value(const struct samples *s, uint32_t before, uint32_t row,
                            struct buf *out);
void datadog_end_distribution(struct buf *out);

/* Is the series one of a distribution? */
bool datadog_is_distribution(const struct samples *s, uint32_t series);

/* The name as it is sent. */
void datadog_put_name(const struct datadog_writer *w, struct str name, struct buf *out);

/* A tag as it is sent, in quotes; <value> may be empty. */
void datadog_put_tag(struct str key, struct str value, struct buf *out);

#endif
