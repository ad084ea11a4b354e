#include "events/sources/postgresql_server.h"

#include "base/number.h"
#include "db/postgres_stream.h"

#include <stdio.h>
#include <string.h>

void pg_server_init(struct pg_server *s, const struct source_place *place,
                    struct secret *connection_string, int64_t connect_timeout_ns)
{
    *s = (struct pg_server){.env = place->env,
                            .connection_string = connection_string,
                            .connect_timeout_ns = connect_timeout_ns,
                            .application = BUF_INIT(BUF_SMALL)};
    buf_addf(&s->application, "telex events %.*s", STR_FMT(place->stream));
}

void pg_server_hang_up(struct pg_server *s)
{
    pg_close(TAKE(s->pg));
}

void pg_server_release(struct pg_server *s)
{
    pg_server_hang_up(s);
    buf_release(&s->application);
}

/* ---- what an error means ---- */

struct meaning {
    const char *code; /* five characters, or the two of a class */
    enum sourced what;
    const char *todo; /* or NULL */
};

static const struct meaning meanings[] = {
    {"28", SOURCED_REFUSED, "look at user, password and pg_hba.conf"},
    {"3D000", SOURCED_REFUSED, NULL},
    {"42501", SOURCED_REFUSED, "grant it what it lacks"},
    {"42", SOURCED_REFUSED, NULL},
    {"0A", SOURCED_REFUSED, NULL},
    {"22", SOURCED_REFUSED, NULL},
    {"25006", SOURCED_REFUSED,
     "it is a standby: what is to be made there is made on its primary (create the publication, and "
     "say create_publication: false)"},
    {"55006", SOURCED_AGAIN, NULL},
    {"53400", SOURCED_REFUSED,
     "free a replication slot, or ALTER SYSTEM SET max_replication_slots (and max_wal_senders) to "
     "more and restart the server"},
    {"", SOURCED_AGAIN, NULL},
};

static const struct meaning *meaning_of(const char *state)
{
    const struct meaning *m = meanings;

    while (strncmp(state, m->code, strlen(m->code)) != 0) {
        m++;
    }
    return m;
}

/* While one connects there is no SQLSTATE; the message is all there is. */
static bool is_refused(const struct err *e)
{
    static const char *const words[] = {
        "authentication failed", "no pg_hba.conf entry",    "no password supplied",
        "does not exist",        "not permitted to log in", "must be superuser or replication",
        "permission denied"};

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strstr(e->message, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

enum sourced pg_fault_sourced(const struct pg_fault *fault, struct err *e)
{
    const struct meaning *m = meaning_of(fault->state);

    if (m->todo != NULL) {
        struct err was = *e;
        (void)err_set(e, was.code, "%.700s; %s", was.message, m->todo);
    }
    return m->what;
}

PRINTF_LIKE(3, 0)
static void say(enum err_code code, struct err *e, const char *fmt, va_list args)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_vaddf(&text, fmt, args);
    (void)err_set(e, code, "%s", buf_text(&text));
}

enum sourced pg_say(enum sourced what, struct err *e, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(what == SOURCED_AGAIN ? ERR_NET : ERR_CONFLICT, e, fmt, args);
    va_end(args);
    return what;
}

enum sourced pg_say_taken(struct err *e, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    say(ERR_CONFLICT, e, fmt, args);
    va_end(args);
    return SOURCED_AGAIN;
}

/* ---- connecting and asking ---- */

typedef bool open_connection(const char *text, const char *application, struct wait wait,
                             struct pg **ret_pg, struct pg_fault *fault, struct err *e);

static enum sourced connect_by(open_connection *open_it, const struct pg_server *s,
                               struct wait wait, struct pg **ret_pg, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);
    AUTO(buf_release) struct buf application = BUF_INIT(BUF_SMALL);
    struct pg_fault fault;
    struct pg *pg = NULL;

    secret_reveal(s->connection_string, &text);
    buf_add_str(&application, buf_str(&s->application));
    wait = wait_limit_ms(wait, s->env->clock, s->connect_timeout_ns / NS_PER_MS);
    if (!open_it(buf_text(&text), buf_text(&application), wait, &pg, &fault, e)) {
        return !pg_is_built_in() || is_refused(e) ? SOURCED_REFUSED : SOURCED_AGAIN;
    }
    if (!pg_run(pg, PG_SESSION, wait, &fault, e)) {
        pg_close(pg);
        return pg_fault_sourced(&fault, e);
    }
    *ret_pg = pg;
    return SOURCED_OK;
}

