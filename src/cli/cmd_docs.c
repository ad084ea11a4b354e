/* docs: the reference pages, from the tables that the program itself goes by. */
#include "app/config.h"
#include "base/fs.h"
#include "cli/cli.h"
#include "cli/man.h"
#include "cli/prometheus_config.h"
#include "cli/prometheus_flags.h"
#include "cli/vmalert_flags.h"
#include "events/stream_config.h"
#include "events/stream_metrics.h"
#include "server/server.h"

#include <stdio.h>

static const char made[] = "<!-- Made by `make docs` from the program's own tables. -->\n\n";

/* ---- docs/config.md ---- */

static void print_section(const struct option *o, struct buf *out)
{
    buf_addf(out, "\n## `%s`\n\n", o->name);
    options_print_markdown(o->table, out);
}

static void print_link(const struct exporter_kind *kind, struct buf *out)
{
    if (kind->combinator == COMBINATOR_NONE && kind->stage == NULL) {
        buf_addf(out, "```\n\nWhat it sends, and what answers mean: [%s](exporters/%s.md).\n",
                 kind->name, kind->name);
    } else {
        buf_add_text(out, "```\n\nWhat it means, and what it cannot stand above or below: "
                          "[combinators](exporters/combinators.md).\n");
    }
}

static void print_kind(const char *name, const char *help, const struct option_table *options,
                       const struct exporter_kind *example_of, struct buf *out)
{
    struct option_table table = *options;

    buf_addf(out, "\n### `%s`\n\n%s\n", name, help);
    if (example_of != NULL) {
        buf_add_text(out, "\n```yaml\n");
        exporter_print_example(example_of, out);
        print_link(example_of, out);
    }
    table.help = NULL;
    options_print_markdown(&table, out);
}

/* Top-level options that are no section of their own. */
static void print_top(struct buf *out)
{
    static const char row[] = "| `%s` | %s | %s |\n";

    buf_add_text(out, "| option | default | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.options[i];
        AUTO(buf_release) struct buf fallback = BUF_INIT(BUF_SMALL);
        if (o->fallback != NULL) {
            buf_addf(&fallback, "`%s`", o->fallback);
        }
        buf_addf(out, row, o->name, buf_text(&fallback), o->help);
    }
}

static void print_streams(struct buf *out)
{
    buf_add_text(out, "\n## `events`\n\nStreams by name; see [events](events.md).\n\n");
    options_print_markdown(&stream_option_table, out);
    for (size_t i = 0; source_kinds[i] != NULL; i++) {
        const struct source_kind *kind = source_kinds[i];
        struct option_table table = *kind->options;
        table.help = NULL;
        buf_addf(out, "\n### source `%s`\n\n%s\n\n```yaml\n%s```\n", kind->name, kind->help,
                 kind->example);
        options_print_markdown(&table, out);
    }
}

static void print_config(struct buf *out)
{
    buf_addf(
        out,
        "# The config file\n\n%s"
        "`telex run` reads `telex.yaml`, or what `-c` names. Every section is optional, an unknown option is an "
        "error, and relative paths are relative to the folder of the file. Every option can be overridden by the "
        "environment: `server.listen` by `TELEX_SERVER_LISTEN`, `database` of the exporter `influx` by "
        "`TELEX_EXPORTER_INFLUX_DATABASE`; an option's other names work there too. A text may hold `${NAME}` or `${NAME:-default}`. An option that is a "
        "secret can instead be given as `OPTION_file: PATH`, or as `OPTION_secret: NAME` of a file below "
        "`secrets.path`. Without `exporters`, those of the file that `PROFILING_EXPORTERS_CONFIG` names are "
        "taken; and `PROFILING_INFLUXDB_URL` and its like (`PROFILING_KIND_OPTION`) make an exporter of that kind, "
        "named after it, where there is none of that name and one of them has a value. `telex check` says what is wrong, with line and column.\n\n",
        made);
    print_top(out);
    for (size_t i = 0; i < config_options.count; i++) {
        if (config_options.options[i].type == OPTION_TABLE) {
            print_section(&config_options.options[i], out);
        }
    }
    buf_add_text(out, "\n## `datasource`\n");
    for (size_t i = 0; datasource_kinds[i] != NULL; i++) {
        print_kind(datasource_kinds[i]->name, datasource_kinds[i]->help,
                   datasource_kinds[i]->options, NULL, out);
    }
    buf_add_text(
        out,
        "\n## `rule_servers`\n\nA list; of several whose `url` the place of some rules begins with, the "
        "longest is taken.\n\n");
    options_print_markdown(&rule_server_options, out);
    print_streams(out);
    buf_add_text(out, "\n## `exporters`\n");
    for (size_t i = 0; exporter_kinds[i] != NULL; i++) {
        print_kind(exporter_kinds[i]->name, exporter_kinds[i]->help, exporter_kinds[i]->options,
                   exporter_kinds[i], out);
    }
}

