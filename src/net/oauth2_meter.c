#include "net/oauth2_int.h"

#include "base/env.h"
#include "base/metrics.h"
#include "net/url.h"

static const struct metric_desc requests_desc = {
    .name = "telex_oauth2_token_requests_total",
    .help = "Requests for a token, by token server, client and what came of them.",
    .type = METRIC_COUNTER,
    .labels = {"server", "client", "result"},
};

static const struct metric_desc age_desc = {
    .name = "telex_oauth2_token_age_seconds",
    .help = "How long ago the token in use was issued; -1 without one.",
    .type = METRIC_GAUGE,
    .labels = {"server", "client"},
};

static const char *const names[OAUTH2_RESULTS] = {
    [OAUTH2_GOT] = "ok",
    [OAUTH2_UNREACHABLE] = "unreachable",
    [OAUTH2_UNTRUSTED] = "tls",
    [OAUTH2_TIMEOUT] = "timeout",
    [OAUTH2_BUSY] = "busy",
    [OAUTH2_DISCOVERY] = "discovery",
    [OAUTH2_NOT_CLIENT] = "invalid_client",
    [OAUTH2_REFUSED] = "refused",
    [OAUTH2_MALFORMED] = "malformed",
    [OAUTH2_OURS] = "own_key",
};

void oauth2_meter_init(struct oauth2_meter *m, const struct env *env,
                       const struct http_oauth2_config *config, double (*read)(void *arg),
                       void *arg)
{
    struct buf AUTO(buf_release) server = BUF_INIT(URL_MAX);
    struct err ignored = ERR_INIT;
    struct url url;
    struct str text = config->token_url.len > 0 ? config->token_url : config->issuer;

    if (env->metrics == NULL) {
        return;
    }
    buf_add_str(&server, url_parse(text, &url, &ignored) ? url.authority : STR(""));
    struct str values[] = {buf_str(&server), config->client_id, STR("")};
    for (size_t i = 0; i < OAUTH2_RESULTS; i++) {
        values[2] = str_of(names[i]);
        m->results[i] = metrics_get(env->metrics, &requests_desc, values);
    }
    m->age = metrics_watch(env->metrics, &age_desc, values, read, arg);
}

void oauth2_meter_release(struct oauth2_meter *m)
{
    for (size_t i = 0; i < OAUTH2_RESULTS; i++) {
        metric_drop(m->results[i]);
    }
    metric_drop(m->age);
}

void oauth2_meter_count(struct oauth2_meter *m, enum oauth2_result result)
{
    if (m->results[result] != NULL) {
        metric_add(m->results[result], 1);
    }
}
