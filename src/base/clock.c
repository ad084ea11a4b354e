#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    /* Cannot fail for these two clocks. */
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t system_wall_ns(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono_ns(const struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_MONOTONIC);
}

static const struct clock_ops system_ops = {.wall_ns = system_wall_ns, .mono_ns = system_mono_ns};
static const struct clock system_clock = {.ops = &system_ops};

const struct clock *clock_system(void)
{
    return &system_clock;
}

int64_t clock_deadline_ms(const struct clock *c, int64_t ms)
{
    int64_t span_ns;
    int64_t deadline_ns;

    if (ms <= 0) {
        return clock_mono_ns(c);
    }
    if (__builtin_mul_overflow(ms, NS_PER_MS, &span_ns) ||
        __builtin_add_overflow(clock_mono_ns(c), span_ns, &deadline_ns)) {
        return DEADLINE_NEVER;
    }
    return deadline_ns;
}

int64_t time_floor_div(int64_t value, int64_t step)
{
    int64_t quotient = value / step;

    return value % step < 0 ? quotient - 1 : quotient;
}