/* ---- docs/cli.md ---- */

static void print_command(const struct cli_command *command, const char *heading, struct buf *out)
{
    buf_addf(out, "\n%s `telex %s%s%s`\n\n%s\n", heading, command->name,
             command->usage[0] != '\0' ? " " : "", command->usage, command->details);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *o = &command->options[i];
        buf_add_text(out, i == 0 ? "\n- " : "- ");
        if (o->letter != '\0') {
            buf_addf(out, "`-%c`, ", o->letter);
        }
        buf_addf(out, "`--%s%s%s`: %s\n", o->name, o->value != NULL ? " " : "",
                 o->value != NULL ? o->value : "", o->help);
    }
}

/* All commands that are shown, with those in them. */
static void print_commands(const char *heading, struct buf *out)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct cli_command *command = cli_commands[i];
        if (command->is_hidden) {
            continue;
        }
        print_command(command, heading, out);
        for (size_t k = 0; command->subcommands != NULL && command->subcommands[k] != NULL; k++) {
            print_command(command->subcommands[k], heading, out);
        }
    }
}

static void print_cli(struct buf *out)
{
    buf_addf(
        out,
        "# The command line\n\n%s"
        "Exit status: 0 when all went well, 1 when something failed or a check found an error, 2 when the command "
        "line is wrong. What was asked for goes to standard output, everything else to standard error.\n",
        made);
    print_commands("##", out);
}

/* ---- docs/api.md ---- */

static void print_api(struct buf *out)
{
    buf_addf(
        out,
        "# The HTTP API\n\n%s"
        "Served on `server.listen`. A request must name a host that is ours (`server.allowed_hosts`), and one that "
        "changes something must not come from a page of others. Errors are "
        "`{\"status\": \"error\", \"errorType\": ..., \"error\": ...}`.\n\n",
        made);
    server_print_docs(out);
}

/* ---- docs/vmalert.md ---- */

static void print_vmalert(struct buf *out)
{
    buf_addf(
        out,
        "# With the flags of vmalert\n\n%s"
        "`telex vmalert` takes vmalert's command line: in a unit file, one word changes.\n\n"
        "```\n"
        "telex vmalert -rule.file=vmalert-rules.yaml \\\n"
        "      -datasource.url=http://victoriametrics:8428 \\\n"
        "      -remoteWrite.url=http://influxdb:8086/api/v1/prom/write?db=alerts_db \\\n"
        "      -notifier.url=http://alertmanager:9093\n"
        "```\n\n"
        "The flags become a config, which `-telex.printConfig` prints; the loader of configs reads it, so a mistake is "
        "shown with its line and flag. SIGHUP reads the rules again. Alert states, and what could not be "
        "delivered yet, are in the folder `-telex.state`: they survive restarts without `-remoteRead.url`, which is asked "
        "only for rules that have no state yet.\n\n"
        "## What follows vmalert here, and what does not\n\n"
        "| | here | with `telex run` |\n|---|---|---|\n"
        "| listens on | `:8880`, under any name | `127.0.0.1:8420`, under its own names |\n"
        "| results are older by | 30 s (`-rule.evalDelay`) | nothing (`query_offset`) |\n"
        "| times that are asked for | multiples of the interval (`-datasource.queryTimeAlignment`) | spread by the group's id, "
        "unless `eval_alignment` |\n"
        "| `step` of a query | 5m (`-datasource.queryStep`) | not sent |\n"
        "| firing alerts are told again | at each evaluation (`-rule.resendDelay`: 1s, which is also what 0 means) | each minute |\n"
        "| rules are written in | MetricsQL | PromQL, unless `dialect: metricsql` |\n"
        "| functions of templates that both engines have | as vmalert's | as Prometheus's (`template_dialect`) |\n"
        "| label `alertgroup` | on every alert | not, unless `alertgroup_label` |\n"
        "| a label of the rule that the series has too | the rule's wins, the series' goes on as `exported_NAME`; external "
        "labels too | the rule's wins; external labels do not (`keep_displaced_labels`) |\n"
        "| what a failed write becomes | kept on disk, seven days | the same |\n"
        "| timers over a restart | go on where they stood | the same |\n"
        "| evaluation before a restore | goes on, asks again | the same |\n\n"
        "## Flags\n\n"
        "Lists are repeated or written with commas. With `-envflag.enable` a flag that is not given is read from "
        "the variable of its name with `_` for each dot.\n\n",
        made);
    flags_print_docs(&vmalert_flags, out);
}

