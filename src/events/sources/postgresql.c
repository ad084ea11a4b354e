/* Changes of tables by logical replication: kind, options, life, and what is measured. */
#include "events/sources/postgresql_int.h"
#include "events/sources/sources.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"

#include <ctype.h>
#include <string.h>

enum {
    UNREAD_BYTES = 1 << 20, /* of the log, below which nothing is called behind */
    UNREAD_MS = 3000,       /* after which a stream counts as one that is not read */
};

static const char *const alias_connection[] = {"connection_url", "dsn", "url", NULL};
static const char *const alias_tables[] = {"table", NULL};
static const char *const alias_ids[] = {"id_columns", NULL};
static const char *const aliases[] = {"postgres", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    {.name = "connection_string",
     .aliases = alias_connection,
     .type = OPTION_SECRET,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct postgresql_config, connection_string),
     .help = "`postgresql://user:password@host/database?sslmode=verify-full`, or libpq's words "
             "(`host=... dbname=...`). The user needs REPLICATION and may read the tables."},
    {.name = "tables",
     .aliases = alias_tables,
     .type = OPTION_LIST,
     .offset = offsetof(struct postgresql_config, tables),
     .help = "The tables, as in SQL, perhaps with a schema. Without, those of the publication."},
    {.name = "operations",
     .type = OPTION_LIST,
     .offset = offsetof(struct postgresql_config, operations),
     .fallback = "[insert]",
     .help = "What is told: `insert`, `update`, `delete`. With `insert` alone an event's id is the "
             "row's key; else it is where in the log the change stands."},
    {.name = "publication",
     .type = OPTION_TEXT,
     .offset = offsetof(struct postgresql_config, publication),
     .help = "Its name; without, `telex_` and the stream's."},
    {.name = "create_publication",
     .type = OPTION_BOOL,
     .offset = offsetof(struct postgresql_config, create_publication),
     .fallback = "true",
     .help =
         "Make it when it is not there, for exactly the tables and operations. One that was made so is "
         "dropped on `telex events reset --drop-source`."},
    {.name = "slot",
     .type = OPTION_TEXT,
     .offset = offsetof(struct postgresql_config, slot),
     .help = "The replication slot; without, `telex_` and the stream's name."},
    {.name = "create_slot",
     .type = OPTION_BOOL,
     .offset = offsetof(struct postgresql_config, create_slot),
     .fallback = "true",
     .help =
         "Make it at the first start when it is not there. One that was made so is dropped on `telex events reset "
         "--drop-source`, and never when the program ends."},
    {.name = "failover",
     .type = OPTION_BOOL,
     .offset = offsetof(struct postgresql_config, failover),
     .fallback = "false",
     .help = "Make a slot that standbys keep too (PostgreSQL 17 and later)."},
    {.name = "id_column",
     .aliases = alias_ids,
     .type = OPTION_LIST,
     .offset = offsetof(struct postgresql_config, id_column),
     .help = "The columns that are an event's id and the order of a backfill; without, the primary "
             "key."},
    {.name = "key_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct postgresql_config, key_column),
     .help =
         "Rows that are alike in it stay in order. Without, inserts have none and other changes "
         "have the row's key."},
    {.name = "time_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct postgresql_config, time_column),
     .help = "When it happened; without, when it was committed. A backfill's `maxAge` needs it."},
    {.name = "where",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, where),
     .help =
         "SQL that a row must fulfil, of columns of the table: `is_fatal AND NOT is_healthy`. The "
         "server sends no others (PostgreSQL 15 and later)."},
    {.name = "connect_timeout",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, connect_timeout_ns),
     .fallback = "10s",
     .min = 0.001,
     .max = 3600,
     .unit = "s",
     .help = "How long connecting may take."},
    {.name = "silence_timeout",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct postgresql_config, silence_timeout_ns),
     .fallback = "2m",
     .min = 1,
     .max = 3600,
     .unit = "s",
     .help =
         "A server that says nothing for so long, though it is asked, is gone: the stream is started "
         "again."},
};

