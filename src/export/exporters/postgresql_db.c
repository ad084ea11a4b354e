/*
 * Invariants
 *   1. Outside of write() no transaction is open.
 *   2. <used> is what this connection found of a table; a new connection looks again, and so does one that was
 *      told that a table or column is not there.
 */
#include "export/exporters/postgresql_db.h"

#include "base/env.h"
#include "base/number.h"
#include "base/secret.h"
#include "base/trace.h"
#include "db/postgres.h"
#include "export/sqlstate.h"
#include "wire/pg_copy.h"

#include <inttypes.h>
#include <stdio.h>

#define MOVE_NAME "telex_move"
#define STREAM_HEAD 19 /* bytes */

struct pg_column {
    const struct table_column *column;
    const struct pg_type *type;
};

/* A table as the server has it. */
struct pg_table {
    const struct table_layout *layout;
    struct pg_column columns[TABLE_COLUMNS_MAX];
    uint32_t count;
    struct buf copy;   /* COPY ... FROM STDIN */
    struct buf insert; /* from where that went to; empty: it went to the table itself */
    bool is_known;
};

struct postgresql_db {
    struct table_db super;
    struct postgresql_setup setup;
    struct str name;
    const struct env *env;
    struct trace trace;
    struct lane_place lane;
    struct buf instance;
    struct buf positions; /* the table, quoted */
    struct pg *pg;        /* or NULL */
    struct pg_table tables[RECORD_KINDS];
    struct pg_table *used;
    struct buf rows;    /* in hand, encoded */
    VEC(size_t) starts; /* of each in <rows> */
    bool has_warned[RECORD_KINDS];
};

static struct postgresql_db *db_of(struct table_db *db)
{
    return container_of(db, struct postgresql_db, super);
}

/* ---- faults ---- */

static void forget_tables(struct postgresql_db *db)
{
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        db->tables[i].is_known = false;
    }
}

static void hang_up(struct postgresql_db *db)
{
    pg_close(TAKE(db->pg));
    forget_tables(db);
}

/* What the server said, as what is to be done. Always false. */
static bool note_fault(struct postgresql_db *db, const struct pg_fault *said,
                       struct table_fault *fault, struct err *e)
{
    const struct sqlstate *state = sqlstate_find(said->state);

    fault->verdict = state->verdict;
    fault->is_lost = said->is_lost || state->is_lost;
    if (state->todo != NULL && e->code != ERR_NONE) {
        struct err was = *e;
        (void)err_set(e, was.code, "%.700s; %s", was.message, state->todo);
    }
    if (state->verdict == VERDICT_HALT) {
        forget_tables(db);
    }
    if (fault->is_lost) {
        hang_up(db);
    }
    return false;
}

/* ---- connecting ---- */

/* A password that is wrong has no SQLSTATE while one connects; the message is all there is. */
static bool is_refused(const struct err *e)
{
    static const char *const words[] = {"authentication failed", "no pg_hba.conf entry",
                                        "no password supplied", "does not exist",
                                        "is not permitted to log in"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str text = str_of(e->message);
        if (str_find(text, str_of(words[i])) < text.len) {
            return true;
        }
    }
    return false;
}

static bool dial(struct postgresql_db *db, struct wait wait, struct table_fault *fault,
                 struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);
    AUTO(buf_release) struct buf application = BUF_INIT(BUF_SMALL);
    struct pg_fault said;

    secret_reveal(db->setup.connection_string, &text);
    buf_addf(&application, "telex %.*s", STR_FMT(db->name));
    wait = wait_limit_ms(wait, db->env->clock, db->setup.connect_timeout_ns / NS_PER_MS);
    if (!pg_open(buf_text(&text), buf_text(&application), wait, &db->pg, &said, e)) {
        fault->is_lost = true;
        fault->verdict = is_refused(e) ? VERDICT_HALT : VERDICT_RETRY;
        return false;
    }
    return true;
}

static bool connect_db(struct table_db *base, struct wait wait, bool *ret_fresh,
                       struct table_fault *fault, struct err *e)
{
    struct postgresql_db *db = db_of(base);

    if (db->pg != NULL) {
        *ret_fresh = false;
        return true;
    }
    *ret_fresh = dial(db, wait, fault, e);
    return *ret_fresh;
}

