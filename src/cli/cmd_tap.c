/*
 * tap: what an exporter of the running program sends, call by call, as lines of JSON on standard
 * output. The program keeps the newest calls for whoever asks, so nothing is missed between two
 * questions unless it sends faster than that.
 */
#include "app/config.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "cli/place.h"
#include "net/http_client.h"
#include "net/http_options.h"
#include "net/net.h"
#include "net/url.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>

enum { ASK_MS = 500, ANSWER_MAX = 4 * 1024 * 1024, CALL_MS = 10 * 1000 };

struct tap_values {
    const char *config;
    const char *url;
    const char *count;
};

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct tap_values, config),
     .help =
         "The config of the program to ask, for its address and admin token; default: telex.yaml "
         "where you are."},
    {.name = "url",
     .value = "URL",
     .offset = offsetof(struct tap_values, url),
     .help = "Where it is, when that is not what `server.listen` says."},
    {.name = "count",
     .letter = 'n',
     .value = "N",
     .offset = offsetof(struct tap_values, count),
     .help = "End after so many calls."},
};

struct tap_run {
    const struct tap_values *values;
    const char *name;
    struct place place;
    struct config *config;
    struct metrics *metrics;
    struct env env;
    struct arena arena;
    struct http_client *client;
    struct http_client_config http;
    uint64_t after;
    uint64_t left; /* calls to show; UINT64_MAX: no end */
};

/* ":8420" is reached on this machine. */
static struct str own_url(struct tap_run *r)
{
    struct str listen = r->config->settings.server.listen;
    bool has_host = listen.len > 0 && listen.ptr[0] != ':';
    const char *scheme = r->config->settings.server.tls.cert_file.len > 0 ? "https" : "http";

    return arena_printf(&r->arena, "%s://%s%.*s", scheme, has_host ? "" : "127.0.0.1",
                        STR_FMT(listen));
}

static bool open_config(struct tap_run *r, struct err *e)
{
    const struct config_environment environment = config_process_environment();
    struct printer printer = {&r->place};
    struct problems problems = printer_problems(&printer);

    return place_enter(r->values->config, &r->place, e) &&
           config_load(str_of(r->place.config), &environment, &problems, &r->config, e);
}

static bool open_client(struct tap_run *r, struct err *e)
{
    const struct option_source plain = {0};

    if (!options_parse(&http_client_options, NULL, &plain, &r->arena, &r->http, e)) {
        return false;
    }
    r->http.url = r->values->url != NULL ? str_of(r->values->url) : own_url(r);
    r->http.bearer_token = r->config->settings.server.admin_token;
    r->http.max_response_bytes = ANSWER_MAX;
    return http_client_new(&r->env, &r->http, &r->client, e);
}

/* ---- asking ---- */

/* What the API says went wrong; the answer itself when it is none of the API. */
static struct str answer_text(struct tap_run *r, struct str body)
{
    struct err ignored = ERR_INIT;
    struct json_node *root = NULL;
    struct str text = STR("");

    if (json_parse(body, &r->arena, &root, &ignored)) {
        text = json_get_str(root, STR("error"));
    }
    return str_slice(str_trim(text.len > 0 ? text : body), 0, 200);
}

static bool refused(struct tap_run *r, const struct http_response *res, struct err *e)
{
    if (res->status == 401 || res->status == 403) {
        return err_set(
            e, ERR_AUTH,
            "%.*s wants the admin token: set `server.admin_token` in the config it runs with",
            STR_FMT(r->http.url));
    }
    return err_set(e, ERR_NET, "%.*s answered %d: %.*s", STR_FMT(r->http.url), res->status,
                   STR_FMT(answer_text(r, buf_str(res->body))));
}

static void show(struct tap_run *r, struct str lines)
{
    struct str line;

    while (r->left > 0 && lines.len > 0 && str_split(&lines, '\n', &line)) {
        if (line.len > 0) {
            printf("%.*s\n", STR_FMT(line));
            r->left -= r->left != UINT64_MAX;
        }
    }
    (void)fflush(stdout);
}

/* The first answer only opens the tap. */
static bool ask(struct tap_run *r, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf body = BUF_INIT(ANSWER_MAX);
    struct wait wait = {clock_deadline_ms(r->env.clock, CALL_MS), NULL};
    struct http_response res;
    uint64_t missed = 0;

    buf_add_text(&path, "/api/v1/exporters/");
    url_add_escaped(&path, str_of(r->name), URL_SEGMENT);
    buf_addf(&path, "/tap?after=%" PRIu64, r->after);
    const struct http_request request = {.path = buf_str(&path)};
    http_response_init(&res, &body);
    bool ok = http_client_call(r->client, &request, wait, &res, e) &&
              (res.status == 200 || refused(r, &res, e));
    if (ok) {
        (void)number_parse_u64(http_response_header(&res, STR("X-Telex-Next")), &r->after);
        (void)number_parse_u64(http_response_header(&res, STR("X-Telex-Missed")), &missed);
        if (missed > 0) {
            fprintf(stderr, "%" PRIu64 " calls were too many to be shown\n", missed);
        }
        show(r, buf_str(&body));
    }
    http_response_release(&res);
    return ok;
}

static bool look(struct tap_run *r, struct err *e)
{
    while (r->left > 0) {
        if (!ask(r, e)) {
            return false;
        }
        (void)wait_sleep((struct wait){clock_deadline_ms(r->env.clock, ASK_MS), NULL});
    }
    return true;
}

static int tap(struct tap_run *r)
{
    AUTO(net_release) struct net net = {0};
    struct err e = ERR_INIT;
    bool ok = net_init(&net, &e) && open_config(r, &e) && open_client(r, &e) && look(r, &e);
    int status = ok ? CLI_OK : cli_fail(&r->place, &e);

    http_client_free(r->client);
    config_unref(r->config);
    arena_release(&r->arena);
    metrics_free(r->metrics);
    place_release(&r->place);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct tap_values values = {0};
    struct tap_run r = {.values = &values, .left = UINT64_MAX};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "one exporter is to be named");
    }
    if (values.count != NULL && !number_parse_u64(str_of(values.count), &r.left)) {
        return cli_usage_error(command, "'%s' is no number", values.count);
    }
    r.name = argv[first];
    r.metrics = metrics_new();
    r.env = (struct env){.clock = clock_system(), .metrics = r.metrics};
    arena_init(&r.arena, ARENA_UNLIMITED);
    return tap(&r);
}

const struct cli_command command_tap = {
    .name = "tap",
    .usage = "[OPTION...] NAME",
    .help = "show live what an exporter of the running program sends",
    .details =
        "Asks the program that runs with this config, and prints a line of JSON for each call that exporter NAME "
        "makes: when, how many records, what became of them, how long it took, and the first 20 records. No "
        "credentials are shown. It needs `server.admin_token`. Ctrl-C ends it.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
