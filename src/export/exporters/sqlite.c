/*
 * Rows of tables in a SQLite file, each exactly once.
 *
 * The tables are those of postgresql; times are texts (RFC 3339 with nine digits, so that they sort), sets
 * of labels and fields are JSON texts. SQLite has no NaN: it becomes NULL; infinities stay.
 */
#include "export/exporters/exporters.h"

#include "base/env.h"
#include "base/fs.h"
#include "base/timetext.h"
#include "base/trace.h"
#include "db/sqlite.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "export/table_dry.h"
#include "export/table_sink.h"
#include "wire/table_layout.h"

enum sync_choice { SYNC_FULL, SYNC_NORMAL };

struct sqlite_config {
    struct exporter_common common;
    struct str path;
    struct str table_name;
    struct option_map column_mapping;
    bool create_table;
    int synchronous; /* enum sync_choice */
};

static const char *const synchronous[] = {"full", "normal", NULL};
static const char *const alias_path[] = {"file", "database", NULL};
static const char *const alias_table[] = {"table", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS_WITH(table_buffer_options),
    {.name = "path",
     .aliases = alias_path,
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct sqlite_config, path),
     .help = "The database's file; it and its folder are made when they are not there. A relative "
             "path is taken from the config's folder."},
    {.name = "table_name",
     .aliases = alias_table,
     .type = OPTION_TEXT,
     .offset = offsetof(struct sqlite_config, table_name),
     .fallback = "telex_{kind}",
     .help =
         "The tables: `{kind}` becomes `samples`, `alerts`, `profiles`, `spans` or `events`. A name "
         "without it is that of profiles, and the others get their kind behind it."},
    {.name = "column_mapping",
     .type = OPTION_MAP,
     .offset = offsetof(struct sqlite_config, column_mapping),
     .help = "What columns are called, as `postgresql` has it."},
    {.name = "create_table",
     .type = OPTION_BOOL,
     .offset = offsetof(struct sqlite_config, create_table),
     .fallback = "true",
     .help = "Make tables that are not there; one that is there is taken as it is."},
    TABLE_BATCH_ROWS,
    {.name = "synchronous",
     .type = OPTION_ENUM,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct sqlite_config, synchronous),
     .fallback = "full",
     .choices = synchronous,
     .help =
         "`full`: a power cut loses no row that was committed. `normal` is faster, and a power cut "
         "may lose the last ones, which count as delivered."},
};

static const struct option_table option_table = {
    .name = "exporter sqlite",
    .help = "Records as rows of tables in a SQLite file.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct sqlite_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct sqlite_config *c = config;

    if (str_find_byte(c->table_name, '.') < c->table_name.len) {
        return yaml_err(node, e, ERR_CONFIG, "table_name: '%.*s' has a schema; SQLite has none",
                        STR_FMT(c->table_name));
    }
    return extra_labels_check(&c->common.labels, e) &&
           table_layout_check(c->table_name, &c->column_mapping, e);
}

/* ---- the database ---- */

struct sqlite_table {
    const struct table_layout *layout;
    const struct table_column *columns[TABLE_COLUMNS_MAX];
    uint32_t count;
    struct db_query *insert; /* or NULL: not looked at yet */
    bool has_warned;
};

struct sqlite_db {
    struct table_db super;
    const struct sqlite_config *config;
    struct trace trace;
    struct str name; /* the exporter's */
    struct lane_place lane;
    struct buf instance;
    struct buf folder;
    struct buf path;
    struct db *db; /* or NULL */
    struct db_query *move;
    struct sqlite_table tables[RECORD_KINDS];
    struct sqlite_table *used;
    struct cell_reader *reader;
    VEC(uint32_t) rows; /* in hand */
    struct buf text;
};

static struct sqlite_db *db_of(struct table_db *db)
{
    return container_of(db, struct sqlite_db, super);
}

static void hang_up(struct sqlite_db *db)
{
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        db_query_free(TAKE(db->tables[i].insert));
    }
    db_query_free(TAKE(db->move));
    db_close(TAKE(db->db));
}

