/*
 * A table of another program's SQLite file, to which rows are only added.
 *
 * SQLite has one writer at a time, so rows whose keys ascend are seen in the order of their commits, and a row that is not
 * there yet has a greater key than all that are.
 *
 * Invariants
 *   1. A position is the key of a row; rows behind it have greater keys, as long as nobody gives keys that are less
 *      than the greatest that was ever used.
 *   2. The greatest key never goes back while a stream reads: where it does, keys would come again unseen, and the
 *      stream is LOST.
 */
#include "events/sources/sources.h"

#include "base/mem.h"
#include "base/number.h"
#include "events/sources/sqlite_row.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

enum { BATCH_BYTES = 8 << 20, COUNT_MAX = 100 * 1000 };
enum statement {
    SELECT_ROWS,
    SELECT_VERSION,
    SELECT_LAST,
    SELECT_USED,
    SELECT_NEWEST,
    SELECT_BEHIND,
    STATEMENTS
};

struct sqlite_config {
    struct source_common common;
    struct str path;
    struct str table;
    struct sqlite_columns columns;
    int64_t poll_interval_ns;
};

struct sqlite_source {
    struct source base;
    const struct sqlite_config *config;
    const struct clock *clock;
    struct str stream; /* its name, which the config has */
    char *path;
    bool is_look; /* it is asked once */
    struct db *db;
    struct db_query *queries[STATEMENTS]; /* SELECT_USED NULL: no key of the file is remembered */
    uint64_t inode;
    int64_t at;      /* the last key that was given */
    int64_t version; /* of the data when nothing more was there; -1: there may be */
};

static struct sqlite_source *sqlite_of(struct source *s)
{
    return (struct sqlite_source *)(void *)s;
}

/* ---- the file ---- */

static void add_name(struct buf *out, struct str name)
{
    buf_add_byte(out, '`');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '`') {
            buf_add_byte(out, '`');
        }
        buf_add_byte(out, name.ptr[i]);
    }
    buf_add_byte(out, '`');
}

/* %i: the key's column; %t: the table. */
static const char *const sql[STATEMENTS] = {
    [SELECT_ROWS] = "SELECT %i, * FROM %t WHERE %i > ?1 AND %i <= ?2 ORDER BY %i LIMIT ?3",
    [SELECT_VERSION] = "PRAGMA data_version",
    [SELECT_LAST] = "SELECT %i FROM %t ORDER BY %i DESC LIMIT 1",
    [SELECT_USED] = "SELECT seq FROM sqlite_sequence WHERE name = ?1",
    [SELECT_NEWEST] = "SELECT %i FROM %t WHERE %i <= ?1 ORDER BY %i DESC LIMIT 1 OFFSET ?2",
    [SELECT_BEHIND] = "SELECT count(*) FROM (SELECT 1 FROM %t WHERE %i > ?1 AND %i <= ?2 LIMIT ?3)",
};

static void add_sql(const struct sqlite_config *c, const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        if (*text != '%') {
            buf_add_byte(out, *text);
            continue;
        }
        text++;
        add_name(out, *text == 'i' ? c->columns.id : c->table);
    }
}

static bool prepare(struct sqlite_source *s, enum statement which, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    add_sql(s->config, sql[which], &text);
    return db_prepare(s->db, buf_text(&text), &s->queries[which], e);
}

static void close_file(struct sqlite_source *s)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        db_query_free(TAKE(s->queries[i]));
    }
    db_close(TAKE(s->db));
}

/* sqlite_sequence is there only where a table of the file has AUTOINCREMENT. */
static bool prepare_all(struct sqlite_source *s, struct err *e)
{
    struct err ignored = ERR_INIT;
    bool ok = true;

    for (int i = 0; ok && i < STATEMENTS; i++) {
        ok = prepare(s, (enum statement)i, i == SELECT_USED ? &ignored : e) || i == SELECT_USED;
    }
    return ok || err_wrap(e, "table %.*s of %s", STR_FMT(s->config->table), s->path);
}

static bool inode_of(const struct sqlite_source *s, uint64_t *ret, struct err *e)
{
    struct stat st;

    if (stat(s->path, &st) != 0) {
        return err_set(e, ERR_IO, "there is no file %s", s->path);
    }
    *ret = (uint64_t)st.st_ino;
    return true;
}

