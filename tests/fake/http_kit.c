#include "fake/http_kit.h"

#include "base/clock.h"

enum { BODY_MAX = 256 * 1024 * 1024 };

void http_kit_start(struct http_kit *k, uint16_t port)
{
    struct err e = ERR_INIT;

    *k = (struct http_kit){0};
    INVARIANT(net_init(&k->net, &e));
    budget_init(&k->budget, NULL, "the test", BODY_MAX);
    k->env = (struct env){.clock = clock_system(), .budget = &k->budget};
    buf_init(&k->url, URL_MAX);
    buf_addf(&k->url, "http://127.0.0.1:%u", port);
    k->config = (struct http_client_config){
        .url = buf_str(&k->url),
        .timeout_ns = 5 * NS_PER_S,
        .connect_timeout_ns = 5 * NS_PER_S,
        .idle_timeout_ns = 30 * NS_PER_S,
        .max_connection_ns = 300 * NS_PER_S,
        .max_response_bytes = INT64_C(1024) * 1024,
        .user_agent = STR("telex-test"),
        .api_key_header = STR("X-API-Key"),
    };
    k->cancel = cancel_new(NULL);
    buf_init(&k->body, BODY_MAX);
    http_response_init(&k->response, &k->body);
}

void http_kit_stop(struct http_kit *k)
{
    http_response_release(&k->response);
    INVARIANT(budget_used(&k->budget) == 0);
    http_client_free(k->client);
    cancel_free(k->cancel);
    buf_release(&k->body);
    buf_release(&k->url);
    net_release(&k->net);
}

void http_kit_client(struct http_kit *k)
{
    struct err e = ERR_INIT;

    http_client_free(k->client);
    INVARIANT(http_client_new(&k->env, &k->config, &k->client, &e));
}

bool http_kit_call(struct http_kit *k, const struct http_request *request)
{
    struct wait wait = {.deadline_mono_ns = DEADLINE_NEVER, .cancel = k->cancel};

    k->err = ERR_INIT;
    if (k->client == NULL) {
        http_kit_client(k);
    }
    return http_client_call(k->client, request, wait, &k->response, &k->err);
}

bool http_kit_get(struct http_kit *k, const char *path)
{
    return http_kit_call(k, &(struct http_request){.path = str_of(path)});
}
