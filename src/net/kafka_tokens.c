/*
 * Invariants
 *   1. A token that was refused is forgotten: the next one is asked for.
 *   2. <anew> is set from a refusal of a token until one is taken: the second token in a row is final.
 *   3. What brokers say of one token is one refusal, however many say it; the answer to it stays the same.
 */
#include "net/kafka_tokens.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "net/oauth2.h"

enum {
    CONNECT_MS = 5000,
    IDLE_MS = 30 * 1000,
    CONNECTION_MS = 300 * 1000,
    NO_END_MS = 24 * 3600 * 1000, /* how long a token is said to be good that does not say it */
};

struct kafka_tokens {
    struct http_client_config http; /* of the token server */
    const struct clock *clock;
    struct oauth2 *source;
    struct lock lock;
    uint64_t generation GUARDED_BY(&lock);       /* of the last token that was given */
    enum http_failure failure GUARDED_BY(&lock); /* of the last request */
    uint64_t refused GUARDED_BY(&lock);          /* the last generation that was */
    bool is_final GUARDED_BY(&lock);             /* what came of that */
    bool anew GUARDED_BY(&lock);
};

bool kafka_tokens_new(const struct env *env, const struct kafka_config *config,
                      struct kafka_tokens **ret_tokens, struct err *e)
{
    if (config->sasl_mechanism != KAFKA_SASL_OAUTHBEARER) {
        *ret_tokens = NULL;
        return true;
    }
    struct kafka_tokens *t = mem_new(struct kafka_tokens);
    t->clock = env->clock;
    t->http = (struct http_client_config){
        .oauth2 = config->oauth2,
        .user_agent = STR("telex"),
        .connect_timeout_ns = CONNECT_MS * NS_PER_MS,
        .idle_timeout_ns = IDLE_MS * NS_PER_MS,
        .max_connection_ns = CONNECTION_MS * NS_PER_MS,
    };
    lock_init(&t->lock);
    if (!oauth2_new(env, &t->http, &t->source, e)) {
        kafka_tokens_free(t);
        return err_wrap(e, "oauth2");
    }
    *ret_tokens = t;
    return true;
}

void kafka_tokens_free(struct kafka_tokens *t)
{
    if (t != NULL) {
        oauth2_free(t->source);
        lock_release(&t->lock);
        mem_free(t);
    }
}

/* One that another caller replaced meanwhile ends at once: its user asks again. */
static int64_t end_of(const struct kafka_tokens *t, uint64_t generation)
{
    int64_t left_ns = oauth2_left_ns(t->source, generation);
    int64_t left_ms = left_ns == DEADLINE_NEVER ? NO_END_MS : left_ns / NS_PER_MS;

    return clock_wall_ns(t->clock) / NS_PER_MS + (left_ms > 0 ? left_ms : 1);
}

bool kafka_tokens_get(struct kafka_tokens *t, struct wait wait, struct buf *out,
                      int64_t *ret_end_ms, struct err *e)
{
    uint64_t generation = 0;
    enum http_failure failure = HTTP_FAILURE_NONE;
    bool ok = oauth2_token(t->source, wait, out, &generation, &failure, e);

    lock_take(&t->lock);
    t->failure = ok ? HTTP_FAILURE_NONE : failure;
    t->generation = ok ? generation : t->generation;
    lock_give(&t->lock);
    if (ok) {
        *ret_end_ms = end_of(t, generation);
    }
    return ok;
}

void kafka_tokens_worked(struct kafka_tokens *t)
{
    lock_take(&t->lock);
    t->anew = false;
    lock_give(&t->lock);
}

/* Judges a refusal of the last token, once. */
static void note_refused(struct kafka_tokens *t) REQUIRES(&t->lock)
{
    if (t->generation != t->refused) {
        t->is_final = t->anew;
        t->anew = true;
        t->refused = t->generation;
    }
}

bool kafka_tokens_refused(struct kafka_tokens *t, bool *ret_anew)
{
    lock_take(&t->lock);
    enum http_failure failure = t->failure;
    uint64_t generation = t->generation;
    if (failure == HTTP_FAILURE_NONE) {
        note_refused(t);
    }
    *ret_anew = failure == HTTP_FAILURE_NONE && !t->is_final;
    lock_give(&t->lock);
    if (failure == HTTP_FAILURE_NONE) {
        oauth2_refused(t->source, generation);
    }
    return *ret_anew || (failure != HTTP_FAILURE_NONE && failure != HTTP_FAILURE_AUTH &&
                         failure != HTTP_FAILURE_REQUEST);
}

bool kafka_tokens_wants_another(struct kafka_tokens *t)
{
    lock_take(&t->lock);
    bool wants = t->anew && !t->is_final;
    lock_give(&t->lock);
    return wants;
}
