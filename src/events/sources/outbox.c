/*
 * Rows of a table in PostgreSQL by asking for them: without a slot, a publication or the right to replicate.
 *
 * Invariants
 *   1. Rows are given in the order of (transaction, id), and only of transactions below the oldest one that still runs:
 *      no row can come behind our back, in whatever order transactions commit. Without a column of transactions
 *      (`serialized`) the order is that of the id, and who writes the table vouches for it.
 *   2. Questions go to the connection that has the lock, and to no other: without it the source is to be started again.
 *   3. Rows are deleted only when all up to them are safe.
 */
#include "events/sources/outbox_int.h"
#include "events/sources/postgresql_pages.h"
#include "events/sources/sources.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/trace.h"
#include "db/postgres_stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    VERSION_MIN = 130000,
    PAGE_MAX = 2000,
    DELETE_MS = 1000, /* at most so often */
    ASK_MS = 10000,
    COUNT_MAX = 100000,
    NUMBER_DIGITS = 20,
};

/* Behind a row: its transaction and id; an empty id is before all of the transaction. */
struct outbox_place {
    struct buf xid; /* empty: the rows have none */
    struct buf id;
};

struct outbox_source {
    struct source super;
    const struct outbox_config *config;
    const struct env *env;
    struct trace trace;
    struct str stream_name;
    struct pg_server server;
    struct arena catalog;
    struct arena scratch;
    struct pg_table table; /* its key: the transaction, if there is one, and the id */
    const char *xid_type;  /* "xid8", "bigint" */
    bool is_started;
    struct outbox_place given;
    struct buf acked; /* a position; empty: nothing new to delete */
    int64_t asked_mono_ns;
    int64_t deleted_mono_ns;
    bool has_more; /* the last page was full */
    bool looks;    /* it takes no lock, and listens to nothing */
    int64_t head_ns;
    uint64_t batch_number;
};

static struct outbox_source *outbox_of(struct source *s)
{
    return container_of(s, struct outbox_source, super);
}

/* ---- positions: "XID/ID" ---- */

static void set_place(struct outbox_place *p, struct str xid, struct str id)
{
    buf_clear(&p->xid);
    buf_add_str(&p->xid, xid);
    buf_clear(&p->id);
    buf_add_str(&p->id, id);
}

static bool parse_place(struct str text, bool has_xid, struct outbox_place *ret)
{
    size_t slash = str_find_byte(text, '/');
    struct str xid = str_slice(text, 0, slash);
    uint64_t number = 0;

    if (slash == text.len || (has_xid ? !number_parse_u64(xid, &number) : xid.len > 0)) {
        return false;
    }
    set_place(ret, xid, str_slice(text, slash + 1, text.len));
    return true;
}

static void add_place(struct buf *out, struct str xid, struct str id)
{
    buf_add_str(out, xid);
    buf_add_byte(out, '/');
    buf_add_str(out, id);
}

/* Whole numbers with zeros in front, so that they sort as text. */
static void add_padded(struct buf *out, struct str text)
{
    uint64_t number = 0;

    if (number_parse_u64(text, &number)) {
        buf_add_repeat(out, '0',
                       NUMBER_DIGITS - (text.len < NUMBER_DIGITS ? text.len : NUMBER_DIGITS));
    }
    buf_add_str(out, text);
}

/* ---- start ---- */

static struct pg_pages pages_of(struct outbox_source *s)
{
    return (struct pg_pages){.server = &s->server,
                             .tables = &s->table,
                             .table_count = 1,
                             .time_column = s->config->time_column,
                             .key_column = s->config->key_column,
                             .scratch = &s->scratch,
                             .batch_number = ++s->batch_number};
}

/* One question with one value in one row; empty when there is none. */
static enum sourced ask_one(struct outbox_source *s, const char *sql, const char *param,
                            struct wait wait, struct str *ret, struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(&s->server, sql, &param, param != NULL ? 1 : 0, wait, &r, e);

    if (done == SOURCED_OK) {
        *ret = pg_rows(r) > 0 ? arena_dup(&s->catalog, pg_value(r, 0, 0)) : STR("");
    }
    pg_result_free(r);
    return done;
}