static bool number_of(struct db_query *q, int64_t *ret, bool *ret_is_there, struct err *e)
{
    bool ok = db_step(q, ret_is_there, e);

    if (ok && *ret_is_there && db_type(q, 0) != DB_INTEGER) {
        ok = err_set(
            e, ERR_CONFIG,
            "the key of the last row is no integer: name a column of integers in id_column");
    } else if (ok && *ret_is_there) {
        *ret = db_i64(q, 0);
    }
    db_reset(q);
    return ok;
}

/* The greatest key that is there, or that AUTOINCREMENT remembers of rows that are gone. */
static bool last_key(struct sqlite_source *s, int64_t *ret, bool *ret_is_there, struct err *e)
{
    struct db_query *used = s->queries[SELECT_USED];
    bool is_used = false;
    int64_t key = 0;

    *ret = 0;
    if (!number_of(s->queries[SELECT_LAST], ret, ret_is_there, e)) {
        return false;
    }
    if (used != NULL) {
        db_bind_str(used, 1, s->config->table);
        if (!number_of(used, &key, &is_used, e)) {
            return false;
        }
    }
    *ret = is_used && (key > *ret || !*ret_is_there) ? key : *ret;
    return true;
}

/* ---- start ---- */

static enum sourced lose(const struct sqlite_source *s, int64_t last, struct err *e)
{
    (void)err_set(
        e, ERR_CONFLICT,
        "the last key of table %.*s is %" PRId64 ", the stream stands at %" PRId64
        ": rows were removed or the file was put back, and new rows may have keys that were "
        "passed already. A table with AUTOINCREMENT never gives a key twice",
        STR_FMT(s->config->table), last, s->at);
    return source_lost(s->stream, e);
}

static enum sourced begin(struct sqlite_source *s, struct str position, struct source_begun *ret,
                          struct err *e)
{
    bool is_there = false;
    int64_t last = 0;

    if (!last_key(s, &last, &is_there, e)) {
        return e->code == ERR_CONFIG ? SOURCED_REFUSED : SOURCED_AGAIN;
    }
    s->at = last;
    if (position.len == 0 && is_there) {
        buf_add_i64(&ret->oldest, last);
    }
    if (position.len > 0 && !number_parse_i64(position, &s->at)) {
        (void)err_set(e, ERR_CONFLICT, "the position '%.*s' is no key", STR_FMT(position));
        return source_lost(s->stream, e);
    }
    buf_add_i64(&ret->position, s->at);
    return s->at > last ? lose(s, last, e) : SOURCED_OK;
}

static bool open_file(struct sqlite_source *s, struct err *e)
{
    return inode_of(s, &s->inode, e) &&
           (s->is_look ? db_open_look(s->path, &s->db, e) : db_open_reader(s->path, &s->db, e)) &&
           prepare_all(s, e);
}

static enum sourced sqlite_start(struct source *source, const struct source_start *from,
                                 struct source_begun *ret, struct wait wait, struct err *e)
{
    struct sqlite_source *s = sqlite_of(source);
    const struct sqlite_config *c = s->config;

    (void)wait;
    close_file(s);
    s->version = -1;
    if (!open_file(s, e)) {
        return e->code == ERR_TIMEOUT ? SOURCED_AGAIN : SOURCED_REFUSED;
    }
    buf_clear(&ret->identity);
    buf_clear(&ret->position);
    buf_clear(&ret->oldest);
    buf_addf(&ret->identity, "sqlite inode %" PRIu64 " table %.*s by %.*s", s->inode,
             STR_FMT(c->table), STR_FMT(c->columns.id));
    if (from->identity.len > 0 && !str_eq(from->identity, buf_str(&ret->identity))) {
        return SOURCED_OK; /* for who compares */
    }
    return begin(s, from->position, ret, e);
}

static enum sourced sqlite_look(struct source *source, const struct source_start *from,
                                struct source_begun *ret, struct buf *ret_told, struct wait wait,
                                struct err *e)
{
    sqlite_of(source)->is_look = true;
    return source_look_by_start(source, from, ret, ret_told, wait, e);
}

/* ---- reading ---- */

/* Rows behind <behind> up to <end>; *ret_last is the key of the last one. */
static enum sourced read_rows(struct sqlite_source *s, int64_t behind, int64_t end, size_t max,
                              struct changes *ret, int64_t *ret_last, struct err *e)
{
    struct db_query *q = s->queries[SELECT_ROWS];
    struct sqlite_table table = {.columns = &s->config->columns, .name = s->config->table};
    bool has_row = false;
    bool ok = true;

