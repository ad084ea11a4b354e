/*
 * streams.h - the app's change streams: opened with it, stopped while the plan changes, and the table of our own events.
 *
 * Ownership: the app owns both. Threads: the main thread. Limits: as events/events.h.
 */
#ifndef TELEX_APP_STREAMS_H
#define TELEX_APP_STREAMS_H

#include "base/err.h"
#include "base/thread.h"

#include <stdint.h>

struct app;

/* Opens what the config that runs needs, and starts its streams; at the start, and behind a change of the plan, before
 * which they rest. False: none of them runs. */
MUST_USE bool app_streams_run(struct app *a, struct err *e);
void app_streams_rest(struct app *a);

/* What persons asked for ends soon: the program is about to stop. */
void app_streams_hurry(struct app *a);

/* What no sink has when they end. */
struct streams_left {
    uint64_t in_flight;  /* events that were read */
    uint64_t unreadable; /* changes that became dead letters since the start, and still are */
    char text[512];      /* whose, and how many */
};

/* Ends them: what is under way may end until <wait> is over. */
void app_streams_close(struct app *a, struct wait wait, struct streams_left *ret_left);

#endif
