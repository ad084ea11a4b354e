/* What a stream on PostgreSQL leaves when it is no more in the config, and what it must have alone. */
#include "events/sources/postgresql_int.h"

#include "base/mem.h"
#include "wire/json.h"

#include <string.h>

/* Settings that say where a server is and who we are there; none of them is a secret. */
static const char *const open_settings[] = {
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "passfile",
    "service",
    "krbsrvname",
    "gssencmode",
    "channel_binding",
    "target_session_attrs",
};

static bool is_open(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(open_settings); i++) {
        if (strcmp(open_settings[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* What would be taken for a variable of the config is none that we can write. */
static void add_setting(void *arg, const char *name, const char *value)
{
    struct buf *out = arg;

    if (!is_open(name) || strstr(value, "${") != NULL) {
        return;
    }
    buf_addf(out, "%s%s='", out->len > 0 ? " " : "", name);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\') {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, *c);
    }
    buf_add_byte(out, '\'');
}

/* The connection without its password, unless a file has it: then the file. */
static void print_connection(const struct postgresql_config *c, struct json_writer *w)
{
    AUTO(buf_release) struct buf said = BUF_INIT(SECRET_MAX);
    AUTO(buf_release) struct buf shown = BUF_INIT(SECRET_MAX);
    struct str path = secret_path(c->connection_string);
    struct err ignored = ERR_INIT;

    json_key(w, STR("connection_string"));
    if (path.len > 0) {
        json_begin_object(w);
        json_key(w, STR("file"));
        json_add_str(w, path);
        json_end_object(w);
        return;
    }
    secret_reveal(c->connection_string, &said);
    bool ok = pg_parse(buf_text(&said), add_setting, &shown, &ignored);
    json_add_str(w, ok ? buf_str(&shown) : STR(""));
}

static void print_bool(struct json_writer *w, struct str name, bool value)
{
    json_key(w, name);
    json_add_bool(w, value);
}

/* A line: one of the two, and no more than Telex may make. */
static void add_access(const struct postgresql_config *c, struct str slot, struct str publication,
                       bool is_slot, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    print_connection(c, &w);
    json_key(&w, STR("slot"));
    json_add_str(&w, slot);
    json_key(&w, STR("publication"));
    json_add_str(&w, publication);
    print_bool(&w, STR("create_slot"), is_slot && c->create_slot);
    print_bool(&w, STR("create_publication"), !is_slot && c->create_publication);
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

static void add_place(const struct postgresql_config *c, struct buf *out)
{
    buf_add_text(out, "at ");
    pg_add_place(out, c->connection_string);
    buf_add_text(out, ": ");
}

void postgresql_leave(const void *config, struct str stream, struct source_leavings *ret)
{
    const struct postgresql_config *c = config;
    AUTO(buf_release) struct buf slot = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf publication = BUF_INIT(BUF_SMALL);

    postgresql_add_name(&slot, c->slot, stream);
    postgresql_add_name(&publication, c->publication, stream);
    add_access(c, buf_str(&slot), buf_str(&publication), true, &ret->access);
    add_place(c, &ret->by_hand);
    buf_add_text(&ret->by_hand, "SELECT pg_drop_replication_slot(");
    pg_add_quoted_text(&ret->by_hand, buf_str(&slot));
    buf_add_text(&ret->by_hand, ");\n");
    if (c->create_publication) {
        add_access(c, buf_str(&slot), buf_str(&publication), false, &ret->access);
        add_place(c, &ret->by_hand);
        buf_add_text(&ret->by_hand, "DROP PUBLICATION IF EXISTS ");
        pg_add_quoted(&ret->by_hand, buf_str(&publication));
        buf_add_text(&ret->by_hand, ";\n");
    }
}

/* Slots are the server's, not the database's. Two streams can share a publication that somebody named. */
void postgresql_claim(const void *config, struct str stream, struct buf *out)
{
    const struct postgresql_config *c = config;
    AUTO(buf_release) struct buf place = BUF_INIT(BUF_SMALL);

    pg_add_place(&place, c->connection_string);
    buf_add_text(out, "!replication slot '");
    postgresql_add_name(out, c->slot, stream);
    buf_addf(out, "' of the server at %.*s\n", (int)strcspn(buf_text(&place), "/"),
             buf_text(&place));
    if (c->publication.len == 0) {
        buf_add_text(out, "!publication '");
        postgresql_add_name(out, c->publication, stream);
        buf_addf(out, "' of the database at %s\n", buf_text(&place));
    }
}