    *ret_last = behind;
    db_bind_i64(q, 1, behind);
    db_bind_i64(q, 2, end);
    db_bind_i64(q, 3, (int64_t)max);
    while (ret->bytes < BATCH_BYTES && (ok = db_step(q, &has_row, e)) && has_row) {
        ok = ret->list.len > 0 || sqlite_table_read(&table, q, &ret->arena, e);
        if (!ok) {
            break;
        }
        sqlite_row_read(&table, q, ret);
        *ret_last = db_i64(q, 0);
    }
    db_reset(q);
    return ok ? SOURCED_OK : e->code == ERR_CONFIG ? SOURCED_REFUSED : SOURCED_AGAIN;
}

/* Nothing more is there: is it still the file, and may keys come again? */
static enum sourced look_around(struct sqlite_source *s, struct err *e)
{
    bool is_there = false;
    int64_t last = 0;
    uint64_t inode = 0;

    if (!inode_of(s, &inode, e) || !last_key(s, &last, &is_there, e)) {
        return SOURCED_AGAIN;
    }
    if (inode != s->inode) {
        (void)err_set(e, ERR_CONFLICT, "%s is another file now", s->path);
        return SOURCED_AGAIN;
    }
    return last < s->at ? lose(s, last, e) : SOURCED_OK;
}

/* Did anybody write since nothing more was there? */
static bool has_changed(struct sqlite_source *s, int64_t *ret_version)
{
    struct err ignored = ERR_INIT;
    bool is_there = false;

    *ret_version = -1;
    return !number_of(s->queries[SELECT_VERSION], ret_version, &is_there, &ignored) ||
           *ret_version != s->version;
}

static enum sourced sqlite_next(struct source *source, size_t max, struct changes *ret,
                                struct wait wait, struct err *e)
{
    struct sqlite_source *s = sqlite_of(source);
    int64_t poll_ms = s->config->poll_interval_ns / NS_PER_MS;

    changes_clear(ret);
    for (;;) {
        int64_t version = -1;
        uint64_t inode = 0;
        if (has_changed(s, &version)) {
            enum sourced answer = read_rows(s, s->at, INT64_MAX, max, ret, &s->at, e);
            if (answer != SOURCED_OK || ret->list.len > 0) {
                return answer;
            }
            s->version = version;
            answer = look_around(s, e);
            if (answer != SOURCED_OK) {
                return answer;
            }
        } else if (!inode_of(s, &inode, e) || inode != s->inode) {
            (void)err_set(e, ERR_CONFLICT, "%s is another file now, or none", s->path);
            return SOURCED_AGAIN;
        }
        if (wait_is_over(wait, s->clock)) {
            return SOURCED_OK;
        }
        (void)wait_sleep(wait_limit_ms(wait, s->clock, poll_ms));
    }
}

static void sqlite_ack(struct source *source, struct str position)
{
    (void)source;
    (void)position;
}

/* ---- what was there before ---- */

struct range {
    int64_t behind;
    int64_t end;
};

static bool find_range(struct sqlite_source *s, const struct source_range *range, struct str cursor,
                       struct range *ret, struct err *e)
{
    struct db_query *q = s->queries[SELECT_NEWEST];
    struct range r = {.behind = INT64_MIN};
    bool is_there = false;
    int64_t key = 0;

    if (!number_parse_i64(range->end, &r.end) ||
        (cursor.len > 0 && !number_parse_i64(cursor, &r.behind))) {
        return err_set(e, ERR_CONFLICT, "'%.*s' to '%.*s' is no range of keys", STR_FMT(cursor),
                       STR_FMT(range->end));
    }
    if (range->newest > 0) {
        db_bind_i64(q, 1, r.end);
        db_bind_i64(q, 2, (int64_t)range->newest);
        if (!number_of(q, &key, &is_there, e)) {
            return false;
        }
        r.behind = is_there && key > r.behind ? key : r.behind;
    }
    *ret = r;
    return true;
}

static void leave_out_old(struct changes *c, int64_t from_ns)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->list.len; i++) {
        const struct change *ch = &c->list.items[i];
        if (ch->time_ns == 0 || ch->time_ns >= from_ns) {
            c->list.items[kept++] = *ch;
        }
    }
    c->list.len = kept;
}

static enum sourced sqlite_backfill(struct source *source, const struct source_range *range,
                                    struct str cursor, size_t max, struct changes *ret,
                                    bool *ret_done, struct wait wait, struct err *e)
{
    struct sqlite_source *s = sqlite_of(source);
    struct range r = {0};
    int64_t last = 0;

    (void)wait;
    changes_clear(ret);
    if (!find_range(s, range, cursor, &r, e)) {
        return SOURCED_AGAIN;
    }
    enum sourced answer = read_rows(s, r.behind, r.end, max, ret, &last, e);
    if (answer == SOURCED_OK) {
        *ret_done = last >= r.end || ret->list.len == 0;
        ret->position = arena_printf(&ret->arena, "%" PRId64, *ret_done ? r.end : last);
        leave_out_old(ret, range->from_ns);
    }
    return answer;
}

