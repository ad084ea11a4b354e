/*
 * The library's policy (docs/adr/0001): it is a guest in its host's process and never ends that. A thread that
 * finds no memory waits and tries again, since what the library holds is bounded and comes back as it is
 * delivered; a thread that finds an invariant broken goes no further.
 */
#include "base/exhausted.h"

#include "base/thread.h"

#include <stdio.h>

enum { EXHAUSTED_WAIT_MS = 20, BROKEN_WAIT_MS = 60 * 1000 };

static void rest_ms(int64_t ms)
{
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), ms), NULL});
}

void invariant_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "libtelex: invariant broken: %s (%s:%d); this thread stops here\n",
                  condition, file, line);
    for (;;) {
        rest_ms(BROKEN_WAIT_MS);
    }
}

void mem_exhausted(size_t count, size_t size)
{
    (void)count;
    (void)size;
    rest_ms(EXHAUSTED_WAIT_MS);
}
