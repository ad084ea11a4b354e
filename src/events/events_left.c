#include "events/events_left.h"

#include "base/trace.h"
#include "events/sources/sources.h"
#include "state/event_table.h"

#include <unistd.h>

/* ---- keeping it ---- */

static void find_leavings(const struct stream_config *config, struct arena *a,
                          struct source_leavings *ret)
{
    *ret = (struct source_leavings){.count = 0};
    if (config->kind->leave != NULL) {
        config->kind->leave(config->source, config->name, a, ret);
    }
}

static struct str what_of(const struct source_begun *begun, const struct source_thing *t,
                          struct arena *a)
{
    return arena_printf(a, "%.*s %.*s", STR_FMT(buf_str(&begun->server)), STR_FMT(t->words));
}

bool stream_left_note(struct stream_positions *p, const struct stream_config *config,
                      const struct source_begun *begun, bool is_all, struct err *e)
{
    struct stream_holding list[SOURCE_THINGS_MAX];
    struct source_leavings left;
    AUTO(arena_release) struct arena a;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    find_leavings(config, &a, &left);
    for (size_t i = 0; i < left.count; i++) {
        const struct source_thing *t = &left.things[i];
        bool is_made = (begun->made & 1U << i) != 0;
        if (is_all || is_made) {
            list[count++] = (struct stream_holding){.kind = str_of(config->kind->name),
                                                    .what = what_of(begun, t, &a),
                                                    .words = t->words,
                                                    .claim = t->claim,
                                                    .place = left.place,
                                                    .access = left.access,
                                                    .by_hand = t->by_hand,
                                                    .is_log = t->is_log,
                                                    .is_made = is_made};
        }
    }
    const struct stream_holdings has = {str_of(config->kind->name), list, count};
    return stream_positions_note(p, config->name, &has, is_all, e);
}

bool stream_left_forget_unmade(struct stream_positions *p, const struct stream_config *config,
                               const struct source_begun *begun, struct err *e)
{
    struct source_leavings left;
    AUTO(arena_release) struct arena a;
    bool ok = true;

    arena_init(&a, ARENA_UNLIMITED);
    find_leavings(config, &a, &left);
    for (size_t i = 0; ok && i < left.count; i++) {
        if ((begun->unmade & 1U << i) != 0) {
            struct str what = what_of(begun, &left.things[i], &a);
            ok = stream_positions_drop_holding(p, config->name, what, e);
        }
    }
    return ok;
}

/* ---- knowing it ---- */

/* "postgresql/7391.../cluster/telex_health": of what an earlier Telex kept, which noted nothing else. */
static bool split_identity(struct str identity, struct str *ret_server, struct str *ret_slot)
{
    struct str rest = identity;
    struct str parts[4];
    size_t count = 0;

    while (count < ARRAY_LEN(parts) && str_split(&rest, '/', &parts[count])) {
        count++;
    }
    if (count != ARRAY_LEN(parts) || !str_eq(parts[0], str_of(source_postgresql.name))) {
        return false;
    }
    *ret_slot = parts[3];
    *ret_server = str_slice(identity, 0, identity.len - parts[3].len - 1);
    return true;
}

/* What is known without a note: there is a slot. Nobody knows who made it, nor how to connect. */
static void complete(struct stream_row *row, struct arena *a)
{
    struct str server;
    struct str slot;

    if (row->has.count > 0 || !split_identity(row->place.identity, &server, &slot)) {
        return;
    }
    struct stream_holding *h = arena_array(a, struct stream_holding, 1);
    *h = (struct stream_holding){
        .kind = str_of(source_postgresql.name),
        .what = arena_printf(a, "%.*s slot %.*s", STR_FMT(server), STR_FMT(slot)),
        .claim = arena_printf(a, "replication slot '%.*s' of ", STR_FMT(slot)),
        .by_hand = arena_printf(a, "SELECT pg_drop_replication_slot('%.*s'); -- at %.*s",
                                STR_FMT(slot), STR_FMT(server)),
        .is_log = true};
    row->has = (struct stream_holdings){str_of(source_postgresql.name), h, 1};
}

static bool complete_all(struct stream_book *b, const struct streams_config *config,
                         struct arena *a, bool ok)
{
    b->config = config;
    for (size_t i = 0; ok && i < b->count; i++) {
        complete(&b->rows[i], a);
    }
    return ok;
}

bool stream_book_list(struct stream_positions *p, const struct streams_config *config,
                      struct arena *a, struct stream_book *ret, struct err *e)
{
    return complete_all(ret, config, a, stream_positions_list(p, a, &ret->rows, &ret->count, e));
}

