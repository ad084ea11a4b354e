/*
 * remote_write.h - Prometheus remote write 1.0: WriteRequest messages from samples and back, and the
 * batch codec rw1 (the message in a snappy block, exactly a request's body).
 *
 * Label sets hold their pairs in wire form, so that encoding copies them; consecutive rows of one series
 * share a TimeSeries. Ownership: decoded label sets are owned by the samples given (one reference each);
 * arrays and metadata live in the arena. Threads: any. Limits: BATCH_ROWS_MAX samples and, where they come
 * in, SERIES_FAMILIES_MAX metadata; messages of at most RW1_MESSAGE_MAX bytes in the codec.
 */
#ifndef TELEX_WIRE_REMOTE_WRITE_H
#define TELEX_WIRE_REMOTE_WRITE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum { RW1_MESSAGE_MAX = 256 << 20 };

extern const struct batch_codec codec_rw1;

/* The headers that a request must carry, as the specification fixes them. */
struct rw1_header {
    const char *name;
    const char *value;
};
enum { RW1_HEADERS = 3 };
extern const struct rw1_header rw1_headers[RW1_HEADERS];

/*
 * Appends rows of <v> (a view of samples <s>) from <from> on as TimeSeries fields, and in front of them
 * what is known of their families as MetricMetadata, as many as fit <bytes_max> bytes, and one row at least; gives
 * how many rows. Times are cut to ms.
 */
uint32_t rw1_encode(const struct samples *s, struct view v, uint32_t from, size_t bytes_max,
                    struct buf *out);

/* What a request held beside samples; all but metadata are passed over. */
struct rw1_extras {
    uint32_t histograms;
    uint32_t exemplars;
    uint32_t metadata;
};

/*
 * LENIENT takes what stores take: labels in any order, empty values (dropped), any names, no metric name,
 * samples in any order. STRICT refuses all that the specification forbids senders, for tests.
 */
enum rw1_mode { RW1_LENIENT, RW1_STRICT };

/*
 * Decodes a message, and what its metadata say of its series; errors say the byte. On failure nothing is
 * owned. <ret_extras> may be NULL.
 */
MUST_USE bool rw1_decode(struct str message, enum rw1_mode mode, struct arena *a,
                         struct samples *ret_samples, struct rw1_extras *ret_extras, struct err *e);

struct rw1_summary {
    uint32_t series; /* TimeSeries with a sample */
    uint32_t samples;
    struct rw1_extras extras;
};

/*
 * Goes through a message once, without building anything: true when rw1_decode() takes it LENIENT, with
 * the number of samples that gives. Errors say the byte.
 */
MUST_USE bool rw1_scan(struct str message, struct rw1_summary *ret_summary, struct err *e);

#endif
