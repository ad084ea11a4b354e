/*
 * fake/clock.h - a clock that stands still until the test moves it.
 *
 * Ownership: the test's. Threads: any. Limits: waits in base/thread.h use real time; a fake clock only answers questions.
 */
#ifndef TELEX_FAKE_CLOCK_H
#define TELEX_FAKE_CLOCK_H

#include "base/clock.h"

#include <stdatomic.h>

struct fake_clock {
    struct clock clock; /* what code under test gets */
    _Atomic int64_t wall_ns;
    _Atomic int64_t mono_ns;
};

void fake_clock_init(struct fake_clock *f, int64_t wall_ns, int64_t mono_ns);

/* Both clocks go forward. */
void fake_clock_advance_ms(struct fake_clock *f, int64_t ms);

/* The wall clock steps, as when somebody sets it. */
void fake_clock_step_wall(struct fake_clock *f, int64_t wall_ns);

#endif
