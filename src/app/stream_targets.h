/*
 * stream_targets.h - the exporters that streams deliver through.
 *
 * Looked at when the plan is whole. Ownership: borrows all. Threads: any. Limits: that of streams.
 */
#ifndef TELEX_APP_STREAM_TARGETS_H
#define TELEX_APP_STREAM_TARGETS_H

#include "app/config.h"

/* Tells <problems> of each stream whose exporter is not there or cannot be its own, and of what two streams claim. */
void check_stream_targets(const struct config *c, struct problems *problems);

#endif
