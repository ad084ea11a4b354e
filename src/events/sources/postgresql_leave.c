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

static struct str place_of(const struct postgresql_config *c, struct arena *a)
{
    AUTO(buf_release) struct buf place = BUF_INIT(BUF_SMALL);

    pg_add_place(&place, c->connection_string);
    return arena_dup(a, buf_str(&place));
}

static struct str access_of(const struct postgresql_config *c, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    json_begin_object(&w);
    print_connection(c, &w);
    json_end_object(&w);
    return arena_dup(a, buf_str(&text));
}

/* Slots are the server's, not the database's. */
static struct str claim_slot(struct str slot, struct str place, struct arena *a)
{
    size_t end = place.len;

    while (end > 0 && place.ptr[end - 1] != '/') {
        end--;
    }
    end -= end > 0 ? 1 : 0;
    return arena_printf(a, "replication slot '%.*s' of the server at %.*s", STR_FMT(slot),
                        STR_FMT(str_slice(place, 0, end)));
}

static struct str claim_publication(struct str publication, struct str place, struct arena *a)
{
    return arena_printf(a, "publication '%.*s' of the database at %.*s", STR_FMT(publication),
                        STR_FMT(place));
}

void postgresql_leave(const void *config, struct str stream, struct arena *a,
                      struct source_leavings *ret)
{
    const struct postgresql_config *c = config;
    AUTO(buf_release) struct buf slot = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf publication = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf slot_quoted = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf publication_quoted = BUF_INIT(BUF_SMALL);

    postgresql_add_name(&slot, c->slot, stream);
    postgresql_add_name(&publication, c->publication, stream);
    pg_add_quoted_text(&slot_quoted, buf_str(&slot));
    pg_add_quoted(&publication_quoted, buf_str(&publication));
    *ret = (struct source_leavings){.place = place_of(c, a), .access = access_of(c, a), .count = 2};
    ret->things[PG_SLOT] = (struct source_thing){
        .words = arena_printf(a, PG_WORDS_SLOT "%s", buf_text(&slot)),
        .claim = claim_slot(buf_str(&slot), ret->place, a),
        .by_hand = arena_printf(a, "at %.*s: SELECT pg_drop_replication_slot(%s);",
                                STR_FMT(ret->place), buf_text(&slot_quoted)),
        .is_log = true};
    ret->things[PG_PUBLICATION] = (struct source_thing){
        .words = arena_printf(a, PG_WORDS_PUBLICATION "%s", buf_text(&publication)),
        .claim = claim_publication(buf_str(&publication), ret->place, a),
        .by_hand = arena_printf(a, "at %.*s: DROP PUBLICATION IF EXISTS %s;", STR_FMT(ret->place),
                                buf_text(&publication_quoted))};
}

/* Two streams can share a publication that somebody named. */
void postgresql_claim(const void *config, struct str stream, struct buf *out)
{
    const struct postgresql_config *c = config;
    struct source_leavings left;
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    postgresql_leave(config, stream, &a, &left);
    buf_addf(out, "!%.*s\n%c%.*s\n", STR_FMT(left.things[PG_SLOT].claim),
             c->publication.len == 0 ? '!' : '.', STR_FMT(left.things[PG_PUBLICATION].claim));
}
