/*
 * influx_line.h - InfluxDB line protocol: samples and alert edges as lines, and a strict reader.
 *
 *     cpu_usage,instance=server-01,export_to_datastore=true value=85.4 1705317000000000000
 *
 * The measurement is the batch's (export_measurement, else the rule's name), or the metric's name; tags are
 * the labels without __name__. What the protocol cannot carry is changed in one way, always: controls
 * become spaces, bytes that are no UTF-8 U+FFFD, backslashes that end a name or tag value are cut (they
 * would escape what follows), a first '#' becomes '_', a tag "time" becomes "time_". Values that are not
 * finite cannot be carried: such samples are refused. docs/internals/wire.md says more.
 *
 * Ownership: a writer borrows the batch's info; what the reader gives lives in the text or the arena.
 * Threads: confined. Limits: the buf's; the reader's INFLUX_PARTS_MAX tags or fields in a line.
 */
#ifndef TELEX_WIRE_INFLUX_LINE_H
#define TELEX_WIRE_INFLUX_LINE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a row. */
enum influx_result {
    INFLUX_WRITTEN,
    INFLUX_STALE,      /* a staleness marker: nothing to write, nothing lost */
    INFLUX_NOT_FINITE, /* NaN or an infinity */
    INFLUX_NAMELESS,   /* neither a measurement nor a metric name */
};

/* Why a row was not written, for a dead letter; NULL for the others. */
const char *influx_refusal(enum influx_result result);

/* What rarely changes from row to row of a batch, written once. */
struct influx_writer {
    const struct batch_info *info;
    struct buf measurement; /* escaped; empty: each row's metric name */
    struct buf end;         /* of lines of <end_ns> */
    int64_t end_ns;
};

void influx_writer_init(struct influx_writer *w, const struct batch_info *info);
void influx_writer_release(struct influx_writer *w);

/* Appends the line of a sample, with its newline. */
enum influx_result influx_add_sample(struct influx_writer *w, const struct samples *s, uint32_t row,
                                     struct buf *out);

/* Lines that an alert edge makes: one, or one per row of its export_query's answer. */
uint32_t influx_alert_lines(const struct alert *a);

/*
 * Appends line <i> of an alert edge: tags are its labels, and those of the row over them; fields value
 * (left out when not finite), threshold (if any) and state.
 */
enum influx_result influx_add_alert(struct influx_writer *w, const struct alert *a, uint32_t i,
                                    struct buf *out);

/* The parts of a line, for the above and for tests. Empty tag values give no tag. */
void influx_put_measurement(struct buf *out, struct str name);
void influx_put_tag(struct buf *out, struct str key, struct str value);
void influx_put_field_key(struct buf *out, struct str key);
void influx_put_string(struct buf *out, struct str value);

/* Reader. */
enum { INFLUX_PARTS_MAX = 4096 };

enum influx_type { INFLUX_FLOAT, INFLUX_INT, INFLUX_UINT, INFLUX_BOOL, INFLUX_STRING };

struct influx_field {
    struct str key;
    enum influx_type type;
    double real;
    int64_t whole;
    uint64_t natural;
    bool truth;
    struct str text;
};

struct influx_point {
    struct str measurement;
    const struct label *tags; /* sorted by key, unique */
    size_t tag_count;
    const struct influx_field *fields;
    size_t field_count;
    bool has_time;
    int64_t time_ns;
};

struct influx_points {
    bool (*point)(void *arg, const struct influx_point *point, struct err *e);
    void *arg;
};

/* Reads all lines; stops at the first that breaks a rule, with its place, or when <point> says false. */
MUST_USE bool influx_read(struct str text, struct arena *a, const struct influx_points *points,
                          struct err *e);

#endif
