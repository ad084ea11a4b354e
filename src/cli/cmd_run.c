/*
 * run: load, build, serve, and wait for signals.
 *
 * The main thread is the only one that signals reach: SIGHUP reloads, SIGTERM and SIGINT stop, and by
 * SIGUSR1 the server's threads have it change options. The
 * HTTP server comes up first, so that an address in use is told before anything is touched, and
 * goes first, so that nothing new comes in while deliveries drain.
 */
#include "app/app.h"
#include "app/rule_sources.h"
#include "app/streams.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "base/vec.h"
#include "cli/run.h"
#include "net/net.h"
#include "server/server.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { TICK_S = 1, SERVER_STOP_MS = 2000, WARNINGS_MAX = 100 };

struct run_values {
    const char *config;
};

static const struct cli_option options[] = {
    {.name = "config",
     .letter = 'c',
     .value = "FILE",
     .offset = offsetof(struct run_values, config),
     .help = "The config file; default: telex.yaml where you are, if it is there."},
};

static const struct metric_desc build_desc = {.name = "telex_build_info",
                                              .help = "The version that runs; always 1.",
                                              .type = METRIC_GAUGE,
                                              .labels = {"version"}};

struct program {
    struct place place;
    sigset_t signals;
    VEC(struct err) warnings; /* found before there was a log */
    struct printer printer;
    struct environment environment;
    struct trace trace;
    struct server *server;
    struct app *app;
};

/* ---- signals ---- */

/* Blocked here, they stay so in all threads, and wait for us. */
static void block_signals(struct program *p)
{
    (void)sigemptyset(&p->signals);
    (void)sigaddset(&p->signals, SIGHUP);
    (void)sigaddset(&p->signals, SIGINT);
    (void)sigaddset(&p->signals, SIGTERM);
    (void)sigaddset(&p->signals, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &p->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void serve_until_told(struct program *p)
{
    const struct timespec tick = {.tv_sec = TICK_S};

    for (;;) {
        int signal = sigtimedwait(&p->signals, NULL, &tick);
        if (signal == SIGTERM || signal == SIGINT) {
            return;
        }
        if (signal == SIGHUP) {
            app_reload(p->app);
        }
        if (signal == SIGUSR1) {
            app_override(p->app);
        }
        app_tick(p->app);
    }
}

/* ---- problems before there is a log ---- */

static void report(void *arg, bool is_warning, const struct err *e)
{
    struct program *p = arg;

    if (!is_warning) {
        printer_problems(&p->printer).report(&p->printer, false, e);
    } else if (p->warnings.len < WARNINGS_MAX) {
        vec_push(&p->warnings, *e);
    }
}

static void log_warnings(struct program *p)
{
    for (size_t i = 0; i < p->warnings.len; i++) {
        trace_warn(&p->trace, "in the config or its rules", T_ERR(&p->warnings.items[i]));
    }
    vec_release(&p->warnings);
}

/* ---- start and stop ---- */

static void say_where(struct program *p, struct config *c, struct str url)
{
    AUTO(buf_release) struct buf state = BUF_INIT(BUF_SMALL);

    if (!str_starts(c->settings.state.path, STR("/"))) {
        buf_addf(&state, "%s/", p->place.folder);
    }
    buf_add_str(&state, c->settings.state.path);
    trace_info(&p->trace, "telex runs", T_TEXT("version", TELEX_VERSION), T_STR("url", url),
               T_TEXT("config", p->place.config[0] != '\0' ? p->place.config : "none"),
               T_STR("state", buf_str(&state)), T_U64("exporters", c->plan.output_count));
}

static bool start(struct program *p, struct loaded *l, const struct load_input *input,
                  struct buf *url, struct err *e)
{
    struct config *config = config_ref(l->config);

    bool ok = server_start(&p->environment.env, config, &p->server, e);
    if (ok) {
        server_add_url(p->server, url);
        struct app_options app = {.input = *input,
                                  .own_url = buf_str(url),
                                  .changed = server_configure,
                                  .changed_arg = p->server};
        ok = app_start(&p->environment.env, l, &app, &p->app, e);
    }
    if (ok) {
        server_attach(p->server, p->app);
        say_where(p, config, buf_str(url));
    }
    config_unref(config);
    return ok;
}

/* False when something that was held did not get to the disk. */
static bool stop(struct program *p)
{
    const struct clock *clock = p->environment.env.clock;

    if (p->app != NULL) {
        app_streams_hurry(p->app); /* who asked for long work holds the server up */
    }
    server_stop(p->server, (struct wait){clock_deadline_ms(clock, SERVER_STOP_MS), NULL});
    return p->app == NULL || app_stop(p->app);
}

static int run_loaded(struct program *p, struct loaded *l, const struct load_input *input)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    environment_init(&p->environment, l->config, STDERR_FILENO);
    trace_init(&p->trace, p->environment.env.trace, "main", TRACE_INFO);
    struct metric *build =
        metrics_get1(p->environment.env.metrics, &build_desc, STR(TELEX_VERSION));
    metric_set(build, 1);
    log_warnings(p);
    bool ok = start(p, l, input, &url, &e);
    if (ok) {
        serve_until_told(p);
    } else {
        trace_error(&p->trace, "telex does not start", T_ERR(&e));
    }
    bool kept = stop(p);
    metric_drop(build);
    environment_release(&p->environment);
    return ok && kept ? CLI_OK : CLI_FAILED;
}

static int load_and_run(struct program *p, struct load_input *input)
{
    struct problems problems = {.report = report, .arg = p};
    struct load_input first = *input;
    struct loaded l = {0};
    struct err e = ERR_INIT;

    first.tells_variables = true;
    if (!load_all(&first, &problems, &l, &e)) {
        vec_release(&p->warnings);
        fprintf(stderr, "telex does not start: %s\n", e.message);
        return CLI_FAILED;
    }
    int status = run_loaded(p, &l, input);
    loaded_release(&l);
    return status;
}

int cli_run(struct place *place, struct load_input *input)
{
    struct program p = {.place = *place, .printer = {place}};

    block_signals(&p);
    input->environment = config_process_environment();
    input->sources = rule_sources_new(true);
    int status = load_and_run(&p, input);
    rule_sources_free(input->sources);
    return status;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    AUTO(net_release) struct net net = {0};
    struct run_values values = {0};
    struct place place = {0};
    struct err e = ERR_INIT;
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first < argc) {
        return cli_usage_error(command, "unexpected argument '%s'", argv[first]);
    }
    if (net_init(&net, &e) && place_enter(values.config, &place, &e)) {
        struct load_input input = {.config_path = str_of(place.config),
                                   .base_folder = str_of(place.folder)};
        status = cli_run(&place, &input);
    } else {
        status = cli_fail(&place, &e);
    }
    place_release(&place);
    return status;
}

const struct cli_command command_run = {
    .name = "run",
    .usage = "[-c FILE]",
    .help = "evaluate rules and deliver what they find, until told to stop",
    .details =
        "Runs until SIGTERM or SIGINT, then delivers what it can within `shutdown_timeout` and its last line "
        "says what of all that no destination has: records left on disk for the next start, alerts that an Alertmanager "
        "was not told of, records that became dead letters or were dropped since the start, each with its exporter. SIGHUP reads config and rules again. Relative paths in the config are relative to its folder. The log "
        "goes to standard error.\n\n"
        "Exit status: 0 after a stop that was asked for, whatever is left on disk for the next start; 1 when it cannot "
        "start, or the disk did not take what was held at the end; 2 when the command line is wrong.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .run = run,
};