/* A file that is full or locked may be better later; so may any other trouble of a disk. */
static bool note_fault(struct sqlite_db *db, struct table_fault *fault)
{
    fault->verdict = db_failed_on_data(db->db) ? VERDICT_REJECTED : VERDICT_RETRY;
    fault->is_lost = false;
    return false;
}

static bool connect_db(struct table_db *base, struct wait wait, bool *ret_fresh,
                       struct table_fault *fault, struct err *e)
{
    struct sqlite_db *db = db_of(base);

    (void)wait;
    *ret_fresh = false;
    if (db->db != NULL) {
        return true;
    }
    fault->verdict = VERDICT_RETRY;
    *ret_fresh =
        fs_make_path(fs_system(), buf_str(&db->folder), e) &&
        db_open(buf_text(&db->path),
                db->config->synchronous == SYNC_FULL ? DB_SYNC_FULL : DB_SYNC_NORMAL, &db->db, e);
    return *ret_fresh;
}

/* ---- positions ---- */

#define LANE_KEY "instance, consumer, log, lanes, lane"
#define WHERE_LANE "instance = ?1 AND consumer = ?2 AND log = ?3"

static const char positions_sql[] =
    "CREATE TABLE IF NOT EXISTS telex_positions (instance TEXT NOT NULL, consumer TEXT NOT NULL, log "
    "TEXT NOT NULL, lanes INTEGER NOT NULL, lane INTEGER NOT NULL, frame INTEGER NOT NULL DEFAULT 0, "
    "frame_time INTEGER NOT NULL DEFAULT 0, next_row INTEGER NOT NULL DEFAULT 0, holes TEXT NOT NULL "
    "DEFAULT '', PRIMARY KEY (" LANE_KEY ")) WITHOUT ROWID";

static const char own_sql[] =
    "INSERT OR IGNORE INTO telex_positions (" LANE_KEY ") VALUES (?1, ?2, ?3, ?4, ?5)";

static const char move_sql[] =
    "UPDATE telex_positions SET frame = ?6, frame_time = ?7, next_row = ?8, holes = ?9 WHERE " WHERE_LANE
    " AND lanes = ?4 AND lane = ?5 AND frame = ?10 AND frame_time = ?11 AND next_row = "
    "?12";

static const char load_sql[] = "SELECT lanes, lane, frame, frame_time, next_row, holes FROM "
                               "telex_positions WHERE " WHERE_LANE;

static void bind_lane(struct sqlite_db *db, struct db_query *q, bool whole)
{
    db_bind_str(q, 1, buf_str(&db->instance));
    db_bind_str(q, 2, db->lane.consumer);
    db_bind_str(q, 3, db->lane.log);
    if (whole) {
        db_bind_i64(q, 4, db->lane.lanes);
        db_bind_i64(q, 5, db->lane.index);
    }
}

static bool add_own(struct sqlite_db *db, struct err *e)
{
    struct db_query *q = NULL;

    if (!db_prepare(db->db, own_sql, &q, e)) {
        return false;
    }
    bind_lane(db, q, true);
    bool ok = db_run(q, e);
    db_query_free(q);
    return ok;
}

static bool load_rows(struct sqlite_db *db, struct positions *ret, struct err *e)
{
    struct db_query *q = NULL;
    bool is_row = true;
    bool ok = db_prepare(db->db, load_sql, &q, e);

    if (ok) {
        bind_lane(db, q, false);
    }
    while (ok && db_step(q, &is_row, e) && is_row) {
        struct lane_position *one = vec_add(&ret->list);
        one->lanes = (unsigned)db_i64(q, 0);
        one->index = (unsigned)db_i64(q, 1);
        one->at = (struct position){
            .seq = (uint64_t)db_i64(q, 2), .time_ns = db_i64(q, 3), .row = (uint32_t)db_i64(q, 4)};
        ok = holes_parse(db_str(q, 5), &one->holes, e);
    }
    db_query_free(q);
    return ok && !is_row;
}

static bool load(struct table_db *base, struct wait wait, struct positions *ret,
                 struct table_fault *fault, struct err *e)
{
    struct sqlite_db *db = db_of(base);