/* One exporter of a stream at a time: the lock goes with the connection. */
static void add_lock_name(const struct outbox_source *s, struct buf *out)
{
    buf_addf(out, "telex/outbox/%.*s/%.*s", STR_FMT(s->stream_name), STR_FMT(s->table.full));
}

static enum sourced take_lock(struct outbox_source *s, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    struct str got = STR("");

    add_lock_name(s, &name);
    enum sourced done = ask_one(s, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))",
                                buf_text(&name), wait, &got, e);
    s->server.is_held = true;
    if (done == SOURCED_OK && !str_eq(got, STR("t"))) {
        return pg_say_taken(
            e,
            "another telex exports stream %.*s from table %.*s, or the server has not "
            "noticed yet that it is gone",
            STR_FMT(s->stream_name), STR_FMT(s->table.full));
    }
    return done;
}

/* What take_lock() would find; a lock that is only tried is taken. */
static enum sourced look_at_lock(struct outbox_source *s, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    struct str pid = STR("");

    add_lock_name(s, &name);
    enum sourced done = ask_one(
        s,
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND "
        "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND "
        "(classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)",
        buf_text(&name), wait, &pid, e);
    if (done == SOURCED_OK && pid.len > 0) {
        return pg_say_taken(
            e,
            "another telex exports stream %.*s from table %.*s (process %.*s of the "
            "server), or the server has not noticed yet that it is gone",
            STR_FMT(s->stream_name), STR_FMT(s->table.full), STR_FMT(pid));
    }
    return done;
}

/* May we do with the table what is done later? */
static enum sourced look_at_table(struct outbox_source *s, struct wait wait, struct err *e)
{
    const char *table = arena_text(&s->catalog, s->table.quoted);
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    struct str may = STR("");

    buf_addf(&sql, "SELECT * FROM %s LIMIT 0", table);
    enum sourced done = pg_server_ask(&s->server, buf_text(&sql), NULL, 0, wait, &r, e);
    pg_result_free(r);
    if (done == SOURCED_OK && s->config->on_ack == OUTBOX_DELETE) {
        done = ask_one(s, "SELECT has_table_privilege($1, 'DELETE')", table, wait, &may, e);
        if (done == SOURCED_OK && !str_eq(may, STR("t"))) {
            done = pg_say(SOURCED_REFUSED, e,
                          "the user may not delete rows of table %s, which `on_ack: delete` wants: "
                          "GRANT DELETE ON %s TO the user;",
                          table, table);
        }
    }
    return done;
}

static enum sourced check_xid(struct outbox_source *s, struct wait wait, struct err *e)
{
    struct str name = s->config->xid_column;
    struct str type;
    AUTO(buf_release) struct buf quoted = BUF_INIT(BUF_SMALL);
    const char *params[] = {arena_text(&s->catalog, s->table.quoted),
                            arena_text(&s->catalog, name)};
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(
        &s->server,
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = to_regclass($1) AND "
        "attname = $2 AND attnum > 0 AND NOT attisdropped",
        params, 2, wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    type = pg_rows(r) > 0 ? arena_dup(&s->catalog, pg_value(r, 0, 0)) : STR("");
    pg_result_free(r);
    if (str_eq(type, STR("xid8")) || str_eq(type, STR("bigint"))) {
        s->xid_type = type.len == 4 ? "xid8" : "bigint";
        return SOURCED_OK;
    }
    pg_add_quoted(&quoted, name);
    return pg_say(
        SOURCED_REFUSED, e,
        "table %s has no column %s of type xid8, and without it rows that are committed out "
        "of order would be missed: ALTER TABLE %s ADD COLUMN %s xid8 NOT NULL DEFAULT "
        "pg_current_xact_id(); CREATE INDEX ON %s (%s, %.*s); (or `serialized: true`, where "
        "who writes makes sure of the order)",
        params[0], buf_text(&quoted), params[0], buf_text(&quoted), params[0], buf_text(&quoted),
        STR_FMT(s->table.ids_quoted));
}

/* Makes the key of (transaction, id). */
static void put_xid_first(struct outbox_source *s)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    s->table.ids[1] = s->table.ids[0];
    s->table.ids[0] = s->config->xid_column;
    s->table.id_count = 2;
    s->table.id_from = 1;
    pg_add_quoted(&text, s->table.ids[0]);
    buf_addf(&text, ", %.*s", STR_FMT(s->table.ids_quoted));
    s->table.ids_quoted = arena_dup(&s->catalog, buf_str(&text));
}

