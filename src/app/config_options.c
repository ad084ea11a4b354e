/* The table of telex.yaml: sections in the order of the reference page. */
#include "app/config.h"
#include "app/event_store.h"

static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const formats[] = {"logfmt", "json", NULL};

static const struct option state_rows[] = {
    {.name = "path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct state_config, path),
     .fallback = "data",
     .help = "Folder of logs and snapshots; made if need be, and used by one program at a time."},
    {.name = "snapshot_interval",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct state_config, snapshot_interval_ns),
     .fallback = "5m",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "Longest time between two snapshots of alert state while it changes."},
    {.name = "snapshot_bytes",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct state_config, snapshot_bytes),
     .fallback = "64MB",
     .min = 65536,
     .max = 1e12,
     .unit = "bytes",
     .help = "A snapshot is also made when this much alert state was logged since the last one."},
};

static const struct option_table state_options = {
    .name = "state",
    .help = "Where Telex keeps what must survive a restart.",
    .options = state_rows,
    .count = ARRAY_LEN(state_rows),
    .config_size = sizeof(struct state_config),
};

static const struct option secrets_rows[] = {
    {.name = "path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct secrets_config, path),
     .help =
         "Folder with one file per secret, for options that name a secret instead of holding it."},
};

static const struct option_table secrets_options = {
    .name = "secrets",
    .help = "Where secrets are read from.",
    .options = secrets_rows,
    .count = ARRAY_LEN(secrets_rows),
    .config_size = sizeof(struct secrets_config),
};

/* As enum template_dialect. */
static const char *const template_dialects[] = {"prometheus", "vmalert", NULL};

static const struct option log_rows[] = {
    {.name = "level",
     .type = OPTION_ENUM,
     .offset = offsetof(struct log_config, level),
     .fallback = "info",
     .choices = levels,
     .help = "The least severe lines that are written."},
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct log_config, format),
     .fallback = "logfmt",
     .choices = formats,
     .help = "How a line is written."},
    {.name = "levels",
     .type = OPTION_MAP,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct log_config, levels),
     .help =
         "Levels of single components and of parts of them, such as `rules: debug` or `export/vm: debug`."},
};

static const struct option_table log_options = {
    .name = "log",
    .help =
        "The log on standard error. Levels can also be changed while the program runs, for a time: `PUT /api/v1/trace`.",
    .options = log_rows,
    .count = ARRAY_LEN(log_rows),
    .config_size = sizeof(struct log_config),
};

static const struct option memory_rows[] = {
    {.name = "limit",
     .type = OPTION_BYTES,
     .offset = offsetof(struct memory_config, limit_bytes),
     .fallback = "0",
     .min = 0,
     .max = 1e15,
     .unit = "bytes",
     .help =
         "Memory for what others decide the size of: answers, requests, series, alerts. Past it Telex "
         "refuses rather than grows. 0: 60 % of what the machine or container has."},
};

static const struct option_table memory_options = {
    .name = "memory",
    .help = "How much memory Telex may take.",
    .options = memory_rows,
    .count = ARRAY_LEN(memory_rows),
    .config_size = sizeof(struct memory_config),
};

static const struct option restore_rows[] = {
    {.name = "datasource",
     .type = OPTION_TEXT,
     .offset = offsetof(struct restore_config, datasource),
     .help =
         "The name of a datasource that has `ALERTS` and `ALERTS_FOR_STATE` of the engine before; "
         "`datasource` for the one without a name. Absent: nobody is asked."},
    {.name = "lookback",
     .type = OPTION_DURATION,
     .offset = offsetof(struct restore_config, lookback_ns),
     .fallback = "1h",
     .min = 60,
     .max = 30 * 86400.0,
     .unit = "s",
     .help = "How far back an alert is looked for."},
};

static const struct option_table restore_options = {
    .name = "restore",
    .help =
        "Alerts that another engine left (vmalert, Prometheus, or a Telex whose disk was lost), for rules that "
        "have no state of their own yet. They go on where they were: an alert that was firing is not told again, one that was "
        "pending keeps its time. Asked until there is an answer; rules are evaluated meanwhile, and what fires before there is one is told as new.",
    .options = restore_rows,
    .count = ARRAY_LEN(restore_rows),
    .config_size = sizeof(struct restore_config),
};

