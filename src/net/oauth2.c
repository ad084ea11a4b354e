/*
 * Invariants:
 *   1. At most one token request is on its way (<fetching>).
 *   2. <token> is empty, or was good when it came; <generation> grows with each new one.
 *   3. The lock is not held while the token server is asked.
 *   4. Whoever set <fetching> clears it and wakes those who wait, whatever came of it.
 */
#include "net/oauth2.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "net/http_client_int.h"
#include "net/oauth2_int.h"

enum {
    RENEW_PERCENT = 80,        /* of a token's life */
    LEEWAY_MAX_MS = 60 * 1000, /* renewed at most this long before it ends */
    SPARE_MS = 1000,           /* not used in its last second */
    RETRY_MS = 5000,           /* between tries to renew a token that is still good */
};

struct oauth2 {
    const struct env *env;
    struct oauth2_asker asker; /* of whoever set <fetching> */
    struct oauth2_meter meter;
    struct lock lock;
    struct cond changed;
    bool fetching GUARDED_BY(&lock);
    struct buf token GUARDED_BY(&lock);
    uint64_t generation GUARDED_BY(&lock);
    int64_t issued_at_ns GUARDED_BY(&lock);
    int64_t renew_at_ns GUARDED_BY(&lock);
    int64_t expires_at_ns GUARDED_BY(&lock);
    enum http_failure last_failure GUARDED_BY(&lock); /* of the last request */
    struct err last_err GUARDED_BY(&lock);
};

/* --- life --- */

static double read_age(void *arg)
{
    struct oauth2 *o = arg;
    double age = -1;

    lock_take(&o->lock);
    if (o->token.len > 0) {
        age = (double)(clock_mono_ns(o->env->clock) - o->issued_at_ns) / (double)NS_PER_S;
    }
    lock_give(&o->lock);
    return age;
}

bool oauth2_new(const struct env *env, const struct http_client_config *config,
                struct oauth2 **ret_source, struct err *e)
{
    struct oauth2 *AUTO(oauth2_autofree) o = mem_new(struct oauth2);

    o->env = env;
    lock_init(&o->lock);
    cond_init(&o->changed);
    buf_init(&o->token, HTTP_AUTHORIZATION_MAX - 256);
    if (!oauth2_asker_init(&o->asker, env, config, e)) {
        return false;
    }
    oauth2_meter_init(&o->meter, env, &config->oauth2, read_age, o);
    *ret_source = TAKE(o);
    return true;
}

void oauth2_free(struct oauth2 *o)
{
    if (o == NULL) {
        return;
    }
    oauth2_meter_release(&o->meter);
    oauth2_asker_release(&o->asker);
    lock_take(&o->lock);
    buf_wipe(&o->token);
    buf_release(&o->token);
    lock_give(&o->lock);
    cond_release(&o->changed);
    lock_release(&o->lock);
    mem_free(o);
}

/* --- the token request --- */

static void keep_token(struct oauth2 *o, const struct oauth2_answer *answer)
{
    int64_t now_ns = clock_mono_ns(o->env->clock);
    int64_t life_ns = answer->expires_in_ns;

    lock_take(&o->lock);
    buf_wipe(&o->token);
    buf_add_str(&o->token, answer->token);
    o->generation++;
    o->issued_at_ns = now_ns;
    o->renew_at_ns = DEADLINE_NEVER;
    o->expires_at_ns = DEADLINE_NEVER;
    if (life_ns > 0) {
        int64_t leeway_ns = life_ns / 100 * (100 - RENEW_PERCENT);
        int64_t leeway_max_ns = LEEWAY_MAX_MS * NS_PER_MS;
        int64_t spare_ns = SPARE_MS * NS_PER_MS;
        leeway_ns = leeway_ns < leeway_max_ns ? leeway_ns : leeway_max_ns;
        spare_ns = spare_ns < leeway_ns / 2 ? spare_ns : leeway_ns / 2;
        o->renew_at_ns = now_ns + life_ns - leeway_ns;
        o->expires_at_ns = now_ns + life_ns - spare_ns;
    }
    lock_give(&o->lock);
}

static bool fetch(struct oauth2 *o, struct wait wait, enum http_failure *ret_failure, struct err *e)
{
    struct oauth2_reply AUTO(oauth2_reply_release) reply = {0};
    struct oauth2_trouble trouble = {HTTP_FAILURE_NONE, OAUTH2_GOT};

    oauth2_reply_init(&reply);
    bool fine = oauth2_ask(&o->asker, wait, &reply, &trouble, e);
    oauth2_meter_count(&o->meter, fine ? OAUTH2_GOT : trouble.result);
    *ret_failure = fine ? HTTP_FAILURE_NONE : trouble.failure;
    if (fine) {
        keep_token(o, &reply.answer);
    }
    return fine;
}

