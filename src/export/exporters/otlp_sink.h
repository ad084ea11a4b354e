/*
 * otlp_sink.h - the leaf of OTLP: a leaf over HTTP for each signal, and the sampler in front of traces.
 *
 * A trace is sent whole or not at all: its id decides, as OpenTelemetry's own sampler lets it, so that
 * everyone who samples at the same rate keeps the same traces. Ownership: as http_sink.h. Threads: as
 * sink.h. Limits: none of its own.
 */
#ifndef TELEX_EXPORT_EXPORTERS_OTLP_SINK_H
#define TELEX_EXPORT_EXPORTERS_OTLP_SINK_H

#include "export/exporters/otlp_config.h"
#include "export/http_sink.h"

MUST_USE bool otlp_sink_open(const struct http_exporter *exporter,
                             const struct exporter_place *place, const struct otlp_config *config,
                             struct sink **ret_sink, struct err *e);

/* For struct http_exporter: does a body read again as the rows that it was made of? */
MUST_USE bool otlp_validate(const void *config, const struct sent_rows *sent, struct str body,
                            struct err *e);

/* The same of a request in protobuf. Of samples some may have been left out. */
MUST_USE bool otlp_validate_samples(const struct sent_rows *sent, struct str body, bool some,
                                    struct err *e);
MUST_USE bool otlp_validate_spans(const struct sent_rows *sent, struct str body, struct err *e);

/* What a response in protobuf to a request of <rows> says that was refused of it. */
void otlp_judge_partial(struct str response, uint32_t rows, struct outcome *out);

/* Is a span of this trace kept? Pure. */
bool otlp_keeps_trace(const struct otlp_config *c, const uint8_t *trace_id);

#endif