static enum sourced describe(struct outbox_source *s, struct wait wait, struct err *e)
{
    const struct option_list ids = {&s->config->id_column, s->config->id_column.len > 0 ? 1 : 0};
    struct str version = STR("");
    int64_t number = 0;
    enum sourced done =
        ask_one(s, "SELECT current_setting('server_version_num')", NULL, wait, &version, e);

    if (done == SOURCED_OK && number_parse_i64(version, &number) && number < VERSION_MIN) {
        done = pg_say(SOURCED_REFUSED, e, "a source of type outbox needs PostgreSQL 13 or later");
    }
    if (done == SOURCED_OK) {
        done =
            pg_table_describe(&s->server, s->config->table, &ids, wait, &s->catalog, &s->table, e);
    }
    if (done == SOURCED_OK) {
        done = pg_table_expect(&s->server, &s->table, "key_column", s->config->key_column, wait, e);
    }
    if (done == SOURCED_OK) {
        done =
            pg_table_expect(&s->server, &s->table, "time_column", s->config->time_column, wait, e);
    }
    if (done == SOURCED_OK && s->table.id_count != 1) {
        done =
            pg_say(SOURCED_REFUSED, e, "table %.*s has no primary key of one column; say id_column",
                   STR_FMT(s->table.quoted));
    }
    if (done == SOURCED_OK && !s->config->serialized) {
        done = check_xid(s, wait, e);
        if (done == SOURCED_OK) {
            put_xid_first(s);
        }
    }
    return done;
}

static enum sourced identify(struct outbox_source *s, struct wait wait, struct buf *ret,
                             struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(
        &s->server, "SELECT system_identifier, current_database() FROM pg_control_system()", NULL,
        0, wait, &r, e);

    if (done == SOURCED_OK) {
        buf_addf(ret, "outbox/%.*s/%.*s/%.*s", STR_FMT(pg_value(r, 0, 0)),
                 STR_FMT(pg_value(r, 0, 1)), STR_FMT(s->table.full));
    }
    pg_result_free(r);
    return done;
}

static bool begins_at_start(const struct outbox_config *c)
{
    return c->from == OUTBOX_BEGINNING || (c->from == OUTBOX_AUTO && c->on_ack == OUTBOX_DELETE);
}

/* The id in a bound: behind the table's name; empty when the table was. */
static struct str bound_id(struct str list)
{
    struct str item = STR("");
    struct str name = STR("");
    struct str id = STR("");

    return pg_list_next(&list, &item) && pg_list_next(&item, &name) && pg_list_next(&item, &id)
               ? id
               : STR("");
}

/* Below the oldest transaction that runs all is settled: that belongs to the backfill, the rest to the stream. */
static enum sourced start_first(struct outbox_source *s, struct source_begun *ret, struct wait wait,
                                struct err *e)
{
    AUTO(buf_release) struct buf condition = BUF_INIT(BUF_SMALL);
    struct str xmin = STR("");
    struct pg_pages pages = pages_of(s);

    set_place(&s->given, s->config->serialized ? STR("") : STR("0"), STR(""));
    if (begins_at_start(s->config)) {
        return SOURCED_OK;
    }
    enum sourced done =
        s->config->serialized
            ? SOURCED_OK
            : ask_one(s, "SELECT pg_snapshot_xmin(pg_current_snapshot())", NULL, wait, &xmin, e);
    if (done != SOURCED_OK) {
        return done;
    }
    buf_add_text(&condition, s->config->serialized ? "true" : "");
    if (!s->config->serialized) {
        pg_add_quoted(&condition, s->config->xid_column);
        buf_addf(&condition, " < '%.*s'::%s", STR_FMT(xmin), s->xid_type);
        set_place(&s->given, xmin, STR(""));
    }
    done = pg_pages_bound(&pages, buf_text(&condition), &ret->oldest, wait, e);
    if (done == SOURCED_OK && s->config->serialized) {
        set_place(&s->given, STR(""), bound_id(buf_str(&ret->oldest)));
    }
    return done;
}

