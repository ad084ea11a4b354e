/*
 * prometheus-rules: run the rules of a prometheus.yml, with the flags of Prometheus.
 */
#include "base/fs.h"
#include "base/mem.h"
#include "cli/prometheus_config.h"
#include "cli/prometheus_flags.h"
#include "cli/run.h"
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct arena arena;
    struct flags flags;
    struct place place;
    struct buf file;
    struct buf config;
};

static bool is_true(const struct flags *f, const char *name)
{
    return str_eq(flags_value(f, name), STR("true"));
}

static bool has_alertmanager(const struct flags *f, unsigned number, char *path, size_t size)
{
    (void)snprintf(path, size, "exporters.alertmanager_%u.type", number);
    if (flags_value(f, path).len == 0) {
        return false;
    }
    (void)snprintf(path, size, "exporters.alertmanager_%u.resend_delay", number);
    return true;
}

static void complete(struct job *job)
{
    struct flags *f = &job->flags;
    struct str resend = flags_value(f, "rules.alert.resend-delay");
    const char *folder = getenv("STATE_DIRECTORY");
    char path[64];

    for (unsigned i = 1; resend.len > 0 && has_alertmanager(f, i, path, sizeof(path)); i++) {
        flags_set(f, path, FLAG_TEXT, resend, STR("--rules.alert.resend-delay"));
    }
    if (folder != NULL && flags_value(f, "state.path").len == 0) {
        flags_set(f, "state.path", FLAG_TEXT, str_of(folder), STR("$STATE_DIRECTORY"));
    }
    flags_add_fallbacks(f);
    flags_set(f, "server.allowed_hosts", FLAG_LIST, STR("*"), STR("as Prometheus does"));
}

static bool read_all(struct job *job, int argc, char **argv, struct err *e)
{
    struct flags *f = &job->flags;

    if (!flags_read(f, &prometheus_flags, &job->arena, argc, argv, e)) {
        return false;
    }
    if (is_true(f, "version")) {
        return true;
    }
    if (flags_value(f, "datasource.url").len == 0) {
        return err_set(e, ERR_CONFIG,
                       "--datasource.url says who answers the rules' queries: the Prometheus that "
                       "scrapes, such as http://127.0.0.1:9090");
    }
    struct str name = flags_value(f, "config.file");
    const char *path = name.len > 0 ? arena_text(&job->arena, name) : "prometheus.yml";
    if (!place_enter(path, &job->place, e) ||
        !fs_read_file(fs_system(), str_of(job->place.config), PROMETHEUS_FILE_MAX, &job->file, e) ||
        !prometheus_config_read(f, str_of(path), buf_str(&job->file), e)) {
        return false;
    }
    complete(job);
    flags_print_config(f, &job->config);
    return true;
}

static int begin(struct job *job)
{
    AUTO(net_release) struct net net = {0};
    struct err e = ERR_INIT;
    struct load_input input = {.config_path = STR("what telex prometheus-rules was given"),
                               .config_text = buf_str(&job->config),
                               .base_folder = str_of(job->place.folder)};

    for (size_t i = 0; i < job->flags.notes.len; i++) {
        fprintf(stderr, "%.*s\n", STR_FMT(job->flags.notes.items[i]));
    }
    if (!net_init(&net, &e)) {
        return cli_fail(&job->place, &e);
    }
    return is_true(&job->flags, "dryRun")
               ? cli_check(&job->place, &input, &(struct cli_check_more){.tree = false})
               : cli_run(&job->place, &input);
}

static int run_flags(struct job *job, int argc, char **argv)
{
    struct err e = ERR_INIT;

    if (!read_all(job, argc, argv, &e)) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        err_print(&e, &text);
        fprintf(stderr, "telex prometheus-rules: %s\n", buf_text(&text));
        return CLI_USAGE;
    }
    if (is_true(&job->flags, "version")) {
        return command_version.run(&command_version, 1, argv);
    }
    return is_true(&job->flags, "telex.printConfig") ? cli_write(&job->config) : begin(job);
}

static bool asks_for_help(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct job job = {.config = BUF_INIT(BUF_UNLIMITED), .file = BUF_INIT(BUF_UNLIMITED)};

    if (asks_for_help(argc, argv)) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        cli_print_help(command, &out);
        flags_print_docs(&prometheus_flags, &out);
        return cli_write(&out);
    }
    arena_init(&job.arena, ARENA_UNLIMITED);
    int status = run_flags(&job, argc, argv);
    flags_release(&job.flags);
    place_release(&job.place);
    buf_release(&job.file);
    buf_release(&job.config);
    arena_release(&job.arena);
    return status;
}

const struct cli_command command_prometheus_rules = {
    .name = "prometheus-rules",
    .usage = "--config.file=prometheus.yml --datasource.url=URL [FLAG...]",
    .help = "run the rules of a prometheus.yml",
    .details =
        "Takes `global`, `rule_files`, `alerting`, `remote_write` and `remote_read` of Prometheus's own file; what "
        "each setting and flag is here is in [the tables](prometheus-rules.md). Paths are relative to the file.\n\n"
        "`--telex.printConfig` prints it as a telex.yaml, to go on with.\n\n"
        "Exit status: as that of `run` and, with `--dryRun`, of `check`.",
    .run = run,
};
