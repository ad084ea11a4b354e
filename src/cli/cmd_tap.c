/*
 * tap: what an exporter of the running program sends, call by call, as lines of JSON on standard
 * output. The program keeps the newest calls for whoever asks, so nothing is missed between two
 * questions unless it sends faster than that.
 */
#include "base/mem.h"
#include "base/number.h"
#include "cli/peer.h"
#include "net/url.h"

#include <inttypes.h>
#include <stdio.h>

enum { ASK_MS = 500 };

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
    const char *name;
    struct peer peer;
    uint64_t after;
    uint64_t left; /* calls to show; UINT64_MAX: no end */
};

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

static void show_answer(struct tap_run *r, const struct http_response *res)
{
    uint64_t missed = 0;

    (void)number_parse_u64(http_response_header(res, STR("X-Telex-Next")), &r->after);
    (void)number_parse_u64(http_response_header(res, STR("X-Telex-Missed")), &missed);
    if (missed > 0) {
        fprintf(stderr, "%" PRIu64 " calls were too many to be shown\n", missed);
    }
    show(r, buf_str(res->body));
}

/* The first answer only opens the tap. */
static bool ask(struct tap_run *r, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf body = BUF_INIT(PEER_ANSWER_MAX);
    struct http_response res;

    buf_add_text(&path, "/api/v1/exporters/");
    url_add_escaped(&path, str_of(r->name), URL_SEGMENT);
    buf_addf(&path, "/tap?after=%" PRIu64, r->after);
    bool ok = peer_get(&r->peer, buf_str(&path), &body, &res, e) &&
              (res.status == 200 || peer_refused(&r->peer, &res, e));
    if (ok) {
        show_answer(r, &res);
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
        (void)wait_sleep((struct wait){clock_deadline_ms(r->peer.env.clock, ASK_MS), NULL});
    }
    return true;
}

static int tap(struct tap_run *r, const struct tap_values *values)
{
    const struct peer_access access = {.config = values->config, .url = values->url};
    struct err e = ERR_INIT;
    bool ok = peer_open(&r->peer, &access, &e) && look(r, &e);
    int status = ok ? CLI_OK : cli_fail(&r->peer.place, &e);

    peer_release(&r->peer);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct tap_values values = {0};
    struct tap_run r = {.left = UINT64_MAX};
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
    return tap(&r, &values);
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