static enum sourced start_again(struct outbox_source *s, struct str position, struct wait wait,
                                struct err *e)
{
    struct str is_past = STR("");

    if (!parse_place(position, !s->config->serialized, &s->given)) {
        return pg_say(
            SOURCED_LOST, e,
            "'%.*s' is no position of this table, like %s; `telex events reset %.*s` begins "
            "anew",
            STR_FMT(position), s->config->serialized ? "/1234" : "5678/1234",
            STR_FMT(s->stream_name));
    }
    if (s->config->serialized) {
        return SOURCED_OK;
    }
    enum sourced done =
        ask_one(s, "SELECT $1::numeric > pg_snapshot_xmax(pg_current_snapshot())::text::numeric",
                buf_text(&s->given.xid), wait, &is_past, e);
    if (done == SOURCED_OK && str_eq(is_past, STR("t"))) {
        return pg_say(
            SOURCED_LOST, e,
            "the server has not come to transaction %s yet, where this stream is: it was "
            "restored from a copy, and what it does now cannot be told from what was delivered. "
            "`telex events reset %.*s` begins anew, with a backfill where that is enabled",
            buf_text(&s->given.xid), STR_FMT(s->stream_name));
    }
    return done;
}

static enum sourced listen_to(struct outbox_source *s, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;

    if (s->config->notify_channel.len == 0 || s->looks) {
        return SOURCED_OK;
    }
    buf_add_text(&sql, "LISTEN ");
    pg_add_quoted(&sql, s->config->notify_channel);
    enum sourced done = pg_server_ask(&s->server, buf_text(&sql), NULL, 0, wait, &r, e);
    pg_result_free(r);
    return done;
}

static enum sourced start(struct source *base, const struct source_start *from,
                          struct source_begun *ret, struct wait wait, struct err *e)
{
    struct outbox_source *s = outbox_of(base);

    s->is_started = s->server.is_held = false;
    pg_server_hang_up(&s->server);
    arena_reset(&s->catalog);
    enum sourced done = describe(s, wait, e);
    if (done == SOURCED_OK) {
        done = s->looks ? look_at_lock(s, wait, e) : take_lock(s, wait, e);
    }
    if (done == SOURCED_OK && s->looks) {
        done = look_at_table(s, wait, e);
    }
    if (done == SOURCED_OK) {
        done = identify(s, wait, &ret->identity, e);
    }
    if (done == SOURCED_OK) {
        done = from->position.len > 0 ? start_again(s, from->position, wait, e)
                                      : start_first(s, ret, wait, e);
    }
    if (done == SOURCED_OK) {
        done = listen_to(s, wait, e);
    }
    if (done == SOURCED_OK) {
        add_place(&ret->position, buf_str(&s->given.xid), buf_str(&s->given.id));
    } else {
        pg_server_hang_up(&s->server);
    }
    s->is_started = done == SOURCED_OK;
    s->has_more = true;
    return done;
}

static enum sourced look(struct source *base, const struct source_start *from,
                         struct source_begun *ret, struct buf *ret_told, struct wait wait,
                         struct err *e)
{
    struct outbox_source *s = outbox_of(base);

    (void)ret_told;
    s->looks = true;
    enum sourced done = start(base, from, ret, wait, e);
    s->looks = s->is_started = false;
    pg_server_hang_up(&s->server);
    return done;
}

/* ---- next ---- */

