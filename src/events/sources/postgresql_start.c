/*
 * Starting: who the server is, the publication, the slot, and whether our place in the log is still there.
 *
 * A publication must be older than what is decoded with it, so it is made before the slot. A slot is made without an
 * exported snapshot: that would end with its connection, and a backfill outlives that. Whatever was committed before the
 * slot's first place is visible to any later question, and whatever is seen by both has one id.
 *
 * A look (postgresql_source.told) goes the same way. Each step that would make or change something says so instead.
 */
#include "events/sources/postgresql_int.h"

#include "base/clock.h"
#include "base/number.h"
#include "db/postgres_stream.h"

#include <stdlib.h>

enum { VERSION_MIN = 100000, VERSION_FAILOVER = 170000 };

/* What the server says of itself and of the slot. */
struct found {
    struct str system;
    struct str database;
    uint32_t timeline;
    uint64_t end_lsn;
    int64_t version;
    bool has_slot;
    struct str plugin;
    struct str slot_database;
    struct str wal_status;
    struct str active_pid;
    uint64_t confirmed_lsn;
    bool has_failover;
    bool is_followed; /* we are at a standby, and it follows its primary's slot */
    struct str reason;
};

static enum sourced query_stream(struct postgresql_source *s, const char *sql, struct wait wait,
                                 struct pg_result **ret, struct err *e)
{
    struct pg_fault fault;

    return pg_query(s->stream, sql, wait, ret, &fault, e) ? SOURCED_OK
                                                          : pg_fault_sourced(&fault, e);
}

/* ---- the server ---- */

