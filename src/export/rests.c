#include "export/rests.h"

static int64_t total(const struct rests *r)
{
    return r->count > 0 ? r->total_ns[(r->count - 1) % RESTS_MAX] : 0;
}

void rests_add(struct rests *r, int64_t ended_ns, int64_t length_ns)
{
    int64_t sum = total(r) + length_ns;

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