static const struct option_table option_table = {
    .name = "source postgresql",
    .help = "Changes of tables in PostgreSQL, by logical replication.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct postgresql_config),
};

/* ---- the config ---- */

static const char *const operation_names[] = {"insert", "update", "delete"};

/* Bits of enum pg_operations; 0: one is none of them. */
static unsigned read_operations(const struct option_list *list)
{
    unsigned found = 0;

    for (size_t i = 0; i < list->count; i++) {
        unsigned bit = 0;
        for (unsigned j = 0; j < ARRAY_LEN(operation_names); j++) {
            bit |= str_eq_nocase(list->items[i], str_of(operation_names[j])) ? 1U << j : 0;
        }
        if (bit == 0) {
            return 0;
        }
        found |= bit;
    }
    return found;
}

static void ignore_setting(void *arg, const char *name, const char *value)
{
    (void)arg;
    (void)name;
    (void)value;
}

static bool fail_at(const struct yaml_node *node, const char *option, struct err *e,
                    const char *message)
{
    const struct yaml_node *at = yaml_get(node, str_of(option));

    return yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%s", message);
}

static bool check_connection(const struct postgresql_config *c, const struct yaml_node *node,
                             struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);
    struct err why = ERR_INIT;

    secret_reveal(c->connection_string, &text);
    if (!pg_parse(buf_text(&text), ignore_setting, NULL, &why)) {
        (void)fail_at(node, "connection_string", e, why.message);
        e->source[0] = '\0'; /* the line has the password */
        return false;
    }
    return true;
}

/* What PostgreSQL allows in a slot's name. */
static bool is_slot_name(struct str name)
{
    bool ok = name.len <= PG_NAME_MAX;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        ok = ok && (islower(c) != 0 || isdigit(c) != 0 || c == '_');
    }
    return ok;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct postgresql_config *c = config;

    if (read_operations(&c->operations) == 0) {
        return fail_at(node, "operations", e, "expected some of insert, update, delete");
    }
    if (!is_slot_name(c->slot)) {
        return fail_at(node, "slot", e,
                       "a slot's name is made of a-z, 0-9 and _, at most 63 of them");
    }
    if (c->publication.len > PG_NAME_MAX) {
        return fail_at(node, "publication", e, "a name has at most 63 bytes");
    }
    if (c->tables.count == 0 && (c->publication.len == 0 || c->create_publication)) {
        return fail_at(node, "tables", e,
                       "'tables' names none; without it a publication must be, with "
                       "create_publication: false");
    }
    if (c->tables.count > PG_TABLES_MAX) {
        return fail_at(node, "tables", e, "a stream has at most 256 tables");
    }
    if (c->where.len > 0 && !c->create_publication) {
        return fail_at(node, "where", e,
                       "a publication that is not made here has conditions of its own");
    }
    return check_connection(c, node, e);
}

/* ---- life ---- */

void postgresql_add_name(struct buf *out, struct str given, struct str stream)
{
    if (given.len > 0) {
        buf_add_str(out, given);
        return;
    }
    size_t begin = out->len;
    buf_add_text(out, "telex_");
    for (size_t i = 0; i < stream.len && out->len - begin < PG_NAME_MAX; i++) {
        unsigned char c = (unsigned char)stream.ptr[i];
        buf_add_byte(out, isalnum(c) != 0 ? (char)tolower(c) : '_');
    }
}

/* What the slot's row says. */
static void take_measures(const struct postgresql_source *s, const struct pg_result *r,
                          struct source_measures *ret)
{
    struct str status = pg_value(r, 0, 1);
    int64_t safe_bytes = -1;
    int64_t unread_bytes = 0;