/* --- who fetches, who waits --- */

static bool is_good(const struct oauth2 *o, int64_t now_ns) REQUIRES(&o->lock)
{
    return o->token.len > 0 && now_ns < o->expires_at_ns;
}

/* Called with the lock; gives it up while it asks. */
static void fetch_alone(struct oauth2 *o, struct wait wait) REQUIRES(&o->lock)
{
    struct err e = ERR_INIT;
    enum http_failure failure = HTTP_FAILURE_NONE;

    o->fetching = true;
    lock_give(&o->lock);
    bool fine = fetch(o, wait, &failure, &e);
    lock_take(&o->lock);
    o->fetching = false;
    o->last_failure = fine ? HTTP_FAILURE_NONE : failure;
    o->last_err = e;
    if (!fine) {
        o->renew_at_ns = clock_deadline_ms(o->env->clock, RETRY_MS);
    }
    cond_broadcast(&o->changed);
}

/* Called with the lock; gives it up while it waits. */
static void wait_for_fetch(struct oauth2 *o, struct wait wait) REQUIRES(&o->lock)
{
    struct waiter waiter;

    lock_give(&o->lock);
    waiter_begin(&waiter, wait, &o->lock, &o->changed);
    lock_take(&o->lock);
    while (o->fetching && waiter_pause(&waiter)) {
    }
    lock_give(&o->lock);
    waiter_end(&waiter);
    lock_take(&o->lock);
}

static bool give_last_error(const struct oauth2 *o, enum http_failure *ret_failure, struct err *e)
    REQUIRES(&o->lock)
{
    *ret_failure = o->last_failure;
    *e = o->last_err;
    return false;
}

/* Was the last request given up by its caller, so that it says nothing to others? */
static bool was_abandoned(const struct oauth2 *o) REQUIRES(&o->lock)
{
    return o->last_failure == HTTP_FAILURE_CANCELED || o->last_failure == HTTP_FAILURE_TIMEOUT;
}

/* Sees to it that there is a good token; called with the lock, which it gives up while it waits. */
static bool ensure_token(struct oauth2 *o, struct wait wait, enum http_failure *ret_failure,
                         struct err *e) REQUIRES(&o->lock)
{
    const struct clock *clock = o->env->clock;

    for (;;) {
        int64_t now_ns = clock_mono_ns(clock);
        bool good = is_good(o, now_ns);
        if (good && (o->fetching || now_ns < o->renew_at_ns)) {
            return true;
        }
        if (wait_is_over(wait, clock)) {
            bool canceled = wait.cancel != NULL && cancel_is_set(wait.cancel);
            *ret_failure = canceled ? HTTP_FAILURE_CANCELED : HTTP_FAILURE_TIMEOUT;
            return wait_err(wait, e);
        }
        bool others = o->fetching;
        if (others) {
            wait_for_fetch(o, wait);
        } else {
            fetch_alone(o, wait);
        }
        bool failed = !o->fetching && o->last_failure != HTTP_FAILURE_NONE;
        if (failed && !is_good(o, clock_mono_ns(clock)) && !(others && was_abandoned(o))) {
            return give_last_error(o, ret_failure, e);
        }
    }
}

bool oauth2_token(struct oauth2 *o, struct wait wait, struct buf *out, uint64_t *ret_generation,
                  enum http_failure *ret_failure, struct err *e)
{
    lock_take(&o->lock);
    bool fine = ensure_token(o, wait, ret_failure, e);
    if (fine) {
        buf_add_str(out, buf_str(&o->token));
        *ret_generation = o->generation;
    }
    lock_give(&o->lock);
    return fine;
}

int64_t oauth2_issued_ns(struct oauth2 *o)
{
    lock_take(&o->lock);
    int64_t issued_ns = o->token.len > 0 ? o->issued_at_ns : 0;
    lock_give(&o->lock);
    return issued_ns;
}

int64_t oauth2_left_ns(struct oauth2 *o, uint64_t generation)
{
    lock_take(&o->lock);
    bool is_current = o->token.len > 0 && o->generation == generation;
    int64_t end_ns = is_current ? o->expires_at_ns : 0;
    lock_give(&o->lock);
    int64_t left_ns = end_ns - clock_mono_ns(o->env->clock);
    return end_ns == DEADLINE_NEVER ? end_ns : left_ns > 0 ? left_ns : 0;
}

void oauth2_refused(struct oauth2 *o, uint64_t generation)
{
    lock_take(&o->lock);
    if (o->generation == generation) {
        buf_wipe(&o->token);
    }
    lock_give(&o->lock);
}