static enum sourced identify(struct postgresql_source *s, struct wait wait, struct found *ret,
                             struct err *e)
{
    struct pg_result *r = NULL;
    uint64_t timeline = 0;
    enum sourced done = query_stream(s, "IDENTIFY_SYSTEM", wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    bool ok = pg_rows(r) == 1 && pg_columns(r) >= 4 &&
              number_parse_u64(pg_value(r, 0, 1), &timeline) &&
              pgoutput_parse_lsn(pg_value(r, 0, 2), &ret->end_lsn);
    if (ok) {
        ret->system = arena_dup(&s->catalog, pg_value(r, 0, 0));
        ret->database = arena_dup(&s->catalog, pg_value(r, 0, 3));
        ret->timeline = (uint32_t)timeline;
    }
    pg_result_free(r);
    return ok ? SOURCED_OK
              : pg_say(SOURCED_REFUSED, e, "what answered IDENTIFY_SYSTEM is no PostgreSQL");
}

static enum sourced check_settings(struct postgresql_source *s, struct wait wait, struct found *f,
                                   struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(
        &s->server,
        "SELECT current_setting('server_version_num'), current_setting('wal_level'), "
        "current_user, (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user)",
        NULL, 0, wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    (void)number_parse_i64(pg_value(r, 0, 0), &f->version);
    if (f->version < VERSION_MIN) {
        done = pg_say(SOURCED_REFUSED, e, "logical replication needs PostgreSQL 10 or later");
    } else if (s->config->failover && f->version < VERSION_FAILOVER) {
        done = pg_say(SOURCED_REFUSED, e, "`failover` needs PostgreSQL 17 or later");
    } else if (!str_eq(pg_value(r, 0, 1), STR("logical"))) {
        done =
            pg_say(SOURCED_REFUSED, e,
                   "wal_level is %.*s and must be logical: ALTER SYSTEM SET wal_level = logical; "
                   "and restart the server (or use a source of type outbox, which needs none of "
                   "this)",
                   STR_FMT(pg_value(r, 0, 1)));
    } else if (!str_eq(pg_value(r, 0, 3), STR("t"))) {
        done =
            pg_say(SOURCED_REFUSED, e,
                   "the user may not replicate: ALTER ROLE \"%.*s\" REPLICATION; (or use a source "
                   "of type outbox, which needs none of this)",
                   STR_FMT(pg_value(r, 0, 2)));
    }
    pg_result_free(r);
    return done;
}

/* ---- tables ---- */

/* Those of a publication that names them. */
static enum sourced find_published(struct postgresql_source *s, struct wait wait, struct err *e)
{
    const char *publication = buf_text(&s->publication);
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(
        &s->server,
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_publication_tables WHERE pubname = $1 "
        "ORDER BY 1",
        &publication, 1, wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    size_t count = pg_rows(r);
    if (count == 0 || count > PG_TABLES_MAX) {
        done = pg_say(SOURCED_REFUSED, e, "publication %s has %zu tables, expected 1 to %d",
                      publication, count, PG_TABLES_MAX);
    }
    for (size_t i = 0; done == SOURCED_OK && i < count; i++) {
        done = pg_table_describe(&s->server, pg_value(r, i, 0), &s->config->id_column, wait,
                                 &s->catalog, &s->tables[i], e);
        s->table_count = i + 1;
    }
    pg_result_free(r);
    return done;
}

enum sourced postgresql_find_tables(struct postgresql_source *s, struct wait wait, struct err *e)
{
    const struct option_list *names = &s->config->tables;
    enum sourced done = SOURCED_OK;

    s->table_count = 0;
    if (names->count == 0) {
        return find_published(s, wait, e);
    }
    for (size_t i = 0; done == SOURCED_OK && i < names->count; i++) {
        done = pg_table_describe(&s->server, names->items[i], &s->config->id_column, wait,
                                 &s->catalog, &s->tables[i], e);
        s->table_count = i + 1;
    }
    return done;
}

/* ---- the slot ---- */

static const struct {
    int64_t version;
    const char *sql;
} looks[] = {
    {VERSION_FAILOVER,
     "SELECT plugin, database, wal_status, active_pid, confirmed_flush_lsn, failover, synced AND "
     "pg_is_in_recovery(), invalidation_reason FROM pg_replication_slots WHERE slot_name = $1"},
    {PG_VERSION_ROOT,
     "SELECT plugin, database, wal_status, active_pid, confirmed_flush_lsn, false, false, '' FROM "
     "pg_replication_slots WHERE slot_name = $1"},
    {0, "SELECT plugin, database, '', active_pid, confirmed_flush_lsn, false, false, '' FROM "
        "pg_replication_slots WHERE slot_name = $1"},
};

static enum sourced look_at_slot(struct postgresql_source *s, struct wait wait, struct found *f,
                                 struct err *e)
{
    const char *name = buf_text(&s->slot);
    struct pg_result *r = NULL;
    size_t look = 0;

    while (looks[look].version > f->version) {
        look++;
    }
    enum sourced done = pg_server_ask(&s->server, looks[look].sql, &name, 1, wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    f->has_slot = pg_rows(r) > 0;
    if (f->has_slot) {
        f->plugin = arena_dup(&s->catalog, pg_value(r, 0, 0));
        f->slot_database = arena_dup(&s->catalog, pg_value(r, 0, 1));
        f->wal_status = arena_dup(&s->catalog, pg_value(r, 0, 2));
        f->active_pid = arena_dup(&s->catalog, pg_value(r, 0, 3));
        (void)pgoutput_parse_lsn(pg_value(r, 0, 4), &f->confirmed_lsn);
        f->has_failover = str_eq(pg_value(r, 0, 5), STR("t"));
        f->is_followed = str_eq(pg_value(r, 0, 6), STR("t"));
        f->reason = arena_dup(&s->catalog, pg_value(r, 0, 7));
    }
    pg_result_free(r);
    return SOURCED_OK;
}

static enum sourced make_slot(struct postgresql_source *s, struct found *f,
                              struct source_begun *ret, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    struct pg_fault fault;

    if (!s->config->create_slot) {
        return pg_say(SOURCED_REFUSED, e,
                      "there is no slot %s; make it: SELECT "
                      "pg_create_logical_replication_slot('%s', 'pgoutput');",
                      buf_text(&s->slot), buf_text(&s->slot));
    }
    if (postgresql_tell(s, "make", "slot", &s->slot)) {
        return postgresql_look_at_slots(s, wait, e);
    }
    if (!source_makes(ret, PG_SLOT, e)) {
        return SOURCED_AGAIN;
    }
    buf_addf(&sql, "CREATE_REPLICATION_SLOT \"%s\" LOGICAL pgoutput %s", buf_text(&s->slot),
             f->version < PG_VERSION_WHERE ? "NOEXPORT_SNAPSHOT"
             : s->config->failover         ? "(SNAPSHOT 'nothing', FAILOVER true)"
                                           : "(SNAPSHOT 'nothing')");
    if (!pg_query(s->stream, buf_text(&sql), wait, &r, &fault, e)) {
        if (fault.state[0] != '\0') { /* else perhaps the server makes it all the same */
            source_made_not(ret, PG_SLOT);
        }
        enum sourced done = pg_fault_sourced(&fault, e);
        return done == SOURCED_AGAIN && e->code == ERR_TIMEOUT
                   ? pg_say(done, e,
                            "slot %s is not made yet: the server waits for transactions that were "
                            "running before to end; pg_stat_activity shows them",
                            buf_text(&s->slot))
                   : done;
    }
    pg_result_free(r);
    trace_info(&s->trace, "made a replication slot", T_STR("name", buf_str(&s->slot)));
    return look_at_slot(s, wait, f, e);
}

/* A slot that was made before the option was set becomes one that standbys keep. */
static enum sourced ensure_failover(struct postgresql_source *s, const struct found *f,
                                    struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct pg_fault fault;

    if (!s->config->failover || f->has_failover) {
        return SOURCED_OK;
    }
    if (!s->config->create_slot) {
        return pg_say(SOURCED_REFUSED, e,
                      "`failover` is set, and standbys do not keep slot %s: let this stream see to "
                      "it (create_slot: true), or make it anew: SELECT "
                      "pg_create_logical_replication_slot('%s', 'pgoutput', failover => true);",
                      buf_text(&s->slot), buf_text(&s->slot));
    }
    if (postgresql_tell(s, "have standbys keep", "slot", &s->slot)) {
        return SOURCED_OK;
    }
    buf_addf(&sql, "ALTER_REPLICATION_SLOT \"%s\" (FAILOVER true)", buf_text(&s->slot));
    if (!pg_run(s->stream, buf_text(&sql), wait, &fault, e)) {
        return pg_fault_sourced(&fault, e);
    }
    trace_info(&s->trace, "standbys keep the replication slot now",
               T_STR("name", buf_str(&s->slot)));
    return SOURCED_OK;
}

/* ---- is our place still there? ---- */

static enum sourced say_lost(const struct postgresql_source *s, struct err *e, const char *what)
{
    return pg_say(
        SOURCED_LOST, e,
        "%s. `telex events reset %.*s` begins anew, with a backfill where that is enabled; "
        "`telex events skip %.*s` goes on with what is still to come",
        what, STR_FMT(s->stream_name), STR_FMT(s->stream_name));
}

/* What pg_replication_slots calls it; the last one is what older servers know alone. */
static const struct {
    const char *reason;
    const char *text;
} invalidations[] = {
    {"rows_removed", "rows of the catalog that it needs were removed (on a standby: set "
                     "hot_standby_feedback)"},
    {"wal_level_insufficient", "wal_level of the primary was lowered"},
    {"idle_timeout", "nobody read it for longer than idle_replication_slot_timeout"},
    {"", "the server removed log that it still needed (max_slot_wal_keep_size)"},
};

static const char *invalidation(struct str reason)
{
    size_t i = 0;

    while (invalidations[i].reason[0] != '\0' && !str_eq(reason, str_of(invalidations[i].reason))) {
        i++;
    }
    return invalidations[i].text;
}

static bool is_invalidated(const struct found *f)
{
    return str_eq(f->wal_status, STR("lost"));
}

static enum sourced check_slot(const struct postgresql_source *s, const struct found *f,
                               struct err *e)
{
    if (!str_eq(f->plugin, STR("pgoutput")) || !str_eq(f->slot_database, f->database)) {
        return pg_say(SOURCED_REFUSED, e,
                      "slot %s is of plugin %.*s in database %.*s, expected pgoutput in %.*s",
                      s->slot.ptr, STR_FMT(f->plugin), STR_FMT(f->slot_database),
                      STR_FMT(f->database));
    }
    if (f->is_followed) {
        return pg_say(SOURCED_AGAIN, e,
                      "this server is a standby, and slot %s is its primary's until it is "
                      "promoted; a connection string with the hosts of both and "
                      "target_session_attrs=read-write finds whichever is the primary",
                      s->slot.ptr);
    }
    if (is_invalidated(f)) {
        AUTO(buf_release) struct buf what = BUF_INIT(BUF_SMALL);
        buf_addf(&what, "slot %s was invalidated: %s; all changes committed behind ", s->slot.ptr,
                 invalidation(f->reason));
        pgoutput_add_lsn(&what, f->confirmed_lsn);
        buf_add_text(&what, " are missed");
        return say_lost(s, e, buf_text(&what));
    }
    return SOURCED_OK;
}

/* One slot feeds one consumer: whoever has it is the one that runs. */
static enum sourced check_free(struct postgresql_source *s, const struct found *f, struct wait wait,
                               struct err *e)
{
    const char *pid = arena_text(&s->catalog, f->active_pid);
    struct pg_result *r = NULL;

    if (f->active_pid.len == 0) {
        return SOURCED_OK;
    }
    enum sourced done = pg_server_ask(
        &s->server,
        "SELECT application_name, coalesce(host(client_addr), 'this machine'), usename "
        "FROM pg_stat_activity WHERE pid = $1::int",
        &pid, 1, wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    if (pg_rows(r) > 0) {
        done = pg_say_taken(
            e,
            "slot %s is in use by process %s: '%.*s' of user %.*s from %.*s; another telex "
            "exports this stream, or the server has not noticed yet that it is gone",
            buf_text(&s->slot), pid, STR_FMT(pg_value(r, 0, 0)), STR_FMT(pg_value(r, 0, 2)),
            STR_FMT(pg_value(r, 0, 1)));
    }
    pg_result_free(r);
    return done;
}

/* Behind a failover, the log up to our place must be in the new server's. */
static enum sourced check_timeline(struct postgresql_source *s, const struct found *f,
                                   struct pg_place at, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    uint64_t end = 0;

    if (at.timeline == 0 || at.timeline == f->timeline) {
        return SOURCED_OK;
    }
    buf_addf(&sql, "TIMELINE_HISTORY %u", f->timeline);
    enum sourced done = query_stream(s, buf_text(&sql), wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    bool is_in = pg_rows(r) == 1 && pg_columns(r) >= 2 &&
                 pg_place_timeline_end(pg_value(r, 0, 1), at.timeline, &end) && at.lsn <= end;
    pg_result_free(r);
    if (!is_in) {
        return say_lost(
            s, e,
            "the server was failed over to one that did not have all that this stream has "
            "delivered: changes that it made at those places since cannot be told apart");
    }
    trace_warn(&s->trace, "the server was failed over", T_U64("timeline", f->timeline));
    return SOURCED_OK;
}

static enum sourced check_place(struct postgresql_source *s, const struct found *f,
                                struct pg_place at, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf what = BUF_INIT(BUF_SMALL);

    if (f->confirmed_lsn > at.lsn) {
        buf_addf(&what, "slot %s stands at ", buf_text(&s->slot));
        pgoutput_add_lsn(&what, f->confirmed_lsn);
        buf_add_text(&what, " and this stream had come to ");
        pgoutput_add_lsn(&what, at.lsn);
        buf_add_text(&what, ": what was committed between them is missed, since the slot was made "
                            "again, or moved by somebody else");
        return say_lost(s, e, buf_text(&what));
    }
    if (at.lsn > f->end_lsn) {
        buf_add_text(&what, "the server's log ends at ");
        pgoutput_add_lsn(&what, f->end_lsn);
        buf_add_text(&what, " and this stream had come to ");
        pgoutput_add_lsn(&what, at.lsn);
        buf_add_text(&what, ": it was restored from a copy, or failed over without all of its log");
        return say_lost(s, e, buf_text(&what));
    }
    return check_timeline(s, f, at, wait, e);
}

/* ---- start ---- */

static void write_identity(const struct postgresql_source *s, const struct found *f,
                           struct buf *out)
{
    buf_addf(out, "postgresql/%.*s/%.*s/%.*s", STR_FMT(f->system), STR_FMT(f->database),
             STR_FMT(buf_str(&s->slot)));
}

static enum sourced find_bound(struct postgresql_source *s, struct buf *ret, struct wait wait,
                               struct err *e)
{
    struct pg_pages pages = postgresql_pages(s);

    for (size_t i = 0; i < s->table_count; i++) {
        if (s->tables[i].id_count == 0) {
            trace_warn(&s->trace,
                       "a table without a primary key cannot be backfilled; id_column helps",
                       T_STR("table", s->tables[i].full));
        }
    }
    return pg_pages_bound(&pages, "true", ret, wait, e);
}

/* A slot that was invalidated, or cannot be decoded, is of no use to anybody any more: who begins anew needs another. */
static enum sourced drop_dead_slot(struct postgresql_source *s, struct found *f, struct wait wait,
                                   struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf why = BUF_INIT(BUF_SMALL);
    struct pg_fault fault;
    bool is_undecodable = false;

    if (f->has_slot && !is_invalidated(f) && f->active_pid.len == 0 && !f->is_followed &&
        str_eq(f->plugin, STR("pgoutput")) && str_eq(f->slot_database, f->database)) {
        enum sourced done = postgresql_look_into_slot(s, wait, &is_undecodable, e);
        if (done != SOURCED_OK) {
            return done;
        }
    }
    if (!f->has_slot || (!is_invalidated(f) && !is_undecodable)) {
        return SOURCED_OK;
    }
    if (is_undecodable) {
        buf_addf(&why, "has changes from before publication %s was made, which cannot be decoded",
                 buf_text(&s->publication));
    } else {
        buf_addf(&why, "was invalidated: %s", invalidation(f->reason));
    }
    if (!s->config->create_slot) {
        return pg_say(SOURCED_REFUSED, e,
                      "slot %s %s; make it anew: SELECT pg_drop_replication_slot('%s'); SELECT "
                      "pg_create_logical_replication_slot('%s', 'pgoutput');",
                      buf_text(&s->slot), buf_text(&why), buf_text(&s->slot), buf_text(&s->slot));
    }
    if (postgresql_tell(s,
                        is_undecodable ? "drop, since it is older than the publication,"
                                       : "drop, since it was invalidated,",
                        "slot", &s->slot)) {
        f->has_slot = false;
        return SOURCED_OK;
    }
    buf_addf(&sql, "DROP_REPLICATION_SLOT \"%s\"", buf_text(&s->slot));
    if (!pg_run(s->stream, buf_text(&sql), wait, &fault, e)) {
        return pg_fault_sourced(&fault, e);
    }
    f->has_slot = false;
    trace_warn(&s->trace, "a dead replication slot is made anew", T_STR("name", buf_str(&s->slot)),
               T_STR("why", buf_str(&why)));
    return SOURCED_OK;
}

/* A look says what a run meets as soon as it reads. */
static enum sourced check_decodable(struct postgresql_source *s, struct wait wait, struct err *e)
{
    bool is_dead = false;
    enum sourced done =
        s->told != NULL ? postgresql_look_into_slot(s, wait, &is_dead, e) : SOURCED_OK;

    if (done == SOURCED_OK && is_dead) {
        AUTO(buf_release) struct buf what = BUF_INIT(BUF_SMALL);
        buf_addf(&what,
                 "publication %s was dropped and made again, and slot %s has changes from before, "
                 "which cannot be decoded",
                 buf_text(&s->publication), buf_text(&s->slot));
        done = say_lost(s, e, buf_text(&what));
    }
    return done;
}

static enum sourced start_first(struct postgresql_source *s, struct found *f,
                                struct source_begun *ret, struct wait wait, struct err *e)
{
    enum sourced done = postgresql_ensure_publication(s, f->version, f->has_slot, ret, wait, e);

    if (done == SOURCED_OK) {
        done = drop_dead_slot(s, f, wait, e);
    }
    if (done == SOURCED_OK && !f->has_slot) {
        done = make_slot(s, f, ret, wait, e);
    }
    if (done == SOURCED_OK && f->has_slot) { /* a look has made none */
        done = check_slot(s, f, e);
        if (done == SOURCED_OK) {
            done = check_free(s, f, wait, e);
        }
        if (done == SOURCED_OK) {
            done = ensure_failover(s, f, wait, e);
        }
    }
    if (done == SOURCED_OK) {
        done = find_bound(s, &ret->oldest, wait, e);
    }
    s->begun = (struct pg_place){.lsn = f->confirmed_lsn, .timeline = f->timeline};
    return done;
}

static enum sourced start_again(struct postgresql_source *s, const struct found *f,
                                const struct source_start *from, struct wait wait, struct err *e)
{
    struct pg_place at;
    AUTO(buf_release) struct buf identity = BUF_INIT(BUF_SMALL);

    write_identity(s, f, &identity);
    if (from->identity.len > 0 && !str_eq(from->identity, buf_str(&identity))) {
        AUTO(buf_release) struct buf what = BUF_INIT(BUF_SMALL);
        buf_addf(&what, "this is %s, and the stream's position is one of %.*s", buf_text(&identity),
                 STR_FMT(from->identity));
        return say_lost(s, e, buf_text(&what));
    }
    if (!pg_place_parse(from->position, &at)) {
        return pg_say(SOURCED_LOST, e, "'%.*s' is no place in a server's log, like 16/B374D848/3",
                      STR_FMT(from->position));
    }
    if (!f->has_slot) {
        return say_lost(
            s, e,
            "the replication slot is gone, and what the server kept for it: changes since "
            "the stream's position cannot be had any more");
    }
    enum sourced done = check_slot(s, f, e);
    if (done == SOURCED_OK) {
        done = check_free(s, f, wait, e);
    }
    if (done == SOURCED_OK) {
        done = check_place(s, f, at, wait, e);
    }
    if (done == SOURCED_OK) {
        done = postgresql_ensure_publication(s, f->version, f->has_slot, NULL, wait, e);
    }
    if (done == SOURCED_OK) {
        done = check_decodable(s, wait, e);
    }
    if (done == SOURCED_OK) {
        done = ensure_failover(s, f, wait, e);
    }
    at.timeline = f->timeline;
    s->begun = at;
    return done;
}

/* A server that drops us sooner than we are tended is asked to be more patient with us. */
static enum sourced be_patient(struct postgresql_source *s, struct wait wait, struct err *e)
{
    struct pg_fault fault;
    static const char sql[] =
        "SELECT set_config('wal_sender_timeout', '30s', false) FROM pg_settings WHERE name = "
        "'wal_sender_timeout' AND setting::int BETWEEN 1 AND 29999 AND context = 'user'";

    return pg_run(s->stream, sql, wait, &fault, e) ? SOURCED_OK : pg_fault_sourced(&fault, e);
}

static enum sourced start_stream(struct postgresql_source *s, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    struct pg_fault fault;
    enum sourced done = be_patient(s, wait, e);

    if (done != SOURCED_OK) {
        return done;
    }
    pg_add_quoted(&name, buf_str(&s->publication));
    buf_addf(&sql, "START_REPLICATION SLOT \"%s\" LOGICAL ", buf_text(&s->slot));
    pgoutput_add_lsn(&sql, s->begun.lsn);
    buf_add_text(&sql, " (proto_version '1', publication_names ");
    /* The replication grammar has no E'': a name's own quotes are doubled. */
    buf_add_byte(&sql, '\'');
    for (size_t i = 0; i < name.len; i++) {
        buf_addf(&sql, "%s%c", name.ptr[i] == '\'' ? "'" : "", name.ptr[i]);
    }
    buf_add_text(&sql, "')");
    return pg_stream_start(s->stream, buf_text(&sql), wait, &fault, e)
               ? SOURCED_OK
               : postgresql_ended(s, &fault, s->begun, e);
}

static enum sourced find_all(struct postgresql_source *s, struct wait wait, struct found *f,
                             struct err *e)
{
    enum sourced done = check_settings(s, wait, f, e);

    if (done == SOURCED_OK) {
        done = pg_server_open_stream(&s->server, wait, &s->stream, e);
    }
    if (done == SOURCED_OK) {
        done = identify(s, wait, f, e);
    }
    if (done == SOURCED_OK) {
        done = postgresql_find_tables(s, wait, e);
    }
    if (done == SOURCED_OK) {
        done = postgresql_check_columns(s, wait, e);
    }
    return done == SOURCED_OK ? look_at_slot(s, wait, f, e) : done;
}

static enum sourced start(struct postgresql_source *s, const struct source_start *from,
                          struct source_begun *ret, struct wait wait, struct err *e)
{
    struct found f = {.timeline = 0};
    enum sourced done = find_all(s, wait, &f, e);

    if (done == SOURCED_OK) {
        buf_addf(&ret->server, "postgresql/%.*s/%.*s", STR_FMT(f.system), STR_FMT(f.database));
        done = from->position.len == 0 ? start_first(s, &f, ret, wait, e)
                                       : start_again(s, &f, from, wait, e);
    }
    if (done == SOURCED_OK) {
        write_identity(s, &f, &ret->identity);
    }
    if (done == SOURCED_OK && s->told == NULL) {
        done = start_stream(s, wait, e);
    }
    if (done == SOURCED_OK) {
        pg_place_add(&ret->position, s->begun);
        s->timeline = f.timeline;
        s->given = s->begun;
        /* What was read before may not be safe yet: the slot's place is all that is known to be. */
        s->acked = (struct pg_place){.lsn = f.confirmed_lsn, .timeline = f.timeline};
        s->told_lsn = f.confirmed_lsn;
        s->written_lsn = s->begun.lsn;
        s->is_caught_up = false;
        s->told_mono_ns = s->passed_mono_ns = s->read_mono_ns = s->heard_mono_ns =
            clock_mono_ns(s->env->clock);
    }
    return done;
}

enum sourced postgresql_start(struct source *base, const struct source_start *from,
                              struct source_begun *ret, struct wait wait, struct err *e)
{
    struct postgresql_source *s = postgresql_of(base);

    postgresql_hang_up(s);
    pg_server_hang_up(&s->server); /* it may be one of a server that is gone */
    postgresql_forget_relations(s);
    arena_reset(&s->catalog);
    enum sourced done = start(s, from, ret, wait, e);
    if (done != SOURCED_OK) {
        postgresql_hang_up(s);
        pg_server_hang_up(&s->server);
    }
    return done;
}
