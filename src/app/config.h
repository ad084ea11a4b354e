/*
 * config.h - telex.yaml, read strictly: every section optional, every mistake with its place.
 *
 * The sections are option tables, so the file, the environment (TELEX_<SECTION>_<OPTION>), the
 * reference page and the checks agree. `exporters` and `routes` become the delivery plan's config,
 * `datasource` that of its kind. A config is complete when it is there: whoever has one needs no
 * more of the file.
 *
 * Ownership: reference counted, since a graph borrows from the config it was built from while the
 * next one is read; unref with config_unref(). Threads: immutable after loading. Limits:
 * CONFIG_FILE_MAX bytes.
 */
#ifndef TELEX_APP_CONFIG_H
#define TELEX_APP_CONFIG_H

#include "app/config_sources.h"
#include "app/problems.h"
#include "app/rule_servers.h"
#include "base/options.h"
#include "base/trace.h"
#include "datasource/datasource.h"
#include "datasource/datasource_options.h"
#include "events/stream_config.h"
#include "export/plan.h"
#include "net/http_server.h"
#include "receive/receive.h"
#include "rules/rule.h"

#include <stdatomic.h>

enum { CONFIG_FILE_MAX = 16 << 20 };

struct state_config {
    struct str path;
    int64_t snapshot_interval_ns;
    int64_t snapshot_bytes;
};

struct secrets_config {
    struct str path;
};

struct log_config {
    int level;  /* enum trace_level */
    int format; /* enum trace_format */
    struct option_map levels;
};

struct memory_config {
    int64_t limit_bytes; /* 0: a share of what there is */
};

struct restore_config {
    struct str datasource; /* "datasource": the one without a name; empty: nobody */
    int64_t lookback_ns;
    int source; /* its place among the rule_sources; -1: nobody */
};

struct history_config {
    bool enabled;
    int64_t max_changes;
    int64_t max_age_ns;
};

/* Our own table of events. */
struct event_store_config {
    int64_t max_rows;
    int64_t max_bytes;
    int64_t max_age_ns;
};

/* Series that rules may have: what they record, and alerts. 0: no limit. */
struct limits_config {
    int64_t default_limit; /* of groups that say nothing */
    int64_t series_per_rule;
    int64_t series_per_group;
    int64_t series_total;
};

/* The file as its table has it; nodes are what other folders read. */
struct settings {
    struct http_server_config server;
    struct state_config state;
    const struct yaml_node *datasource;
    const struct yaml_node *datasources;
    struct option_list rules;
    const struct yaml_node *rule_servers;
    struct option_list rule_templates;
    int template_dialect; /* enum template_dialect */
    int64_t evaluation_interval_ns;
    int64_t update_entries_limit;
    int64_t query_offset_ns;
    bool eval_alignment;
    bool alertgroup_label;
    bool keep_displaced_labels;
    bool vmalert_metrics;
    int64_t reload_interval_ns; /* 0: only when told to */
    struct option_map external_labels;
    struct str external_url;
    struct str alert_source;
    const struct yaml_node *exporters;
    struct str notifier_config; /* path */
    const struct yaml_node *routes;
    struct receive_config receive;
    struct secrets_config secrets;
    struct log_config log;
    struct memory_config memory;
    struct limits_config limits;
    struct history_config history;
    const struct yaml_node *events;
    const struct yaml_node *event_exporter;
    struct event_store_config event_store;
    struct restore_config restore;
    int64_t shutdown_timeout_ns;
};

struct config {
    _Atomic uint32_t refs;
    struct arena arena;
    struct yaml_source source;
    const struct yaml_node *root; /* NULL: no file */
    struct settings settings;
    const struct datasource_kind *datasource_kind; /* NULL: no datasource */
    struct datasource_common *datasource;          /* of the kind's options */
    struct datasource_config *datasources;         /* those with a name */
    size_t datasource_count;
    const struct rule_source *rule_sources; /* the one without a name, then these */
    struct rule_servers rule_servers;
    struct streams_config streams;
    struct plan_config plan;
    bool has_settings; /* these and datasources are right, whatever the rest is */
    struct labels *external_labels;
    struct yaml_source overrides_source; /* what was changed at run time; text empty: nothing */
    const struct yaml_node *overrides;   /* exporters with options, or NULL */
};

/* The whole file; and its sections one by one, for the reference page. */
extern const struct option_table config_options;

/* What the environment says; NULL when it says nothing. */
struct config_environment {
    const char *(*lookup)(void *arg, const char *name);
    void *arg;
    const char *const *all;      /* all there is as NAME=value, then NULL; or NULL: not known */
    const struct str *overrides; /* a text in place of the state folder's file (overrides.h) */
    bool has_rule_webhooks;      /* rules name URLs of their own: who delivers there is added */
    bool keeps_wrong; /* a config with mistakes is given too, where its settings can be read */
};

/* The environment of this process. */
struct config_environment config_process_environment(void);

/*
 * Reads <path>; empty: no file, so defaults and environment alone. Relative paths in the config are
 * left relative. Problems go to <problems>; false when one was an error, with a summary in <e>.
 */
MUST_USE bool config_load(struct str path, const struct config_environment *environment,
                          struct problems *problems, struct config **ret_config, struct err *e);

/* The same from a text. */
MUST_USE bool config_parse(struct str file, struct str text,
                           const struct config_environment *environment, struct problems *problems,
                           struct config **ret_config, struct err *e);

struct config *config_ref(struct config *c);
void config_unref(struct config *c); /* NULL is fine */
static inline void config_autounref(struct config **c)
{
    config_unref(*c);
}

/* The file of the state folder that <c> has, or would have, its overrides from. */
void config_add_overrides_path(const struct config *c, struct buf *out);

/* What rules are read with. */
struct rule_options config_rule_options(const struct config *c);

/* Sets the levels of the log's components. */
void config_apply_log(const struct config *c, struct trace_sink *sink);

/* An error about the key <section> of the file, or about the file where it has none. Always false. */
bool config_err(const struct config *c, struct str section, struct err *e, const char *fmt, ...)
    PRINTF_LIKE(4, 5) COLD;

#endif
