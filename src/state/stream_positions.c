/*
 * Invariants
 *   1. A row's turn only grows; a row is written by who has its turn.
 *   2. Every statement is a transaction of its own, synced before it returns.
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
static const char set_origin[] =
    "INSERT INTO origins (name, kind, access, remains) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET kind = ?2, access = ?3, remains = ?4"
    " WHERE kind <> ?2 OR access <> ?3 OR remains <> ?4";
static const char drop_origin[] = "DELETE FROM origins WHERE name = ?1";

#define PLACES                                                                                 \
    "SELECT turn, identity, position, backfill, oldest, cursor, backfill_from_ns, backfilled," \
    " done, first_ns, updated_ns, "
#define KEPT " position <> '' OR identity <> ''"
static const char list_all[] =
    PLACES "backfill_done_ns, name, coalesce(kind, ''), coalesce(access, ''), coalesce(remains, '')"
           " FROM streams LEFT JOIN origins USING (name) WHERE" KEPT
           " OR origins.name IS NOT NULL ORDER BY name";
static const char list_places[] = /* of a file that no later Telex has opened */
    PLACES "0, name, '', '', '' FROM streams WHERE" KEPT " ORDER BY name";

enum statement {
    TAKE_TURN,
    SELECT_PLACE,
    UPDATE_PLACE,
    FORGET_PLACE,
    ADD_STREAM,
    SET_ORIGIN,
    DROP_ORIGIN,
    LIST_ALL,
    STATEMENTS
};

static const char *const statements[] = {
    [TAKE_TURN] = take_turn,       [SELECT_PLACE] = select_place, [UPDATE_PLACE] = update_place,
    [FORGET_PLACE] = forget_place, [ADD_STREAM] = add_stream,     [SET_ORIGIN] = set_origin,
    [DROP_ORIGIN] = drop_origin,   [LIST_ALL] = list_all};

struct stream_positions {
    struct lock lock;
    struct db *db;
    struct db_query *queries[STATEMENTS];
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

bool stream_positions_set_origin(struct stream_positions *p, struct str stream,
                                 const struct stream_origin *origin, struct err *e)
{
    struct db_query *q = p->queries[SET_ORIGIN];

    lock_take(&p->lock);
    bool ok = run_named(p, ADD_STREAM, stream, e);
    db_bind_str(q, 2, origin->kind);
    db_bind_str(q, 3, origin->access);
    db_bind_str(q, 4, origin->remains);
    ok = ok && run_named(p, SET_ORIGIN, stream, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "what stream '%.*s' has elsewhere", STR_FMT(stream));
}

bool stream_positions_drop_origin(struct stream_positions *p, struct str stream, struct err *e)
{
    lock_take(&p->lock);
    bool ok = run_named(p, DROP_ORIGIN, stream, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "what stream '%.*s' has elsewhere", STR_FMT(stream));
}

static bool read_rows(struct db_query *q, struct arena *a, struct stream_row **ret_rows,
                      size_t *ret_count, struct err *e)
{
    VEC(struct stream_row) rows = {0};
    bool is_there = false;
    bool ok = true;

    while ((ok = db_step(q, &is_there, e)) && is_there) {
        vec_push(&rows, ((struct stream_row){.name = arena_dup(a, db_str(q, 12)),
                                             .place = place_of_row(q, a),
                                             .origin = {.kind = arena_dup(a, db_str(q, 13)),
                                                        .access = arena_dup(a, db_str(q, 14)),
                                                        .remains = arena_dup(a, db_str(q, 15))}}));
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

bool stream_positions_list(struct stream_positions *p, struct arena *a,
                           struct stream_row **ret_rows, size_t *ret_count, struct err *e)
{
    lock_take(&p->lock);
    bool ok = read_rows(p->queries[LIST_ALL], a, ret_rows, ret_count, e);
    lock_give(&p->lock);
    return ok || err_wrap(e, "positions of change streams");
}

bool stream_positions_peek(struct str path, struct arena *a, struct stream_row **ret_rows,
                           size_t *ret_count, struct err *e)
{
    AUTO(mem_autofree) char *text = mem_dup_text(path.ptr, path.len);
    struct db_query *q = NULL;
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
    db_query_free(q);
    db_close(db);
    return ok || err_wrap(e, "positions of change streams, %.*s", STR_FMT(path));
}
