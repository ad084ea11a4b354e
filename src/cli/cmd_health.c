/*
 * health: whether the program that runs with this config is ready, for what starts, probes and waits for it.
 */
#include "base/mem.h"
#include "cli/peer.h"

#include <stdio.h>

struct health_values {
    const char *config;
    const char *url;
    bool is_live;
};

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct health_values, config),
     .help =
         "The config of the program to ask, for its address; default: telex.yaml where you are."},
    {.name = "url",
     .value = "URL",
     .offset = offsetof(struct health_values, url),
     .help = "Where it is, when that is not what `server.listen` says."},
    {.name = "live",
     .offset = offsetof(struct health_values, is_live),
     .help = "Ask only whether it lives: `/-/healthy` instead of `/-/ready`."},
};

static bool ask(struct peer *p, bool is_live, struct err *e)
{
    AUTO(buf_release) struct buf body = BUF_INIT(PEER_ANSWER_MAX);
    struct http_response res;
    bool ok = peer_get(p, is_live ? STR("/-/healthy") : STR("/-/ready"), &body, &res, e) &&
              (res.status == 200 || peer_refused(p, &res, e));

    if (ok) {
        printf("%.*s\n", STR_FMT(str_trim(buf_str(&body))));
    }
    http_response_release(&res);
    return ok;
}

static int health(const struct health_values *values)
{
    const struct peer_access access = {values->config, values->url, .is_without_token = true};
    struct err e = ERR_INIT;
    struct peer p;
    bool ok = peer_open(&p, &access, &e) && ask(&p, values->is_live, &e);
    int status = ok ? CLI_OK : cli_fail(&p.place, &e);

    peer_release(&p);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct health_values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first != argc) {
        return cli_usage_error(command, "'%s' is not expected", argv[first]);
    }
    return health(&values);
}

const struct cli_command command_health = {
    .name = "health",
    .usage = "[OPTION...]",
    .help = "say whether the running program is ready",
    .details =
        "Asks the program that runs with this config, prints its answer and ends with status 0 when it is ready, "
        "with 1 when it is not or does not answer within ten seconds: for the health check of a container, which has no other "
        "program to ask with, and for scripts that wait. No credentials are sent, and a certificate is not "
        "verified.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
