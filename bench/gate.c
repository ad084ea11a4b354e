/*
 * Invariant: passed <= quota, unless a query waited the full ten minutes.
 */
#include "bench/gate.h"

#include <time.h>

enum { HOLD_MAX_S = 600 };

void gate_init(struct gate *g, uint64_t quota)
{
    *g = (struct gate){.quota = quota};
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->raised, NULL);
}

void gate_pass(struct gate *g)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HOLD_MAX_S;
    pthread_mutex_lock(&g->lock);
    g->held++;
    while (g->passed >= g->quota) {
        if (pthread_cond_timedwait(&g->raised, &g->lock, &until) != 0) {
            break;
        }
    }
    g->held--;
    g->passed++;
    pthread_mutex_unlock(&g->lock);
}

void gate_set(struct gate *g, uint64_t quota)
{
    pthread_mutex_lock(&g->lock);
    g->quota = quota;
    pthread_cond_broadcast(&g->raised);
    pthread_mutex_unlock(&g->lock);
}

void gate_read(struct gate *g, uint64_t *ret_passed, uint64_t *ret_held)
{
    pthread_mutex_lock(&g->lock);
    *ret_passed = g->passed;
    *ret_held = g->held;
    pthread_mutex_unlock(&g->lock);
}
