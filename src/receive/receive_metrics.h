/*
 * receive_metrics.h - what the receiver counts.
 *
 * Ownership: the receiver. Threads: any; each count is one atomic. Limits: answers with a code that
 * is not listed count as the last one.
 */
#ifndef TELEX_RECEIVE_RECEIVE_METRICS_H
#define TELEX_RECEIVE_RECEIVE_METRICS_H

#include "base/metrics.h"

enum { RECEIVE_CODES = 9 };
enum receive_fate { FATE_FIRING, FATE_RESOLVED, FATE_UNCHANGED, FATE_BAD, RECEIVE_FATES };
enum receive_note { NOTE_OF_PROFILE, NOTE_OF_SPAN, RECEIVE_NOTES };
enum receive_event { EVENT_IS_NEW, EVENT_IS_KNOWN, RECEIVE_EVENTS };
enum receive_drop { DROP_NO_ROUTE, DROP_NO_SAMPLES, DROP_LEFT_OUT, RECEIVE_DROPS };
enum receive_extra {
    EXTRA_HISTOGRAM,
    EXTRA_EXEMPLAR,
    EXTRA_METADATA,
    EXTRA_START_TIME,
    EXTRA_EXPONENTIAL,
    EXTRA_DELTA,
    RECEIVE_EXTRAS
};

struct receive_metrics {
    struct metric *samples;
    struct metric *alerts[RECEIVE_FATES];
    struct metric *notes[RECEIVE_NOTES];
    struct metric *events[RECEIVE_EVENTS];
    struct metric *bytes;
    struct metric *seconds;
    struct metric *requests[RECEIVE_CODES];
    struct metric *dropped[RECEIVE_DROPS];
    struct metric *extras[RECEIVE_EXTRAS];
};

void receive_metrics_init(struct receive_metrics *m, struct metrics *registry);
void receive_metrics_release(struct receive_metrics *m);

/* A push was answered with <code>. */
void receive_count_answer(struct receive_metrics *m, int code);

#endif
