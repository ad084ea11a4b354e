/*
 * vmalert: run as Debian's or VictoriaMetrics' vmalert is run, flag for flag.
 */
#include "base/mem.h"
#include "cli/run.h"
#include "cli/vmalert_flags.h"
#include "net/net.h"
#include "net/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct arena arena;
    struct flags flags;
    struct place place;
    struct buf config;
};

/* ---- what follows from several flags ---- */

static bool is_true(const struct flags *f, const char *name)
{
    return str_eq(flags_value(f, name), STR("true"));
}

static void complete_cluster(struct flags *f, const char *cluster, const char *tenant)
{
    struct str said = flags_value(f, "defaultTenant.prometheus");

    flags_set(f, cluster, FLAG_PLAIN, STR("true"), STR("-clusterMode"));
    if (said.len > 0) {
        flags_set(f, tenant, FLAG_TEXT, said, STR("-defaultTenant.prometheus"));
    }
}

/* vmalert adds the path of the API, unless it is told not to; a URL that ends in /write is complete. */
static bool complete_write_url(struct job *job, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct flags *f = &job->flags;
    struct str given = flags_value(f, "exporters.remote_write.url");
    struct url url;

    if (given.len == 0) {
        return true;
    }
    flags_set(f, "exporters.remote_write.type", FLAG_TEXT, STR("remote_write"),
              STR("-remoteWrite.url"));
    if (!url_parse(given, &url, e)) {
        return err_wrap(e, "-remoteWrite.url");
    }
    if (is_true(f, "clusterMode")) { /* the path follows from the tenant */
        complete_cluster(f, "exporters.remote_write.cluster", "exporters.remote_write.tenant");
        return true;
    }
    if (is_true(f, "remoteWrite.disablePathAppend") || str_ends(url.path, STR("/write"))) {
        return true;
    }
    size_t before = (size_t)(url.path.ptr + url.path.len - given.ptr);
    bool slash = url.path.len > 0 && str_ends(url.path, STR("/"));
    buf_add_str(&text, str_slice(given, 0, before - slash));
    buf_add_text(&text, "/api/v1/write");
    buf_add_str(&text, str_slice(given, before, given.len));
    flags_set(f, "exporters.remote_write.url", FLAG_TEXT, arena_dup(&job->arena, buf_str(&text)),
              STR("-remoteWrite.url"));
    return true;
}

static bool is_set_of(const struct flags *f, const char *name, unsigned number, const char *end)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "exporters.%s_%u.%s", name, number, end);
    return flags_value(f, path).len > 0;
}

static void set_of_notifier(struct job *job, unsigned number, const char *end, struct str value,
                            const char *flag)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "exporters.alertmanager_%u.%s", number, end);
    flags_set(&job->flags, path, FLAG_TEXT, value, str_of(flag));
}

static void complete_notifiers(struct job *job)
{
    struct str resend = flags_value(&job->flags, "rule.resendDelay");
    struct str longest = flags_value(&job->flags, "rule.maxResolveDuration");
    bool is_zero = resend.len == 0 || str_eq(resend, STR("0")) || str_eq(resend, STR("0s"));

    for (unsigned i = 1; is_set_of(&job->flags, "alertmanager", i, "url"); i++) {
        set_of_notifier(job, i, "type", STR("alertmanager"), "-notifier.url");
        set_of_notifier(job, i, "resend_delay", is_zero ? STR("1s") : resend,
                        resend.len == 0 ? "default of -rule.resendDelay" : "-rule.resendDelay");
        if (longest.len > 0) {
            set_of_notifier(job, i, "max_resolve_duration", longest, "-rule.maxResolveDuration");
        }
    }
}

static bool complete_log(struct job *job, struct err *e)
{
    static const struct {
        const char *level;
        const char *ours;
    } levels[] = {{"", "info"},       {"INFO", "info"},   {"WARN", "warn"},
                  {"ERROR", "error"}, {"FATAL", "error"}, {"PANIC", "error"}};
    struct str level = flags_value(&job->flags, "loggerLevel");
    struct str format = flags_value(&job->flags, "loggerFormat");
    const char *ours = NULL;

    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        ours = str_eq(level, str_of(levels[i].level)) ? levels[i].ours : ours;
    }
    if (ours == NULL) {
        return err_set(e, ERR_CONFIG,
                       "-loggerLevel '%.*s' is none of INFO, WARN, ERROR, FATAL, PANIC",
                       STR_FMT(level));
    }
    bool is_json = str_eq(format, STR("json"));
    if (format.len > 0 && !is_json && !str_eq(format, STR("default"))) {
        return err_set(e, ERR_CONFIG, "-loggerFormat '%.*s' is neither 'default' nor 'json'",
                       STR_FMT(format));
    }
    if (level.len > 0) {
        flags_set(&job->flags, "log.level", FLAG_TEXT, str_of(ours), STR("-loggerLevel"));
    }
    if (format.len > 0) {
        flags_set(&job->flags, "log.format", FLAG_TEXT, is_json ? STR("json") : STR("logfmt"),
                  STR("-loggerFormat"));
    }
    return true;
}

