#include "export/backoff.h"

#include "base/clock.h"

void backoff_init(struct backoff *b, const struct backoff_config *config)
{
    *b = (struct backoff){.config = config};
    backoff_reset(b);
}

static double capped(const struct backoff *b, double delay_ns)
{
    double max_ns = (double)b->config->max_delay_ns;

    return delay_ns < max_ns ? delay_ns : max_ns;
}

void backoff_reset(struct backoff *b)
{
    b->delay_ns = capped(b, (double)b->config->initial_delay_ns);
    b->tries = 0;
}

static double spread(const struct backoff *b, struct rng *rng)
{
    switch ((enum backoff_jitter)b->config->jitter) {
    case JITTER_FULL:
    case JITTER_TRUE:
        return b->delay_ns * rng_unit(rng);
    case JITTER_FRACTION:
        return b->delay_ns * (0.5 + rng_unit(rng) / 2);
    case JITTER_FALSE:
        break;
    }
    return b->delay_ns;
}

static double next_delay_ns(const struct backoff *b)
{
    switch ((enum backoff_strategy)b->config->strategy) {
    case BACKOFF_EXPONENTIAL:
        return b->delay_ns * b->config->multiplier;
    case BACKOFF_LINEAR:
        return b->delay_ns + (double)b->config->initial_delay_ns;
    case BACKOFF_CONSTANT:
        break;
    }
    return b->delay_ns;
}

int64_t backoff_next_ms(struct backoff *b, struct rng *rng, int64_t asked_ms)
{
    int64_t delay_ms = (int64_t)(spread(b, rng) / (double)NS_PER_MS);

    if (asked_ms > BACKOFF_ASKED_MAX_MS) {
        asked_ms = BACKOFF_ASKED_MAX_MS;
    }
    b->tries++;
    b->delay_ns = capped(b, next_delay_ns(b));
    return delay_ms > asked_ms ? delay_ms : asked_ms;
}