    (void)wait;
    fault->verdict = VERDICT_RETRY;
    if (db_exec(db->db, positions_sql, e) && add_own(db, e) && load_rows(db, ret, e) &&
        db_prepare(db->db, move_sql, &db->move, e)) {
        return true;
    }
    hang_up(db); /* so that it is asked again */
    return false;
}

/* ---- tables ---- */

static bool has_column(struct db_query *q, struct str name, bool *ret_has, struct err *e)
{
    bool is_row = true;
    bool ok = true;

    *ret_has = false;
    while (ok && is_row) {
        ok = db_step(q, &is_row, e);
        *ret_has = *ret_has || (ok && is_row && str_eq(db_str(q, 1), name));
    }
    db_reset(q);
    return ok;
}

static bool find_columns(struct sqlite_db *db, struct sqlite_table *table, struct db_query *q,
                         struct err *e)
{
    const struct table_layout *l = table->layout;
    AUTO(buf_release) struct buf lacking = BUF_INIT(BUF_UNLIMITED);

    table->count = 0;
    for (uint32_t i = 0; i < l->column_count; i++) {
        const struct table_column *c = &l->columns[i];
        bool has = false;
        if (!has_column(q, c->name, &has, e)) {
            return false;
        }
        if (has) {
            table->columns[table->count++] = c;
        } else if (c->is_mapped) {
            return err_set(e, ERR_CONFIG,
                           "table '%.*s' has no column '%.*s', which column_mapping names; add it "
                           "or change the mapping",
                           STR_FMT(l->table), STR_FMT(c->name));
        } else {
            buf_addf(&lacking, "%s%.*s", lacking.len > 0 ? ", " : "", STR_FMT(c->name));
        }
    }
    if (table->count > 0 && lacking.len > 0 && !table->has_warned) {
        table->has_warned = true;
        trace_warn(&db->trace, "the table lacks columns, they are left out",
                   T_STR("exporter", db->name), T_STR("table", l->table),
                   T_STR("columns", buf_str(&lacking)));
    }
    return table->count > 0 || err_set(e, ERR_CONFIG,
                                       "there is no table '%.*s' with columns of a "
                                       "record; say `create_table: true`",
                                       STR_FMT(l->table));
}

static bool describe(struct sqlite_db *db, struct sqlite_table *table, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct db_query *q = NULL;

    buf_add_text(&sql, "PRAGMA table_xinfo(");
    sql_add_identifier(&sql, table->layout->table);
    buf_add_text(&sql, ")");
    bool ok = db_prepare(db->db, buf_text(&sql), &q, e) && find_columns(db, table, q, e);
    db_query_free(q);
    return ok;
}

static bool prepare_insert(struct sqlite_db *db, struct sqlite_table *table, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&sql, "INSERT INTO ");
    sql_add_identifier(&sql, table->layout->table);
    for (uint32_t i = 0; i < table->count; i++) {
        buf_add_text(&sql, i > 0 ? ", " : " (");
        sql_add_identifier(&sql, table->columns[i]->name);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        buf_addf(&sql, "%s?%u", i > 0 ? ", " : ") VALUES (", i + 1);
    }
    buf_add_byte(&sql, ')');
    return db_prepare(db->db, buf_text(&sql), &table->insert, e);
}

static bool use(struct table_db *base, const struct table_layout *l, struct wait wait,
                struct table_fault *fault, struct err *e)
{
    struct sqlite_db *db = db_of(base);
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);

    (void)wait;
    db->used = &db->tables[l->kind];
    if (db->used->insert != NULL) {
        return true;
    }
    db->used->layout = l;
    table_layout_add_create(l, &table_sqlite, &sql);
    fault->verdict = VERDICT_RETRY;
    if (db->config->create_table && !db_exec(db->db, buf_text(&sql), e)) {
        return false;
    }
    if (!describe(db, db->used, e)) {
        fault->verdict = e->code == ERR_CONFIG ? VERDICT_HALT : VERDICT_RETRY;
        return false;
    }
    return prepare_insert(db, db->used, e);
}