enum sourced pg_server_open_stream(const struct pg_server *s, struct wait wait, struct pg **ret_pg,
                                   struct err *e)
{
    return connect_by(pg_stream_open, s, wait, ret_pg, e);
}

enum sourced pg_server_ask(struct pg_server *s, const char *sql, const char *const *params,
                           size_t count, struct wait wait, struct pg_result **ret_result,
                           struct err *e)
{
    struct pg_fault fault;

    if (s->pg == NULL && s->is_held) {
        return pg_say(SOURCED_AGAIN, e, "the connection that has the lock is gone");
    }
    enum sourced done = s->pg != NULL ? SOURCED_OK : connect_by(pg_open, s, wait, &s->pg, e);
    if (done != SOURCED_OK) {
        return done;
    }
    if (pg_ask(s->pg, sql, params, count, wait, ret_result, &fault, e)) {
        return SOURCED_OK;
    }
    if (fault.is_lost) {
        pg_server_hang_up(s);
    }
    return pg_fault_sourced(&fault, e);
}

const char *pg_text(struct arena *a, const struct pg_result *r, size_t row, size_t column)
{
    return arena_text(a, pg_value(r, row, column));
}

/* ---- tables ---- */

static void add_doubling(struct buf *out, struct str text, char quote)
{
    buf_add_byte(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote) {
            buf_add_byte(out, quote);
        }
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, quote);
}

void pg_add_quoted(struct buf *out, struct str name)
{
    add_doubling(out, name, '"');
}

void pg_add_quoted_text(struct buf *out, struct str text)
{
    add_doubling(out, text, '\'');
}

/* A backslash is one in any standard_conforming_strings only in this form. */
void pg_add_literal(struct buf *out, struct str text)
{
    buf_add_text(out, "E'");
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'' || text.ptr[i] == '\\') {
            buf_add_byte(out, text.ptr[i]);
        }
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, '\'');
}

static const char find_table[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)";

static const char find_key[] =
    "SELECT a.attname FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, place), "
    "pg_attribute a WHERE i.indrelid = $1::oid AND i.indisprimary AND a.attrelid = i.indrelid "
    "AND a.attnum = k.attnum ORDER BY k.place";

static enum sourced take_key(struct pg_server *s, const char *oid, struct wait wait,
                             struct arena *a, struct pg_table *t, struct err *e)
{
    struct pg_result *r = NULL;
    enum sourced done = pg_server_ask(s, find_key, &oid, 1, wait, &r, e);

    if (done == SOURCED_OK) {
        t->id_count = pg_rows(r) <= PG_IDS_MAX ? pg_rows(r) : 0;
        for (size_t i = 0; i < t->id_count; i++) {
            t->ids[i] = arena_dup(a, pg_value(r, i, 0));
        }
        pg_result_free(r);
    }
    return done;
}

static enum sourced take_ids(struct pg_server *s, const struct option_list *ids, struct wait wait,
                             struct arena *a, struct pg_table *t, struct err *e)
{
    if (ids->count > PG_IDS_MAX) {
        return pg_say(SOURCED_REFUSED, e, "more than %d columns make an id", PG_IDS_MAX);
    }
    for (size_t i = 0; i < ids->count; i++) {
        enum sourced done = pg_table_expect(s, t, "id_column", ids->items[i], wait, e);
        if (done != SOURCED_OK) {
            return done;
        }
        t->ids[t->id_count++] = arena_dup(a, ids->items[i]);
    }
    return SOURCED_OK;
}

