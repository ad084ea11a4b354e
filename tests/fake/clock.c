#include "fake/clock.h"

#include "base/attr.h"

static const struct fake_clock *fake_of(const struct clock *c)
{
    return (const struct fake_clock *)(const void *)((const char *)c -
                                                     offsetof(struct fake_clock, clock));
}

static int64_t fake_wall_ns(const struct clock *c)
{
    return atomic_load(&fake_of(c)->wall_ns);
}

static int64_t fake_mono_ns(const struct clock *c)
{
    return atomic_load(&fake_of(c)->mono_ns);
}

static const struct clock_ops fake_ops = {.wall_ns = fake_wall_ns, .mono_ns = fake_mono_ns};

void fake_clock_init(struct fake_clock *f, int64_t wall_ns, int64_t mono_ns)
{
    f->clock.ops = &fake_ops;
    atomic_init(&f->wall_ns, wall_ns);
    atomic_init(&f->mono_ns, mono_ns);
}

void fake_clock_advance_ms(struct fake_clock *f, int64_t ms)
{
    atomic_fetch_add(&f->wall_ns, ms * NS_PER_MS);
    atomic_fetch_add(&f->mono_ns, ms * NS_PER_MS);
}

void fake_clock_step_wall(struct fake_clock *f, int64_t wall_ns)
{
    atomic_store(&f->wall_ns, wall_ns);
}
