#include "db/sqlite.h"

#include "base/buf.h"
#include "base/mem.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 5000, READER_BUSY_MS = 1000 };

struct db {
    sqlite3 *handle;
};

struct db_query {
    struct db *db;
    sqlite3_stmt *statement;
};

static bool fail(struct db *db, struct err *e)
{
    int code = sqlite3_errcode(db->handle);
    bool is_full = code == SQLITE_FULL;
    bool is_busy = code == SQLITE_BUSY || code == SQLITE_LOCKED;

    return err_set(e,
                   is_full   ? ERR_FULL
                   : is_busy ? ERR_TIMEOUT
                             : ERR_IO,
                   "SQLite: %s", sqlite3_errmsg(db->handle));
}

static bool set_up(struct db *db, enum db_sync sync, struct err *e)
{
    (void)sqlite3_busy_timeout(db->handle, BUSY_MS);
    return db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;", e) &&
           db_exec(db,
                   sync == DB_SYNC_FULL ? "PRAGMA synchronous = FULL"
                                        : "PRAGMA synchronous = NORMAL",
                   e);
}

bool db_open(const char *path, enum db_sync sync, struct db **ret_db, struct err *e)
{
    struct db *db = mem_new(struct db);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    bool ok = sqlite3_open_v2(path, &db->handle, flags, NULL) == SQLITE_OK || fail(db, e);

    if (!(ok && set_up(db, sync, e))) {
        (void)err_wrap(e, "%s", path);
        db_close(db);
        return false;
    }
    (void)chmod(path, S_IRUSR | S_IWUSR);
    *ret_db = db;
    return true;
}

static bool open_to_read(const char *name, int more_flags, const char *path, struct db **ret_db,
                         struct err *e)
{
    struct db *db = mem_new(struct db);
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | more_flags;

    if (!(sqlite3_open_v2(name, &db->handle, flags, NULL) == SQLITE_OK || fail(db, e))) {
        (void)err_wrap(e, "%s", path);
        db_close(db);
        return false;
    }
    (void)sqlite3_busy_timeout(db->handle, READER_BUSY_MS);
    *ret_db = db;
    return true;
}

bool db_open_reader(const char *path, struct db **ret_db, struct err *e)
{
    return open_to_read(path, 0, path, ret_db, e);
}

/* SQLite's file format: two versions in the header, 2 for WAL. Closing it drops the locks that this process has on the
 * file: not for one that is open here. */
static bool is_in_wal_mode(const char *path)
{
    enum { VERSION_AT = 18, WAL_VERSION = 2 };
    char version = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    bool ok = pread(fd, &version, 1, VERSION_AT) == 1;
    (void)close(fd);
    return ok && version == WAL_VERSION;
}

static void add_immutable(struct buf *out, const char *path)
{
    buf_add_text(out, path[0] == '/' ? "file://" : "file:");
    for (; *path != '\0'; path++) {
        if (strchr("%?#", *path) != NULL) {
            buf_addf(out, "%%%02X", (unsigned)*path);
        } else {
            buf_add_byte(out, *path);
        }
    }
    buf_add_text(out, "?immutable=1");
}

bool db_open_look(const char *path, struct db **ret_db, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_UNLIMITED);
    struct stat st;

    buf_addf(&name, "%s-wal", path);
    if (!is_in_wal_mode(path) || stat(buf_text(&name), &st) == 0) {
        return db_open_reader(path, ret_db, e);
    }
    buf_clear(&name);
    add_immutable(&name, path);
    return open_to_read(buf_text(&name), SQLITE_OPEN_URI, path, ret_db, e);
}

void db_close(struct db *db)
{
    if (db != NULL) {
        (void)sqlite3_close_v2(db->handle);
        mem_free(db);
    }
}

bool db_exec(struct db *db, const char *sql, struct err *e)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK || fail(db, e);
}

bool db_prepare(struct db *db, const char *sql, struct db_query **ret_query, struct err *e)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK) {
        return fail(db, e);
    }
    struct db_query *q = mem_new(struct db_query);
    *q = (struct db_query){db, statement};
    *ret_query = q;
    return true;
}

void db_query_free(struct db_query *q)
{
    if (q != NULL) {
        (void)sqlite3_finalize(q->statement);
        mem_free(q);
    }
}

void db_bind_i64(struct db_query *q, int at, int64_t value)
{
    (void)sqlite3_bind_int64(q->statement, at, value);
}

void db_bind_double(struct db_query *q, int at, double value)
{
    (void)sqlite3_bind_double(q->statement, at, value);
}

void db_bind_str(struct db_query *q, int at, struct str value)
{
    (void)sqlite3_bind_text64(q->statement, at, value.len > 0 ? value.ptr : "", value.len,
                              SQLITE_TRANSIENT, SQLITE_UTF8);
}

void db_bind_null(struct db_query *q, int at)
{
    (void)sqlite3_bind_null(q->statement, at);
}

void db_bind_bytes(struct db_query *q, int at, struct str value)
{
    (void)sqlite3_bind_blob64(q->statement, at, value.len > 0 ? value.ptr : "", value.len,
                              SQLITE_STATIC);
}

bool db_step(struct db_query *q, bool *ret_row, struct err *e)
{
    int code = sqlite3_step(q->statement);

    *ret_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE || fail(q->db, e);
}

bool db_run(struct db_query *q, struct err *e)
{
    bool row = false;
    bool ok = db_step(q, &row, e);

    db_reset(q);
    return ok;
}

void db_reset(struct db_query *q)
{
    (void)sqlite3_reset(q->statement);
}

int64_t db_i64(struct db_query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

double db_double(struct db_query *q, int column)
{
    return sqlite3_column_double(q->statement, column);
}

struct str db_str(struct db_query *q, int column)
{
    const char *text = (const char *)sqlite3_column_text(q->statement, column);

    return text != NULL ? str_make(text, (size_t)sqlite3_column_bytes(q->statement, column))
                        : STR("");
}

struct str db_bytes(struct db_query *q, int column)
{
    const char *bytes = sqlite3_column_blob(q->statement, column);

    return bytes != NULL ? str_make(bytes, (size_t)sqlite3_column_bytes(q->statement, column))
                         : STR("");
}

bool db_is_null(struct db_query *q, int column)
{
    return sqlite3_column_type(q->statement, column) == SQLITE_NULL;
}

bool db_is_text(struct db_query *q, int column)
{
    return sqlite3_column_type(q->statement, column) == SQLITE_TEXT;
}

enum db_type db_type(struct db_query *q, int column)
{
    static const enum db_type types[] = {[SQLITE_INTEGER] = DB_INTEGER,
                                         [SQLITE_FLOAT] = DB_REAL,
                                         [SQLITE_TEXT] = DB_TEXT,
                                         [SQLITE_BLOB] = DB_BLOB,
                                         [SQLITE_NULL] = DB_NULL};

    return types[sqlite3_column_type(q->statement, column)];
}

int db_columns(struct db_query *q)
{
    return sqlite3_column_count(q->statement);
}

struct str db_column_name(struct db_query *q, int column)
{
    return str_of(sqlite3_column_name(q->statement, column));
}

struct str db_column_declared(struct db_query *q, int column)
{
    return str_of(sqlite3_column_decltype(q->statement, column));
}

bool db_failed_on_data(struct db *db)
{
    int code = sqlite3_errcode(db->handle);

    return code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_TOOBIG;
}

int64_t db_changes(struct db *db)
{
    return sqlite3_changes64(db->handle);
}
