/* The publication: made at a first start, then looked at by each; and whether the slot can be decoded with it. */
#include "events/sources/postgresql_int.h"

/* CREATE PUBLICATION, as we would make it or tell a person to. */
static void write_publication(const struct postgresql_source *s, int64_t version, struct buf *out)
{
    static const char *const names[] = {"insert", "update", "delete"};
    bool is_first = true;

    buf_add_text(out, "CREATE PUBLICATION ");
    pg_add_quoted(out, buf_str(&s->publication));
    buf_add_text(out, " FOR TABLE ");
    for (size_t i = 0; i < s->table_count; i++) {
        buf_addf(out, "%s%.*s", i > 0 ? ", " : "", STR_FMT(s->tables[i].quoted));
        if (s->config->where.len > 0) {
            buf_addf(out, " WHERE (%.*s)", STR_FMT(s->config->where));
        }
    }
    buf_add_text(out, " WITH (publish = '");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if ((s->operations & 1U << i) != 0) {
            buf_addf(out, "%s%s", is_first ? "" : ", ", names[i]);
            is_first = false;
        }
    }
    buf_addf(out, "'%s)", version >= PG_VERSION_ROOT ? ", publish_via_partition_root = true" : "");
}

/* ---- conditions ---- */

/* What the server would do for rows of the table with the condition: two that do the same are one, however written. */
static enum sourced explain(struct postgresql_source *s, const struct pg_table *t, struct str where,
                            struct wait wait, struct buf *ret, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
    struct pg_result *r = NULL;

    buf_addf(&sql, "EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM %.*s WHERE (%.*s)",
             STR_FMT(t->quoted), STR_FMT(where));
    enum sourced done = pg_server_ask(&s->server, buf_text(&sql), NULL, 0, wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    for (size_t i = 0; i < pg_rows(r); i++) {
        buf_addf(ret, "%.*s\n", STR_FMT(pg_value(r, i, 0)));
    }
    pg_result_free(r);
    return SOURCED_OK;
}

static enum sourced explain_ours(struct postgresql_source *s, const struct pg_table *t,
                                 struct wait wait, struct buf *ret, struct err *e)
{
    enum sourced done = explain(s, t, s->config->where, wait, ret, e);

    if (done == SOURCED_REFUSED) {
        struct err was = *e;
        (void)err_set(e, was.code, "`where`, for table %.*s: %.500s", STR_FMT(t->quoted),
                      was.message);
    }
    return done;
}

static enum sourced check_where(struct postgresql_source *s, int64_t version, struct wait wait,
                                struct err *e)
{
    enum sourced done = SOURCED_OK;

    if (s->config->where.len == 0) {
        return SOURCED_OK;
    }
    if (version < PG_VERSION_WHERE) {
        return pg_say(SOURCED_REFUSED, e, "`where` needs PostgreSQL 15 or later");
    }
    for (size_t i = 0; i < s->table_count && done == SOURCED_OK; i++) {
        AUTO(buf_release) struct buf plan = BUF_INIT(BUF_UNLIMITED);
        done = explain_ours(s, &s->tables[i], wait, &plan, e);
    }
    return done;
}

/* Does the publication leave out of a table what `where` does? <has>: its condition; empty: none. */
static enum sourced check_condition(struct postgresql_source *s, const struct pg_table *t,
                                    struct str has, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf ours = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf theirs = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    enum sourced done = explain_ours(s, t, wait, &ours, e);

    if (done == SOURCED_OK && has.len > 0) {
        done = explain(s, t, has, wait, &theirs, e);
    }
    if (done != SOURCED_OK || (has.len > 0 && str_eq(buf_str(&ours), buf_str(&theirs)))) {
        return done;
    }
    pg_add_quoted(&name, buf_str(&s->publication));
    return pg_say(SOURCED_REFUSED, e,
                  "publication %s has %s%.*s for table %.*s and not the condition that `where` "
                  "says: BEGIN; ALTER PUBLICATION %s DROP TABLE %.*s; ALTER PUBLICATION %s ADD "
                  "TABLE %.*s WHERE (%.*s); COMMIT;",
                  buf_text(&s->publication), has.len > 0 ? "condition " : "no condition",
                  STR_FMT(has), STR_FMT(t->quoted), buf_text(&name), STR_FMT(t->quoted),
                  buf_text(&name), STR_FMT(t->quoted), STR_FMT(s->config->where));
}

/* ---- the publication ---- */

static enum sourced make_publication(struct postgresql_source *s, int64_t version,
                                     struct source_begun *ret, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
    struct pg_result *r = NULL;

    enum sourced done = check_where(s, version, wait, e);
    if (done != SOURCED_OK) {
        return done;
    }
    write_publication(s, version, &sql);
    if (!s->config->create_publication) {
        return pg_say(SOURCED_REFUSED, e, "there is no publication %s; make it: %s;",
                      buf_text(&s->publication), buf_text(&sql));
    }
    if (postgresql_tell(s, "make", "publication", &s->publication)) {
        return postgresql_look_at_owners(s, &sql, wait, e);
    }
    if (!source_makes(ret, PG_PUBLICATION, e)) {
        return SOURCED_AGAIN;
    }
    done = pg_server_ask(&s->server, buf_text(&sql), NULL, 0, wait, &r, e);
    pg_result_free(r);
    if (done == SOURCED_OK) {
        trace_info(&s->trace, "made a publication", T_STR("name", buf_str(&s->publication)));
    } else if (done == SOURCED_REFUSED) {
        struct err was = *e;
        source_made_not(ret, PG_PUBLICATION);
        (void)err_set(e, was.code,
                      "%.500s; let somebody who owns the tables run: %s; (or name a publication)",
                      was.message, buf_text(&sql));
    }
    return done;
}

static enum sourced check_published(struct postgresql_source *s, const struct pg_table *t,
                                    int64_t version, struct wait wait, struct err *e)
{
    static const char find[] =
        "SELECT '' FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename "
        "= $3";
    static const char find_condition[] =
        "SELECT rowfilter FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND "
        "tablename = $3";
    const char *const params[] = {buf_text(&s->publication), arena_text(&s->catalog, t->schema),
                                  arena_text(&s->catalog, t->name)};
    bool has_where = s->config->where.len > 0;
    struct pg_result *found = NULL;
    enum sourced done =
        pg_server_ask(&s->server, has_where && version >= PG_VERSION_WHERE ? find_condition : find,
                      params, 3, wait, &found, e);

    if (done != SOURCED_OK) {
        return done;
    }
    if (pg_rows(found) == 0) {
        done = pg_say(SOURCED_REFUSED, e,
                      "publication %s does not have table %.*s: ALTER PUBLICATION \"%s\" ADD "
                      "TABLE %.*s;",
                      params[0], STR_FMT(t->quoted), params[0], STR_FMT(t->quoted));
    } else if (has_where) {
        done = check_condition(s, t, pg_value(found, 0, 0), wait, e);
    }
    pg_result_free(found);
    return done;
}

/* Does it have all that we are to tell, and no more? */
static enum sourced check_publication(struct postgresql_source *s, const struct pg_result *r,
                                      int64_t version, struct wait wait, struct err *e)
{
    for (unsigned i = 0; i < 3; i++) {
        if ((s->operations & 1U << i) != 0 && !str_eq(pg_value(r, 0, i), STR("t"))) {
            return pg_say(SOURCED_REFUSED, e,
                          "publication %s leaves out operations that the config wants: ALTER "
                          "PUBLICATION \"%s\" SET (publish = 'insert, update, delete');",
                          buf_text(&s->publication), buf_text(&s->publication));
        }
    }
    enum sourced done = check_where(s, version, wait, e);
    for (size_t i = 0; i < s->table_count && done == SOURCED_OK; i++) {
        done = check_published(s, &s->tables[i], version, wait, e);
    }
    return done;
}

enum sourced postgresql_ensure_publication(struct postgresql_source *s, int64_t version,
                                           bool has_slot, struct source_begun *first,
                                           struct wait wait, struct err *e)
{
    const char *name = buf_text(&s->publication);
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(
        &s->server, "SELECT pubinsert, pubupdate, pubdelete FROM pg_publication WHERE pubname = $1",
        &name, 1, wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    if (pg_rows(r) > 0) {
        done = check_publication(s, r, version, wait, e);
    } else if (first != NULL && !has_slot) {
        done = make_publication(s, version, first, wait, e);
    } else if (first != NULL) {
        done = pg_say(
            SOURCED_REFUSED, e,
            "slot %s is there and publication %s is not, and one that is made now cannot decode "
            "what the slot keeps: SELECT pg_drop_replication_slot('%s'); then both are made anew",
            buf_text(&s->slot), name, buf_text(&s->slot));
    } else {
        AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
        write_publication(s, version, &sql);
        done = pg_say(
            SOURCED_LOST, e,
            "publication %s was dropped: what slot %s keeps from before one that is made "
            "now cannot be decoded. Make it again: %s; then `telex events reset %.*s` begins "
            "anew, with a backfill where that is enabled",
            name, buf_text(&s->slot), buf_text(&sql), STR_FMT(s->stream_name));
    }
    pg_result_free(r);
    return done;
}

enum sourced postgresql_look_into_slot(struct postgresql_source *s, struct wait wait,
                                       bool *ret_is_dead, struct err *e)
{
    static const char is_younger[] =
        "SELECT 1 FROM pg_publication p, pg_replication_slots s WHERE pubname = $1 AND slot_name = "
        "$2 AND age(p.xmin) <= age(s.catalog_xmin)";
    static const char peek[] = "SELECT count(*) FROM pg_logical_slot_peek_binary_changes($2, NULL, "
                               "1000, 'proto_version', '1', 'publication_names', quote_ident($1))";
    const char *const names[] = {buf_text(&s->publication), buf_text(&s->slot)};
    struct pg_result *r = NULL;
    struct pg_fault fault;
    enum sourced done = pg_server_ask(&s->server, is_younger, names, 2, wait, &r, e);

    *ret_is_dead = false;
    if (done != SOURCED_OK) {
        return done;
    }
    bool is_suspect = pg_rows(r) > 0;
    pg_result_free(r);
    if (!is_suspect) {
        return SOURCED_OK;
    }
    r = NULL;
    if (pg_ask(s->server.pg, peek, names, 2, wait, &r, &fault, e)) {
        pg_result_free(r);
        return SOURCED_OK;
    }
    *ret_is_dead = str_eq(str_of(fault.state), STR("42704"));
    if (fault.is_lost) {
        pg_server_hang_up(&s->server);
    }
    /* Whoever may not look finds out when the stream ends. */
    return !*ret_is_dead && pg_fault_sourced(&fault, e) == SOURCED_AGAIN ? SOURCED_AGAIN
                                                                         : SOURCED_OK;
}
