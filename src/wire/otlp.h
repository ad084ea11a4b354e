/*
 * otlp.h - OpenTelemetry's protocol in protobuf: samples and spans to export requests and back, and the
 * answers to them. otlp_json.h turns all of it into the JSON form and back.
 *
 * Samples become gauges, those that somebody said to be totals (counters, and what histograms and summaries count)
 * cumulative monotonic sums; rows of one name behind each other share a Metric. A staleness marker is a point without a value. A span's labels
 * are its resource's attributes, its fields its own; its scope are the fields otlp_scope_name and
 * otlp_scope_version. Texts that are no UTF-8 are mended, since one of them has the whole request refused.
 *
 * Ownership: writers borrow the buffer and what they write; what is read lives in the bytes and the arena,
 * label sets are counted. Threads: confined. Limits: OTLP_DEPTH_MAX levels in values of attributes,
 * OTLP_POINTS_MAX samples or spans in a request.
 */
#ifndef TELEX_WIRE_OTLP_H
#define TELEX_WIRE_OTLP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OTLP_DEPTH_MAX = 32, OTLP_POINTS_MAX = 4 * 1000 * 1000 };

/* Fields of a span that say of what scope it is. */
extern const struct str otlp_scope_name;
extern const struct str otlp_scope_version;

/* Who says it: the resource and the scope of what is written. */
struct otlp_origin {
    const struct label *resource;
    size_t resource_count;
    struct str scope_name;
    struct str scope_version;
};

/* ---- samples to an ExportMetricsServiceRequest ---- */

struct otlp_metrics_writer {
    struct buf *out;
    struct buf head; /* the resource, and behind <resource_len> the scope */
    size_t resource_len;
    size_t start; /* of what is kept free in front, in <out> */
    size_t gap;
    struct str name; /* of the open Metric */
    const struct series_meta *meta;
    bool is_sum; /* so the open Metric is one */
    struct str
        name_space; /* set by the caller: stands, with a dot, before names without one; or empty */
    int64_t
        delta_ns; /* set by the caller: sums are of counts in that time, and totals gauges; 0: of totals */
    size_t metric; /* where it begins; 0: none is open */
    size_t data;
    uint32_t run;
    uint32_t points;
};

void otlp_metrics_begin(struct otlp_metrics_writer *w, const struct otlp_origin *origin,
                        struct buf *out);

/* Appends a row; or gives why it cannot be said in OTLP, and appends nothing. */
const char *otlp_metrics_add(struct otlp_metrics_writer *w, const struct samples *s, uint32_t row);

/* The whole message, a view of <out>; empty when there is no row in it. */
struct str otlp_metrics_end(struct otlp_metrics_writer *w);
void otlp_metrics_release(struct otlp_metrics_writer *w);

/* ---- spans to an ExportTraceServiceRequest ---- */

struct otlp_spans_writer {
    struct buf *out;
    struct otlp_origin origin;
    struct str name_prefix;
    struct str
        service_label; /* set by the caller: names the service of spans that have it and no service.name */
    const struct note *first; /* of the open group: of one resource and scope */
    size_t resource;
    size_t scope;
    uint32_t spans;
};

/* <name_prefix> stands before each span's name; empty: nothing does. */
void otlp_spans_begin(struct otlp_spans_writer *w, const struct otlp_origin *origin,
                      struct str name_prefix, struct buf *out);
const char *otlp_spans_add(struct otlp_spans_writer *w, const struct note *span);
void otlp_spans_end(struct otlp_spans_writer *w);

/* ---- and back ---- */

/* What a request held that is left out, or taken as something else. */
struct otlp_extras {
    uint64_t exponential; /* points of exponential histograms: left out */
    uint64_t nameless;    /* points of metrics without a name: left out */
    uint64_t bad;         /* points or spans that make no sense: left out */
    uint64_t deltas;      /* points of delta temporality: taken as they are */
    uint64_t exemplars;   /* left out */
    uint64_t meta;        /* Metrics that came with a description or a unit */
};

/* What a reader of metrics goes by. */
struct otlp_limits {
    int64_t now_ns;   /* the time of points that say none */
    size_t bytes_max; /* of all label sets together */
};

/*
 * Samples of an ExportMetricsServiceRequest. Names and attributes become names of metrics and labels as
 * Prometheus spells them; resource attributes are labels too, with `job` and `instance` as Prometheus
 * makes them. Histograms and summaries become their classic series.
 */
MUST_USE bool otlp_metrics_read(struct str message, const struct otlp_limits *limits,
                                struct arena *a, struct samples *ret_samples,
                                struct otlp_extras *ret_extras, struct err *e);

/* Spans of an ExportTraceServiceRequest, to be released with their labels. */
MUST_USE bool otlp_spans_read(struct str message, struct arena *a, struct notes *ret_spans,
                              struct otlp_extras *ret_extras, struct err *e);

/* ---- answers ---- */

/* What an Export*ServiceResponse says of a partial success; all 0 and empty of a whole one. */
struct otlp_partial {
    int64_t rejected;
    struct str message;
};

void otlp_partial_write(const struct otlp_partial *partial, struct buf *out);

/* False, and nothing, when it is no such message. The text is a view. */
bool otlp_partial_read(struct str message, struct otlp_partial *ret);

/* A google.rpc.Status: gRPC's code and a text; and whether it says when to come back (RetryInfo). */
struct otlp_status {
    int64_t code;
    struct str message;
    bool has_retry;
    int64_t retry_ms;
};

void otlp_status_write(const struct otlp_status *status, struct buf *out);
bool otlp_status_read(struct str message, struct otlp_status *ret);

#endif
