/*
 * rw2.h - Prometheus remote write 2.0: io.prometheus.write.v2.Request, written and turned into 1.0.
 *
 * A request has a table of symbols that all texts refer to. Inside, samples are what remote write 1.0 carries,
 * so a 2.0 message is turned into a 1.0 one, once, where it comes in: native histograms, exemplars and metadata
 * go over; the start times of samples have no place there and are counted. Ownership: the caller's. Threads: any.
 * Limits: RW2_SYMBOLS_MAX symbols; the output's cap, since texts that were said once are written out.
 */
#ifndef TELEX_WIRE_RW2_H
#define TELEX_WIRE_RW2_H

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"
#include "wire/remote_write.h"

enum { RW2_SYMBOLS_MAX = 1 << 20 };

/* The headers that a request must carry, as the specification fixes them. */
enum { RW2_HEADERS = 3 };
extern const struct rw1_header rw2_headers[RW2_HEADERS];

struct rw2_summary {
    struct rw1_summary rw1;
    uint32_t start_times; /* not taken over */
};

/* Appends <message> as one of 1.0; ERR_LIMIT when it does not fit. Errors say the series. */
MUST_USE bool rw2_to_rw1(struct str message, struct buf *out, struct rw2_summary *ret_summary,
                         struct err *e);

/*
 * Appends a request of rows of <v> (a view of samples <s>) from <from> on, <rows_max> at most and one at
 * least; gives how many rows. Consecutive rows of one series share a TimeSeries, which says
 * what is known of it (struct series_meta). Times are cut to ms. <seed>
 * is of the table of symbols: outsiders choose their texts.
 */
uint32_t rw2_encode(const struct samples *s, struct view v, uint32_t from, uint32_t rows_max,
                    uint64_t seed, struct buf *out);

#endif
