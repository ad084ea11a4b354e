/*
 * otlp_int.h - field numbers of OTLP's messages, and what its readers and writers share.
 *
 * Ownership: as otlp.h. Threads: confined. Limits: as otlp.h.
 */
#ifndef TELEX_WIRE_OTLP_INT_H
#define TELEX_WIRE_OTLP_INT_H

#include "wire/otlp.h"
#include "wire/pb.h"

/* Requests, what they hold by resource, and that by scope, have the same numbers for all signals. */
enum { REQUEST_RESOURCES = 1 };
enum { OF_RESOURCE = 1, OF_SCOPES = 2 };
enum { RESOURCE_ATTRIBUTES = 1 };
enum { IN_SCOPE = 1, IN_ITEMS = 2 };
enum { SCOPE_NAME = 1, SCOPE_VERSION = 2 };
enum { KEY_NAME = 1, KEY_VALUE = 2 };

enum {
    VALUE_STRING = 1,
    VALUE_BOOL = 2,
    VALUE_INT = 3,
    VALUE_DOUBLE = 4,
    VALUE_ARRAY = 5,
    VALUE_KVLIST = 6,
    VALUE_BYTES = 7
};

enum {
    METRIC_NAME = 1,
    METRIC_DESCRIPTION = 2,
    METRIC_UNIT = 3,
    METRIC_GAUGE = 5,
    METRIC_SUM = 7,
    METRIC_HISTOGRAM_OF = 9,
    METRIC_EXPONENTIAL = 10,
    METRIC_SUMMARY = 11
};
enum { DATA_POINTS = 1, DATA_TEMPORALITY = 2, DATA_MONOTONIC = 3 };
enum { TEMPORALITY_DELTA = 1, TEMPORALITY_CUMULATIVE = 2 };
enum { NO_RECORDED_VALUE = 1 };

enum {
    NUMBER_START = 2,
    NUMBER_TIME = 3,
    NUMBER_DOUBLE = 4,
    NUMBER_EXEMPLARS = 5,
    NUMBER_INT = 6,
    NUMBER_ATTRIBUTES = 7,
    NUMBER_FLAGS = 8
};
enum {
    HISTOGRAM_TIME = 3,
    HISTOGRAM_COUNT = 4,
    HISTOGRAM_SUM = 5,
    HISTOGRAM_BUCKETS = 6,
    HISTOGRAM_BOUNDS = 7,
    HISTOGRAM_EXEMPLARS = 8,
    HISTOGRAM_ATTRIBUTES = 9,
    HISTOGRAM_FLAGS = 10
};
enum {
    SUMMARY_TIME = 3,
    SUMMARY_COUNT = 4,
    SUMMARY_SUM = 5,
    SUMMARY_QUANTILES = 6,
    SUMMARY_ATTRIBUTES = 7,
    SUMMARY_FLAGS = 8
};
enum { QUANTILE_AT = 1, QUANTILE_VALUE = 2 };

enum {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_STATUS = 15
};
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };

/* Appends an attribute, the text mended where it is no UTF-8. */
void otlp_add_attribute(struct buf *out, uint32_t field, struct str name, struct str value);

/* A field that is a text, mended the same way; empty ones are left out. */
void otlp_add_text(struct buf *out, uint32_t field, struct str text);

#endif