/* WHERE: behind <given>, and settled. */
static void add_range(struct outbox_source *s, struct pg_question *q)
{
    struct str key[2] = {buf_str(&s->given.xid), buf_str(&s->given.id)};

    buf_addf(&q->sql, " FROM %.*s WHERE ", STR_FMT(s->table.quoted));
    if (s->config->serialized) {
        if (key[1].len > 0) {
            pg_question_add_key(q, &s->table, ">", &key[1]);
        } else {
            buf_add_text(&q->sql, "true");
        }
        return;
    }
    if (key[1].len > 0) {
        pg_question_add_key(q, &s->table, ">", key);
    } else {
        pg_add_quoted(&q->sql, s->config->xid_column);
        buf_add_text(&q->sql, " >= ");
        pg_question_add(q, key[0]);
    }
    buf_add_text(&q->sql, " AND ");
    pg_add_quoted(&q->sql, s->config->xid_column);
    buf_addf(&q->sql, " < pg_snapshot_xmin(pg_current_snapshot())%s",
             strcmp(s->xid_type, "xid8") == 0 ? "" : "::text::bigint");
}

static enum sourced ask_page(struct outbox_source *s, size_t max, struct wait wait,
                             struct pg_result **ret, struct err *e)
{
    AUTO(pg_question_release) struct pg_question q;

    pg_question_init(&q);
    buf_add_text(&q.sql, "SELECT *");
    add_range(s, &q);
    pg_question_add_order(&q, &s->table, "ASC");
    buf_addf(&q.sql, " LIMIT %zu", max);
    s->asked_mono_ns = clock_mono_ns(s->env->clock);
    wait = (struct wait){clock_deadline_ms(s->env->clock, ASK_MS), wait.cancel};
    return pg_server_ask(&s->server, buf_text(&q.sql), q.params, q.count, wait, ret, e);
}

static void give_row(struct outbox_source *s, const struct pg_pages *pages, struct pg_layout *l,
                     const struct pg_result *r, size_t row, struct changes *ret)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct str key[PG_IDS_MAX] = {STR(""), STR("")};
    struct change *ch = pg_pages_add_row(pages, l, r, row, ret);

    pg_pages_key(&s->table, l, r, row, &key[s->config->serialized ? 1 : 0]);
    set_place(&s->given, key[0], key[1]);
    add_place(&text, key[0], key[1]);
    ch->position = arena_dup(&ret->arena, buf_str(&text));
    buf_clear(&text);
    if (key[0].len > 0) {
        add_padded(&text, key[0]);
        buf_add_byte(&text, '.');
    }
    add_padded(&text, key[1]);
    ch->sequence = arena_dup(&ret->arena, buf_str(&text));
    if (ch->form == CHANGE_BROKEN) {
        ch->document = ch->position;
    }
    s->head_ns = ch->time_ns != 0 ? ch->time_ns : s->head_ns;
}

static enum sourced give_page(struct outbox_source *s, const struct pg_result *r, struct wait wait,
                              struct changes *ret, struct err *e)
{
    struct pg_pages pages = pages_of(s);
    struct pg_layout l;
    enum sourced done = pg_pages_lay_out(&pages, &s->table, r, wait, &l, e);

    for (size_t i = 0; done == SOURCED_OK && i < pg_rows(r); i++) {
        give_row(s, &pages, &l, r, i, ret);
    }
    pg_layout_release(&l);
    return done;
}

/* Until it is time to ask again, or <wait> is over: is it time? */
static enum sourced await_turn(struct outbox_source *s, struct wait wait, bool *ret_turn,
                               struct err *e)
{
    int64_t turn_ns = s->asked_mono_ns + (s->has_more ? 0 : s->config->poll_interval_ns);
    struct wait pause = {turn_ns < wait.deadline_mono_ns ? turn_ns : wait.deadline_mono_ns,
                         wait.cancel};
    struct pg_fault fault;
    bool came = false;

    if (turn_ns > clock_mono_ns(s->env->clock)) {
        if (!pg_await_notice(s->server.pg, pause, &came, &fault, e)) {
            return pg_fault_sourced(&fault, e);
        }
    }
    *ret_turn = came || turn_ns <= clock_mono_ns(s->env->clock);
    return SOURCED_OK;
}

/* ---- deleting ---- */

static enum sourced delete_acked(struct outbox_source *s, struct err *e)
{
    AUTO(pg_question_release) struct pg_question q;
    struct outbox_place at = {BUF_INIT(BUF_UNLIMITED), BUF_INIT(BUF_UNLIMITED)};
    struct pg_result *r = NULL;
    const struct wait wait = {clock_deadline_ms(s->env->clock, ASK_MS), NULL};
    enum sourced done = SOURCED_OK;

