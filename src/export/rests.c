#include "export/rests.h"

#include <stdbool.h>

static int64_t total(const struct rests *r)
{
    return r->count > 0 ? r->total_ns[(r->count - 1) % RESTS_MAX] : 0;
}

/* One that goes on where the last one ended is the same rest: many short ones use one place. */
static bool goes_on(const struct rests *r, int64_t began_ns)
{
    return r->count > 0 && began_ns - r->ended_ns[(r->count - 1) % RESTS_MAX] < RESTS_APART_NS;
}

void rests_add(struct rests *r, int64_t ended_ns, int64_t length_ns)
{
    int64_t sum = total(r) + length_ns;

    if (goes_on(r, ended_ns - length_ns)) {
        r->count--;
    }
    r->ended_ns[r->count % RESTS_MAX] = ended_ns;
    r->total_ns[r->count % RESTS_MAX] = sum;
    r->count++;
}

int64_t rests_since(const struct rests *r, int64_t since_ns)
{
    uint64_t oldest = r->count > RESTS_MAX ? r->count - RESTS_MAX : 0;

    for (uint64_t i = r->count; i > oldest; i--) {
        uint64_t at = (i - 1) % RESTS_MAX;
        if (r->ended_ns[at] <= since_ns) {
            return total(r) - r->total_ns[at];
        }
    }
    return total(r);
}
