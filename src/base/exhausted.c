/* The program's policy: it ends, since all that it promised is on disk. */
#include "base/exhausted.h"

#include <stdio.h>
#include <stdlib.h>

void invariant_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "telex: invariant broken: %s (%s:%d)\n", condition, file, line);
    abort();
}

void mem_exhausted(size_t count, size_t size)
{
    (void)fprintf(stderr, "telex: out of memory: %zu x %zu bytes were asked for\n", count, size);
    abort();
}
