/*
 * clock.h - time as an injected table, so that tests own it.
 *
 * Wall time is int64 nanoseconds UTC since 1970 and may step; monotonic time is int64 nanoseconds
 * since an unnamed start and only grows. Deadlines are monotonic. Ownership: the creator owns the
 * clock; users borrow. Threads: any. Limits: wall time covers 1677..2262.
 */
#ifndef TELEX_BASE_CLOCK_H
#define TELEX_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* A deadline that never comes. */
#define DEADLINE_NEVER INT64_MAX

struct clock;

struct clock_ops {
    int64_t (*wall_ns)(const struct clock *);
    int64_t (*mono_ns)(const struct clock *);
};

struct clock {
    const struct clock_ops *ops;
};

/* The system's clocks; static, never freed. */
const struct clock *clock_system(void);

static inline int64_t clock_wall_ns(const struct clock *c)
{
    return c->ops->wall_ns(c);
}

static inline int64_t clock_mono_ns(const struct clock *c)
{
    return c->ops->mono_ns(c);
}

/* now + <ms>, without overflow. */
int64_t clock_deadline_ms(const struct clock *c, int64_t ms);

/* Floor division and non-negative remainder, for slots before 1970. */
int64_t time_floor_div(int64_t value, int64_t step);

#endif
