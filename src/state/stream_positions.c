/*
 * Invariants
 *   1. A row's turn only grows; a row is written by who has its turn.
 *   2. Every change is a transaction, synced before it returns.
 *   3. What a stream has elsewhere is kept until somebody has it removed, or another server is called the same: it may go to
 *      another name, never away.
 */
#include "state/stream_positions.h"

#include "base/mem.h"
#include "base/thread.h"
#include "base/vec.h"
#include "db/sqlite.h"

#include <unistd.h>

enum { VERSION = 1 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS streams (name TEXT PRIMARY KEY, turn INTEGER NOT NULL DEFAULT 0,"
    " identity TEXT NOT NULL DEFAULT '', position TEXT NOT NULL DEFAULT '',"
    " backfill INTEGER NOT NULL DEFAULT 0, oldest TEXT NOT NULL DEFAULT '',"
    " cursor TEXT NOT NULL DEFAULT '', backfill_from_ns INTEGER NOT NULL DEFAULT 0,"
    " backfilled INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0,"
    " first_ns INTEGER NOT NULL DEFAULT 0, updated_ns INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS origins (name TEXT PRIMARY KEY, kind TEXT NOT NULL,"
    " access TEXT NOT NULL, remains TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS holdings (name TEXT NOT NULL, what TEXT NOT NULL, kind TEXT NOT NULL,"
    " words TEXT NOT NULL, claim TEXT NOT NULL, place TEXT NOT NULL, access TEXT NOT NULL,"
    " by_hand TEXT NOT NULL, log INTEGER NOT NULL, made INTEGER NOT NULL, PRIMARY KEY (name, what))"
    " WITHOUT ROWID;"
    "PRAGMA user_version = 1;";

static const char take_turn[] = "INSERT INTO streams (name, turn) VALUES (?1, 1)"
                                " ON CONFLICT DO UPDATE SET turn = turn + 1";
static const char select_place[] =
    "SELECT turn, identity, position, backfill, oldest, cursor, backfill_from_ns, backfilled,"
    " done, first_ns, updated_ns, backfill_done_ns FROM streams WHERE name = ?1";
static const char update_place[] =
    "UPDATE streams SET identity = ?3, position = ?4, backfill = ?5, oldest = ?6, cursor = ?7,"
    " backfill_from_ns = ?8, backfilled = ?9, done = ?10, first_ns = ?11, updated_ns = ?12,"
    " backfill_done_ns = ?13"
    " WHERE name = ?1 AND turn = ?2";
static const char forget_place[] =
    "UPDATE streams SET turn = turn + 1, identity = '', position = '', backfill = 0, oldest = '',"
    " cursor = '', backfill_from_ns = 0, backfilled = 0, done = 0, first_ns = 0, updated_ns = 0,"
    " backfill_done_ns = 0 WHERE name = ?1";
static const char add_stream[] = "INSERT INTO streams (name) VALUES (?1) ON CONFLICT DO NOTHING";
static const char set_kind[] =
    "INSERT INTO origins (name, kind, access, remains) VALUES (?1, ?2, '', '')"
    " ON CONFLICT DO UPDATE SET kind = ?2 WHERE kind <> ?2";
static const char drop_kind[] = "DELETE FROM origins WHERE name = ?1";
static const char put_holding[] =
    "INSERT INTO holdings (name, what, kind, words, claim, place, access, by_hand, log, made)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 OR EXISTS"
    " (SELECT 1 FROM holdings WHERE what = ?2 AND made))"
    " ON CONFLICT DO UPDATE SET kind = excluded.kind, words = excluded.words,"
    " claim = excluded.claim, place = excluded.place, access = excluded.access,"
    " by_hand = excluded.by_hand, log = excluded.log, made = excluded.made"
    " WHERE (kind, words, claim, place, access, by_hand, log, made) <>"
    " (excluded.kind, excluded.words, excluded.claim, excluded.place, excluded.access,"
    " excluded.by_hand, excluded.log, excluded.made)";
static const char list_of[] = "SELECT what, claim, kind FROM holdings WHERE name = ?1";
static const char drop_holding[] = "DELETE FROM holdings WHERE name = ?1 AND what = ?2";
static const char drop_holdings[] = "DELETE FROM holdings WHERE name = ?1";
static const char move_holding[] = "UPDATE holdings SET name = ?3 WHERE name = ?1 AND what = ?2";
/* It has again what it had once: a stream's name has no '@'. */
static const char drop_aside[] =
    "DELETE FROM holdings WHERE what = ?2 AND substr(name, 1, length(?1) + 1) = ?1 || '@'";
static const char drop_empty[] =
    "DELETE FROM origins WHERE instr(name, '@') AND name NOT IN (SELECT name FROM holdings)";
static const char is_aside[] = "SELECT 1 FROM holdings WHERE name = ?1";

#define PLACES                                                                                 \
    "SELECT turn, identity, position, backfill, oldest, cursor, backfill_from_ns, backfilled," \
    " done, first_ns, updated_ns, "
#define KEPT " position <> '' OR identity <> ''"
static const char list_all[] =
    PLACES "backfill_done_ns, name, coalesce(kind, '')"
           " FROM streams LEFT JOIN origins USING (name) WHERE" KEPT
           " OR origins.name IS NOT NULL OR name IN (SELECT name FROM holdings) ORDER BY name";
static const char list_places[] = /* of a file that no later Telex has opened */
    PLACES "0, name, '' FROM streams WHERE" KEPT " ORDER BY name";
static const char list_holdings[] =
    "SELECT name, kind, what, words, claim, place, access, by_hand, log, made FROM holdings"
    " ORDER BY name, log DESC, what";

enum statement {
    TAKE_TURN,
    SELECT_PLACE,
    UPDATE_PLACE,
    FORGET_PLACE,
    ADD_STREAM,
    SET_KIND,
    DROP_KIND,
    PUT_HOLDING,
    LIST_OF,
    DROP_HOLDING,
    DROP_HOLDINGS,
    MOVE_HOLDING,
    DROP_ASIDE,
    DROP_EMPTY,
    IS_ASIDE,
    LIST_ALL,
    LIST_HOLDINGS,
    STATEMENTS
};

static const char *const statements[] = {
    [TAKE_TURN] = take_turn,       [SELECT_PLACE] = select_place,   [UPDATE_PLACE] = update_place,
    [FORGET_PLACE] = forget_place, [ADD_STREAM] = add_stream,       [SET_KIND] = set_kind,
    [DROP_KIND] = drop_kind,       [PUT_HOLDING] = put_holding,     [LIST_OF] = list_of,
    [DROP_HOLDING] = drop_holding, [DROP_HOLDINGS] = drop_holdings, [MOVE_HOLDING] = move_holding,
    [DROP_ASIDE] = drop_aside,     [DROP_EMPTY] = drop_empty,       [IS_ASIDE] = is_aside,
    [LIST_ALL] = list_all,         [LIST_HOLDINGS] = list_holdings};

struct stream_positions {
    struct lock lock;
    struct db *db;
    struct db_query *queries[STATEMENTS];
    uint64_t generation GUARDED_BY(lock);
};

const char *backfill_phase_name(enum backfill_phase phase)
{
    static const char *const names[] = {"not begun", "running", "done"};

    return names[phase];
}

/* A file of a later version is not touched. */
static bool check_version(struct db *db, struct err *e)
{
    struct db_query *q = NULL;
    bool is_there = false;

    if (!db_prepare(db, "PRAGMA user_version", &q, e)) {
        return false;
    }
    bool ok = db_step(q, &is_there, e);
    int64_t version = ok && is_there ? db_i64(q, 0) : 0;
    db_query_free(q);
    return ok &&
           (version <= VERSION ||
            err_set(e, ERR_CONFIG,
                    "the file is of a later Telex (version %lld, this one knows %d): run that one",
                    (long long)version, VERSION));
}

/* What a file of an earlier Telex lacks; an earlier one does not mind it. */
static bool add_column(struct db *db, struct err *e)
{
    struct db_query *q = NULL;
    bool is_there = false;

    if (!db_prepare(db,
                    "SELECT 1 FROM pragma_table_info('streams') WHERE name = 'backfill_done_ns'",
                    &q, e)) {
        return false;
    }
    bool ok = db_step(q, &is_there, e);
    db_query_free(q);
    return ok && (is_there || db_exec(db,
                                      "ALTER TABLE streams ADD COLUMN backfill_done_ns INTEGER NOT "
                                      "NULL DEFAULT 0",
                                      e));
}

bool stream_positions_open(struct str path, struct stream_positions **ret_positions, struct err *e)
{
    struct stream_positions *p = mem_new(struct stream_positions);
    char *text = mem_dup_text(path.ptr, path.len);
    bool ok = db_open(text, DB_SYNC_FULL, &p->db, e) && check_version(p->db, e) &&
              db_exec(p->db, schema, e) && add_column(p->db, e);

    mem_free(text);
    lock_init(&p->lock);
    for (size_t i = 0; ok && i < STATEMENTS; i++) {
        ok = db_prepare(p->db, statements[i], &p->queries[i], e);
    }
    if (!ok) {
        stream_positions_close(p);
        return err_wrap(e, "positions of change streams, %.*s", STR_FMT(path));
    }
    *ret_positions = p;
    return true;
}

void stream_positions_close(struct stream_positions *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < STATEMENTS; i++) {
        db_query_free(p->queries[i]);
    }
    db_close(p->db);
    lock_release(&p->lock);
    mem_free(p);
}

static bool run_named(struct stream_positions *p, enum statement statement, struct str stream,
                      struct err *e)
{
    db_bind_str(p->queries[statement], 1, stream);
    return db_run(p->queries[statement], e);
}

static struct stream_place place_of_row(struct db_query *q, struct arena *a)
{
    int64_t phase = db_i64(q, 3);