/* ---- rows ---- */

static bool take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    struct sqlite_db *db = db_of(base);

    (void)e;
    db->reader = r;
    vec_push(&db->rows, i);
    return true;
}

static size_t bytes(struct table_db *base)
{
    (void)base;
    return 0; /* rows are read when they are written */
}

static void drop(struct table_db *base)
{
    vec_clear(&db_of(base)->rows);
}

/* "2026-11-21T14:00:00.000000000Z": all of one length. */
static void add_time(struct buf *out, int64_t ns)
{
    struct civil c = civil_of(ns);

    buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", c.year, c.month, c.day, c.hour, c.minute,
             c.second, c.ns);
}

static void bind_text(struct sqlite_db *db, struct db_query *q, int at, const struct cell *cell)
{
    (void)db;
    db_bind_str(q, at, cell->text);
}

static void bind_time(struct sqlite_db *db, struct db_query *q, int at, const struct cell *cell)
{
    buf_clear(&db->text);
    add_time(&db->text, cell->integer);
    db_bind_str(q, at, buf_str(&db->text));
}

static void bind_number(struct sqlite_db *db, struct db_query *q, int at, const struct cell *cell)
{
    (void)db;
    db_bind_double(q, at, cell->number);
}

static void bind_integer(struct sqlite_db *db, struct db_query *q, int at, const struct cell *cell)
{
    (void)db;
    db_bind_i64(q, at, cell->integer);
}

static void bind_null(struct sqlite_db *db, struct db_query *q, int at, const struct cell *cell)
{
    (void)db;
    (void)cell;
    db_bind_null(q, at);
}

static bool insert(struct sqlite_db *db, uint32_t row, struct err *e)
{
    static void (*const binders[CELL_TYPES])(struct sqlite_db *, struct db_query *, int,
                                             const struct cell *) = {
        [CELL_NULL] = bind_null,       [CELL_TIME] = bind_time,    [CELL_NUMBER] = bind_number,
        [CELL_INTEGER] = bind_integer, [CELL_FLAG] = bind_integer, [CELL_TEXT] = bind_text,
        [CELL_JSON] = bind_text,
    };
    const struct sqlite_table *table = db->used;
    struct cell cell;

    for (uint32_t i = 0; i < table->count; i++) {
        table_column_read(table->columns[i], db->reader, row, &cell);
        binders[cell.type](db, table->insert, (int)i + 1, &cell);
    }
    return db_run(table->insert, e);
}

/* ---- a transaction ---- */

static bool move_position(struct sqlite_db *db, const struct table_move *move,
                          struct table_fault *fault, struct err *e)
{
    AUTO(buf_release) struct buf holes = BUF_INIT(BUF_UNLIMITED);
    struct db_query *q = db->move;

    holes_print(move->holes, &holes);
    bind_lane(db, q, true);
    db_bind_i64(q, 6, (int64_t)move->to.seq);
    db_bind_i64(q, 7, move->to.time_ns);
    db_bind_i64(q, 8, move->to.row);
    db_bind_str(q, 9, buf_str(&holes));
    db_bind_i64(q, 10, (int64_t)move->from.seq);
    db_bind_i64(q, 11, move->from.time_ns);
    db_bind_i64(q, 12, move->from.row);
    if (!db_run(q, e)) {
        return note_fault(db, fault);
    }
    if (db_changes(db->db) == 0) {
        fault->verdict = VERDICT_RETRY;
        fault->is_lost = true;
        return err_set(e, ERR_CONFLICT,
                       "our position in the file is not where this exporter left it: asking again");
    }
    return true;
}

static bool insert_rows(struct sqlite_db *db, uint32_t from, uint32_t end, struct wait wait,
                        struct table_fault *fault, struct err *e)
{
    for (uint32_t i = from; i < end; i++) {
        if (wait.cancel != NULL && cancel_is_set(wait.cancel)) {
            fault->verdict = VERDICT_RETRY;
            return wait_err(wait, e);
        }
        if (!insert(db, db->rows.items[i], e)) {
            return note_fault(db, fault);
        }
    }
    return true;
}