/* ---- positions ---- */

#define WHERE_LANE "instance = $1 AND consumer = $2 AND log = $3"

static const char positions_columns[] =
    "instance text NOT NULL, consumer text NOT NULL, log text NOT NULL, lanes integer NOT NULL, "
    "lane integer NOT NULL, frame bigint NOT NULL DEFAULT 0, frame_time bigint NOT NULL DEFAULT 0, "
    "next_row bigint NOT NULL DEFAULT 0, holes text NOT NULL DEFAULT '', "
    "updated_at timestamptz NOT NULL DEFAULT now(), "
    "PRIMARY KEY (instance, consumer, log, lanes, lane)";

enum { I64_TEXT = 24 };

static const char *print_u64(char *text, uint64_t value)
{
    (void)snprintf(text, I64_TEXT, "%" PRIu64, value);
    return text;
}

static const char *print_i64(char *text, int64_t value)
{
    (void)snprintf(text, I64_TEXT, "%" PRId64, value);
    return text;
}

static bool ask(struct postgresql_db *db, const char *sql, const char *const *params, size_t count,
                struct wait wait, struct pg_result **ret, struct table_fault *fault, struct err *e)
{
    struct pg_fault said;

    return pg_ask(db->pg, sql, params, count, wait, ret, &said, e) ||
           note_fault(db, &said, fault, e);
}

static bool is_table_there(struct postgresql_db *db, const char *quoted, struct wait wait,
                           bool *ret_there, struct table_fault *fault, struct err *e)
{
    struct pg_result *r = NULL;

    if (!ask(db, "SELECT to_regclass($1) IS NOT NULL", &quoted, 1, wait, &r, fault, e)) {
        return false;
    }
    *ret_there = str_eq(pg_value(r, 0, 0), STR("t"));
    pg_result_free(r);
    return true;
}

/* Two connections may make the same table at once: who comes second is told so, and looks again. */
static bool make_table(struct postgresql_db *db, const char *sql, struct wait wait,
                       struct table_fault *fault, struct err *e)
{
    struct pg_fault said;

    if (pg_run(db->pg, sql, wait, &said, e)) {
        return true;
    }
    (void)note_fault(db, &said, fault, e);
    fault->verdict = fault->verdict == VERDICT_REJECTED || sqlstate_find(said.state)->todo == NULL
                         ? VERDICT_RETRY
                         : fault->verdict;
    return false;
}

static bool ensure_positions(struct postgresql_db *db, struct wait wait, struct table_fault *fault,
                             struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    bool is_there = false;

    if (!is_table_there(db, buf_text(&db->positions), wait, &is_there, fault, e)) {
        return false;
    }
    buf_addf(&sql, "CREATE TABLE IF NOT EXISTS %s (%s)", buf_text(&db->positions),
             positions_columns);
    if (!is_there && !db->setup.create_table) {
        fault->verdict = VERDICT_HALT;
        return err_set(e, ERR_CONFIG,
                       "PostgreSQL has no table for our position; make it: %s; or say "
                       "`positions_table: ''` and do without (records may come twice then)",
                       buf_text(&sql));
    }
    return is_there || make_table(db, buf_text(&sql), wait, fault, e);
}

/* A row of ours, which from now on is only updated. */
static bool ensure_own(struct postgresql_db *db, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf move = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf texts = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    struct pg_fault said;
    char lanes[I64_TEXT];
    char index[I64_TEXT];

    buf_addf(&texts, "%.*s%c%.*s%c", STR_FMT(db->lane.consumer), '\0', STR_FMT(db->lane.log), '\0');
    const char *const params[] = {
        buf_text(&db->instance), texts.ptr, texts.ptr + db->lane.consumer.len + 1,
        print_u64(lanes, db->lane.lanes), print_u64(index, db->lane.index)};
    buf_addf(&sql,
             "INSERT INTO %s (instance, consumer, log, lanes, lane) VALUES ($1, $2, $3, $4::int, "
             "$5::int) ON CONFLICT DO NOTHING",
             buf_text(&db->positions));
    if (!ask(db, buf_text(&sql), params, ARRAY_LEN(params), wait, &r, fault, e)) {
        return false;
    }
    pg_result_free(r);
    buf_addf(&move,
             "UPDATE %s SET frame = $6::bigint, frame_time = $7::bigint, next_row = $8::bigint, "
             "holes = $9, updated_at = now() WHERE " WHERE_LANE
             " AND lanes = $4::int AND lane = $5::int AND frame = $10::bigint AND frame_time = "
             "$11::bigint AND next_row = $12::bigint",
             buf_text(&db->positions));
    return pg_prepare(db->pg, MOVE_NAME, buf_text(&move), wait, &said, e) ||
           note_fault(db, &said, fault, e);
}