    return (struct stream_place){
        .identity = arena_dup(a, db_str(q, 1)),
        .position = arena_dup(a, db_str(q, 2)),
        .backfill =
            phase >= 0 && phase < BACKFILL_PHASES ? (enum backfill_phase)phase : BACKFILL_NOT_BEGUN,
        .oldest = arena_dup(a, db_str(q, 4)),
        .cursor = arena_dup(a, db_str(q, 5)),
        .backfill_from_ns = db_i64(q, 6),
        .backfilled = (uint64_t)db_i64(q, 7),
        .done = (uint64_t)db_i64(q, 8),
        .first_ns = db_i64(q, 9),
        .updated_ns = db_i64(q, 10),
        .backfill_done_ns = db_i64(q, 11),
    };
}

static bool select_row(struct stream_positions *p, struct str stream, struct arena *a,
                       struct stream_place *ret_place, int64_t *ret_turn, struct err *e)
{
    struct db_query *q = p->queries[SELECT_PLACE];
    bool is_there = false;

    db_bind_str(q, 1, stream);
    bool ok = db_step(q, &is_there, e);
    if (ok) {
        *ret_place = is_there ? place_of_row(q, a) : (struct stream_place){0};
        *ret_turn = is_there ? db_i64(q, 0) : 0;
    }
    db_reset(q);
    return ok;
}

bool stream_positions_take(struct stream_positions *p, struct str stream, struct arena *a,
                           struct stream_place *ret_place, int64_t *ret_turn, struct err *e)
{
    lock_take(&p->lock);
    bool ok =
        run_named(p, TAKE_TURN, stream, e) && select_row(p, stream, a, ret_place, ret_turn, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "the position of stream '%.*s'", STR_FMT(stream));
}

bool stream_positions_read(struct stream_positions *p, struct str stream, struct arena *a,
                           struct stream_place *ret_place, struct err *e)
{
    int64_t turn = 0;

