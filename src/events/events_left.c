#include "events/events_left.h"

#include "events/sources/sources.h"
#include "state/event_table.h"

#include <unistd.h>

/* ---- keeping it ---- */

static bool has_line(struct str lines, struct str wanted)
{
    struct str line;

    while (str_split(&lines, '\n', &line)) {
        if (str_eq(line, wanted)) {
            return true;
        }
    }
    return false;
}

static const struct stream_row *find(const struct stream_row *rows, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(rows[i].name, name)) {
            return &rows[i];
        }
    }
    return NULL;
}

/* What of <before> is none of <now>'s. */
static void subtract(const struct stream_origin *before, const struct stream_origin *now,
                     struct buf *access, struct buf *remains)
{
    struct str accesses = before->access;
    struct str remaining = before->remains;
    struct str one;
    struct str line;

    while (str_split(&remaining, '\n', &line) && str_split(&accesses, '\n', &one)) {
        if (line.len > 0 && !has_line(now->remains, line)) {
            buf_addf(access, "%.*s\n", STR_FMT(one));
            buf_addf(remains, "%.*s\n", STR_FMT(line));
        }
    }
}

static bool set_aside(struct stream_positions *p, struct str name, const struct stream_origin *now,
                      struct err *e)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf access = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf remains = BUF_INIT(BUF_UNLIMITED);
    struct stream_row *rows = NULL;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (!stream_positions_list(p, &a, &rows, &count, e)) {
        return false;
    }
    const struct stream_row *row = find(rows, count, name);
    if (row == NULL) {
        return true;
    }
    subtract(&row->origin, now, &access, &remains);
    const struct stream_origin left = {row->origin.kind, buf_str(&access), buf_str(&remains)};
    struct str other = STR("");
    for (int i = 1; other.len == 0 || find(rows, count, other) != NULL; i++) {
        other = arena_printf(&a, "%.*s@%d", STR_FMT(name), i);
    }
    return remains.len == 0 || stream_positions_set_origin(p, other, &left, e);
}

bool stream_left_note(struct stream_positions *p, const struct stream_config *config, bool is_first,
                      struct err *e)
{
    struct source_leavings left = {BUF_INIT(BUF_UNLIMITED), BUF_INIT(BUF_UNLIMITED)};

    if (config->kind->leave != NULL) {
        config->kind->leave(config->source, config->name, &left);
    }
    const struct stream_origin origin = {str_of(config->kind->name), buf_str(&left.access),
                                         buf_str(&left.by_hand)};
    bool ok = (!is_first || set_aside(p, config->name, &origin, e)) &&
              stream_positions_set_origin(p, config->name, &origin, e);
    buf_release(&left.access);
    buf_release(&left.by_hand);
    return ok;
}

/* ---- telling ---- */

bool stream_is_left(const struct streams_config *config, const struct stream_row *row,
                    const struct stream_config **ret_config)
{
    const struct stream_config *s = streams_config_find(config, row->name);

    *ret_config = s;
    return s == NULL || !s->options.enabled;
}

/* "postgresql/7391.../cluster/telex_health": of what an earlier Telex kept, which noted nothing else. */
static bool split_identity(const struct stream_row *row, struct str *ret_database,
                           struct str *ret_slot)
{
    struct str rest = row->place.identity;
    struct str parts[4];
    size_t count = 0;

    while (count < ARRAY_LEN(parts) && str_split(&rest, '/', &parts[count])) {
        count++;
    }
    if (count != ARRAY_LEN(parts) || !str_eq(parts[0], str_of(source_postgresql.name))) {
        return false;
    }
    *ret_database = parts[2];
    *ret_slot = parts[3];
    return true;
}

const struct source_kind *stream_left_kind(const struct stream_row *row)
{
    struct str unused;

    if (row->origin.kind.len > 0) {
        return source_kind_find(row->origin.kind);
    }
    if (str_starts(row->place.identity, STR("table "))) {
        return &source_embedded;
    }
    return split_identity(row, &unused, &unused) ? &source_postgresql : NULL;
}

static void add_by_hand(const struct stream_row *row, struct buf *out)
{
    struct str database;
    struct str slot;

    struct str rest = row->origin.remains;
    struct str line;

    while (str_split(&rest, '\n', &line)) {
        buf_addf(out, "%s%.*s", out->len > 0 && line.len > 0 ? " " : "", STR_FMT(line));
    }
    if (out->len > 0) {
        return;
    }
    if (split_identity(row, &database, &slot)) {
        buf_addf(
            out,
            "SELECT pg_drop_replication_slot('%.*s'); -- in database %.*s, and DROP PUBLICATION "
            "if Telex made one",
            STR_FMT(slot), STR_FMT(database));
    }
}