    (void)number_parse_i64(pg_value(r, 0, 0), &ret->retained_bytes);
    (void)number_parse_i64(pg_value(r, 0, 2), &safe_bytes);
    (void)number_parse_i64(pg_value(r, 0, 3), &unread_bytes);
    memcpy(ret->state, status.ptr,
           status.len < sizeof(ret->state) ? status.len : sizeof(ret->state) - 1);
    bool is_gone = str_eq(status, STR("unreserved")) || str_eq(status, STR("lost"));
    ret->in_danger = is_gone || (safe_bytes >= 0 && safe_bytes < ret->retained_bytes / 4);
    /* Nobody knows what of the log that is not read is of our tables. The server says so itself when it has sent all
     * that is: then nothing is behind, however much others write. */
    if (s->is_caught_up || (!s->is_inside && unread_bytes < UNREAD_BYTES)) {
        ret->behind = 0;
    } else {
        ret->head_ns = clock_wall_ns(s->env->clock);
    }
}

/*
 * A server that is about to invalidate the slot ends our stream first, and its process cannot end while what it wants
 * to send finds no room, since nobody reads: the server's checkpoints would wait for it. So a stream that is not read
 * is given up then. If there is room again before the slot is gone, it is started again.
 */
static void give_way(struct postgresql_source *s, const struct source_measures *m)
{
    int64_t unread_ns = clock_mono_ns(s->env->clock) - s->read_mono_ns;

    if (s->stream != NULL && str_eq(str_of(m->state), STR("unreserved")) &&
        unread_ns > UNREAD_MS * NS_PER_MS) {
        trace_warn(
            &s->trace,
            "the server is about to invalidate the slot; the stream is not read, and is ended",
            T_STR("slot", buf_str(&s->slot)), T_I64("retained_bytes", m->retained_bytes));
        postgresql_hang_up(s);
    }
}

static void measure(struct source *base, struct source_measures *ret, struct wait wait)
{
    static const char sql[] =
        "SELECT pg_wal_lsn_diff(l.lsn, restart_lsn)::bigint, wal_status, safe_wal_size, "
        "pg_wal_lsn_diff(l.lsn, $2::pg_lsn)::bigint FROM pg_replication_slots, LATERAL (SELECT CASE "
        "WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS lsn) "
        "l WHERE slot_name = $1";
    struct postgresql_source *s = postgresql_of(base);
    AUTO(buf_release) struct buf given = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    struct err ignored = ERR_INIT;

    *ret = (struct source_measures){.head_ns = s->head_ns, .behind = -1, .retained_bytes = -1};
    pgoutput_add_lsn(&given, s->given.lsn);
    const char *const params[] = {buf_text(&s->slot), buf_text(&given)};
    if (pg_server_ask(&s->server, sql, params, 2, wait, &r, &ignored) == SOURCED_OK &&
        pg_rows(r) > 0) {
        take_measures(s, r, ret);
        give_way(s, ret);
    }
    pg_result_free(r);
}

/* ---- what was there before ---- */

struct pg_pages postgresql_pages(struct postgresql_source *s)
{
    const struct postgresql_config *c = s->config;

    return (struct pg_pages){.server = &s->server,
                             .tables = s->tables,
                             .table_count = s->table_count,
                             .time_column = c->time_column,
                             .key_column = c->key_column,
                             .where = c->where,
                             .is_primary_key = c->id_column.count == 0,
                             .id_is_key = s->operations != PG_INSERTS,
                             .scratch = &s->scratch,
                             .batch_number = ++s->batch_number};
}

static enum sourced backfill(struct source *base, const struct source_range *range,
                             struct str cursor, size_t max, struct changes *ret, bool *ret_done,
                             struct wait wait, struct err *e)
{
    struct pg_pages pages = postgresql_pages(postgresql_of(base));

    return pg_pages_read(&pages, range, cursor, max, ret, ret_done, wait, e);
}

