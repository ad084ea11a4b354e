/*
 * problems.h - what is wrong with a config and its rules, all of it, as it is found.
 *
 * Reading goes on behind a problem where that makes sense, so that one look shows all mistakes.
 * `check` prints them, `run` logs them, reload answers with them. Ownership: the creator; a problem
 * is borrowed for the call of <report>. Threads: confined. Limits: PROBLEMS_MAX are passed on, the
 * others only counted.
 */
#ifndef TELEX_APP_PROBLEMS_H
#define TELEX_APP_PROBLEMS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { PROBLEMS_MAX = 1000 };

struct problems {
    void (*report)(void *arg, bool is_warning, const struct err *problem);
    void *arg;
    size_t errors;
    size_t warnings;
};

/* Counts a problem and passes it on. */
void problems_error(struct problems *p, const struct err *e);
void problems_warning(struct problems *p, const struct err *e);

#endif
