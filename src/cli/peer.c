#include "cli/peer.h"

#include "app/config.h"
#include "base/metrics.h"
#include "net/http_options.h"
#include "wire/json.h"

/* ":8420" is reached on this machine. */
static struct str own_url(struct peer *p)
{
    struct str listen = p->config->settings.server.listen;
    bool has_host = listen.len > 0 && listen.ptr[0] != ':';
    const char *scheme = p->config->settings.server.tls.cert_file.len > 0 ? "https" : "http";

    return arena_printf(&p->arena, "%s://%s%.*s", scheme, has_host ? "" : "127.0.0.1",
                        STR_FMT(listen));
}

static bool open_config(struct peer *p, const struct peer_access *access, struct err *e)
{
    const struct config_environment environment = config_process_environment();
    struct printer printer = {&p->place};
    struct problems problems = printer_problems(&printer);

    return place_enter(access->config, &p->place, e) &&
           config_load(str_of(p->place.config), &environment, &problems, &p->config, e);
}

static bool open_client(struct peer *p, const struct peer_access *access, struct err *e)
{
    const struct option_source plain = {0};

    if (!options_parse(&http_client_options, NULL, &plain, &p->arena, &p->http, e)) {
        return false;
    }
    p->http.url = access->url != NULL ? str_of(access->url) : own_url(p);
    p->http.max_response_bytes = PEER_ANSWER_MAX;
    if (access->is_without_token) {
        p->http.tls.insecure_skip_verify = true;
    } else {
        p->http.bearer_token = p->config->settings.server.admin_token;
    }
    return http_client_new(&p->env, &p->http, &p->client, e);
}

bool peer_open(struct peer *p, const struct peer_access *access, struct err *e)
{
    *p = (struct peer){.metrics = metrics_new()};
    p->env = (struct env){.clock = clock_system(), .metrics = p->metrics};
    arena_init(&p->arena, ARENA_UNLIMITED);
    return net_init(&p->net, e) && open_config(p, access, e) && open_client(p, access, e);
}

void peer_release(struct peer *p)
{
    http_client_free(p->client);
    config_unref(p->config);
    arena_release(&p->arena);
    metrics_free(p->metrics);
    place_release(&p->place);
    net_release(&p->net);
}

static bool call(struct peer *p, const struct http_request *request, int64_t ms, struct buf *body,
                 struct http_response *ret, struct err *e)
{
    struct wait wait = {clock_deadline_ms(p->env.clock, ms), NULL};

    http_response_init(ret, body);
    return http_client_call(p->client, request, wait, ret, e);
}

bool peer_get(struct peer *p, struct str path, struct buf *body, struct http_response *ret,
              struct err *e)
{
    return call(p, &(struct http_request){.path = path}, PEER_CALL_MS, body, ret, e);
}

bool peer_post(struct peer *p, struct str path, struct str sent, struct buf *body,
               struct http_response *ret, struct err *e)
{
    const struct http_request request = {
        .method = "POST", .path = path, .parts = &sent, .part_count = sent.len > 0 ? 1 : 0};

    return call(p, &request, PEER_CHANGE_MS, body, ret, e);
}

/* What the API says went wrong; the answer itself when it is none of the API. */
static struct str answer_text(struct peer *p, struct str body)
{
    struct err ignored = ERR_INIT;
    struct json_node *root = NULL;
    struct str text = STR("");

    if (json_parse(body, &p->arena, &root, &ignored)) {
        text = json_get_str(root, STR("error"));
    }
    return str_slice(str_trim(text.len > 0 ? text : body), 0, text.len > 0 ? 1000 : 200);
}

bool peer_refused(struct peer *p, const struct http_response *res, struct err *e)
{
    bool is_refused = res->status == 401 || res->status == 403;
    if (is_refused && p->http.bearer_token != NULL) {
        return err_set(
            e, ERR_AUTH,
            "%.*s does not take the admin token of this config: the Telex there runs with "
            "another `server.admin_token`, or with none; name its config with -c",
            STR_FMT(p->http.url));
    }
    if (is_refused) {
        return err_set(
            e, ERR_AUTH,
            "%.*s wants the admin token: set `server.admin_token` in the config it runs with",
            STR_FMT(p->http.url));
    }
    return err_set(e, ERR_NET, "%.*s answered %d: %.*s", STR_FMT(p->http.url), res->status,
                   STR_FMT(answer_text(p, buf_str(res->body))));
}
