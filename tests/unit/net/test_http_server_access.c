/* Who may ask changes while the server runs; reload asks for the admin token where there is one. */
#include "net/http_server.h"

#include "base/secret.h"
#include "server_kit.h"

static void try_reload(struct http_site *f, const char *authorization, int status)
{
    struct http_header header = {STR("Authorization"), str_of(authorization)};

    must_call(f,
              &(struct http_request){.method = "POST",
                                     .path = STR("/reload"),
                                     .headers = &header,
                                     .header_count = authorization != NULL},
              status);
}

static void reload_needs_what_is_set(void **state)
{
    struct http_site *f = *state;
    struct secret *AUTO(secret_autofree) admin = secret_from_text(STR("admin"));
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t0ken"));
    struct http_server_config with_auth = f->config;
    struct http_server_config with_both = f->config;

    try_reload(f, NULL, 200);
    with_auth.auth.bearer_token = token;
    http_server_change_access(f->server, &with_auth);
    try_reload(f, NULL, 401);
    try_reload(f, "Bearer t0ken", 200);
    with_both.auth.bearer_token = token;
    with_both.admin_token = admin;
    http_server_change_access(f->server, &with_both);
    try_reload(f, NULL, 401);
    try_reload(f, "Bearer t0ken", 401);
    try_reload(f, "Bearer admin", 200);
    http_server_free(f->server);
    f->server = NULL;
}

static void hosts_change(void **state)
{
    static const struct str names[] = {STR_INIT("telex.example")};
    struct http_site *f = *state;
    struct http_header host = {STR("Host"), STR("telex.example")};
    struct http_request request = {.path = STR("/text"), .headers = &host, .header_count = 1};
    struct http_server_config other = f->config;

    must_call(f, &request, 403);
    other.allowed_hosts = (struct option_list){names, 1};
    http_server_change_access(f->server, &other);
    must_call(f, &request, 200);
    http_server_free(f->server);
    f->server = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(reload_needs_what_is_set), CASE(hosts_change)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
