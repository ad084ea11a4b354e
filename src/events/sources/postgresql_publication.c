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

static enum sourced make_publication(struct postgresql_source *s, int64_t version,
                                     struct source_begun *ret, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf sql = BUF_INIT(BUF_UNLIMITED);
    struct pg_result *r = NULL;

    if (s->config->where.len > 0 && version < PG_VERSION_WHERE) {
        return pg_say(SOURCED_REFUSED, e, "`where` needs PostgreSQL 15 or later");
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
    enum sourced done = pg_server_ask(&s->server, buf_text(&sql), NULL, 0, wait, &r, e);
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

/* Does it have all that we are to tell? */
static enum sourced check_publication(struct postgresql_source *s, const struct pg_result *r,
                                      struct wait wait, struct err *e)
{
    static const char find[] =
        "SELECT 1 FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename "
        "= $3";

    for (unsigned i = 0; i < 3; i++) {
        if ((s->operations & 1U << i) != 0 && !str_eq(pg_value(r, 0, i), STR("t"))) {
            return pg_say(SOURCED_REFUSED, e,
                          "publication %s leaves out operations that the config wants: ALTER "
                          "PUBLICATION \"%s\" SET (publish = 'insert, update, delete');",
                          buf_text(&s->publication), buf_text(&s->publication));
        }
    }
    for (size_t i = 0; i < s->table_count; i++) {
        const struct pg_table *t = &s->tables[i];
        const char *const params[] = {buf_text(&s->publication), arena_text(&s->catalog, t->schema),
                                      arena_text(&s->catalog, t->name)};
        struct pg_result *found = NULL;
        enum sourced done = pg_server_ask(&s->server, find, params, 3, wait, &found, e);
        if (done != SOURCED_OK) {
            return done;
        }
        bool is_there = pg_rows(found) > 0;
        pg_result_free(found);
        if (!is_there) {
            return pg_say(SOURCED_REFUSED, e,
                          "publication %s does not have table %.*s: ALTER PUBLICATION \"%s\" ADD "
                          "TABLE %.*s;",
                          params[0], STR_FMT(t->quoted), params[0], STR_FMT(t->quoted));
        }
    }
    return SOURCED_OK;
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
        done = check_publication(s, r, wait, e);
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