static bool read_number(const struct pg_result *r, size_t row, size_t column, int64_t *ret)
{
    return number_parse_i64(pg_value(r, row, column), ret);
}

static bool read_position(const struct pg_result *r, size_t row, struct lane_position *ret,
                          struct err *e)
{
    int64_t numbers[5] = {0};

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (!read_number(r, row, i, &numbers[i])) {
            return err_set(e, ERR_PARSE, "our position in PostgreSQL is not a number");
        }
    }
    *ret = (struct lane_position){
        .lanes = (unsigned)numbers[0],
        .index = (unsigned)numbers[1],
        .at = {.seq = (uint64_t)numbers[2], .time_ns = numbers[3], .row = (uint32_t)numbers[4]}};
    return holes_parse(pg_value(r, row, ARRAY_LEN(numbers)), &ret->holes, e);
}

static bool load_rows(struct postgresql_db *db, struct wait wait, struct positions *ret,
                      struct table_fault *fault, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf texts = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    bool ok = true;

    buf_addf(&texts, "%.*s%c%.*s%c", STR_FMT(db->lane.consumer), '\0', STR_FMT(db->lane.log), '\0');
    const char *const params[] = {buf_text(&db->instance), texts.ptr,
                                  texts.ptr + db->lane.consumer.len + 1};
    buf_addf(&sql,
             "SELECT lanes, lane, frame, frame_time, next_row, holes FROM %s WHERE " WHERE_LANE,
             buf_text(&db->positions));
    if (!ask(db, buf_text(&sql), params, ARRAY_LEN(params), wait, &r, fault, e)) {
        return false;
    }
    for (size_t i = 0; ok && i < pg_rows(r); i++) {
        struct lane_position one;
        ok = read_position(r, i, &one, e);
        if (ok) {
            vec_push(&ret->list, one);
        }
    }
    pg_result_free(r);
    return ok;
}

static bool load(struct table_db *base, struct wait wait, struct positions *ret,
                 struct table_fault *fault, struct err *e)
{
    struct postgresql_db *db = db_of(base);
    bool ok = ensure_positions(db, wait, fault, e) && ensure_own(db, wait, fault, e) &&
              load_rows(db, wait, ret, fault, e);

    if (!ok) {
        hang_up(db); /* so that it is asked again */
    }
    return ok;
}

/* ---- tables ---- */

static const char describe_sql[] =
    "SELECT a.attname, coalesce(nullif(t.typbasetype, 0), t.oid)::bigint FROM pg_attribute a JOIN "
    "pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT "
    "a.attisdropped AND a.attgenerated = ''";

/* Finds a column of ours among those of the table; false when its type is none that we write. */
static bool find_column(const struct pg_result *r, const struct table_column *c,
                        struct pg_table *table, bool *ret_found, struct err *e)
{
    *ret_found = false;
    for (size_t i = 0; i < pg_rows(r); i++) {
        int64_t oid = 0;
        if (!str_eq(pg_value(r, i, 0), c->name) || !read_number(r, i, 1, &oid)) {
            continue;
        }
        const struct pg_type *type = pg_type_find((uint32_t)oid);
        if (type == NULL) {
            return err_set(e, ERR_CONFIG,
                           "column '%.*s' has a type that telex does not write; give it text, "
                           "jsonb, a number, boolean or timestamptz, or leave it out in "
                           "column_mapping",
                           STR_FMT(c->name));
        }
        table->columns[table->count++] = (struct pg_column){c, type};
        *ret_found = true;
        return true;
    }
    return true;
}

static void add_columns(const struct pg_table *table, struct buf *out)
{
    for (uint32_t i = 0; i < table->count; i++) {
        buf_add_text(out, i > 0 ? ", " : "");
        sql_add_identifier(out, table->columns[i].column->name);
    }
}