static const struct option history_rows[] = {
    {.name = "enabled",
     .type = OPTION_BOOL,
     .offset = offsetof(struct history_config, enabled),
     .fallback = "true",
     .help = "Keep every change of alert state."},
    {.name = "max_changes",
     .type = OPTION_INT,
     .offset = offsetof(struct history_config, max_changes),
     .fallback = "100000",
     .min = 1,
     .max = 1e9,
     .help = "The newest changes that are kept; some 500 bytes of disk each."},
    {.name = "max_age",
     .type = OPTION_DURATION,
     .offset = offsetof(struct history_config, max_age_ns),
     .fallback = "30d",
     .min = 60,
     .max = 10 * 366 * 86400.0,
     .unit = "s",
     .help = "Older ones go."},
};

static const struct option_table history_options = {
    .name = "history",
    .help = "Every change of alert state, with its cause and what became of its deliveries, as "
            "`/api/v1/history` shows them. A change takes effect with the next start.",
    .options = history_rows,
    .count = ARRAY_LEN(history_rows),
    .config_size = sizeof(struct history_config),
};

static const struct option limits_rows[] = {
    {.name = "default_limit",
     .type = OPTION_INT,
     .offset = offsetof(struct limits_config, default_limit),
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .help = "`limit` of rule groups that write none. 0: no limit."},
    {.name = "series_per_rule",
     .type = OPTION_INT,
     .offset = offsetof(struct limits_config, series_per_rule),
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .help =
         "Series that one rule may record, or alerts that it may have; `limit` of a group or rule may say less. "
         "0: no limit."},
    {.name = "series_per_group",
     .type = OPTION_INT,
     .offset = offsetof(struct limits_config, series_per_group),
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .help =
         "The same for all rules of a group together; its `series_limit` may say less. 0: no limit."},
    {.name = "series_total",
     .type = OPTION_INT,
     .offset = offsetof(struct limits_config, series_total),
     .fallback = "10000000",
     .min = 0,
     .max = 1e12,
     .help = "The same for all rules together. 0: no limit."},
};

static const struct option_table limits_options = {
    .name = "limits",
    .help =
        "How many series rules may have. An answer beyond a limit is an error of that evaluation, counted in "
        "`telex_rule_limit_breaches_total`: nothing of it is used, and alerts keep their state.",
    .options = limits_rows,
    .count = ARRAY_LEN(limits_rows),
    .config_size = sizeof(struct limits_config),
};