/* ":8880" is every address; a program that is found under any name must answer to any. */
static void complete_rest(struct job *job)
{
    struct flags *f = &job->flags;
    const char *folder = getenv("STATE_DIRECTORY");
    const struct str own = STR("as vmalert does");

    if (folder != NULL && flags_value(f, "state.path").len == 0) {
        flags_set(f, "state.path", FLAG_TEXT, str_of(folder), STR("$STATE_DIRECTORY"));
    }
    if (is_true(f, "datasource.disableStepParam")) {
        flags_set(f, "datasource.query_step", FLAG_TEXT, STR("0s"),
                  STR("-datasource.disableStepParam"));
    }
    if (is_true(f, "clusterMode")) {
        complete_cluster(f, "datasource.cluster", "datasource.tenant");
    }
    if (flags_value(f, "datasources.remote_read.url").len > 0) {
        flags_set(f, "restore.datasource", FLAG_TEXT, STR("remote_read"), STR("-remoteRead.url"));
    }
    if (flags_value(f, "datasource.url").len == 0) { /* -dryRun: nobody will be asked */
        flags_set(f, "datasource.url", FLAG_TEXT, STR("http://127.0.0.1:8428"), STR("-dryRun"));
        vec_push(
            &f->notes,
            STR("-datasource.url was not given: the rules are checked, but nothing runs without it"));
    }
    flags_add_fallbacks(f);
    flags_set(f, "server.allowed_hosts", FLAG_LIST, STR("*"), own);
    flags_set(f, "datasource.dialect", FLAG_TEXT, STR("metricsql"), own);
    flags_set(f, "template_dialect", FLAG_TEXT, STR("vmalert"), own);
    flags_set(f, "keep_displaced_labels", FLAG_PLAIN, STR("true"), own);
    flags_set(f, "alertgroup_label", FLAG_PLAIN,
              is_true(f, "disableAlertgroupLabel") ? STR("false") : STR("true"),
              is_true(f, "disableAlertgroupLabel") ? STR("-disableAlertgroupLabel") : own);
}

static bool check_needed(const struct job *job, struct err *e)
{
    const struct flags *f = &job->flags;

    if (flags_value(f, "rules").len == 0) {
        return err_set(e, ERR_CONFIG,
                       "-rule says which rule files there are, such as -rule='rules/*.yaml'");
    }
    return flags_value(f, "datasource.url").len > 0 || is_true(f, "dryRun") ||
           err_set(e, ERR_CONFIG, "-datasource.url says who answers the rules' queries");
}

/* ---- the command ---- */

static const char *environment_lookup(void *arg, const char *name)
{
    (void)arg;
    return getenv(name);
}

static bool read_flags(struct job *job, int argc, char **argv, struct err *e)
{
    struct flags *f = &job->flags;

    if (!flags_read(f, &vmalert_flags, &job->arena, argc, argv, e)) {
        return false;
    }
    if (is_true(f, "version")) {
        return true;
    }
    if (is_true(f, "envflag.enable") &&
        !flags_read_environment(f, flags_value(f, "envflag.prefix"), environment_lookup, NULL, e)) {
        return false;
    }
    if (!check_needed(job, e) || !complete_write_url(job, e) || !complete_log(job, e)) {
        return false;
    }
    complete_notifiers(job);
    complete_rest(job);
    flags_print_config(f, &job->config);
    return true;
}

static int begin(struct job *job)
{
    AUTO(net_release) struct net net = {0};
    struct err e = ERR_INIT;
    struct load_input input = {.config_path = STR("the flags of telex vmalert"),
                               .config_text = buf_str(&job->config)};

    for (size_t i = 0; i < job->flags.notes.len; i++) {
        fprintf(stderr, "%.*s\n", STR_FMT(job->flags.notes.items[i]));
    }
    if (!net_init(&net, &e) || !place_stay(&job->place, &e)) {
        return cli_fail(&job->place, &e);
    }
    input.base_folder = str_of(job->place.folder);
    return is_true(&job->flags, "dryRun")
               ? cli_check(&job->place, &input, &(struct cli_check_more){.tree = false})
               : cli_run(&job->place, &input);
}

static int run_flags(struct job *job, int argc, char **argv)
{
    struct err e = ERR_INIT;

    if (!read_flags(job, argc, argv, &e)) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        err_print_line(&e, &text);
        fprintf(stderr, "telex vmalert: %s\n", buf_text(&text));
        return CLI_USAGE;
    }
    if (is_true(&job->flags, "version")) {
        return command_version.run(&command_version, 1, argv);
    }
    if (is_true(&job->flags, "telex.printConfig")) {
        return cli_write(&job->config);
    }
    return begin(job);
}

static bool asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-help") == 0 ||
                         strcmp(argv[1], "-h") == 0);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct job job = {.config = BUF_INIT(BUF_UNLIMITED)};

    if (asks_for_help(argc, argv)) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        cli_print_help(command, &out);
        flags_print_docs(&vmalert_flags, &out);
        return cli_write(&out);
    }
    arena_init(&job.arena, ARENA_UNLIMITED);
    int status = run_flags(&job, argc, argv);
    flags_release(&job.flags);
    place_release(&job.place);
    buf_release(&job.config);
    arena_release(&job.arena);
    return status;
}

const struct cli_command command_vmalert = {
    .name = "vmalert",
    .usage = "-rule=FILES -datasource.url=URL [-remoteWrite.url=URL] [-notifier.url=URL] [FLAG...]",
    .help = "run with the flags of vmalert",
    .details =
        "Takes the command line of vmalert as it is: one word changes in a unit file. Every flag has its place in "
        "[the table](vmalert.md); one that cannot mean anything here is an error that says what to do instead.\n\n"
        "`-telex.printConfig` prints the flags as a telex.yaml, to go on with.\n\n"
        "Exit status: as that of `run` and, with `-dryRun`, of `check`.",
    .run = run,
};
