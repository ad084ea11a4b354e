/*
 * Looking at what a start would find: it goes the way of the start, and each step that would make or change something says
 * so instead, and looks whether it would be let.
 */
#include "events/sources/postgresql_int.h"

bool postgresql_tell(const struct postgresql_source *s, const char *verb, const char *thing,
                     struct buf *name)
{
    if (s->told != NULL) {
        buf_addf(s->told, "%s%s %s %s", s->told->len > 0 ? ", " : "", verb, thing, buf_text(name));
    }
    return s->told != NULL;
}

enum sourced postgresql_look_at_owners(struct postgresql_source *s, struct buf *sql,
                                       struct wait wait, struct err *e)
{
    static const char ask[] =
        "SELECT pg_has_role(current_user, relowner, 'USAGE') AND "
        "has_database_privilege(current_database(), 'CREATE'), current_user FROM pg_class WHERE "
        "oid = to_regclass($1)";
    enum sourced done = SOURCED_OK;

    for (size_t i = 0; i < s->table_count && done == SOURCED_OK; i++) {
        const char *table = arena_text(&s->catalog, s->tables[i].quoted);
        struct pg_result *r = NULL;
        done = pg_server_ask(&s->server, ask, &table, 1, wait, &r, e);
        if (done == SOURCED_OK && pg_rows(r) > 0 && !str_eq(pg_value(r, 0, 0), STR("t"))) {
            done = pg_say(
                SOURCED_REFUSED, e,
                "there is no publication %s, and user %.*s may not make it: that takes the owner of "
                "table %s and CREATE on the database; let somebody who owns the tables run: %s; (or "
                "name a publication)",
                buf_text(&s->publication), STR_FMT(pg_value(r, 0, 1)), table, buf_text(sql));
        }
        pg_result_free(r);
    }
    return done;
}

enum sourced postgresql_look_at_slots(struct postgresql_source *s, struct wait wait, struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done =
        pg_server_ask(&s->server,
                      "SELECT current_setting('max_replication_slots'), count(*) >= "
                      "current_setting('max_replication_slots')::int FROM pg_replication_slots",
                      NULL, 0, wait, &r, e);

    if (done == SOURCED_OK && str_eq(pg_value(r, 0, 1), STR("t"))) {
        done = pg_say(SOURCED_REFUSED, e,
                      "there is no slot %s, and all that the server can have are taken "
                      "(max_replication_slots is %.*s)",
                      buf_text(&s->slot), STR_FMT(pg_value(r, 0, 0)));
    }
    pg_result_free(r);
    return done;
}

enum sourced postgresql_look(struct source *base, const struct source_start *from,
                             struct source_begun *ret, struct buf *ret_told, struct wait wait,
                             struct err *e)
{
    struct postgresql_source *s = postgresql_of(base);

    s->told = ret_told;
    enum sourced done = postgresql_start(base, from, ret, wait, e);
    postgresql_hang_up(s);
    s->told = NULL;
    return done;
}
