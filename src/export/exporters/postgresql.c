/* Rows of a table in PostgreSQL, each exactly once. */
#include "export/exporters/exporters.h"

#include "base/secret.h"
#include "db/postgres.h"
#include "export/exporter_options.h"
#include "export/exporters/postgresql_db.h"
#include "export/extra_labels.h"
#include "export/table_dry.h"
#include "wire/table_layout.h"

#include <stdio.h>
#include <string.h>

enum { LOGS = 2 }; /* alerts have one of their own: each has lanes, and so connections */

enum insert_method { INSERT_COPY, INSERT_PASSING };

struct postgresql_config {
    struct exporter_common common;
    struct secret *connection_string;
    struct str table_name;
    struct option_map column_mapping;
    struct str positions_table;
    bool create_table;
    int insert_method; /* enum insert_method */
    int64_t pool_size;
    int64_t max_overflow;
    int64_t connect_timeout_ns;
    int64_t timeout_ns;
};

static const char *const methods[] = {"copy", "insert", NULL};
static const char *const alias_connection[] = {"connection_url", "dsn", NULL};
static const char *const alias_table[] = {"table", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS_WITH(table_buffer_options),
    {.name = "connection_string",
     .aliases = alias_connection,
     .type = OPTION_SECRET,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct postgresql_config, connection_string),
     .help =
         "`postgresql://user:password@host/database?sslmode=verify-full`, or libpq's words "
         "(`host=... dbname=...`). What it leaves out, libpq's variables (`PGHOST`, `PGPASSWORD`, "
         "`PGPASSFILE`) say."},
    {.name = "table_name",
     .aliases = alias_table,
     .type = OPTION_TEXT,
     .offset = offsetof(struct postgresql_config, table_name),
     .fallback = "telex_{kind}",
     .help =
         "The tables, perhaps with a schema in front: `{kind}` becomes `samples`, `alerts`, "
         "`profiles`, `spans` or `events`. A name without it is that of profiles, and the others get "
         "their kind behind it."},
    {.name = "column_mapping",
     .type = OPTION_MAP,
     .offset = offsetof(struct postgresql_config, column_mapping),
     .help = "What columns are called: `timestamp: recorded_at`. A field of profiles, a field of "
             "spans (`span.memory_usage_mb`) or a label (`labels.instance`) gets a column of its "
             "own so, with a type where it is no number (`labels.pod: 'pod text'`); '' leaves a "
             "column out."},
    {.name = "create_table",
     .type = OPTION_BOOL,
     .offset = offsetof(struct postgresql_config, create_table),
     .fallback = "true",
     .help = "Make tables that are not there; one that is there is taken as it is."},
    {.name = "insert_method",
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, insert_method),
     .fallback = "copy",
     .choices = methods,
     .help =
         "How rows are written: `copy` is COPY in binary. `insert` has a row that a unique key of the "
         "table has already passed over (`ON CONFLICT DO NOTHING`) in place of making it a "
         "dead letter, and writes to views."},
    TABLE_BATCH_ROWS,
    {.name = "pool_size",
     .type = OPTION_INT,
     .offset = offsetof(struct postgresql_config, pool_size),
     .fallback = "5",
     .min = 1,
     .max = 100,
     .help = "Connections that stay open while there is nothing to write. Each of the `lanes` has "
             "one for alerts and one for all else."},
    {.name = "max_overflow",
     .type = OPTION_INT,
     .offset = offsetof(struct postgresql_config, max_overflow),
     .fallback = "10",
     .min = 0,
     .max = 100,
     .help = "Connections beyond `pool_size`, closed after each delivery. More lanes than both "
             "allow are an error."},
    {.name = "positions_table",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, positions_table),
     .fallback = "telex_positions",
     .help =
         "Where it stands how far the rows are, committed with them; '' for none: rows may then "
         "come twice after a crash."},
    {.name = "connect_timeout",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, connect_timeout_ns),
     .fallback = "10s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help =
         "How long connecting may take: each of several hosts, and of a name's addresses, is the first "
         "to be asked for an equal part of it."},
    {.name = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct postgresql_config, timeout_ns),
     .fallback = "30s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "How long a transaction may take."},
};

static const struct option_table option_table = {
    .name = "exporter postgresql",
    .help = "Records as rows of tables in PostgreSQL.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct postgresql_config),
};

/* ---- what check says ---- */

/* What a connection string says that people stumble over. */
struct settings {
    char host[256];
    bool has_sslmode;
    bool is_unverified;
};

static void visit_setting(void *arg, const char *name, const char *value)
{
    struct settings *s = arg;

    if (strcmp(name, "host") == 0) {
        (void)snprintf(s->host, sizeof(s->host), "%s", value);
    } else if (strcmp(name, "sslmode") == 0) {
        s->has_sslmode = true;
        s->is_unverified = strncmp(value, "verify-", strlen("verify-")) != 0;
    }
}

static bool read_settings(const struct postgresql_config *c, struct settings *ret, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);

    *ret = (struct settings){.is_unverified = true};
    secret_reveal(c->connection_string, &text);
    return pg_parse(buf_text(&text), visit_setting, ret, e);
}

/* An error that knows no place is about the option. Always false. */
static bool at_option(const struct yaml_node *node, struct str name, const struct err *why,
                      struct err *e)
{
    const struct yaml_node *at = yaml_get(node, name);