    lock_take(&p->lock);
    bool ok = select_row(p, stream, a, ret_place, &turn, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "the position of stream '%.*s'", STR_FMT(stream));
}

static void bind_place(struct db_query *q, const struct stream_place *place)
{
    db_bind_str(q, 3, place->identity);
    db_bind_str(q, 4, place->position);
    db_bind_i64(q, 5, place->backfill);
    db_bind_str(q, 6, place->oldest);
    db_bind_str(q, 7, place->cursor);
    db_bind_i64(q, 8, place->backfill_from_ns);
    db_bind_i64(q, 9, (int64_t)place->backfilled);
    db_bind_i64(q, 10, (int64_t)place->done);
    db_bind_i64(q, 11, place->first_ns);
    db_bind_i64(q, 12, place->updated_ns);
    db_bind_i64(q, 13, place->backfill_done_ns);
}

bool stream_positions_write(struct stream_positions *p, struct str stream, int64_t turn,
                            const struct stream_place *place, struct err *e)
{
    struct db_query *q = p->queries[UPDATE_PLACE];

    lock_take(&p->lock);
    db_bind_str(q, 1, stream);
    db_bind_i64(q, 2, turn);
    bind_place(q, place);
    bool ok = db_run(q, e);
    if (ok && db_changes(p->db) != 1) {
        ok = err_set(e, ERR_CONFLICT,
                     "another Telex, or somebody's `telex events`, has taken this stream over");
    }
    lock_give(&p->lock);
    return ok || err_wrap(e, "the position of stream '%.*s'", STR_FMT(stream));
}

bool stream_positions_forget(struct stream_positions *p, struct str stream, struct err *e)
{
    lock_take(&p->lock);
    bool ok = run_named(p, FORGET_PLACE, stream, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "the position of stream '%.*s'", STR_FMT(stream));
}

/* ---- what a stream has elsewhere ---- */

static bool put_one(struct stream_positions *p, struct str stream, const struct stream_holding *h,
                    struct err *e)
{
    struct db_query *q = p->queries[PUT_HOLDING];

