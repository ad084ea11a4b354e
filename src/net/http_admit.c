#include "net/http_server_int.h"

#include "base/budget.h"
#include "base/env.h"
#include "base/secret.h"

#include <gnutls/gnutls.h>

static const struct http_server_config *access_of(const struct http_exchange *x)
{
    return atomic_load_explicit(&x->server->access, memory_order_acquire);
}

static bool is_safe(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD"));
}

/* --- Host and Origin --- */

struct header_search {
    const char *name;
    struct str value;
    unsigned count;
};

static enum MHD_Result note_header(void *arg, enum MHD_ValueKind kind, const char *key,
                                   const char *value)
{
    struct header_search *search = arg;

    (void)kind;
    if (str_eq_nocase(str_of(key), str_of(search->name))) {
        search->value = str_of(value);
        search->count++;
    }
    return MHD_YES;
}

static bool check_host(struct http_exchange *x, struct str *ret_host)
{
    struct header_search host = {.name = MHD_HTTP_HEADER_HOST};
    const struct host_rules rules = {.listen_host = buf_str(&x->server->listen_host),
                                     .names = access_of(x)->allowed_hosts};

    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, note_header, &host);
    if (host.count != 1) {
        http_exchange_error(x, 400, "bad_data", "expected one Host header, found %u", host.count);
        return false;
    }
    if (!host_is_allowed(host.value, &rules)) {
        http_exchange_error(x, 403, "forbidden",
                            "the Host '%.*s' is not one of ours; if it should be, add it to "
                            "server.allowed_hosts",
                            STR_FMT(str_slice(host.value, 0, 256)));
        return false;
    }
    *ret_host = host.value;
    return true;
}

static bool check_origin(struct http_exchange *x, struct str host)
{
    struct str origin = http_exchange_header(x, MHD_HTTP_HEADER_ORIGIN);

    if (is_safe(x->method) || origin.ptr == NULL || origin_matches(origin, host)) {
        return true;
    }
    http_exchange_error(x, 403, "forbidden", "a request from a page of '%.*s' is refused",
                        STR_FMT(str_slice(origin, 0, 256)));
    return false;
}

/* --- routes --- */

static bool check_route(struct http_exchange *x)
{
    struct buf AUTO(buf_release) allow = BUF_INIT(BUF_SMALL);

    if (http_router_find(&x->server->router, x->method, x->path, &x->arena, &x->match, &allow)) {
        return true;
    }
    if (allow.len == 0) {
        http_exchange_error(x, 404, "not_found", "there is nothing at '%.*s'",
                            STR_FMT(str_slice(x->path, 0, 256)));
        return false;
    }
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_SMALL);
    struct http_header header = {STR("Allow"), buf_str(&allow)};
    http_error_json(&json, "bad_method", STR("this path does not take that method"));
    (void)http_exchange_answer(
        x, &(struct http_answer){
               .status = 405, .body = buf_str(&json), .headers = &header, .header_count = 1});
    return false;
}

/* --- credentials --- */

static bool token_fits(struct http_exchange *x, struct secret *token)
{
    struct str given;

    return !secret_is_empty(token) &&
           auth_parse_bearer(http_exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION), &given) &&
           secret_equals(token, given);
}

static bool password_fits(struct http_exchange *x, const struct http_server_auth_config *auth)
{
    struct buf AUTO(buf_release) scratch = BUF_INIT(BUF_SMALL);
    struct str user;
    struct str password;

    if (auth->username.len == 0 ||
        !auth_parse_basic(http_exchange_header(x, MHD_HTTP_HEADER_AUTHORIZATION), &scratch, &user,
                          &password)) {
        return false;
    }
    bool fits = str_eq(user, auth->username);
    return secret_equals(auth->password, password) && fits;
}

/* Did the client show a certificate of the configured authority? */
static bool certificate_fits(struct http_exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    unsigned status = 0;

    if (info == NULL || info->tls_session == NULL) {
        return false;
    }
    return gnutls_certificate_verify_peers2(info->tls_session, &status) == GNUTLS_E_SUCCESS &&
           status == 0;
}

