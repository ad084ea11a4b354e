/* Targets from a URL that answers with groups of them in JSON. */
#include "discover/discovery.h"

#include "base/env.h"
#include "net/http_options.h"

struct http_config {
    struct discovery_common common;
    struct http_client_config client;
};

struct http_discovery {
    struct discovery super;
    const struct http_config *config;
    struct http_client *client;
    struct buf answer;
};

enum { CLIENT = offsetof(struct http_config, client) };

static const struct option options[] = {
    DISCOVERY_REFRESH_ROW("30s"),
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    HTTP_CLIENT_ROWS(CLIENT, "10s", "16MB"),
};

const struct option_table discovery_http_options = {
    .name = "http_sd_configs",
    .help = "Targets from a URL.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct http_config),
};

static bool ask(struct http_discovery *d, struct wait wait, struct err *e)
{
    static const struct http_header accept = {STR_INIT("Accept"), STR_INIT("application/json")};
    struct http_response res;
    const struct http_request req = {.headers = &accept, .header_count = 1};

    http_response_init(&res, &d->answer);
    bool ok = http_client_call(d->client, &req, wait, &res, e);
    int status = res.status;
    http_response_release(&res);
    return ok && (status == 200 || err_set(e, ERR_NET, "answered %d: %.*s", status,
                                           STR_FMT(str_slice(buf_str(&d->answer), 0, 200))));
}

static bool look(struct discovery *super, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e)
{
    struct http_discovery *d = (struct http_discovery *)super;

    *ret_same = false;
    return ask(d, wait, e) && target_groups_read_json(ret_list, buf_str(&d->answer),
                                                      d->config->client.url, "__meta_url", e);
}

static void close_it(struct discovery *super)
{
    struct http_discovery *d = (struct http_discovery *)super;

    http_client_free(d->client);
    buf_release(&d->answer);
    mem_free(d);
}

static bool open(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e)
{
    static const struct discovery_ops ops = {look, close_it};
    const struct http_config *c = config;
    struct http_client *client = NULL;

    if (!http_client_new(env, &c->client, &client, e)) {
        return false;
    }
    struct http_discovery *d = mem_new(struct http_discovery);
    *d = (struct http_discovery){.super = {&ops}, .config = c, .client = client};
    buf_init(&d->answer, TARGET_TEXT_MAX);
    *ret_discovery = &d->super;
    return true;
}

const struct discovery_kind discovery_http = {
    .key = "http_sd_configs",
    .name = "http",
    .help = "Targets from a URL that answers with a list of groups in JSON.",
    .options = &discovery_http_options,
    .open = open,
};
