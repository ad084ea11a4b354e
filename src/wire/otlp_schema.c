/* Messages stand behind those that they are made of. */
#include "wire/otlp_schema.h"

#include "base/attr.h"

#define ONE(json_name, field_number, field_type)                                  \
    {                                                                             \
        .name = (json_name), .number = (field_number), .type = OTLP_##field_type, \
    }
#define MANY(json_name, field_number, field_type)                                 \
    {                                                                             \
        .name = (json_name), .number = (field_number), .type = OTLP_##field_type, \
        .is_repeated = true,                                                      \
    }
#define SUB(json_name, field_number, message)                            \
    {                                                                    \
        .name = (json_name), .number = (field_number), .of = &(message), \
    }
#define SUBS(json_name, field_number, message)                                                \
    {                                                                                         \
        .name = (json_name), .number = (field_number), .of = &(message), .is_repeated = true, \
    }
#define MESSAGE(message) \
    static const struct otlp_message message = {message##_fields, ARRAY_LEN(message##_fields)}

/* ---- values ---- */

static const struct otlp_message value;
static const struct otlp_message key_value;

static const struct otlp_field array_fields[] = {SUBS("values", 1, value)};
MESSAGE(array);

static const struct otlp_field list_fields[] = {SUBS("values", 1, key_value)};
MESSAGE(list);

static const struct otlp_field value_fields[] = {
    ONE("stringValue", 1, STRING), ONE("boolValue", 2, BOOL),   ONE("intValue", 3, INT64),
    ONE("doubleValue", 4, DOUBLE), SUB("arrayValue", 5, array), SUB("kvlistValue", 6, list),
    ONE("bytesValue", 7, BYTES),
};
MESSAGE(value);

static const struct otlp_field key_value_fields[] = {ONE("key", 1, STRING), SUB("value", 2, value)};
MESSAGE(key_value);

static const struct otlp_field resource_fields[] = {
    SUBS("attributes", 1, key_value),
    ONE("droppedAttributesCount", 2, UINT32),
};
MESSAGE(resource);

static const struct otlp_field scope_fields[] = {
    ONE("name", 1, STRING),
    ONE("version", 2, STRING),
    SUBS("attributes", 3, key_value),
    ONE("droppedAttributesCount", 4, UINT32),
};
MESSAGE(scope);

/* ---- metrics ---- */

static const struct otlp_field exemplar_fields[] = {
    ONE("timeUnixNano", 2, FIXED64),
    ONE("asDouble", 3, DOUBLE),
    ONE("spanId", 4, ID),
    ONE("traceId", 5, ID),
    ONE("asInt", 6, SFIXED64),
    SUBS("filteredAttributes", 7, key_value),
};
MESSAGE(exemplar);

static const struct otlp_field number_fields[] = {
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("asDouble", 4, DOUBLE),
    SUBS("exemplars", 5, exemplar),
    ONE("asInt", 6, SFIXED64),
    SUBS("attributes", 7, key_value),
    ONE("flags", 8, UINT32),
};
MESSAGE(number);

static const struct otlp_field histogram_fields[] = {
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    MANY("bucketCounts", 6, FIXED64),
    MANY("explicitBounds", 7, DOUBLE),
    SUBS("exemplars", 8, exemplar),
    SUBS("attributes", 9, key_value),
    ONE("flags", 10, UINT32),
    ONE("min", 11, DOUBLE),
    ONE("max", 12, DOUBLE),
};
MESSAGE(histogram);

static const struct otlp_field buckets_fields[] = {
    ONE("offset", 1, SINT32),
    MANY("bucketCounts", 2, UINT64),
};
MESSAGE(buckets);

static const struct otlp_field exponential_fields[] = {
    SUBS("attributes", 1, key_value),
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    ONE("scale", 6, SINT32),
    ONE("zeroCount", 7, FIXED64),
    SUB("positive", 8, buckets),
    SUB("negative", 9, buckets),
    ONE("flags", 10, UINT32),
    SUBS("exemplars", 11, exemplar),
    ONE("min", 12, DOUBLE),
    ONE("max", 13, DOUBLE),
    ONE("zeroThreshold", 14, DOUBLE),
};
MESSAGE(exponential);

static const struct otlp_field quantile_fields[] = {
    ONE("quantile", 1, DOUBLE),
    ONE("value", 2, DOUBLE),
};
MESSAGE(quantile);

static const struct otlp_field summary_fields[] = {
    ONE("startTimeUnixNano", 2, FIXED64),
    ONE("timeUnixNano", 3, FIXED64),
    ONE("count", 4, FIXED64),
    ONE("sum", 5, DOUBLE),
    SUBS("quantileValues", 6, quantile),
    SUBS("attributes", 7, key_value),
    ONE("flags", 8, UINT32),
};
MESSAGE(summary);

static const struct otlp_field gauge_of_fields[] = {SUBS("dataPoints", 1, number)};
MESSAGE(gauge_of);

static const struct otlp_field sum_of_fields[] = {
    SUBS("dataPoints", 1, number),
    ONE("aggregationTemporality", 2, UINT32),
    ONE("isMonotonic", 3, BOOL),
};
MESSAGE(sum_of);

static const struct otlp_field histogram_of_fields[] = {
    SUBS("dataPoints", 1, histogram),
    ONE("aggregationTemporality", 2, UINT32),
};
MESSAGE(histogram_of);

static const struct otlp_field exponential_of_fields[] = {
    SUBS("dataPoints", 1, exponential),
    ONE("aggregationTemporality", 2, UINT32),
};
MESSAGE(exponential_of);

static const struct otlp_field summary_of_fields[] = {SUBS("dataPoints", 1, summary)};
MESSAGE(summary_of);

static const struct otlp_field metric_fields[] = {
    ONE("name", 1, STRING),
    ONE("description", 2, STRING),
    ONE("unit", 3, STRING),
    SUB("gauge", 5, gauge_of),
    SUB("sum", 7, sum_of),
    SUB("histogram", 9, histogram_of),
    SUB("exponentialHistogram", 10, exponential_of),
    SUB("summary", 11, summary_of),
    SUBS("metadata", 12, key_value),
};
MESSAGE(metric);

static const struct otlp_field scope_metrics_fields[] = {
    SUB("scope", 1, scope),
    SUBS("metrics", 2, metric),
    ONE("schemaUrl", 3, STRING),
};
MESSAGE(scope_metrics);

static const struct otlp_field resource_metrics_fields[] = {
    SUB("resource", 1, resource),
    SUBS("scopeMetrics", 2, scope_metrics),
    ONE("schemaUrl", 3, STRING),
};
MESSAGE(resource_metrics);

static const struct otlp_field metrics_request_fields[] = {
    SUBS("resourceMetrics", 1, resource_metrics)};
MESSAGE(metrics_request);

/* ---- traces ---- */

static const struct otlp_field event_fields[] = {
    ONE("timeUnixNano", 1, FIXED64),
    ONE("name", 2, STRING),
    SUBS("attributes", 3, key_value),
    ONE("droppedAttributesCount", 4, UINT32),
};
MESSAGE(event);

static const struct otlp_field link_fields[] = {
    ONE("traceId", 1, ID),
    ONE("spanId", 2, ID),
    ONE("traceState", 3, STRING),
    SUBS("attributes", 4, key_value),
    ONE("droppedAttributesCount", 5, UINT32),
    ONE("flags", 6, FIXED32),
};
MESSAGE(link);

static const struct otlp_field status_fields[] = {
    ONE("message", 2, STRING),
    ONE("code", 3, UINT32),
};
MESSAGE(status);

static const struct otlp_field span_fields[] = {
    ONE("traceId", 1, ID),
    ONE("spanId", 2, ID),
    ONE("traceState", 3, STRING),
    ONE("parentSpanId", 4, ID),
    ONE("name", 5, STRING),
    ONE("kind", 6, UINT32),
    ONE("startTimeUnixNano", 7, FIXED64),
    ONE("endTimeUnixNano", 8, FIXED64),
    SUBS("attributes", 9, key_value),
    ONE("droppedAttributesCount", 10, UINT32),
    SUBS("events", 11, event),
    ONE("droppedEventsCount", 12, UINT32),
    SUBS("links", 13, link),
    ONE("droppedLinksCount", 14, UINT32),
    SUB("status", 15, status),
    ONE("flags", 16, FIXED32),
};
MESSAGE(span);

/* What span_part has as <more>. */
static const struct otlp_field span_rest_fields[] = {
    ONE("traceState", 3, STRING),
    SUBS("attributes", 9, key_value),
    ONE("droppedAttributesCount", 10, UINT32),
    SUBS("events", 11, event),
    ONE("droppedEventsCount", 12, UINT32),
    SUBS("links", 13, link),
    ONE("droppedLinksCount", 14, UINT32),
    ONE("flags", 16, FIXED32),
};
MESSAGE(span_rest);

static const struct otlp_field scope_spans_fields[] = {
    SUB("scope", 1, scope),
    SUBS("spans", 2, span),
    ONE("schemaUrl", 3, STRING),
};
MESSAGE(scope_spans);

static const struct otlp_field resource_spans_fields[] = {
    SUB("resource", 1, resource),
    SUBS("scopeSpans", 2, scope_spans),
    ONE("schemaUrl", 3, STRING),
};
MESSAGE(resource_spans);

static const struct otlp_field traces_request_fields[] = {SUBS("resourceSpans", 1, resource_spans)};
MESSAGE(traces_request);

/* ---- answers ---- */

static const struct otlp_field partial_metrics_fields[] = {
    ONE("rejectedDataPoints", 1, INT64),
    ONE("errorMessage", 2, STRING),
};
MESSAGE(partial_metrics);

static const struct otlp_field metrics_response_fields[] = {
    SUB("partialSuccess", 1, partial_metrics)};
MESSAGE(metrics_response);

static const struct otlp_field partial_traces_fields[] = {
    ONE("rejectedSpans", 1, INT64),
    ONE("errorMessage", 2, STRING),
};
MESSAGE(partial_traces);

static const struct otlp_field traces_response_fields[] = {
    SUB("partialSuccess", 1, partial_traces)};
MESSAGE(traces_response);

static const struct otlp_field rpc_status_fields[] = {
    ONE("code", 1, UINT32),
    ONE("message", 2, STRING),
};
MESSAGE(rpc_status);

const struct otlp_message *otlp_message_of(enum otlp_form form)
{
    static const struct otlp_message *const messages[OTLP_FORMS] = {
        [OTLP_METRICS_REQUEST] = &metrics_request, [OTLP_METRICS_RESPONSE] = &metrics_response,
        [OTLP_TRACES_REQUEST] = &traces_request,   [OTLP_TRACES_RESPONSE] = &traces_response,
        [OTLP_RPC_STATUS] = &rpc_status,           [OTLP_SPAN_REST] = &span_rest,
    };

    return messages[form];
}

const struct otlp_field *otlp_field_named(const struct otlp_message *m, struct str name)
{
    for (size_t i = 0; i < m->count; i++) {
        if (str_eq(name, str_of(m->fields[i].name))) {
            return &m->fields[i];
        }
    }
    return NULL;
}
