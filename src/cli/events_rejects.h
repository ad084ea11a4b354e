/*
 * events_rejects.h - lines that are no events: counted, told with their places, and perhaps kept in a file.
 *
 * The file has the lines as they are, to be mended and appended later; it is added to and never cut, so that a run that
 * was interrupted and is begun again loses none of them.
 *
 * Ownership: owns the file. Threads: confined. Limits: SHOWN_REJECTS reasons are printed, the rest is counted.
 */
#ifndef TELEX_CLI_EVENTS_REJECTS_H
#define TELEX_CLI_EVENTS_REJECTS_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHOWN_REJECTS = 10 };

struct rejects {
    const char *path; /* NULL: they are kept nowhere */
    int fd;
    uint64_t count;
};

/* Opens the file, if <path> names one. */
MUST_USE bool rejects_open(struct rejects *r, const char *path, struct err *e);

/* One more: <why> has its place. False: the file cannot be written, and the line is not counted. */
MUST_USE bool rejects_add(struct rejects *r, struct str line, const struct err *why, struct err *e);

/* Has all of it on disk, says how many there were, and closes the file. */
MUST_USE bool rejects_end(struct rejects *r, struct err *e);

#endif
