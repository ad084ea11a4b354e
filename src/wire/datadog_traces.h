/*
 * datadog_traces.h - spans as Datadog's agent takes them (PUT /v0.4/traces): MessagePack, an array of traces,
 * each an array of spans, each a map.
 *
 *     {service, name, resource, trace_id, span_id, parent_id, start, duration, error, meta, metrics, type}
 *
 * An id of 128 bits has its upper half in meta as "_dd.p.tid". Labels, texts and flags are meta, numbers are
 * metrics; a number that is none is meta too. The span's name is both name and resource, cut to what Datadog
 * keeps, texts that are no UTF-8 are mended; the service is the label `service.name` or `service`, else that of the writer.
 *
 * Ownership: everything is borrowed. Threads: pure. Limits: below; what is longer is cut at a character.
 */
#ifndef TELEX_WIRE_DATADOG_TRACES_H
#define TELEX_WIRE_DATADOG_TRACES_H

#include "base/buf.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdint.h>

enum {
    DATADOG_SERVICE_MAX = 100,
    DATADOG_SPAN_NAME_MAX = 100,
    DATADOG_RESOURCE_MAX = 5000,
    DATADOG_META_KEY_MAX = 200,
    DATADOG_META_VALUE_MAX = 25000,
    DATADOG_TRACES_MAX = 20 * 1024 * 1024, /* bytes of a request; the agent takes 25 MB */
};

struct datadog_spans {
    struct str service; /* of spans that name none */
    struct str env;     /* meta of spans that have none; or empty */
    struct str version;
};

/*
 * Appends a request of the rows of <v> (a view of <notes>) from <from> on, at most <rows_max> and one at least;
 * gives how many rows, and in *ret_traces how many traces they are of.
 */
uint32_t datadog_encode_traces(const struct datadog_spans *w, const struct notes *notes,
                               struct view v, uint32_t from, uint32_t rows_max, struct buf *out,
                               uint32_t *ret_traces);

#endif