    pg_question_init(&q);
    if (parse_place(buf_str(&s->acked), !s->config->serialized, &at) && at.id.len > 0) {
        const struct str key[2] = {buf_str(&at.xid), buf_str(&at.id)};
        buf_addf(&q.sql, "DELETE FROM %.*s WHERE ", STR_FMT(s->table.quoted));
        pg_question_add_key(&q, &s->table, "<=", &key[s->config->serialized ? 1 : 0]);
        done = pg_server_ask(&s->server, buf_text(&q.sql), q.params, q.count, wait, &r, e);
        pg_result_free(r);
    }
    buf_clear(&s->acked);
    s->deleted_mono_ns = clock_mono_ns(s->env->clock);
    buf_release(&at.xid);
    buf_release(&at.id);
    return done;
}

/* Stands the connection that has the lock, and what is due on it? */
static enum sourced tend(struct source *base, struct err *e)
{
    struct outbox_source *s = outbox_of(base);
    int64_t now_ns = clock_mono_ns(s->env->clock);

    if (!s->is_started || s->server.pg == NULL) {
        return pg_say(SOURCED_AGAIN, e, "its connection is gone");
    }
    if (s->acked.len > 0 && now_ns - s->deleted_mono_ns >= DELETE_MS * NS_PER_MS) {
        return delete_acked(s, e);
    }
    return SOURCED_OK;
}

static void ack(struct source *base, struct str position)
{
    struct outbox_source *s = outbox_of(base);

    if (s->config->on_ack == OUTBOX_DELETE) {
        buf_clear(&s->acked);
        buf_add_str(&s->acked, position);
    }
}

static enum sourced read_page(struct outbox_source *s, size_t max, struct changes *ret,
                              struct wait wait, struct err *e)
{
    struct pg_result *r = NULL;
    size_t limit = max < PAGE_MAX ? max : PAGE_MAX;
    enum sourced done = ask_page(s, limit, wait, &r, e);

    if (done == SOURCED_OK) {
        s->has_more = pg_rows(r) == limit;
        done = give_page(s, r, wait, ret, e);
    }
    pg_result_free(r);
    return done;
}

static enum sourced next(struct source *base, size_t max, struct changes *ret, struct wait wait,
                         struct err *e)
{
    struct outbox_source *s = outbox_of(base);
    enum sourced done = tend(base, e);
    bool is_over = false;

    while (done == SOURCED_OK && ret->list.len == 0 && !is_over) {
        bool is_turn = false;
        done = await_turn(s, wait, &is_turn, e);
        if (done == SOURCED_OK && is_turn) {
            done = read_page(s, max, ret, wait, e);
        }
        is_over = wait_is_over(wait, s->env->clock);
    }
    s->is_started = s->is_started && done == SOURCED_OK;
    return done;
}

/* ---- the rest ---- */

static enum sourced backfill(struct source *base, const struct source_range *range,
                             struct str cursor, size_t max, struct changes *ret, bool *ret_done,
                             struct wait wait, struct err *e)
{
    struct outbox_source *s = outbox_of(base);
    struct pg_pages pages = pages_of(s);
    enum sourced done = tend(base, e);

    return done == SOURCED_OK ? pg_pages_read(&pages, range, cursor, max, ret, ret_done, wait, e)
                              : done;
}

static int64_t backfill_left(struct source *base, const struct source_range *range,
                             struct str cursor, struct wait wait)
{
    struct outbox_source *s = outbox_of(base);
    struct pg_pages pages = pages_of(s);

    return s->is_started && s->server.pg != NULL ? pg_pages_left(&pages, range, cursor, wait) : -1;
}

/* Whom rows wait for that are committed and not settled. */
static void measure_waiting(struct outbox_source *s, struct source_measures *ret, struct wait wait)
{
    struct pg_result *r = NULL;
    struct err ignored = ERR_INIT;

    if (pg_server_ask(
            &s->server,
            "SELECT pid, extract(epoch FROM now() - xact_start)::bigint FROM pg_stat_activity "
            "WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY "
            "age(backend_xid) DESC LIMIT 1",
            NULL, 0, wait, &r, &ignored) == SOURCED_OK &&
        pg_rows(r) > 0) {
        (void)snprintf(ret->state, sizeof(ret->state), "oldest transaction: pid %.*s, %.*s s",
                       STR_FMT(pg_value(r, 0, 0)), STR_FMT(pg_value(r, 0, 1)));
    }
    pg_result_free(r);
}