static bool refuse_credentials(struct http_exchange *x, struct str scheme, const char *why)
{
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_SMALL);
    struct http_header header = {STR("WWW-Authenticate"), scheme};

    http_error_json(&json, "unauthorized", str_of(why));
    (void)http_exchange_answer(
        x, &(struct http_answer){
               .status = 401, .body = buf_str(&json), .headers = &header, .header_count = 1});
    return false;
}

static bool check_admin(struct http_exchange *x)
{
    struct secret *token = access_of(x)->admin_token;

    if (secret_is_empty(token)) {
        http_exchange_error(x, 403, "forbidden",
                            "this needs the admin token, and none is set: see server.admin_token");
        return false;
    }
    return token_fits(x, token) ||
           refuse_credentials(x, STR("Bearer realm=\"telex\""), "the admin token is needed");
}

static bool check_client(struct http_exchange *x)
{
    const struct http_server_config *config = access_of(x);
    const struct http_server_auth_config *auth = &config->auth;
    bool certificate = x->server->config->tls.client_ca_file.len > 0;
    bool password = auth->username.len > 0;
    bool token = !secret_is_empty(auth->bearer_token);

    if (!certificate && !password && !token) {
        return true;
    }
    if ((certificate && certificate_fits(x)) || (password && password_fits(x, auth)) ||
        (token && token_fits(x, auth->bearer_token)) || token_fits(x, config->admin_token)) {
        return true;
    }
    return refuse_credentials(
        x, password ? STR("Basic realm=\"telex\"") : STR("Bearer realm=\"telex\""),
        "credentials are needed: see server.auth");
}

static bool check_reload(struct http_exchange *x)
{
    return secret_is_empty(access_of(x)->admin_token) ? check_client(x) : check_admin(x);
}

static bool check_open(struct http_exchange *x)
{
    (void)x;
    return true;
}

static bool (*const access_checks[])(struct http_exchange *) = {
    [HTTP_ACCESS_OPEN] = check_open,
    [HTTP_ACCESS_CLIENT] = check_client,
    [HTTP_ACCESS_ADMIN] = check_admin,
    [HTTP_ACCESS_RELOAD] = check_reload,
};

/* --- the body --- */

static bool parse_length(struct str text, int64_t *ret_len)
{
    int64_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || len > INT64_MAX / 10 - 10) {
            return false;
        }
        len = len * 10 + (text.ptr[i] - '0');
    }
    *ret_len = len;
    return text.len > 0;
}

int64_t http_exchange_announced(const struct http_exchange *x)
{
    struct str length = http_exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH);
    int64_t bytes = 0;

    if (http_exchange_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING).ptr != NULL) {
        return -1;
    }
    return length.ptr != NULL && parse_length(length, &bytes) ? bytes : 0;
}

/* libmicrohttpd refuses a length that is no number; both at once it does not mind, but we do: it is
 * how requests are smuggled past a proxy. */
static bool check_framing(struct http_exchange *x)
{
    if (http_exchange_header(x, MHD_HTTP_HEADER_TRANSFER_ENCODING).ptr != NULL &&
        http_exchange_header(x, MHD_HTTP_HEADER_CONTENT_LENGTH).ptr != NULL) {
        http_exchange_error(x, 400, "bad_data", "Content-Length beside Transfer-Encoding");
        return false;
    }
    return true;
}

static bool check_length(struct http_exchange *x)
{
    int64_t announced = http_exchange_announced(x);

    if (announced > (int64_t)x->match.route->body_max) {
        http_exchange_error(x, 413, "too_large",
                            "a body of %lld bytes is larger than the %zu allowed",
                            (long long)announced, x->match.route->body_max);
        return false;
    }
    return true;
}

/* Room for a body whose length is known is taken before a byte of it is read. */
static bool take_room(struct http_exchange *x)
{
    struct budget *budget = x->server->env->budget;
    int64_t announced = http_exchange_announced(x);

    if (budget == NULL || x->match.route->handler->body != NULL || announced <= 0) {
        return true;
    }
    if (!budget_try_take(budget, announced)) {
        http_exchange_busy(x, 503, 1, "no memory is left for this request");
        return false;
    }
    x->taken_bytes = announced;
    return true;
}

bool http_admit(struct http_exchange *x)
{
    struct str host;

    if (!check_host(x, &host) || !check_framing(x) || !check_route(x) || !check_origin(x, host)) {
        return false;
    }
    return access_checks[x->match.route->access](x) && check_length(x) && take_room(x);
}