    *e = *why;
    return why->pos.line > 0 ? err_false(true)
                             : yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%s", why->message);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct postgresql_config *c = config;
    struct settings settings;
    int64_t connections = LOGS * c->common.buffer.lanes;
    int64_t allowed = c->pool_size + c->max_overflow;

    if (!pg_is_built_in()) {
        struct err why = ERR_INIT;
        return err_false(read_settings(c, &settings, &why)) ||
               yaml_err(node, e, ERR_CONFIG, "%s", why.message);
    }
    if (connections > allowed) {
        return yaml_err(
            node, e, ERR_CONFIG,
            "%lld lanes need %lld connections (each log has its own), and pool_size and "
            "max_overflow allow %lld",
            (long long)c->common.buffer.lanes, (long long)connections, (long long)allowed);
    }
    struct err why = ERR_INIT;
    if (!read_settings(c, &settings, &why)) {
        (void)at_option(node, STR("connection_string"), &why, e);
        e->source[0] = '\0'; /* the line has the password */
        return false;
    }
    if (!table_layout_check(c->table_name, &c->column_mapping, &why)) {
        return at_option(node, STR("table_name"), &why, e);
    }
    return extra_labels_check(&c->common.labels, e);
}

static bool is_local(const char *host)
{
    return host[0] == '\0' || host[0] == '/' || strcmp(host, "localhost") == 0 ||
           strncmp(host, "127.", strlen("127.")) == 0 || strcmp(host, "::1") == 0;
}

/* Is there a password in an URL that stands in the config as it is? */
static bool has_password(struct str text)
{
    size_t at = str_find(text, STR("://"));
    struct str user = str_slice(text, at + strlen("://"), text.len);

    user = str_slice(user, 0, str_find_byte(user, '@'));
    return at < text.len && str_find(text, STR("${")) == text.len &&
           user.ptr + user.len < text.ptr + text.len && str_find_byte(user, ':') < user.len;
}

static bool advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct postgresql_config *c = config;
    const struct yaml_node *text = yaml_get(node, STR("connection_string"));
    struct settings settings;
    struct err ignored = ERR_INIT;
    AUTO(buf_release) struct buf says = BUF_INIT(BUF_SMALL);

    if (!read_settings(c, &settings, &ignored)) {
        return false;
    }
    if (text != NULL && has_password(text->text)) {
        buf_add_text(&says, "the password stands in the config; "
                            "`connection_string_file: PATH` or a variable keeps it out of it");
    }
    if (!is_local(settings.host) && settings.is_unverified) {
        buf_addf(&says, "%s%s", says.len > 0 ? "; and " : "",
                 settings.has_sslmode
                     ? "sslmode does not check who the server is; `verify-full` does"
                     : "without sslmode libpq speaks in clear to a server that offers no TLS; say "
                       "`sslmode=verify-full`");
    }
    return says.len > 0 && !err_set(e, ERR_CONFIG, "%s", buf_text(&says));
}

/* ---- opening ---- */

/* The connections of one log are counted behind those of the other. */
static bool stays_open(const struct postgresql_config *c, const struct lane_place *lane)
{
    if (lane == NULL) {
        return true;
    }
    unsigned before = str_eq(lane->log, STR("ledger")) ? 0 : lane->lanes;
    return before + lane->index < (uint64_t)c->pool_size;
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct postgresql_config *c = config;
    const struct postgresql_setup setup = {.connection_string = c->connection_string,
                                           .positions_table = c->positions_table,
                                           .create_table = c->create_table,
                                           .passes_conflicts = c->insert_method == INSERT_PASSING,
                                           .stays_open = stays_open(c, place->lane),
                                           .connect_timeout_ns = c->connect_timeout_ns};
    const struct table_sink_config sink = {.table_name = c->table_name,
                                           .column_mapping = &c->column_mapping,
                                           .batch_rows = (uint32_t)c->common.buffer.buffer_size,
                                           .together_rows = (uint32_t)c->common.buffer.together_max,
                                           .keeps_positions = c->positions_table.len > 0,
                                           .timeout_ns = c->timeout_ns};
    struct table_db *db = NULL;

    if (place->dry != NULL) {
        return table_sink_open(table_dry_open(place, &table_script_postgresql, c->create_table),
                               &sink, place, config, ret_sink, e);
    }
    return postgresql_db_open(place, &setup, &db, e) &&
           table_sink_open(db, &sink, place, config, ret_sink, e);
}

static const struct option_usual usual[] = {
    {"DATABASE_URL", "connection_string", NULL},
    {NULL, NULL, NULL},
};

static const char *const aliases[] = {"database", "postgres", "timescaledb", NULL};

const struct exporter_kind exporter_postgresql = {
    .name = "postgresql",
    .aliases = aliases,
    .usual = usual,
    .help = "Rows of tables in PostgreSQL, each of them once.",
    .example = "type: postgresql\n"
               "connection_string: postgresql://telex@localhost/monitoring\n"
               "table_name: profiling_metrics\n"
               "column_mapping: { timestamp: recorded_at, messages_per_second: throughput }\n",
    .caps = EXPORTER_SHOWS | EXPORTER_ONCE,
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_PROFILE) |
             TAKES(RECORD_SPAN) | TAKES(RECORD_EVENT),
    .options = &option_table,
    .check = check,
    .advise = advise,
    .open = open_sink,
};