static void make_copy(struct pg_table *table)
{
    buf_clear(&table->copy);
    buf_add_text(&table->copy, "COPY ");
    table_layout_add_name(table->layout, &table->copy);
    buf_add_text(&table->copy, " (");
    add_columns(table, &table->copy);
    buf_add_text(&table->copy, ") FROM STDIN (FORMAT binary)");
}

/* COPY knows no ON CONFLICT: rows go to a table of the connection, empty between transactions, and from there
 * in one statement. */
static bool make_stage(struct postgresql_db *db, struct pg_table *table, struct wait wait,
                       struct table_fault *fault, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
    const char *kind = record_kind_name(table->layout->kind);
    struct pg_fault said;

    buf_clear(&table->copy);
    buf_clear(&table->insert);
    buf_addf(&table->copy, "COPY pg_temp.telex_%s_rows FROM STDIN (FORMAT binary)", kind);
    buf_add_text(&table->insert, "INSERT INTO ");
    table_layout_add_name(table->layout, &table->insert);
    buf_add_text(&table->insert, " (");
    add_columns(table, &table->insert);
    buf_addf(&table->insert, ") SELECT * FROM pg_temp.telex_%s_rows ON CONFLICT DO NOTHING", kind);
    buf_addf(&sql,
             "DROP TABLE IF EXISTS pg_temp.telex_%s_rows; "
             "CREATE TEMPORARY TABLE telex_%s_rows ON COMMIT DELETE ROWS AS SELECT ",
             kind, kind);
    add_columns(table, &sql);
    buf_add_text(&sql, " FROM ");
    table_layout_add_name(table->layout, &sql);
    buf_add_text(&sql, " WITH NO DATA");
    return pg_run(db->pg, buf_text(&sql), wait, &said, e) || note_fault(db, &said, fault, e);
}

static bool take_columns(struct postgresql_db *db, const struct pg_result *r,
                         struct pg_table *table, struct err *e)
{
    const struct table_layout *l = table->layout;
    AUTO(buf_release) struct buf lacking = BUF_INIT(BUF_SMALL);

    table->count = 0;
    for (uint32_t i = 0; i < l->column_count; i++) {
        const struct table_column *c = &l->columns[i];
        bool is_found = false;
        if (!find_column(r, c, table, &is_found, e)) {
            return false;
        }
        if (!is_found && c->is_mapped) {
            return err_set(e, ERR_CONFIG,
                           "table '%.*s' has no column '%.*s', which column_mapping names; add it "
                           "or change the mapping",
                           STR_FMT(l->table), STR_FMT(c->name));
        }
        if (!is_found) {
            buf_addf(&lacking, "%s%.*s", lacking.len > 0 ? ", " : "", STR_FMT(c->name));
        }
    }
    if (lacking.len > 0 && !db->has_warned[l->kind]) {
        db->has_warned[l->kind] = true;
        trace_warn(&db->trace, "the table lacks columns, they are left out",
                   T_STR("exporter", db->name), T_STR("table", l->table),
                   T_STR("columns", buf_str(&lacking)));
    }
    return table->count > 0 ||
           err_set(e, ERR_CONFIG, "table '%.*s' has none of the columns of a record",
                   STR_FMT(l->table));
}

static bool describe(struct postgresql_db *db, struct pg_table *table, const char *quoted,
                     struct wait wait, struct table_fault *fault, struct err *e)
{
    struct pg_result *r = NULL;

    if (!ask(db, describe_sql, &quoted, 1, wait, &r, fault, e)) {
        return false;
    }
    bool ok = take_columns(db, r, table, e);
    pg_result_free(r);
    if (!ok) {
        fault->verdict = VERDICT_HALT;
        return false;
    }
    if (!db->setup.passes_conflicts) {
        make_copy(table);
    }
    table->is_known = !db->setup.passes_conflicts || make_stage(db, table, wait, fault, e);
    return table->is_known;
}

static bool find_table(struct postgresql_db *db, struct pg_table *table, struct wait wait,
                       struct table_fault *fault, struct err *e)
{
    AUTO(buf_release) struct buf quoted = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
    bool is_there = false;