    db_bind_str(q, 2, h->what);
    db_bind_str(q, 3, h->kind);
    db_bind_str(q, 4, h->words);
    db_bind_str(q, 5, h->claim);
    db_bind_str(q, 6, h->place);
    db_bind_str(q, 7, h->access);
    db_bind_str(q, 8, h->by_hand);
    db_bind_i64(q, 9, h->is_log);
    db_bind_i64(q, 10, h->is_made);
    return run_named(p, PUT_HOLDING, stream, e);
}

static bool run_what(struct stream_positions *p, enum statement statement, struct str stream,
                     struct str what, struct err *e)
{
    db_bind_str(p->queries[statement], 2, what);
    return run_named(p, statement, stream, e);
}

static bool has_rows(struct stream_positions *p, enum statement statement, struct str name,
                     bool *ret, struct err *e)
{
    db_bind_str(p->queries[statement], 1, name);
    bool ok = db_step(p->queries[statement], ret, e);
    db_reset(p->queries[statement]);
    return ok;
}

/* NAME@1, or the first of the kind that nobody has. */
static bool find_name(struct stream_positions *p, struct str stream, struct arena *a,
                      struct str *ret, struct err *e)
{
    bool is_there = true;
    bool ok = true;

    for (int i = 1; ok && is_there; i++) {
        *ret = arena_printf(a, "%.*s@%d", STR_FMT(stream), i);
        ok = has_rows(p, IS_ASIDE, *ret, &is_there, e);
    }
    return ok;
}

static bool list_before(struct stream_positions *p, struct str stream, struct arena *a,
                        struct stream_holdings *ret, struct err *e)
{
    struct db_query *q = p->queries[LIST_OF];
    VEC(struct stream_holding) list = {0};
    bool is_there = false;
    bool ok = true;

    db_bind_str(q, 1, stream);
    while ((ok = db_step(q, &is_there, e)) && is_there) {
        vec_push(&list, ((struct stream_holding){.what = arena_dup(a, db_str(q, 0)),
                                                 .claim = arena_dup(a, db_str(q, 1)),
                                                 .kind = arena_dup(a, db_str(q, 2))}));
    }
    db_reset(q);
    struct stream_holding *items = arena_array(a, struct stream_holding, list.len);
    for (size_t i = 0; i < list.len; i++) {
        items[i] = list.items[i];
    }
    *ret = (struct stream_holdings){.items = items, .count = list.len};
    vec_release(&list);
    return ok;
}

enum fate { STAYS, GOES_ASIDE, IS_REPLACED };

/* Another server that is called the same has taken the place of the one before. */
static enum fate fate_of(const struct stream_holding *before, const struct stream_holdings *has)
{
    enum fate fate = GOES_ASIDE;

