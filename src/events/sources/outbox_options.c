#include "events/sources/outbox_int.h"

#include "db/postgres.h"

static const char *const alias_connection[] = {"connection_url", "dsn", "url", NULL};
static const char *const on_ack_names[] = {"keep", "delete", NULL};
static const char *const from_names[] = {"auto", "now", "beginning", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    {.name = "connection_string",
     .aliases = alias_connection,
     .type = OPTION_SECRET,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct outbox_config, connection_string),
     .help =
         "`postgresql://user:password@host/database?sslmode=verify-full`, or libpq's words. The user "
         "may read the table. Not through a pooler that shares connections between transactions."},
    {.name = "table",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct outbox_config, table),
     .help = "The table, as in SQL, perhaps with a schema. Rows are only inserted."},
    {.name = "id_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct outbox_config, id_column),
     .help = "The column that is an event's id; without, the primary key."},
    {.name = "xid_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct outbox_config, xid_column),
     .fallback = "xid",
     .help =
         "A column of type `xid8` (or `bigint`) that has the transaction of each row, by `DEFAULT "
         "pg_current_xact_id()`."},
    {.name = "serialized",
     .type = OPTION_BOOL,
     .offset = offsetof(struct outbox_config, serialized),
     .fallback = "false",
     .help =
         "There is no such column: who writes the table makes sure that rows are committed in the "
         "order of their ids. Where that is not so, rows are missed."},
    {.name = "key_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct outbox_config, key_column),
     .help = "Rows that are alike in it stay in order."},
    {.name = "time_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct outbox_config, time_column),
     .help = "When it happened. A backfill's `maxAge` needs it."},
    {.name = "poll_interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct outbox_config, poll_interval_ns),
     .fallback = "500ms",
     .min = 0.01,
     .max = 3600,
     .unit = "s",
     .help = "How often it is asked while there is nothing."},
    {.name = "notify_channel",
     .type = OPTION_TEXT,
     .offset = offsetof(struct outbox_config, notify_channel),
     .help =
         "A channel of LISTEN/NOTIFY that wakes it between; what is notified is not looked at."},
    {.name = "on_ack",
     .type = OPTION_ENUM,
     .offset = offsetof(struct outbox_config, on_ack),
     .fallback = "keep",
     .choices = on_ack_names,
     .help = "What becomes of rows that are delivered: `keep`, or `delete`."},
    {.name = "from",
     .type = OPTION_ENUM,
     .offset = offsetof(struct outbox_config, from),
     .fallback = "auto",
     .choices = from_names,
     .help = "Where the first start begins: `now` (a backfill gives what was there before) or "
             "`beginning`; `auto` is `beginning` where rows are deleted."},
    {.name = "connect_timeout",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct outbox_config, connect_timeout_ns),
     .fallback = "10s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "How long connecting may take."},
};

const struct option_table outbox_option_table = {
    .name = "source outbox",
    .help = "Rows of a table in PostgreSQL, by asking for them.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct outbox_config),
};

static void ignore_setting(void *arg, const char *name, const char *value)
{
    (void)arg;
    (void)name;
    (void)value;
}

bool outbox_check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct outbox_config *c = config;
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);
    struct err why = ERR_INIT;

    if (c->from == OUTBOX_NOW && c->on_ack == OUTBOX_DELETE) {
        const struct yaml_node *from = yaml_get(node, STR("from"));
        return yaml_err(
            from != NULL ? from : node, e, ERR_CONFIG,
            "`on_ack: delete` removes all rows up to the last one that was delivered, and with `from: now` those "
            "before the start would go undelivered; expected `from: beginning`");
    }
    secret_reveal(c->connection_string, &text);
    if (pg_parse(buf_text(&text), ignore_setting, NULL, &why)) {
        return true;
    }
    const struct yaml_node *at = yaml_get(node, STR("connection_string"));
    (void)yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%s", why.message);
    e->source[0] = '\0'; /* the line has the password */
    return false;
}