/* ---- docs/prometheus-rules.md ---- */

static void print_prometheus(struct buf *out)
{
    buf_addf(
        out,
        "# With the config of Prometheus\n\n%s"
        "`telex prometheus-rules` runs the rules of a prometheus.yml, beside the Prometheus that goes on scraping and "
        "answering queries:\n\n"
        "```\n"
        "telex prometheus-rules --config.file=prometheus.yml --datasource.url=http://127.0.0.1:9090 \\\n"
        "      --web.listen-address=:9091\n"
        "```\n\n"
        "Take `rule_files` and `alerting` out of the file that Prometheus itself reads, or alerts are told twice. "
        "Recorded series go where `remote_write` says; Prometheus takes them with "
        "`--web.enable-remote-write-receiver`, at `http://127.0.0.1:9090/api/v1/write`.\n\n"
        "Flags and file become a config, which `--telex.printConfig` prints; the loader of configs reads it, so a "
        "mistake is shown with the line of prometheus.yml that it came from. SIGHUP reads the rule files again, not "
        "prometheus.yml. Alert states, and what could not be delivered yet, are in the folder `--telex.state` beside "
        "prometheus.yml and survive restarts.\n\n"
        "## The file\n\n"
        "What is in no table is an error.\n\n",
        made);
    prometheus_config_print_docs(out);
    buf_add_text(out, "\n## Flags\n\n");
    flags_print_docs(&prometheus_flags, out);
}

/* ---- docs/events-metrics.md ---- */

static void print_event_metrics(struct buf *out)
{
    buf_addf(
        out,
        "# Metrics of change streams\n\n%s"
        "`/metrics` has them for each stream of [`events`](events.md). Counters begin at 0 with the program; kinds are `refused` and `unreadable` "
        "([dead letters](events.md#dead-letters)), statuses those of HTTP or `connect`, `tls`, `timeout`, `broken`, `auth` and the like.\n\n",
        made);
    stream_metrics_print_docs(out);
    buf_add_text(
        out,
        "\nBeside them:\n\n"
        "| metric | of | what |\n|---|---|---|\n"
        "| `telex_exporter_*` | the exporter, `events-NAME` or that of `to` | Calls, delivered and refused rows. Its `telex_exporter_pending_frames`, "
        "`telex_exporter_pending_bytes` and `telex_exporter_oldest_age_seconds` are what it holds on disk: nothing for a stream without `buffer`, "
        "whose source is its queue. What waits there is `telex_stream_in_flight`, `telex_stream_lag_events` and `telex_stream_lag_seconds`. |\n"
        "| `telex_oauth2_token_age_seconds`, `telex_oauth2_token_requests_total` | tokens for sinks | How old they are, and what came of asking for them. |\n"
        "| `telex_http_unverified_clients` | the program | 1 for each server (label `server`) of which no certificate is verified (`insecureSkipVerify`). |\n"
        "| `telex_events_table_rows`, `telex_events_table_bytes`, `telex_events_table_needed_rows` | Telex's own table | What is in it, and how much of that a stream has still to deliver. |\n"
        "| `telex_events_table_appended_total`, `telex_events_table_known_total`, `telex_events_table_refused_total`, `telex_events_table_removed_total` | Telex's own table | "
        "What became of events that were given to it. |\n"
        "\n## What to be told of\n\n"
        "[examples/rules/events.yaml](../examples/rules/events.yaml) has rules for Prometheus, vmalert and Telex itself. **`telex_stream_ready == 0` is the one not to be "
        "without**: it is what `/-/ready` says, also while nothing is known of the lag. Dead letters do not make a stream unready.\n");
}

/* ---- telex(1), telex.yaml(5) ---- */

static void print_synopsis(struct buf *out)
{
    buf_add_text(out, "## SYNOPSIS\n\n```\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        const struct cli_command *command = cli_commands[i];
        if (!command->is_hidden) {
            buf_addf(out, "telex %s%s%s\n", command->name, command->usage[0] != '\0' ? " " : "",
                     command->usage);
        }
    }
    buf_add_text(out, "```\n");
}

