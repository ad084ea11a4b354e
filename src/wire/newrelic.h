/*
 * newrelic.h - New Relic's JSON: samples for its metric API, profiles and spans for its event and trace
 * APIs.
 *
 * Each function appends the object of one row; what stands around them is the caller's, save for
 * newrelic_begin() and newrelic_end(), which put the common attributes of metrics and spans in front. Events
 * have no common block, so each carries them. Of one name a field counts before a label, a label before a
 * common attribute. Values end after 4096 bytes; names are never cut, a row with a longer one is refused.
 *
 * Ownership: everything is borrowed. Threads: pure. Limits: those below, as New Relic says them.
 */
#ifndef TELEX_WIRE_NEWRELIC_H
#define TELEX_WIRE_NEWRELIC_H

#include "base/buf.h"
#include "base/options.h"
#include "base/str.h"
#include "model/batch.h"

#include <stdint.h>

enum {
    NEWRELIC_BODY_MAX = 1000 * 1000,
    NEWRELIC_NAME_MAX = 255,
    NEWRELIC_VALUE_MAX = 4096,
    NEWRELIC_METRIC_ATTRIBUTES = 150,
    NEWRELIC_EVENT_ATTRIBUTES = 254,
    NEWRELIC_OLDEST_S = 48 * 60 * 60, /* before now */
    NEWRELIC_NEWEST_S = 24 * 60 * 60, /* after now */
};

/* What became of a row. */
enum newrelic_result {
    NEWRELIC_WRITTEN,
    NEWRELIC_STALE, /* a staleness marker: nothing to write, nothing lost */
    NEWRELIC_NOT_FINITE,
    NEWRELIC_NAMELESS,
    NEWRELIC_LONG_NAME,
    NEWRELIC_TOO_MANY,
    NEWRELIC_TOO_OLD,
    NEWRELIC_TOO_NEW,
    NEWRELIC_RESULTS
};

/* Why a row was not written, for a dead letter; NULL for the others. */
const char *newrelic_refusal(enum newrelic_result result);

struct newrelic_writer {
    const struct option_map *common; /* attributes of everything */
    struct str event_type;
    const struct option_list *attributes; /* fields that events have; NULL: all */
    int64_t interval_ms;                  /* of counts */
    int64_t now_ns;                       /* 0: ages are not looked at */
};

/* [{"common":{"attributes":{...}},"<list>":[ and its end. */
void newrelic_begin(const struct newrelic_writer *w, const char *list, struct buf *out);
void newrelic_end(struct buf *out);

enum newrelic_result newrelic_add_metric(const struct newrelic_writer *w, const struct samples *s,
                                         uint32_t row, struct buf *out);
enum newrelic_result newrelic_add_event(const struct newrelic_writer *w, const struct note *n,
                                        struct buf *out);
enum newrelic_result newrelic_add_span(const struct newrelic_writer *w, const struct note *n,
                                       struct buf *out);

/* Names that have a meaning of their own, which no label or field of that name has. */
bool newrelic_is_reserved(struct str name);

/* The id of a request: a UUID that is the same for the same bytes, so that a retry is known as one. */
void newrelic_put_request_id(const char *list, struct str body, struct buf *out);

#endif