    table_layout_add_name(table->layout, &quoted);
    if (!is_table_there(db, buf_text(&quoted), wait, &is_there, fault, e)) {
        return false;
    }
    if (!is_there) {
        table_layout_add_create(table->layout, &table_postgresql, &sql);
        if (!db->setup.create_table) {
            fault->verdict = VERDICT_HALT;
            return err_set(e, ERR_CONFIG,
                           "PostgreSQL has no table %s; say `create_table: true`, or make it: %s",
                           buf_text(&quoted), buf_text(&sql));
        }
        if (!make_table(db, buf_text(&sql), wait, fault, e)) {
            return false;
        }
        trace_info(&db->trace, "made a table", T_STR("exporter", db->name),
                   T_TEXT("table", buf_text(&quoted)));
    }
    return describe(db, table, buf_text(&quoted), wait, fault, e);
}

static bool use(struct table_db *base, const struct table_layout *l, struct wait wait,
                struct table_fault *fault, struct err *e)
{
    struct postgresql_db *db = db_of(base);

    db->used = &db->tables[l->kind];
    db->used->layout = l;
    return db->used->is_known || find_table(db, db->used, wait, fault, e);
}

/* ---- rows ---- */

static bool take_cells(struct postgresql_db *db, struct cell_reader *r, uint32_t i, struct err *e)
{
    const struct pg_table *table = db->used;
    struct cell cell;

    pg_copy_row(&db->rows, table->count);
    for (uint32_t c = 0; c < table->count; c++) {
        const struct pg_column *column = &table->columns[c];
        table_column_read(column->column, r, i, &cell);
        if (!pg_copy_cell(column->type, &cell, &db->rows, e)) {
            return err_wrap(e, "column '%.*s'", STR_FMT(column->column->name));
        }
    }
    return true;
}

static bool take(struct table_db *base, struct cell_reader *r, uint32_t i, struct err *e)
{
    struct postgresql_db *db = db_of(base);
    size_t start = db->rows.len;

    if (!take_cells(db, r, i, e)) {
        buf_truncate(&db->rows, start);
        return false;
    }
    vec_push(&db->starts, start);
    return true;
}

static size_t bytes(struct table_db *base)
{
    return db_of(base)->rows.len;
}

static void drop(struct table_db *base)
{
    struct postgresql_db *db = db_of(base);

    buf_clear(&db->rows);
    vec_clear(&db->starts);
}

/* ---- a transaction ---- */

static bool begin(struct postgresql_db *db, const struct table_move *move, struct wait wait,
                  struct table_fault *fault, struct err *e)
{
    AUTO(buf_release) struct buf texts = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf holes = BUF_INIT(BUF_UNLIMITED);
    struct pg_fault said;
    char numbers[8][I64_TEXT];
    size_t changed = 0;

    if (move == NULL) {
        return pg_run(db->pg, "BEGIN", wait, &said, e) || note_fault(db, &said, fault, e);
    }
    buf_addf(&texts, "%.*s%c%.*s%c", STR_FMT(db->lane.consumer), '\0', STR_FMT(db->lane.log), '\0');
    holes_print(move->holes, &holes);
    const char *const params[] = {buf_text(&db->instance),
                                  texts.ptr,
                                  texts.ptr + db->lane.consumer.len + 1,
                                  print_u64(numbers[0], db->lane.lanes),
                                  print_u64(numbers[1], db->lane.index),
                                  print_u64(numbers[2], move->to.seq),
                                  print_i64(numbers[3], move->to.time_ns),
                                  print_u64(numbers[4], move->to.row),
                                  buf_text(&holes),
                                  print_u64(numbers[5], move->from.seq),
                                  print_i64(numbers[6], move->from.time_ns),
                                  print_u64(numbers[7], move->from.row)};
    if (!pg_begin_with(db->pg, MOVE_NAME, params, ARRAY_LEN(params), wait, &changed, &said, e)) {
        return note_fault(db, &said, fault, e);
    }
    if (changed == 0) {
        fault->verdict = VERDICT_RETRY;
        fault->is_lost = true;
        hang_up(db);
        return err_set(e, ERR_CONFLICT,
                       "our position in PostgreSQL is not where this connection left it: asking "
                       "again");
    }
    return true;
}

