/*
 * exhausted.h - what happens when memory is out or an invariant is broken: one policy per program.
 *
 * The program ends (exhausted.c). The library, which is a guest in its host's process, has both functions in
 * src/lib/exhausted.c and links that instead: it waits and tries again (docs/adr/0001). Nothing else in the
 * house decides this. Ownership: none. Threads: any. Limits: none.
 */
#ifndef TELEX_BASE_EXHAUSTED_H
#define TELEX_BASE_EXHAUSTED_H

#include "base/attr.h"

#include <stddef.h>

/* There was no memory for <count> * <size> bytes. Where it returns, the caller tries again. */
COLD void mem_exhausted(size_t count, size_t size);

#endif