void stream_left_say(const struct stream_row *row, bool is_off, struct buf *out)
{
    AUTO(buf_release) struct buf by_hand = BUF_INIT(BUF_UNLIMITED);
    bool is_embedded = stream_left_kind(row) == &source_embedded;
    bool is_former = str_find(row->name, STR("@")) < row->name.len;

    add_by_hand(row, &by_hand);
    buf_addf(out, "%s, and %s",
             is_former ? "the stream before the '@' had it before its source was changed"
             : is_off  ? "it is off (enabled: false)"
                       : "it is not in the config",
             is_embedded       ? "the event table keeps all events that it did not deliver"
             : by_hand.len > 0 ? "its replication slot keeps the server's log, without end"
                               : "its position is kept");
    buf_addf(out,
             is_former ? ". `telex events reset %.*s` takes that back"
             : is_off  ? ". Turn it on again, or `telex events reset %.*s` takes that back"
                       : ". Put it back, or `telex events reset %.*s` takes that back",
             STR_FMT(row->name));
    if (by_hand.len > 0) {
        buf_addf(out, "; by hand: %s", buf_text(&by_hand));
    }
}

/* ---- taking it back ---- */

static bool find_row(struct stream_positions *p, struct str name, struct arena *a,
                     struct stream_row *ret, struct err *e)
{
    struct stream_row *rows = NULL;
    size_t count = 0;

    if (!stream_positions_list(p, a, &rows, &count, e)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq(rows[i].name, name)) {
            *ret = rows[i];
            return true;
        }
    }
    return err_set(e, ERR_CONFLICT, "no stream '%.*s' is known", STR_FMT(name));
}

static bool forget_with(const struct stream_world *world, const struct source_kind *kind,
                        const void *config, struct str name, struct wait wait, struct err *e)
{
    const struct source_place place = {.env = world->env, .stream = name, .table = world->table};
    struct source *source = NULL;

    if (!kind->open(&place, config, &source, e)) {
        return false;
    }
    bool ok = source->ops->forget == NULL || source->ops->forget(source, wait, e);
    source_close(source);
    return ok;
}

/* With what was noted when it ran. */
static bool forget_one(const struct stream_world *world, const struct stream_row *row,
                       struct str access, struct arena *a, struct wait wait, struct err *e)
{
    const struct source_kind *kind = source_kind_find(row->origin.kind);
    const struct yaml_source text = {STR("streams.db"), access};
    const struct option_source none = {0};
    const struct yaml_node *documents = NULL;

    if (kind == NULL || !yaml_parse(a, &text, &documents, e)) {
        return kind == NULL &&
               err_set(e, ERR_CONFIG, "this telex has no source '%.*s'", STR_FMT(row->origin.kind));
    }
    void *config = arena_alloc0(a, 1, kind->options->config_size);
    if (!options_parse(kind->options, documents->first, &none, a, config, e)) {
        return false;
    }
    bool ok = forget_with(world, kind, config, row->name, wait, e);
    options_release(kind->options, config);
    return ok;
}

/* With what was noted when it ran. */
static bool forget_noted(const struct stream_world *world, const struct stream_row *row,
                         struct arena *a, struct wait wait, struct err *e)
{
    struct str rest = row->origin.access;
    struct str access;
    bool ok = true;

    while (ok && str_split(&rest, '\n', &access)) {
        ok = access.len == 0 || forget_one(world, row, access, a, wait, e);
    }
    return ok;
}

static bool take_back(const struct stream_world *world, const struct stream_row *row,
                      const struct stream_config *config, struct wait wait, struct err *e)
{
    AUTO(buf_release) struct buf by_hand = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct err why = ERR_INIT;
    bool ok = true;

    arena_init(&a, ARENA_UNLIMITED);
    add_by_hand(row, &by_hand);
    if (config != NULL && config->kind != &source_embedded) {
        ok = forget_with(world, config->kind, config->source, row->name, wait, &why);
    } else if (row->origin.access.len > 0) {
        ok = forget_noted(world, row, &a, wait, &why);
    } else if (by_hand.len > 0) {
        ok = err_set(&why, ERR_CONFIG, "nobody noted how to connect there");
    }
    return ok ||
           err_set(
               e, ERR_CONFIG,
               "what stream '%.*s' left cannot be taken back: %.300s. Nothing was changed. Run by hand: "
               "%.500s\nand then `telex events reset --keep-source %.*s`",
               STR_FMT(row->name), why.message, buf_text(&by_hand), STR_FMT(row->name));
}

static bool forget_needs(const struct stream_world *world, struct str name, struct wait wait,
                         struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct event_table *table = NULL;

    if (world->table != NULL) {
        return event_table_forget(world->table, name, wait, e);
    }
    buf_addf(&path, "%.*s/events.db", STR_FMT(world->state_path));
    if (access(buf_text(&path), F_OK) != 0) {
        return true;
    }
    const struct event_table_options options = {.path = buf_str(&path), .is_guest = true};
    if (!event_table_open(world->env, &options, &table, e)) {
        return false;
    }
    bool ok = event_table_forget(table, name, wait, e);
    event_table_close(table);
    return ok;
}

bool stream_left_forget(const struct stream_world *world, struct str name,
                        const struct stream_config *config, bool drops_source, struct wait wait,
                        struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct stream_row row;

    arena_init(&a, ARENA_UNLIMITED);
    return find_row(world->positions, name, &a, &row, e) &&
           (!drops_source || take_back(world, &row, config, wait, e)) &&
           forget_needs(world, name, wait, e) &&
           stream_positions_forget(world->positions, name, e) &&
           stream_positions_drop_origin(world->positions, name, e);
}
