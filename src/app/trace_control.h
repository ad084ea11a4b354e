/*
 * trace_control.h - the levels of the log while the program runs: the config's, and for a time others.
 *
 * What somebody asks for goes on top of what the config says, until it is taken back or its time is over; a
 * reload exchanges what lies below. Ownership: the app. Threads: any. Limits: TRACE_CHANGES_MAX levels.
 */
#ifndef TELEX_APP_TRACE_CONTROL_H
#define TELEX_APP_TRACE_CONTROL_H

#include "app/config.h"
#include "base/env.h"
#include "wire/json.h"

enum { TRACE_CHANGES_MAX = 64 };

struct trace_control;

struct trace_control *trace_control_new(const struct env *env);
void trace_control_free(struct trace_control *t); /* NULL is fine */

/* The config that runs says what lies below. */
void trace_control_use(struct trace_control *t, const struct config *config);

/*
 * Puts what <body> says on top, in place of what was there: {"level": "debug", "levels": {"export/vm":
 * "debug"}, "for": "10m"}, all of it optional. False with what is wrong and where.
 */
MUST_USE bool trace_control_change(struct trace_control *t, struct str body, struct err *e);

/* Takes it back. */
void trace_control_restore(struct trace_control *t);

/* Takes it back when its time is over. */
void trace_control_tick(struct trace_control *t);

/* Adds an object: levels of all components, and what was changed until when. */
void trace_control_print(struct trace_control *t, struct json_writer *w);

#endif
