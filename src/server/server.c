#include "server/server.h"

#include "base/env.h"
#include "base/mem.h"
#include "receive/otlp_grpc.h"
#include "receive/statsd.h"
#include "server/server_int.h"

struct server *server_of(struct http_exchange *x)
{
    return http_exchange_arg(x);
}

struct app *server_app(struct http_exchange *x)
{
    struct app *app = atomic_load(&server_of(x)->app);

    if (app == NULL) {
        (void)http_exchange_busy(x, 503, 1, "starting");
    }
    return app;
}

void server_answer(struct http_exchange *x, int status, const char *content_type, struct buf *body)
{
    if (!buf_ok(body)) {
        buf_release(body);
        (void)http_exchange_error(x, 500, "too_large", "the answer is too large; ask for less");
        return;
    }
    (void)http_exchange_answer(
        x, &(struct http_answer){.status = status, .content_type = content_type, .take = body});
}

static void hold_config(struct server *s, struct config *config)
{
    struct config *held = config_ref(config);

    vec_push(&s->configs, held);
}

static void server_free(struct server *s)
{
    http_server_free(s->http);
    grpc_server_free(s->grpc);
    statsd_free(s->statsd);
    receiver_free(s->receiver);
    for (size_t i = 0; i < s->configs.len; i++) {
        config_unref(s->configs.items[i]);
    }
    vec_release(&s->configs);
    mem_free(s->routes);
    mem_free(s);
}

/* What is received otherwise than over HTTP. */
static bool start_others(struct server *s, const struct config *config, struct err *e)
{
    const struct receive_config *receive = &config->settings.receive;
    bool has_grpc = receive->otlp_grpc.listen.len > 0;
    bool has_statsd = receive->statsd.listen.len > 0 || receive->statsd.socket_path.len > 0;

    return (!has_grpc || receiver_start_grpc(s->receiver, &config->settings.server, &s->grpc, e)) &&
           (!has_statsd || statsd_start(s->receiver, &s->statsd, e));
}

bool server_start(const struct env *env, struct config *config, struct server **ret_server,
                  struct err *e)
{
    struct server *s = mem_new(struct server);
    struct http_routes tables[] = {{.count = server_resource_count, .arg = s}, {0}};

    s->env = env;
    trace_init(&s->trace, env->trace, "server", TRACE_INFO);
    hold_config(s, config);
    s->routes = server_routes();
    tables[0].routes = s->routes;
    bool ok = receiver_start(env, &config->settings.receive, &s->receiver, e);
    if (ok) {
        tables[1] = receiver_routes(s->receiver);
        ok = http_server_start(env, &config->settings.server, tables, ARRAY_LEN(tables), &s->http,
                               e);
    }
    if (!ok) {
        server_free(s);
        return err_wrap(e, "server");
    }
    if (!start_others(s, config, e)) {
        server_free(s);
        return false;
    }
    *ret_server = s;
    return true;
}

void server_attach(struct server *s, struct app *app)
{
    const struct receive_parts parts = {app_plan(app), app_alert_states(app), app_history(app),
                                        app_event_table(app)};

    receiver_attach(s->receiver, &parts);
    atomic_store(&s->app, app);
}

/* Does what cannot change under way differ? */
static bool is_same_statsd(const struct receive_statsd_config *a,
                           const struct receive_statsd_config *b)
{
    return str_eq(a->listen, b->listen) && str_eq(a->socket_path, b->socket_path) &&
           a->flush_interval_ns == b->flush_interval_ns && a->expiry_ns == b->expiry_ns &&
           a->max_series == b->max_series;
}

static bool needs_restart(const struct settings *before, const struct settings *after)
{
    const struct http_server_config *a = &before->server;
    const struct http_server_config *b = &after->server;

    return !is_same_statsd(&before->receive.statsd, &after->receive.statsd) ||
           !str_eq(before->receive.otlp_grpc.listen, after->receive.otlp_grpc.listen) ||
           !str_eq(a->listen, b->listen) || !str_eq(a->tls.cert_file, b->tls.cert_file) ||
           !str_eq(a->tls.key_file, b->tls.key_file) ||
           !str_eq(a->tls.client_ca_file, b->tls.client_ca_file) || a->threads != b->threads;
}

void server_configure(void *server, struct config *config)
{
    struct server *s = server;

    if (needs_restart(&s->configs.items[0]->settings, &config->settings)) {
        trace_warn(
            &s->trace,
            "addresses, TLS and threads of the server, and receive.statsd, change with the next start only");
    }
    hold_config(s, config);
    http_server_change_access(s->http, &config->settings.server);
    if (s->grpc != NULL) {
        grpc_server_change_access(s->grpc, &config->settings.server);
    }
    receiver_change(s->receiver, &config->settings.receive);
    struct app *app = atomic_load(&s->app);
    if (app != NULL) {
        receiver_use_events(s->receiver, app_event_table(app));
    }
}

void server_add_url(const struct server *s, struct buf *out)
{
    http_server_add_url(s->http, out);
}

void server_stop(struct server *s, struct wait wait)
{
    if (s != NULL) {
        if (s->grpc != NULL) {
            grpc_server_stop(s->grpc, wait);
        }
        http_server_stop(s->http, wait);
        server_free(s);
    }
}