static bool copy(struct postgresql_db *db, struct str rows, struct wait wait, struct pg_fault *said,
                 struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(STREAM_HEAD);
    AUTO(buf_release) struct buf end = BUF_INIT(STREAM_HEAD);

    pg_copy_begin(&head);
    pg_copy_end(&end);
    return pg_copy_start(db->pg, buf_text(&db->used->copy), wait, said, e) &&
           pg_copy_put(db->pg, buf_str(&head), wait, said, e) &&
           pg_copy_put(db->pg, rows, wait, said, e) &&
           pg_copy_put(db->pg, buf_str(&end), wait, said, e) &&
           pg_copy_finish(db->pg, wait, said, e) &&
           (db->used->insert.len == 0 ||
            pg_run(db->pg, buf_text(&db->used->insert), wait, said, e));
}

static void roll_back(struct postgresql_db *db, struct wait wait)
{
    struct pg_fault said;
    struct err ignored = ERR_INIT;

    if (db->pg != NULL && !pg_run(db->pg, "ROLLBACK", wait, &said, &ignored)) {
        hang_up(db);
    }
}

/* A commit whose answer is lost may have happened: the position will tell. */
static bool commit(struct postgresql_db *db, struct wait wait, struct table_fault *fault,
                   struct err *e)
{
    struct pg_fault said;

    if (pg_run(db->pg, "COMMIT", wait, &said, e)) {
        return true;
    }
    (void)note_fault(db, &said, fault, e);
    if (said.state[0] == '\0') {
        fault->verdict = VERDICT_UNKNOWN;
    }
    return false;
}

static bool write_rows(struct table_db *base, uint32_t from, uint32_t end,
                       const struct table_move *move, struct wait wait, struct table_fault *fault,
                       struct err *e)
{
    struct postgresql_db *db = db_of(base);
    struct pg_fault said;

    if (db->pg == NULL) {
        return err_set(e, ERR_NET, "the connection to PostgreSQL was lost");
    }
    if (!begin(db, move, wait, fault, e)) {
        roll_back(db, wait);
        return false;
    }
    size_t start = db->starts.items[from];
    size_t stop = end < db->starts.len ? db->starts.items[end] : db->rows.len;
    if (!copy(db, str_slice(buf_str(&db->rows), start, stop - start), wait, &said, e)) {
        (void)note_fault(db, &said, fault, e);
        roll_back(db, wait);
        return false;
    }
    if (!commit(db, wait, fault, e)) {
        roll_back(db, wait);
        return false;
    }
    return true;
}

/* ---- life ---- */

static void rest(struct table_db *base)
{
    struct postgresql_db *db = db_of(base);

    if (!db->setup.stays_open) {
        hang_up(db);
    }
}

static void close_db(struct table_db *base)
{
    struct postgresql_db *db = db_of(base);

    pg_close(db->pg);
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        buf_release(&db->tables[i].copy);
        buf_release(&db->tables[i].insert);
    }
    buf_release(&db->instance);
    buf_release(&db->positions);
    buf_release(&db->rows);
    vec_release(&db->starts);
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

static void add_quoted(struct buf *out, struct str name)
{
    size_t dot = str_find_byte(name, '.');

    if (dot < name.len) {
        sql_add_identifier(out, str_slice(name, 0, dot));
        buf_add_byte(out, '.');
        name = str_slice(name, dot + 1, name.len);
    }
    sql_add_identifier(out, name);
}

bool postgresql_db_open(const struct exporter_place *place, const struct postgresql_setup *setup,
                        struct table_db **ret_db, struct err *e)
{
    struct postgresql_db *db = mem_new(struct postgresql_db);

    db->super.ops = &ops;
    db->setup = *setup;
    db->name = place->name;
    db->env = place->env;
    trace_init_part(&db->trace, place->env->trace, "export", place->name, TRACE_INFO);
    buf_init(&db->instance, BUF_SMALL);
    buf_init(&db->positions, BUF_SMALL);
    buf_init(&db->rows, BUF_UNLIMITED);
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        buf_init(&db->tables[i].copy, BUF_UNLIMITED);
        buf_init(&db->tables[i].insert, BUF_UNLIMITED);
    }
    if (place->lane != NULL && setup->positions_table.len > 0) {
        db->lane = *place->lane;
        add_quoted(&db->positions, setup->positions_table);
        if (!table_instance(place, &db->instance, e)) {
            close_db(&db->super);
            return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
        }
    }
    *ret_db = &db->super;
    return true;
}
