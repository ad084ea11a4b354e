/* The columns that a config names: are they in what the server sends of a table? What is generated is not, before PostgreSQL 18. */
#include "events/sources/postgresql_int.h"

enum { SAID_MAX = 30 }; /* names in an error */

static const char find_columns[] =
    "SELECT attname FROM pg_attribute a WHERE attrelid = $1::oid AND attnum > 0 AND NOT "
    "attisdropped AND (coalesce(to_jsonb(a)->>'attgenerated', '') = '' OR "
    "current_setting('server_version_num')::int >= 180000) ORDER BY attnum";

/* A table that came by a pattern (ALL TABLES, a schema) may be without. */
static const char find_named[] =
    "SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE "
    "p.pubname = $1 AND r.prrelid = $2::oid";

static enum sourced refuse(const struct pg_table *t, const char *option, struct str column,
                           const struct pg_result *r, struct err *e)
{
    AUTO(buf_release) struct buf there = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < pg_rows(r) && i < SAID_MAX; i++) {
        buf_addf(&there, "%s%.*s", i > 0 ? ", " : "", STR_FMT(pg_value(r, i, 0)));
    }
    if (pg_rows(r) > SAID_MAX) {
        buf_addf(&there, " and %zu more", pg_rows(r) - SAID_MAX);
    }
    return pg_say(SOURCED_REFUSED, e,
                  "table %.*s has no column %.*s, which `%s` names; the columns that it sends: %s",
                  STR_FMT(t->quoted), STR_FMT(column), option, buf_text(&there));
}

enum sourced pg_table_expect(struct pg_server *s, const struct pg_table *t, const char *option,
                             struct str column, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf oid = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;
    bool is_there = column.len == 0;

    if (is_there) {
        return SOURCED_OK;
    }
    buf_add_u64(&oid, t->oid);
    const char *param = buf_text(&oid);
    enum sourced done = pg_server_ask(s, find_columns, &param, 1, wait, &r, e);
    if (done != SOURCED_OK) {
        return done;
    }
    for (size_t i = 0; !is_there && i < pg_rows(r); i++) {
        is_there = str_eq(pg_value(r, i, 0), column);
    }
    done = is_there ? SOURCED_OK : refuse(t, option, column, r, e);
    pg_result_free(r);
    return done;
}

static enum sourced is_named(struct postgresql_source *s, const struct pg_table *t, bool *ret,
                             struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf oid = BUF_INIT(BUF_SMALL);
    struct pg_result *r = NULL;

    buf_add_u64(&oid, t->oid);
    const char *const params[] = {buf_text(&s->publication), buf_text(&oid)};
    enum sourced done = pg_server_ask(&s->server, find_named, params, 2, wait, &r, e);
    if (done == SOURCED_OK) {
        *ret = pg_rows(r) > 0;
        pg_result_free(r);
    }
    return done;
}

static enum sourced check_table(struct postgresql_source *s, const struct pg_table *t,
                                struct wait wait, struct err *e)
{
    const struct postgresql_config *c = s->config;
    struct err why = ERR_INIT;
    bool counts = true;
    enum sourced done = pg_table_expect(&s->server, t, "key_column", c->key_column, wait, &why);

    if (done == SOURCED_OK) {
        done = pg_table_expect(&s->server, t, "time_column", c->time_column, wait, &why);
    }
    if (done == SOURCED_REFUSED && c->tables.count == 0) {
        enum sourced asked = is_named(s, t, &counts, wait, e);
        if (asked != SOURCED_OK) {
            return asked;
        }
    }
    if (done == SOURCED_OK || !counts) {
        return SOURCED_OK;
    }
    *e = why;
    return done;
}

enum sourced postgresql_check_columns(struct postgresql_source *s, struct wait wait, struct err *e)
{
    enum sourced done = SOURCED_OK;

    for (size_t i = 0; done == SOURCED_OK && i < s->table_count; i++) {
        done = check_table(s, &s->tables[i], wait, e);
    }
    return done;
}