static int64_t count_between(struct sqlite_source *s, int64_t behind, int64_t end, int64_t max)
{
    struct db_query *q = s->queries[SELECT_BEHIND];
    struct err ignored = ERR_INIT;
    bool is_there = false;
    int64_t count = -1;

    db_bind_i64(q, 1, behind);
    db_bind_i64(q, 2, end);
    db_bind_i64(q, 3, max);
    return number_of(q, &count, &is_there, &ignored) ? count : -1;
}

static int64_t sqlite_left(struct source *source, const struct source_range *range,
                           struct str cursor, struct wait wait)
{
    struct sqlite_source *s = sqlite_of(source);
    struct err ignored = ERR_INIT;
    struct range r = {0};

    (void)wait;
    return find_range(s, range, cursor, &r, &ignored) ? count_between(s, r.behind, r.end, -1) : -1;
}

/* ---- the rest ---- */

/* Where very many are to come, the distance of keys does. */
static void sqlite_measure(struct source *source, struct source_measures *ret, struct wait wait)
{
    struct sqlite_source *s = sqlite_of(source);
    struct err ignored = ERR_INIT;
    bool is_there = false;
    int64_t last = 0;

    (void)wait;
    if (s->db == NULL || !last_key(s, &last, &is_there, &ignored)) {
        return;
    }
    int64_t count = count_between(s, s->at, INT64_MAX, COUNT_MAX);
    ret->behind = count < COUNT_MAX ? count : last - s->at;
}

static void sqlite_close(struct source *source)
{
    struct sqlite_source *s = sqlite_of(source);

    close_file(s);
    mem_free(s->path);
    mem_free(s);
}

static const struct source_ops sqlite_ops = {
    .start = sqlite_start,
    .next = sqlite_next,
    .ack = sqlite_ack,
    .backfill = sqlite_backfill,
    .backfill_left = sqlite_left,
    .measure = sqlite_measure,
    .close = sqlite_close,
};

static bool sqlite_open(const struct source_place *place, const void *config,
                        struct source **ret_source, struct err *e)
{
    const struct sqlite_config *c = config;
    struct sqlite_source *s = mem_new(struct sqlite_source);

    (void)e;
    s->base.ops = &sqlite_ops;
    s->config = c;
    s->clock = place->env->clock;
    s->stream = place->stream;
    s->path = mem_dup_text(c->path.ptr, c->path.len);
    *ret_source = &s->base;
    return true;
}

static const char *const path_aliases[] = {"file", NULL};
static const char *const table_aliases[] = {"table_name", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    {.name = "path",
     .aliases = path_aliases,
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct sqlite_config, path),
     .help = "The database file; it is only read."},
    {.name = "table",
     .aliases = table_aliases,
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct sqlite_config, table),
     .help = "The table, to which rows are only added."},
    {.name = "id_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct sqlite_config, columns.id),
     .fallback = "rowid",
     .help =
         "A column of integers, indexed, that ascend with every row; `rowid` is the table's own."},
    {.name = "key_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct sqlite_config, columns.key),
     .help = "Rows with the same value here stay in order; none: all go at once."},
    {.name = "time_column",
     .type = OPTION_TEXT,
     .offset = offsetof(struct sqlite_config, columns.time),
     .help =
         "When it was: RFC 3339, SQL's `2024-01-15 10:30:00`, or Unix time in s, ms, us or ns."},
    {.name = "poll_interval",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct sqlite_config, poll_interval_ns),
     .fallback = "250ms",
     .min = 0.01,
     .max = 3600,
     .unit = "s",
     .help = "How often it is looked whether anybody wrote."},
};

static const struct option_table option_table = {
    .name = "source sqlite",
    .help = "A table of another program's SQLite file.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct sqlite_config),
};

const struct source_kind source_sqlite = {
    .name = "sqlite",
    .help = "A table of another program's SQLite file, to which rows are only added.",
    .example =
        "type: sqlite\npath: /var/lib/app/app.db\ntable: health_events\ntime_column: created_at\n",
    .options = &option_table,
    .age_option = "time_column",
    .look = sqlite_look,
    .open = sqlite_open,
};