static bool write_rows(struct table_db *base, uint32_t from, uint32_t end,
                       const struct table_move *move, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    struct sqlite_db *db = db_of(base);
    struct err ignored = ERR_INIT;

    if (db->db == NULL) {
        return err_set(e, ERR_IO, "the file was closed");
    }
    if (!db_exec(db->db, "BEGIN IMMEDIATE", e)) {
        return note_fault(db, fault);
    }
    bool ok = (move == NULL || move_position(db, move, fault, e)) &&
              insert_rows(db, from, end, wait, fault, e) &&
              (db_exec(db->db, "COMMIT", e) || note_fault(db, fault));
    if (!ok) {
        bool is_back = db_exec(db->db, "ROLLBACK", &ignored);
        if (!is_back || fault->is_lost) {
            hang_up(db);
        }
    }
    return ok;
}

/* ---- life ---- */

static void rest(struct table_db *base)
{
    db_of(base)->reader = NULL;
}

static void close_db(struct table_db *base)
{
    struct sqlite_db *db = db_of(base);

    hang_up(db);
    buf_release(&db->instance);
    buf_release(&db->folder);
    buf_release(&db->path);
    buf_release(&db->text);
    vec_release(&db->rows);
    mem_free(db);
}

static const struct table_ops ops = {
    .connect = connect_db,
    .use = use,
    .load = load,
    .take = take,
    .bytes = bytes,
    .drop = drop,
    .write = write_rows,
    .rest = rest,
    .close = close_db,
};

static void set_path(struct sqlite_db *db, struct str path)
{
    size_t slash = path.len;

    while (slash > 0 && path.ptr[slash - 1] != '/') {
        slash--;
    }
    buf_add_str(&db->path, path);
    buf_add_str(&db->folder, slash > 1 ? str_slice(path, 0, slash - 1) : STR("."));
    if (slash == 1) {
        buf_clear(&db->folder);
        buf_add_byte(&db->folder, '/');
    }
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct sqlite_config *c = config;
    const struct table_sink_config sink = {.table_name = c->table_name,
                                           .column_mapping = &c->column_mapping,
                                           .batch_rows = (uint32_t)c->common.buffer.buffer_size,
                                           .together_rows = (uint32_t)c->common.buffer.together_max,
                                           .keeps_positions = true,
                                           .timeout_ns = 60 * NS_PER_S};

    if (place->dry != NULL) {
        return table_sink_open(table_dry_open(place, &table_script_sqlite, c->create_table), &sink,
                               place, config, ret_sink, e);
    }
    struct sqlite_db *db = mem_new(struct sqlite_db);
    db->super.ops = &ops;
    db->config = c;
    db->name = place->name;
    trace_init_part(&db->trace, place->env->trace, "export", place->name, TRACE_INFO);
    buf_init(&db->instance, BUF_SMALL);
    buf_init(&db->folder, BUF_SMALL);
    buf_init(&db->path, BUF_SMALL);
    buf_init(&db->text, BUF_SMALL);
    set_path(db, c->path);
    if (place->lane != NULL) {
        db->lane = *place->lane;
        if (!table_instance(place, &db->instance, e)) {
            close_db(&db->super);
            return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
        }
    }
    return table_sink_open(&db->super, &sink, place, config, ret_sink, e);
}

static void add_own_place(const void *config, struct str name, struct buf *out)
{
    const struct sqlite_config *c = config;

    (void)name;
    buf_add_str(out, c->path);
}

const struct exporter_kind exporter_sqlite = {
    .name = "sqlite",
    .caps = EXPORTER_SHOWS | EXPORTER_ONCE,
    .help = "Rows of tables in a SQLite file, each of them once.",
    .example = "type: sqlite\npath: out/metrics.db\ntable_name: profiling_metrics\n"
               "column_mapping: { timestamp: recorded_at, messages_per_second: throughput }\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_PROFILE) |
             TAKES(RECORD_SPAN) | TAKES(RECORD_EVENT),
    .options = &option_table,
    .check = check,
    .add_own_place = add_own_place,
    .open = open_sink,
};