    for (size_t i = 0; i < has->count; i++) {
        if (str_eq(before->what, has->items[i].what)) {
            return STAYS;
        }
        fate = str_eq(before->claim, has->items[i].claim) ? IS_REPLACED : fate;
    }
    return fate;
}

static bool set_aside(struct stream_positions *p, struct str stream,
                      const struct stream_holdings *has, struct err *e) REQUIRES(&p->lock)
{
    AUTO(arena_release) struct arena a;
    struct stream_holdings before;
    struct str aside = STR("");

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = list_before(p, stream, &a, &before, e) && find_name(p, stream, &a, &aside, e);
    for (size_t i = 0; ok && i < before.count; i++) {
        const struct stream_holding *h = &before.items[i];
        enum fate fate = fate_of(h, has);
        if (fate == IS_REPLACED) {
            ok = run_what(p, DROP_HOLDING, stream, h->what, e);
        } else if (fate == GOES_ASIDE) {
            db_bind_str(p->queries[SET_KIND], 2, h->kind);
            db_bind_str(p->queries[MOVE_HOLDING], 3, aside);
            ok = run_named(p, ADD_STREAM, aside, e) && run_named(p, SET_KIND, aside, e) &&
                 run_what(p, MOVE_HOLDING, stream, h->what, e);
        }
        p->generation += fate != STAYS;
    }
    for (size_t i = 0; ok && i < has->count; i++) {
        ok = run_what(p, DROP_ASIDE, stream, has->items[i].what, e);
        p->generation += db_changes(p->db) > 0;
    }
    return ok && db_run(p->queries[DROP_EMPTY], e);
}

static bool note(struct stream_positions *p, struct str stream, const struct stream_holdings *has,
                 bool is_all, struct err *e) REQUIRES(&p->lock)
{
    bool ok = run_named(p, ADD_STREAM, stream, e);

    if (ok && is_all) {
        db_bind_str(p->queries[SET_KIND], 2, has->kind);
        ok = run_named(p, SET_KIND, stream, e);
    }
    for (size_t i = 0; ok && i < has->count; i++) {
        ok = put_one(p, stream, &has->items[i], e);
        p->generation += db_changes(p->db) > 0;
    }
    return ok && (!is_all || set_aside(p, stream, has, e));
}

bool stream_positions_note(struct stream_positions *p, struct str stream,
                           const struct stream_holdings *has, bool is_all, struct err *e)
{
    struct err ignored = ERR_INIT;

    lock_take(&p->lock);
    bool ok = db_exec(p->db, "BEGIN IMMEDIATE", e);
    if (ok) {
        ok = note(p, stream, has, is_all, e) && db_exec(p->db, "COMMIT", e);
        bool is_undone = !ok && db_exec(p->db, "ROLLBACK", &ignored);
        (void)is_undone;
    }
    lock_give(&p->lock);
    return ok || err_wrap(e, "what stream '%.*s' has elsewhere", STR_FMT(stream));
}

bool stream_positions_drop_holding(struct stream_positions *p, struct str stream, struct str what,
                                   struct err *e)
{
    lock_take(&p->lock);
    bool ok = run_what(p, DROP_HOLDING, stream, what, e);
    p->generation++;
    lock_give(&p->lock);
    return ok || err_wrap(e, "what stream '%.*s' has elsewhere", STR_FMT(stream));
}

bool stream_positions_drop_holdings(struct stream_positions *p, struct str stream, struct err *e)
{
    lock_take(&p->lock);
    bool ok = run_named(p, DROP_HOLDINGS, stream, e) && run_named(p, DROP_KIND, stream, e);
    p->generation++;
    lock_give(&p->lock);
    return ok || err_wrap(e, "what stream '%.*s' has elsewhere", STR_FMT(stream));
}

uint64_t stream_positions_generation(struct stream_positions *p)
{
    lock_take(&p->lock);
    uint64_t generation = p->generation;
    lock_give(&p->lock);
    return generation;
}

/* ---- all ---- */

static bool read_rows(struct db_query *q, struct arena *a, struct stream_row **ret_rows,
                      size_t *ret_count, struct err *e)
{
    VEC(struct stream_row) rows = {0};
    bool is_there = false;
    bool ok = true;

    while ((ok = db_step(q, &is_there, e)) && is_there) {
        vec_push(&rows, ((struct stream_row){.name = arena_dup(a, db_str(q, 12)),
                                             .place = place_of_row(q, a),
                                             .has = {.kind = arena_dup(a, db_str(q, 13))}}));
    }
    db_reset(q);
    if (ok) {
        *ret_rows = arena_array(a, struct stream_row, rows.len);
        *ret_count = rows.len;
        for (size_t i = 0; i < rows.len; i++) {
            (*ret_rows)[i] = rows.items[i];
        }
    }
    vec_release(&rows);
    return ok;
}

static struct stream_holding holding_of_row(struct db_query *q, struct arena *a)
{
    return (struct stream_holding){.kind = arena_dup(a, db_str(q, 1)),
                                   .what = arena_dup(a, db_str(q, 2)),
                                   .words = arena_dup(a, db_str(q, 3)),
                                   .claim = arena_dup(a, db_str(q, 4)),
                                   .place = arena_dup(a, db_str(q, 5)),
                                   .access = arena_dup(a, db_str(q, 6)),
                                   .by_hand = arena_dup(a, db_str(q, 7)),
                                   .is_log = db_i64(q, 8) != 0,
                                   .is_made = db_i64(q, 9) != 0};
}

/* Each is behind those of its row: rows and holdings are in the order of names. */
static bool read_holdings(struct db_query *q, struct arena *a, struct stream_row *rows,
                          size_t count, struct err *e)
{
    VEC(struct stream_holding) list = {0};
    bool is_there = false;
    size_t row = 0;
    bool ok = true;

    while ((ok = db_step(q, &is_there, e)) && is_there) {
        struct str name = db_str(q, 0);
        while (row < count && !str_eq(rows[row].name, name)) {
            row++;
        }
        if (row < count) {
            vec_push(&list, holding_of_row(q, a));
            rows[row].has.count++;
        }
    }
    db_reset(q);
    struct stream_holding *items = arena_array(a, struct stream_holding, list.len);
    for (size_t i = 0; i < list.len; i++) {
        items[i] = list.items[i];
    }
    vec_release(&list);
    for (size_t i = 0, at = 0; i < count; i++) {
        rows[i].has.items = items + at;
        at += rows[i].has.count;
    }
    return ok;
}

bool stream_positions_list(struct stream_positions *p, struct arena *a,
                           struct stream_row **ret_rows, size_t *ret_count, struct err *e)
{
    lock_take(&p->lock);
    bool ok = read_rows(p->queries[LIST_ALL], a, ret_rows, ret_count, e) &&
              read_holdings(p->queries[LIST_HOLDINGS], a, *ret_rows, *ret_count, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "positions of change streams");
}

bool stream_positions_peek(struct str path, struct arena *a, struct stream_row **ret_rows,
                           size_t *ret_count, struct err *e)
{
    AUTO(mem_autofree) char *text = mem_dup_text(path.ptr, path.len);
    struct db_query *q = NULL;
    struct db_query *holdings = NULL;
    struct db *db = NULL;
    struct err ignored = ERR_INIT;

    if (access(text, F_OK) != 0) {
        *ret_rows = NULL;
        *ret_count = 0;
        return true;
    }
    bool ok = db_open_reader(text, &db, e) && check_version(db, e) &&
              (db_prepare(db, list_all, &q, &ignored) || db_prepare(db, list_places, &q, e)) &&
              read_rows(q, a, ret_rows, ret_count, e);
    if (ok && db_prepare(db, list_holdings, &holdings, &ignored)) {
        ok = read_holdings(holdings, a, *ret_rows, *ret_count, e);
    }
    db_query_free(holdings);
    db_query_free(q);
    db_close(db);
    return ok || err_wrap(e, "positions of change streams, %.*s", STR_FMT(path));
}
