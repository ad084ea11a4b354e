/*
 * Invariants
 *   1. inner->deliver() is called only while <consents>.
 *   2. With a rate, the next request waits for <next_ns>; what waits is RETRY with held_back, since nobody
 *      was asked.
 */
#include "export/webhook_consent.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/http_client.h"

#include <inttypes.h>
#include <stdio.h>

enum { RATE_TEXT_MAX = 32, NS_PER_MINUTE_S = 60 };

struct consent_sink {
    struct sink super;
    const struct webhook_consent *config;
    const struct clock *clock;
    struct sink *inner;
    struct http_client *client;
    uint32_t rows;
    bool consents;
    int64_t interval_ns; /* between requests; 0: no limit */
    int64_t next_ns;     /* monotonic: when the next may go */
};

/* ---- asking ---- */

/* "*" allows everybody; a rate of "*" is none. */
static bool take_consent(struct consent_sink *s, const struct http_response *res, struct err *e)
{
    struct str origin = http_response_header(res, STR("WebHook-Allowed-Origin"));
    struct str rate = http_response_header(res, STR("WebHook-Allowed-Rate"));
    int64_t per_minute = 0;

    if (!str_eq(origin, STR("*")) && !str_eq_nocase(origin, s->config->origin)) {
        return err_set(e, ERR_AUTH,
                       "the receiver does not consent: OPTIONS was answered %d with "
                       "WebHook-Allowed-Origin '%.*s', expected '%.*s' or *",
                       res->status, STR_FMT(origin), STR_FMT(s->config->origin));
    }
    bool has_rate = number_parse_i64(rate, &per_minute) && per_minute > 0;
    s->interval_ns = has_rate ? NS_PER_MINUTE_S * NS_PER_S / per_minute : 0;
    s->consents = true;
    return true;
}

static enum verdict ask(struct consent_sink *s, struct wait wait, struct err *e)
{
    char rate[RATE_TEXT_MAX];
    struct http_header headers[2] = {{STR("WebHook-Request-Origin"), s->config->origin}};
    struct http_request request = {.method = "OPTIONS", .headers = headers, .header_count = 1};
    struct http_response res;

    if (s->config->rate_per_minute > 0) {
        int len = snprintf(rate, sizeof(rate), "%" PRId64, s->config->rate_per_minute);
        headers[1] = (struct http_header){STR("WebHook-Request-Rate"), str_make(rate, (size_t)len)};
        request.header_count++;
    }
    http_response_init(&res, NULL);
    bool answered = http_client_call(s->client, &request, wait, &res, e);
    enum verdict verdict = answered ? VERDICT_HALT : VERDICT_RETRY;
    if (answered && take_consent(s, &res, e)) {
        verdict = VERDICT_DELIVERED;
    }
    http_response_release(&res);
    return verdict;
}

/* ---- delivering ---- */

static void hold_back(struct outcome *ret, int64_t wait_ns)
{
    ret->rest = VERDICT_RETRY;
    ret->held_back = true;
    ret->retry_after_ms = wait_ns / NS_PER_MS + 1;
    (void)err_set(&ret->err, ERR_LIMIT, "the receiver allows no more requests a minute");
}

/* One request's rows, when it is time. */
static void deliver_paced(struct consent_sink *s, struct view view, struct wait wait,
                          struct outcome *ret)
{
    int64_t now_ns = clock_mono_ns(s->clock);

    if (now_ns < s->next_ns) {
        hold_back(ret, s->next_ns - now_ns);
        return;
    }
    struct view part = view_slice(view, 0, s->rows);
    s->inner->ops->deliver(s->inner, part, wait, ret);
    s->next_ns = now_ns + s->interval_ns * (int64_t)(ret->requests > 0 ? ret->requests : 1);
    if (ret->settled == part.n && part.n < view.n) {
        hold_back(ret, s->interval_ns);
    }
}

static void consent_deliver(struct sink *sink, struct view view, struct wait wait,
                            struct outcome *ret)
{
    struct consent_sink *s = (struct consent_sink *)sink;

    if (!s->consents) {
        ret->rest = ask(s, wait, &ret->err);
        if (ret->rest != VERDICT_DELIVERED) {
            return;
        }
    }
    if (s->interval_ns > 0) {
        deliver_paced(s, view, wait, ret);
    } else {
        s->inner->ops->deliver(s->inner, view, wait, ret);
    }
    s->consents = ret->rest != VERDICT_HALT;
}

static enum probed consent_probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct consent_sink *s = (struct consent_sink *)sink;

    return sink_probe(s->inner, wait, e);
}

static void consent_close(struct sink *sink)
{
    struct consent_sink *s = (struct consent_sink *)sink;

    http_client_free(s->client);
    sink_close(s->inner);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = consent_deliver, .probe = consent_probe, .close = consent_close};

bool webhook_consent_open(const struct webhook_consent *config,
                          const struct http_client_config *client, uint32_t rows,
                          const struct exporter_place *place, struct sink *inner,
                          struct sink **ret_sink, struct err *e)
{
    struct http_client *own = NULL;

    if (!http_client_new(place->env, client, &own, e)) {
        sink_close(inner);
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct consent_sink *s = mem_new(struct consent_sink);
    s->super.ops = &ops;
    s->config = config;
    s->clock = place->env->clock;
    s->inner = inner;
    s->client = own;
    s->rows = rows;
    *ret_sink = &s->super;
    return true;
}