static const struct option rows[] = {
    {.name = "server",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, server),
     .table = &http_server_options,
     .help = "The HTTP API and the status page."},
    {.name = "state",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, state),
     .table = &state_options,
     .help = "Where Telex keeps what must survive a restart."},
    {.name = "datasource",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, datasource),
     .help = "Who answers the queries of rules; see the kinds below."},
    {.name = "datasources",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, datasources),
     .help = "More of them by name: `{ NAME: { url: ... } }`; a rule group or rule asks one with "
             "`datasource: NAME`."},
    {.name = "rules",
     .type = OPTION_LIST,
     .offset = offsetof(struct settings, rules),
     .help =
         "Rule files: paths, folders and patterns such as `rules/*.yaml`, URLs (`https://host/rules.yaml`, "
         "`s3://bucket/prefix`), and `-` for standard input; see [rules](rules.md)."},
    {.name = "rule_servers",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, rule_servers),
     .help =
         "How rules from URLs are fetched: a list of `{ url, ... }`, the URL being what those of `rules` "
         "begin with; see below."},
    {.name = "rule_templates",
     .type = OPTION_LIST,
     .offset = offsetof(struct settings, rule_templates),
     .help =
         "Template files: paths and patterns. What they define with `{{ define \"name\" }}`, every rule "
         "may call with `{{ template \"name\" . }}`."},
    {.name = "template_dialect",
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct settings, template_dialect),
     .fallback = "prometheus",
     .choices = template_dialects,
     .help =
         "Whose way `now`, `strvalue` and `title` go in templates, where Prometheus and vmalert differ."},
    {.name = "evaluation_interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct settings, evaluation_interval_ns),
     .fallback = "1m",
     .min = 0.001,
     .max = 31536000,
     .unit = "s",
     .help = "Time between evaluations of a rule group that names none."},
    {.name = "update_entries_limit",
     .type = OPTION_INT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct settings, update_entries_limit),
     .fallback = "20",
     .min = 1,
     .max = 10000,
     .help = "Evaluations that are kept of each rule that does not say how many."},
    {.name = "query_offset",
     .type = OPTION_DURATION,
     .offset = offsetof(struct settings, query_offset_ns),
     .fallback = "0s",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "How long before its slot a rule group asks, when it says nothing (`query_offset`, "
             "`eval_delay`): for stores that show samples late."},
    {.name = "eval_alignment",
     .type = OPTION_BOOL,
     .offset = offsetof(struct settings, eval_alignment),
     .fallback = "false",
     .help =
         "Rule groups that do not say it themselves (`eval_alignment`, `eval_offset`) ask for times that are "
         "multiples of their interval, as vmalert's do, and so all of one interval at once."},
    {.name = "alertgroup_label",
     .type = OPTION_BOOL,
     .offset = offsetof(struct settings, alertgroup_label),
     .fallback = "false",
     .help =
         "Give every alert the label `alertgroup`, the name of its group, as vmalert does. A change "
         "makes other alerts of them."},
    {.name = "keep_displaced_labels",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct settings, keep_displaced_labels),
     .fallback = "false",
     .help =
         "Where a label of a rule, of its group or of `external_labels` takes the place of one that the series has, keep "
         "that as `exported_NAME`, as vmalert does. Without it the rule's wins, `external_labels` do not, and what "
         "is displaced is lost, as in Prometheus. A change makes other alerts and series of them."},
    {.name = "vmalert_metrics",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct settings, vmalert_metrics),
     .fallback = "true",
     .help =
         "Serve our metrics under vmalert's names (`vmalert_*`) too, four of them for each rule, so that "
         "dashboards and alerts that were made for it go on."},
    {.name = "reload_interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct settings, reload_interval_ns),
     .fallback = "0s",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "Read config and rules again this often; 0: only when told to (`SIGHUP`, "
             "`POST /-/reload`)."},
    {.name = "external_labels",
     .type = OPTION_MAP,
     .offset = offsetof(struct settings, external_labels),
     .help =
         "Labels of this installation: added to what leaves, and known to templates as `$externalLabels`."},
    {.name = "external_url",
     .type = OPTION_URL,
     .offset = offsetof(struct settings, external_url),
     .help = "The URL under which people reach this server; it is what alerts link to."},
    {.name = "alert_source",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct settings, alert_source),
     .help =
         "What alerts link to instead of their rule's page: a template, as of an annotation, of a path below "
         "`external_url`, such as `explore?expr={{ $expr | queryEscape }}`; it cannot `query`."},
    {.name = "exporters",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, exporters),
     .help =
         "Where things go, by name: `{ NAME: { type: KIND, ... } }`, or a list of `{ name, type, config }`; "
         "see the kinds below."},
    {.name = "notifier_config",
     .type = OPTION_TEXT,
     .offset = offsetof(struct settings, notifier_config),
     .help =
         "A file of Alertmanagers in vmalert's form (`-notifier.config`): each entry becomes an exporter of "
         "type `alertmanager`."},
    {.name = "routes",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, routes),
     .help =
         "What goes where: a list of `{ match, to, continue }`. The first route whose condition holds takes a "
         "record, unless it says `continue: true`. Without routes every exporter gets what it can take."},
    {.name = "receive",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, receive),
     .table = &receive_options,
     .help = "What others may push to us; see [receive](receive.md)."},
    {.name = "secrets",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, secrets),
     .table = &secrets_options,
     .help = "Where secrets are read from."},
    {.name = "log",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, log),
     .table = &log_options,
     .help = "The log on standard error."},
    {.name = "memory",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, memory),
     .table = &memory_options,
     .help = "How much memory Telex may take."},
    {.name = "restore",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, restore),
     .table = &restore_options,
     .help = "Where alerts of an engine before this one are read from."},
    {.name = "history",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, history),
     .table = &history_options,
     .help = "What is kept of changes of alert state."},
    {.name = "events",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, events),
     .help =
         "Change streams by name: `{ NAME: { source, metadata, sink, ... } }`; see [events](events.md)."},
    {.name = "event-exporter",
     .type = OPTION_NODE,
     .offset = offsetof(struct settings, event_exporter),
     .help =
         "The section of that name of NVSentinel's Helm values: one more stream, called `event-exporter`."},
    {.name = "event_table",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, event_store),
     .table = &event_store_options,
     .help = "How much is kept of events that are given to Telex."},
    {.name = "limits",
     .type = OPTION_TABLE,
     .offset = offsetof(struct settings, limits),
     .table = &limits_options,
     .help = "How many series rules may have."},
    {.name = "shutdown_timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct settings, shutdown_timeout_ns),
     .fallback = "15s",
     .min = 0.1,
     .max = 3600,
     .unit = "s",
     .help =
         "How long a stop waits for deliveries; what is left stays on disk for the next start."},
};

const struct option_table config_options = {
    .name = "telex.yaml",
    .help = "The config file of `telex run`. Every section is optional.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct settings),
};