bool stream_book_peek(struct str path, const struct streams_config *config, struct arena *a,
                      struct stream_book *ret, struct err *e)
{
    return complete_all(ret, config, a, stream_positions_peek(path, a, &ret->rows, &ret->count, e));
}

static const struct stream_row *find_row(const struct stream_book *b, struct str name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_eq(b->rows[i].name, name)) {
            return &b->rows[i];
        }
    }
    return NULL;
}

bool stream_is_left(const struct streams_config *config, const struct stream_row *row,
                    const struct stream_config **ret_config)
{
    const struct stream_config *s = streams_config_find(config, row->name);

    *ret_config = s;
    return s == NULL || !s->options.enabled;
}

const struct source_kind *stream_left_kind(const struct stream_row *row)
{
    if (row->has.kind.len > 0) {
        return source_kind_find(row->has.kind);
    }
    return str_starts(row->place.identity, STR("table ")) ? &source_embedded : NULL;
}

/* ---- who else has it ---- */

/* Of what nobody knows where it is, any place will do; and so will any for a stream that never ran, which may call its server
 * otherwise. */
static bool claims(const struct stream_config *s, const struct stream_row *kept,
                   const struct stream_holding *h)
{
    bool is_exact = h->access.len > 0 && kept != NULL && kept->has.count > 0;
    size_t end = is_exact ? h->claim.len : str_find(h->claim, STR("' of "));
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct str line;

    if (s->kind == NULL || s->source == NULL || s->kind->claim == NULL) {
        return false;
    }
    s->kind->claim(s->source, s->name, &text);
    struct str rest = buf_str(&text);
    while (str_split(&rest, '\n', &line)) {
        struct str claim = str_slice(line, 1, line.len);
        if (is_exact ? str_eq(claim, h->claim) : str_starts(claim, str_slice(h->claim, 0, end))) {
            return true;
        }
    }
    return false;
}

static bool has(const struct stream_row *row, const struct stream_holding *h)
{
    for (size_t i = 0; i < row->has.count; i++) {
        if (str_eq(row->has.items[i].what, h->what)) {
            return true;
        }
    }
    return false;
}

enum holder { NOBODY, A_CONFIGURED, A_LEFT };