static int64_t backfill_left(struct source *base, const struct source_range *range,
                             struct str cursor, struct wait wait)
{
    struct pg_pages pages = postgresql_pages(postgresql_of(base));

    return pg_pages_left(&pages, range, cursor, wait);
}

/* ---- taking back ---- */

static bool drop(struct postgresql_source *s, const char *sql, const char *param, struct wait wait,
                 struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(&s->server, sql, &param, param != NULL ? 1 : 0, wait, &r, e);

    pg_result_free(r);
    return done == SOURCED_OK;
}

static bool forget(struct source *base, struct str words, struct wait wait, struct err *e)
{
    struct postgresql_source *s = postgresql_of(base);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    postgresql_hang_up(s);
    if (str_starts(words, STR(PG_WORDS_SLOT))) {
        buf_add_str(&text, str_slice(words, sizeof(PG_WORDS_SLOT) - 1, words.len));
        return drop(s,
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                    "WHERE slot_name = $1",
                    buf_text(&text), wait, e);
    }
    if (!str_starts(words, STR(PG_WORDS_PUBLICATION))) {
        return err_set(e, ERR_CONFIG, "this telex does not know what '%.*s' is", STR_FMT(words));
    }
    buf_add_text(&text, "DROP PUBLICATION IF EXISTS ");
    pg_add_quoted(&text, str_slice(words, sizeof(PG_WORDS_PUBLICATION) - 1, words.len));
    return drop(s, buf_text(&text), NULL, wait, e);
}

static void close_source(struct source *base)
{
    struct postgresql_source *s = postgresql_of(base);

    postgresql_hang_up(s);
    pg_server_release(&s->server);
    postgresql_forget_relations(s);
    vec_release(&s->relations);
    buf_release(&s->slot);
    buf_release(&s->publication);
    arena_release(&s->catalog);
    arena_release(&s->scratch);
    mem_free(s->stream_name.ptr);
    mem_free(s);
}

static const struct source_ops ops = {
    .start = postgresql_start,
    .next = postgresql_next,
    .ack = postgresql_ack,
    .tend = postgresql_tend,
    .backfill = backfill,
    .backfill_left = backfill_left,
    .measure = measure,
    .forget = forget,
    .close = close_source,
};

static bool open_source(const struct source_place *place, const void *config,
                        struct source **ret_source, struct err *e)
{
    struct postgresql_source *s = mem_new(struct postgresql_source);

    (void)e;
    s->super.ops = &ops;
    s->config = config;
    s->env = place->env;
    trace_init_part(&s->trace, place->env->trace, "events", place->stream, TRACE_INFO);
    s->stream_name =
        str_make(mem_dup_text(place->stream.ptr, place->stream.len), place->stream.len);
    pg_server_init(&s->server, place, s->config->connection_string, s->config->connect_timeout_ns);
    buf_init(&s->slot, BUF_SMALL);
    buf_init(&s->publication, BUF_SMALL);
    postgresql_add_name(&s->slot, s->config->slot, place->stream);
    postgresql_add_name(&s->publication, s->config->publication, place->stream);
    s->operations = read_operations(&s->config->operations);
    arena_init(&s->catalog, ARENA_UNLIMITED);
    arena_init(&s->scratch, ARENA_UNLIMITED);
    *ret_source = &s->super;
    return true;
}

const struct source_kind source_postgresql = {
    .name = "postgresql",
    .aliases = aliases,
    .help = "Changes of tables in PostgreSQL, by logical replication: a slot of its own, and no "
            "change missed.",
    .example = "type: postgresql\n"
               "connection_string: postgresql://telex@db.example.com/cluster?sslmode=verify-full\n"
               "table: health_events\n",
    .options = &option_table,
    .age_option = "time_column",
    .check = check,
    .leave = postgresql_leave,
    .left_is_estimate = true,
    .claim = postgresql_claim,
    .look = postgresql_look,
    .open = open_source,
};