static void measure(struct source *base, struct source_measures *ret, struct wait wait)
{
    struct outbox_source *s = outbox_of(base);
    AUTO(pg_question_release) struct pg_question q;
    struct pg_result *r = NULL;
    struct err ignored = ERR_INIT;

    *ret = (struct source_measures){.head_ns = s->head_ns, .behind = -1, .retained_bytes = -1};
    pg_question_init(&q);
    if (!s->is_started || s->server.pg == NULL) {
        return;
    }
    buf_add_text(&q.sql, "SELECT count(*) FROM (SELECT 1");
    add_range(s, &q);
    buf_addf(&q.sql, " LIMIT %d) rows", COUNT_MAX);
    if (pg_server_ask(&s->server, buf_text(&q.sql), q.params, q.count, wait, &r, &ignored) ==
        SOURCED_OK) {
        (void)number_parse_i64(pg_value(r, 0, 0), &ret->behind);
        measure_waiting(s, ret, wait);
    }
    pg_result_free(r);
}

static void close_source(struct source *base)
{
    struct outbox_source *s = outbox_of(base);
    struct err ignored = ERR_INIT;

    if (s->is_started && s->server.pg != NULL && s->acked.len > 0) {
        (void)delete_acked(s, &ignored);
    }
    pg_server_release(&s->server);
    buf_release(&s->given.xid);
    buf_release(&s->given.id);
    buf_release(&s->acked);
    arena_release(&s->catalog);
    arena_release(&s->scratch);
    mem_free(s->stream_name.ptr);
    mem_free(s);
}

static const struct source_ops ops = {
    .start = start,
    .next = next,
    .ack = ack,
    .tend = tend,
    .backfill = backfill,
    .backfill_left = backfill_left,
    .measure = measure,
    .close = close_source,
};

static bool open_source(const struct source_place *place, const void *config,
                        struct source **ret_source, struct err *e)
{
    struct outbox_source *s = mem_new(struct outbox_source);

    (void)e;
    s->super.ops = &ops;
    s->config = config;
    s->env = place->env;
    trace_init_part(&s->trace, place->env->trace, "events", place->stream, TRACE_INFO);
    s->stream_name =
        str_make(mem_dup_text(place->stream.ptr, place->stream.len), place->stream.len);
    pg_server_init(&s->server, place, s->config->connection_string, s->config->connect_timeout_ns);
    buf_init(&s->given.xid, BUF_UNLIMITED);
    buf_init(&s->given.id, BUF_UNLIMITED);
    buf_init(&s->acked, BUF_UNLIMITED);
    arena_init(&s->catalog, ARENA_UNLIMITED);
    arena_init(&s->scratch, ARENA_UNLIMITED);
    *ret_source = &s->super;
    return true;
}

/* Rows that one stream deletes are none that another can read. */
static void claim(const void *config, struct str stream, struct buf *out)
{
    const struct outbox_config *c = config;

    (void)stream;
    buf_addf(out, "%crows of table '%.*s' at ", c->on_ack == OUTBOX_DELETE ? '!' : '?',
             STR_FMT(c->table));
    pg_add_place(out, c->connection_string);
    buf_add_byte(out, '\n');
}

const struct source_kind source_outbox = {
    .name = "outbox",
    .help =
        "Rows of a table in PostgreSQL by asking for them, where replication is not allowed; none is "
        "missed in whatever order transactions commit.",
    .example = "type: outbox\n"
               "connection_string: postgresql://telex@db.example.com/shop?sslmode=verify-full\n"
               "table: outbox\n",
    .options = &outbox_option_table,
    .age_option = "time_column",
    .check = outbox_check,
    .left_is_estimate = true,
    .claim = claim,
    .look = look,
    .open = open_source,
};