static void print_man_telex(struct buf *out)
{
    print_synopsis(out);
    buf_add_text(
        out,
        "\n## DESCRIPTION\n\n"
        "Evaluates alert and recording rules, takes what others push to it, and delivers all of that to monitoring systems, "
        "message brokers, databases and files without losing any of it. One config file says what: telex.yaml(5).\n"
        "\n## COMMANDS\n\n"
        "Each takes `-h` or `--help`. What was asked for goes to standard output, everything else to standard error.\n");
    print_commands("###", out);
    buf_add_text(
        out,
        "\n## ENVIRONMENT\n\n"
        "- `TELEX_SECTION_OPTION`: Overrides an option of the config: `TELEX_SERVER_LISTEN`.\n"
        "- `TELEX_EXPORTER_NAME_OPTION`: Overrides an option of an exporter of the config.\n"
        "- `PROFILING_KIND_OPTION`: Makes an exporter of that kind where the config has none of that name: "
        "`PROFILING_INFLUXDB_URL`.\n"
        "- `PROFILING_EXPORTERS_CONFIG`: A file of exporters, where the config has none.\n"
        "\n## FILES\n\n"
        "- `telex.yaml`: The config, in the current folder unless `-c` names another.\n"
        "- `/etc/telex/telex.yaml`: The config of the systemd unit that comes with Telex.\n"
        "- `STATE/ledger`, `STATE/bulk`: What is not delivered yet, below `state.path`. `telex queue` shows it.\n"
        "- `STATE/alerts.snapshot`: The state of alerts.\n"
        "- `STATE/overrides.json`: Options that were changed over the API.\n"
        "\n## EXIT STATUS\n\n"
        "- `0`: All went well.\n"
        "- `1`: Something failed, or a check found an error.\n"
        "- `2`: The command line is wrong.\n"
        "\n## EXAMPLES\n\n"
        "A config for one exporter of a kind, a look at it, and a run:\n\n"
        "```\ntelex exporters influxdb\ntelex check -c telex.yaml\ntelex run -c telex.yaml\n```\n\n"
        "What would be sent for the records of a file, byte by byte:\n\n"
        "```\ntelex export -c telex.yaml --to influx --dry-run records.jsonl\n```\n\n"
        "What waits on disk, and what no destination took:\n\n"
        "```\ntelex queue inspect data/bulk\n```\n"
        "\n## SEE ALSO\n\ntelex.yaml(5), telex(3)\n");
}

static void print_man_config(struct buf *out)
{
    buf_add_text(out, "## DESCRIPTION\n\n");
    print_config(out);
    buf_add_text(out, "\n## SEE ALSO\n\ntelex(1)\n");
}

/* ---- the command ---- */

static const struct {
    const char *name;
    void (*print)(struct buf *out);
} pages[] = {{"config.md", print_config},
             {"cli.md", print_cli},
             {"api.md", print_api},
             {"vmalert.md", print_vmalert},
             {"prometheus-rules.md", print_prometheus},
             {"events-metrics.md", print_event_metrics}};

static const struct man_page {
    struct man_head head;
    void (*print)(struct buf *out);
} man_pages[] = {
    {{"telex", "1", "evaluate rules and deliver what they and others find", TELEX_VERSION},
     print_man_telex},
    {{"telex.yaml", "5", "the config file of telex", TELEX_VERSION}, print_man_config},
};

static int write_file(const struct buf *path, struct buf *out)
{
    struct err e = ERR_INIT;
    struct str text = str_trim(buf_str(out));

    buf_truncate(out, text.len);
    buf_add_byte(out, '\n');
    if (!fs_replace_file(fs_system(), buf_str(path), buf_str(out), &e)) {
        fprintf(stderr, "telex docs: %s\n", e.message);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int write_page(const char *folder, size_t index)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%s", folder, pages[index].name);
    pages[index].print(&out);
    return write_file(&path, &out);
}

static int write_man(const char *folder, const struct man_page *page)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf markdown = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&path, "%s/%s.%s", folder, page->head.name, page->head.section);
    page->print(&markdown);
    man_print(&page->head, buf_str(&markdown), &out);
    return write_file(&path, &out);
}

struct values {
    bool man;
};

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct values values = {0};
    int first = 0;
    int status = CLI_OK;

    if (!cli_parse(command, argc, argv, &values, &first, &status)) {
        return status;
    }
    if (first + 1 != argc) {
        return cli_usage_error(command, "expected the folder to write to");
    }
    size_t count = values.man ? ARRAY_LEN(man_pages) : ARRAY_LEN(pages);
    for (size_t i = 0; status == CLI_OK && i < count; i++) {
        status = values.man ? write_man(argv[first], &man_pages[i]) : write_page(argv[first], i);
    }
    return status;
}

static const struct cli_option options[] = {
    {.name = "man",
     .offset = offsetof(struct values, man),
     .help = "Write the manual pages `telex.1` and `telex.yaml.5` instead."},
};

const struct cli_command command_docs = {
    .name = "docs",
    .usage = "[--man] FOLDER",
    .help = "write the reference pages",
    .details =
        "Writes `config.md`, `cli.md`, `api.md`, `vmalert.md`, `prometheus-rules.md` and `events-metrics.md`, made from the program's own tables.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .is_hidden = true,
    .run = run,
};
