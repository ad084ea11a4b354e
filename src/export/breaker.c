#include "export/breaker.h"

static const char *const state_names[BREAKER_STATES] = {
    [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half_open"};

const char *breaker_state_name(enum breaker_state state)
{
    return state_names[state];
}

void breaker_init(struct breaker *b, const struct exporter_breaker *config)
{
    *b = (struct breaker){.config = config};
}

static void enter(struct breaker *b, enum breaker_state state)
{
    b->state = state;
    b->calls = 0;
}

int64_t breaker_opens_ns(const struct breaker *b)
{
    return b->opened_ns + b->config->recovery_timeout_ns;
}

bool breaker_admits(struct breaker *b, int64_t now_ns)
{
    if (b->state == BREAKER_OPEN && now_ns >= breaker_opens_ns(b)) {
        enter(b, BREAKER_HALF_OPEN);
    }
    return b->state != BREAKER_OPEN;
}

static void open_at(struct breaker *b, int64_t now_ns)
{
    enter(b, BREAKER_OPEN);
    b->opened_ns = now_ns;
}

static void note_success(struct breaker *b)
{
    if (b->state == BREAKER_CLOSED) {
        b->calls = 0;
    } else if (++b->calls >= b->config->half_open_max_calls) {
        enter(b, BREAKER_CLOSED);
    }
}

void breaker_note(struct breaker *b, bool ok, int64_t now_ns)
{
    if (b->config->failure_threshold <= 0) {
        return;
    }
    if (ok) {
        note_success(b);
    } else if (b->state == BREAKER_HALF_OPEN || ++b->calls >= b->config->failure_threshold) {
        open_at(b, now_ns);
    }
}
