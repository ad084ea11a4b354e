/*
 * problem.h - from the house's errors to those of telex.h.
 *
 * Ownership: the caller's. Threads: confined. Limits: messages are cut at a character's edge.
 */
#ifndef TELEX_LIB_PROBLEM_H
#define TELEX_LIB_PROBLEM_H

#include "base/err.h"
#include <telex/telex.h>

/* Fills <error>, which may be NULL, and gives the code. */
int lib_err(struct telex_error *error, const struct err *e);
int lib_err_text(struct telex_error *error, int code, const char *fmt, ...) PRINTF_LIKE(3, 4) COLD;

/* Copies <text> and a NUL into <size> bytes, cut at a character's edge. */
void lib_copy_text(char *ret, size_t size, struct str text);

/*
 * Is there memory for a call that needs about <bytes>? Else NO_MEMORY is told. What is asked for between this look and
 * the end of the call waits, if another thread was faster.
 */
bool lib_has_memory(size_t bytes, struct telex_error *error);

enum { LIB_CALL_BYTES = 1 << 20, LIB_OPEN_BYTES = 16 << 20 };

#endif
