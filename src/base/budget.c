#include "base/budget.h"

#include <inttypes.h>

void budget_init(struct budget *b, struct budget *parent, const char *name, int64_t cap_bytes)
{
    b->parent = parent;
    b->name = name;
    b->cap_bytes = cap_bytes;
    atomic_init(&b->used_bytes, 0);
    atomic_init(&b->peak_bytes, 0);
    atomic_init(&b->refused_total, 0);
}

static void raise_peak(struct budget *b, int64_t used_bytes)
{
    int64_t peak = atomic_load_explicit(&b->peak_bytes, memory_order_relaxed);

    while (used_bytes > peak &&
           !atomic_compare_exchange_weak_explicit(&b->peak_bytes, &peak, used_bytes,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Takes from this one budget, without its parents. */
static bool take_one(struct budget *b, int64_t bytes)
{
    int64_t used = atomic_load_explicit(&b->used_bytes, memory_order_relaxed);

    do {
        if (used > b->cap_bytes || bytes > b->cap_bytes - used) {
            atomic_fetch_add_explicit(&b->refused_total, 1, memory_order_relaxed);
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&b->used_bytes, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    raise_peak(b, used + bytes);
    return true;
}

/* Gives back to <b> and its parents below <end>. */
static void give_until(struct budget *b, const struct budget *end, int64_t bytes)
{
    for (; b != end; b = b->parent) {
        int64_t before = atomic_fetch_sub_explicit(&b->used_bytes, bytes, memory_order_relaxed);
        INVARIANT(before >= bytes);
    }
}

/* Takes along the whole chain; the budget that refused, or NULL. */
static struct budget *take_all(struct budget *b, int64_t bytes)
{
    INVARIANT(bytes >= 0);
    for (struct budget *at = b; at != NULL; at = at->parent) {
        if (!take_one(at, bytes)) {
            give_until(b, at, bytes);
            return at;
        }
    }
    return NULL;
}

bool budget_try_take(struct budget *b, int64_t bytes)
{
    return take_all(b, bytes) == NULL;
}

bool budget_take(struct budget *b, int64_t bytes, struct err *e)
{
    const struct budget *refused = take_all(b, bytes);

    if (refused == NULL) {
        return true;
    }
    return err_set(e, ERR_LIMIT,
                   "%" PRIi64 " bytes of memory are needed, but %s may use %" PRIi64
                   " and uses %" PRIi64 " already; ask for less at once or raise the limit",
                   bytes, refused->name, refused->cap_bytes, budget_used(refused));
}

void budget_give(struct budget *b, int64_t bytes)
{
    INVARIANT(bytes >= 0);
    give_until(b, NULL, bytes);
}

int64_t budget_used(const struct budget *b)
{
    return atomic_load_explicit(&b->used_bytes, memory_order_relaxed);
}