static void quote_names(struct arena *a, struct pg_table *t)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    pg_add_quoted(&text, t->schema);
    buf_add_byte(&text, '.');
    pg_add_quoted(&text, t->name);
    t->quoted = arena_dup(a, buf_str(&text));
    t->full = arena_printf(a, "%.*s.%.*s", STR_FMT(t->schema), STR_FMT(t->name));
}

static void quote_ids(struct arena *a, struct pg_table *t)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < t->id_count; i++) {
        buf_add_text(&text, i > 0 ? ", " : "");
        pg_add_quoted(&text, t->ids[i]);
    }
    t->ids_quoted = arena_dup(a, buf_str(&text));
}

enum sourced pg_table_describe(struct pg_server *s, struct str name, const struct option_list *ids,
                               struct wait wait, struct arena *a, struct pg_table *ret,
                               struct err *e)
{
    struct pg_table t = {.oid = 0};
    struct pg_result *r = NULL;
    const char *text = arena_text(a, name);
    enum sourced done = pg_server_ask(s, find_table, &text, 1, wait, &r, e);

    if (done != SOURCED_OK) {
        return done;
    }
    if (pg_rows(r) == 0) {
        pg_result_free(r);
        return pg_say(SOURCED_REFUSED, e,
                      "there is no table %s that this user can see; name it as in SQL "
                      "(schema.table, \"Quoted\" where it has capitals)",
                      text);
    }
    const char *oid = pg_text(a, r, 0, 0);
    uint64_t number = 0;
    (void)number_parse_u64(str_of(oid), &number);
    t.oid = (uint32_t)number;
    t.schema = arena_dup(a, pg_value(r, 0, 1));
    t.name = arena_dup(a, pg_value(r, 0, 2));
    pg_result_free(r);
    quote_names(a, &t);
    done = ids->count > 0 ? take_ids(s, ids, wait, a, &t, e) : take_key(s, oid, wait, a, &t, e);
    quote_ids(a, &t);
    *ret = t;
    return done;
}

/* ---- lists ---- */

void pg_list_add(struct buf *out, struct str item)
{
    buf_add_u64(out, item.len);
    buf_add_byte(out, ':');
    buf_add_str(out, item);
    buf_add_byte(out, ',');
}

bool pg_list_next(struct str *rest, struct str *ret_item)
{
    size_t colon = str_find_byte(*rest, ':');
    uint64_t len = 0;

    if (colon == rest->len || !number_parse_u64(str_slice(*rest, 0, colon), &len) ||
        len >= rest->len - colon - 1 || rest->ptr[colon + 1 + len] != ',') {
        return false;
    }
    *ret_item = str_slice(*rest, colon + 1, (size_t)len);
    *rest = str_slice(*rest, colon + (size_t)len + 2, rest->len);
    return true;
}

/* ---- where it is ---- */

struct place {
    char host[256];
    char port[32];
    char database[128];
};

static void take_place(void *arg, const char *name, const char *value)
{
    struct place *p = arg;

    if (strcmp(name, "hostaddr") == 0 || (strcmp(name, "host") == 0 && p->host[0] == '\0')) {
        (void)snprintf(p->host, sizeof(p->host), "%s", value);
    } else if (strcmp(name, "port") == 0) {
        (void)snprintf(p->port, sizeof(p->port), "%s", value);
    } else if (strcmp(name, "dbname") == 0) {
        (void)snprintf(p->database, sizeof(p->database), "%s", value);
    }
}

void pg_add_place(struct buf *out, struct secret *connection_string)
{
    static const char *const here[] = {"127.0.0.1", "::1", ""};
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX);
    struct place p = {.host = ""};
    struct err ignored = ERR_INIT;

    secret_reveal(connection_string, &text);
    if (!pg_parse(buf_text(&text), take_place, &p, &ignored)) {
        buf_add_text(out, "a server whose connection string cannot be read");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(here); i++) {
        if (strcmp(p.host, here[i]) == 0) {
            (void)snprintf(p.host, sizeof(p.host), "localhost");
        }
    }
    buf_addf(out, "%s:%s/%s", p.host, p.port[0] != '\0' ? p.port : "5432", p.database);
}
