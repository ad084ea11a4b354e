/*
 * SplitMix64: the state steps by a fixed odd number, so that one atomic add gives each caller a state of its own, and
 * the output is a bijective mix of it.
 */
#include "base/rand.h"

#include "base/clock.h"

#include <sys/random.h>
#include <unistd.h>

#define RNG_STEP UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void rng_init(struct rng *r)
{
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed)) {
        const struct clock *c = clock_system();
        seed =
            mix((uint64_t)clock_wall_ns(c)) ^ mix((uint64_t)clock_mono_ns(c) + (uint64_t)getpid());
    }
    rng_seed(r, seed);
}

void rng_seed(struct rng *r, uint64_t seed)
{
    atomic_init(&r->state, seed);
}

uint64_t rng_u64(struct rng *r)
{
    return mix(atomic_fetch_add_explicit(&r->state, RNG_STEP, memory_order_relaxed) + RNG_STEP);
}

uint64_t rng_below(struct rng *r, uint64_t limit)
{
    __extension__ typedef unsigned __int128 u128;

    return (uint64_t)(((u128)rng_u64(r) * limit) >> 64);
}

double rng_unit(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}