/* A stream of the config, also one that is off, comes before one that is left. */
static enum holder find_holder(const struct stream_book *b, const struct stream_row *row,
                               const struct stream_holding *h, struct str *ret_name)
{
    enum holder found = NOBODY;

    for (size_t i = 0; i < b->config->count; i++) {
        const struct stream_config *s = &b->config->items[i];
        const struct stream_row *kept = find_row(b, s->name);
        if (!str_eq(s->name, row->name) && (claims(s, kept, h) || (kept != NULL && has(kept, h)))) {
            *ret_name = s->name;
            return A_CONFIGURED;
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        if (!str_eq(b->rows[i].name, row->name) && has(&b->rows[i], h)) {
            *ret_name = b->rows[i].name;
            found = A_LEFT;
        }
    }
    return found;
}

/* ---- telling ---- */

enum by_hand { AS_SQL, IN_SHORT };

/* Of what nobody else has: what Telex made, and what keeps a log. */
static void add_by_hand(const struct stream_book *b, const struct stream_row *row, size_t from,
                        enum by_hand how, struct buf *out)
{
    struct str unused;
    const char *before = "";

    for (size_t i = from; i < row->has.count; i++) {
        const struct stream_holding *h = &row->has.items[i];
        if ((h->is_made || h->is_log) && find_holder(b, row, h, &unused) == NOBODY) {
            buf_addf(out, "%s%.*s", before, STR_FMT(how == AS_SQL ? h->by_hand : h->words));
            before = how == AS_SQL ? " " : ", ";
        }
    }
}

/* What keeps a log, or would if no other stream had it. NULL: nothing. */
static const struct stream_holding *find_log(const struct stream_row *row)
{
    return row->has.count > 0 && row->has.items[0].is_log ? &row->has.items[0] : NULL;
}

static void say_log(const struct stream_row *row, const struct stream_holding *h,
                    enum holder holder, struct str name, struct buf *out)
{
    bool is_strange = h->access.len > 0 && !h->is_made;

    if (holder == A_CONFIGURED) {
        buf_addf(
            out,
            "only its position is kept: its replication slot is stream '%.*s's now. `telex events "
            "reset %.*s` forgets it, and leaves the slot",
            STR_FMT(name), STR_FMT(row->name));
    } else if (holder == A_LEFT) {
        buf_addf(
            out,
            "its replication slot, which stream '%.*s' had as well, keeps the server's log, without "
            "end. `telex events reset` of both, one behind the other, takes that back",
            STR_FMT(name));
    } else if (is_strange) {
        buf_addf(
            out,
            "its replication slot keeps the server's log, without end. `telex events reset %.*s` forgets "
            "the stream, but not the slot, which Telex did not make",
            STR_FMT(row->name));
    } else {
        buf_addf(
            out,
            "its replication slot keeps the server's log, without end. `telex events reset %.*s` takes "
            "that back",
            STR_FMT(row->name));
    }
}

static void say_why(const struct stream_book *b, const struct stream_row *row, struct buf *out)
{
    size_t at = str_find_byte(row->name, '@');
    const struct stream_config *off = NULL;

    (void)stream_is_left(b->config, row, &off);
    if (at < row->name.len) {
        buf_addf(out, "stream '%.*s' had it before its source was changed",
                 STR_FMT(str_slice(row->name, 0, at)));
    } else {
        buf_add_text(out, off != NULL ? "it is off (enabled: false)" : "it is not in the config");
    }
}

void stream_left_say(const struct stream_book *b, const struct stream_row *row, struct buf *out)
{
    AUTO(buf_release) struct buf by_hand = BUF_INIT(BUF_UNLIMITED);
    const struct stream_holding *log = find_log(row);
    struct str name = STR("");

    say_why(b, row, out);
    buf_add_text(out, ", and ");
    if (log != NULL) {
        say_log(row, log, find_holder(b, row, log, &name), name, out);
    } else {
        buf_addf(out, "%s. `telex events reset %.*s` takes that back",
                 stream_left_kind(row) == &source_embedded
                     ? "the event table keeps all events that it did not deliver"
                     : "its position is kept",
                 STR_FMT(row->name));
    }
    add_by_hand(b, row, 0, AS_SQL, &by_hand);
    if (by_hand.len > 0) {
        buf_addf(out, "; by hand: %s", buf_text(&by_hand));
    }
}

/* ---- taking it back ---- */

static bool forget_with(const struct stream_world *world, const struct source_kind *kind,
                        const void *config, const struct stream_row *row,
                        const struct stream_holding *h, struct wait wait, struct err *e)
{
    const struct source_place place = {
        .env = world->env, .stream = row->name, .table = world->table};
    struct source *source = NULL;

    if (!kind->open(&place, config, &source, e)) {
        return false;
    }
    bool ok = source->ops->forget == NULL || source->ops->forget(source, h->words, wait, e);
    source_close(source);
    return ok;
}

/* With what was noted when it ran. */
static bool forget_noted(const struct stream_world *world, const struct stream_row *row,
                         const struct stream_holding *h, struct wait wait, struct err *e)
{
    const struct source_kind *kind = source_kind_find(h->kind);
    const struct yaml_source text = {STR("streams.db"), h->access};
    const struct option_source none = {0};
    const struct yaml_node *documents = NULL;
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    if (h->access.len == 0) {
        return err_set(e, ERR_CONFIG, "nobody noted how to connect there");
    }
    if (kind == NULL) {
        return err_set(e, ERR_CONFIG, "this telex has no source '%.*s'", STR_FMT(h->kind));
    }
    void *config = arena_alloc0(&a, 1, kind->options->config_size);
    if (!yaml_parse(&a, &text, &documents, e) ||
        !options_parse(kind->options, documents->first, &none, &a, config, e)) {
        return false;
    }
    bool ok = forget_with(world, kind, config, row, h, wait, e);
    options_release(kind->options, config);
    return ok;
}

/* The stream's own section, also of what it had before, if that is where the thing is: it may have a password. */
static const struct stream_config *find_access(const struct streams_config *config,
                                               const struct stream_row *row,
                                               const struct stream_holding *h)
{
    struct str name = str_slice(row->name, 0, str_find_byte(row->name, '@'));
    const struct stream_config *s = streams_config_find(config, name);
    struct source_leavings left = {.count = 0};
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    if (s == NULL || s->kind == NULL || s->source == NULL || s->kind->leave == NULL ||
        !str_eq(str_of(s->kind->name), h->kind)) {
        return NULL;
    }
    s->kind->leave(s->source, s->name, &a, &left);
    return str_eq(left.place, h->place) ? s : NULL;
}

static bool take_back_one(const struct stream_world *world, const struct stream_book *b,
                          const struct stream_row *row, const struct stream_holding *h,
                          bool insists, struct wait wait, struct err *e)
{
    const struct stream_config *own = find_access(b->config, row, h);
    struct str name = STR("");
    struct trace trace;

    trace_init_part(&trace, world->env->trace, "events", row->name, TRACE_INFO);
    bool is_others = find_holder(b, row, h, &name) != NOBODY;
    bool is_strange = !h->is_made && h->access.len > 0;
    if ((is_others || is_strange) && insists && h->is_log) {
        return is_others ? err_set(e, ERR_CONFIG, "stream '%.*s' has it as well", STR_FMT(name))
                         : err_set(e, ERR_CONFIG, "Telex did not make it, and does not drop it");
    }
    if (is_others || is_strange) {
        trace_info(&trace, "something stays in the datastore", T_STR("what", h->claim),
                   T_TEXT("why", is_others ? "another stream has it" : "Telex did not make it"),
                   T_STR("other", name));
        return true;
    }
    bool ok = own != NULL ? forget_with(world, own->kind, own->source, row, h, wait, e)
                          : forget_noted(world, row, h, wait, e);
    if (ok) {
        trace_info(&trace, "took back what a stream had", T_STR("what", h->claim));
    }
    return ok && stream_positions_drop_holding(world->positions, row->name, h->what, e);
}

/* What a person can do about what is left from the one on that failed. */
static void add_advice(const struct stream_book *b, const struct stream_row *row, size_t from,
                       enum by_hand how, struct buf *out)
{
    AUTO(buf_release) struct buf by_hand = BUF_INIT(BUF_UNLIMITED);

    add_by_hand(b, row, from, how, &by_hand);
    if (from == 0) {
        buf_add_text(out, ". Nothing was changed");
    }
    if (by_hand.len > 0) {
        buf_addf(out, "%s%s\nand then `telex events reset --keep-source %.*s`",
                 how == AS_SQL ? ". Run by hand: " : ". Drop by hand: ", buf_text(&by_hand),
                 STR_FMT(row->name));
    }
}

/* The advice is whole, and the SQL of it, or it goes without SQL: half a statement is worse than none. */
static bool fail(const struct stream_book *b, const struct stream_row *row, size_t from,
                 const struct err *why, struct err *e)
{
    enum { FRAME = 64, WHY_MIN = 200, WHY_MAX = 400 };
    const struct stream_holding *h = &row->has.items[from];
    AUTO(buf_release) struct buf rest = BUF_INIT(BUF_UNLIMITED);
    struct str what = h->claim;

    add_advice(b, row, from, AS_SQL, &rest);
    if (FRAME + row->name.len + what.len + rest.len + WHY_MIN > ERR_TEXT) {
        what = h->words;
        buf_clear(&rest);
        add_advice(b, row, from, IN_SHORT, &rest);
    }
    size_t used = FRAME + row->name.len + what.len + rest.len;
    size_t left = used < ERR_TEXT ? ERR_TEXT - used : 0;
    size_t room = left < WHY_MAX ? left : WHY_MAX;
    return err_set(e, ERR_CONFIG, "what stream '%.*s' has cannot be taken back: %.*s: %.*s%s",
                   STR_FMT(row->name), STR_FMT(what), (int)room, why->message, buf_text(&rest));
}

bool stream_left_take_back(const struct stream_world *world, const struct streams_config *config,
                           struct str name, bool insists, struct wait wait, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct stream_book b;
    struct err why = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!stream_book_list(world->positions, config, &a, &b, e)) {
        return false;
    }
    const struct stream_row *row = find_row(&b, name);
    for (size_t i = 0; row != NULL && i < row->has.count; i++) {
        if (!take_back_one(world, &b, row, &row->has.items[i], insists, wait, &why)) {
            return fail(&b, row, i, &why, e);
        }
    }
    return true;
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

static bool is_known(const struct stream_world *world, struct str name, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct stream_book b;

    arena_init(&a, ARENA_UNLIMITED);
    return stream_book_list(world->positions, NULL, &a, &b, e) &&
           (find_row(&b, name) != NULL ||
            err_set(e, ERR_CONFLICT, "no stream '%.*s' is known", STR_FMT(name)));
}

bool stream_left_forget(const struct stream_world *world, const struct streams_config *config,
                        struct str name, enum stream_source_fate fate, struct wait wait,
                        struct err *e)
{
    return is_known(world, name, e) &&
           (fate == STREAM_SOURCE_KEPT ||
            stream_left_take_back(world, config, name, fate == STREAM_SOURCE_DROPPED, wait, e)) &&
           forget_needs(world, name, wait, e) &&
           stream_positions_forget(world->positions, name, e) &&
           stream_positions_drop_holdings(world->positions, name, e);
}
