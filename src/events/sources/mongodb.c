/*
 * Changes of a collection of MongoDB.
 *
 * Invariants
 *   1. <place> is behind all that was given; it goes into changes and into batches as their position.
 *   2. The stream's place of a first start is taken before the last _id of the backfill: what came between is in both, under
 *      one id, and nothing is in neither.
 *   3. A stream that failed is not asked again (<late>): what it would have given is not known.
 */
#include "events/sources/sources.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/timetext.h"
#include "base/trace.h"
#include "db/mongo.h"
#include "events/sources/mongodb_place.h"

#include <inttypes.h>

enum { CHANGE_OVERHEAD = 512, POSITION_MAX = 64 * 1024, PAUSE_MS = 50 };

struct mongodb_config {
    struct source_common common;
    struct secret *connection_string;
    struct str database;
    struct str collection;
    struct option_list operations;
    struct str time_field;
};

struct mongodb_source {
    struct source source;
    const struct mongodb_config *config;
    const struct env *env;
    struct str stream;
    struct trace trace;
    struct mongo *mongo; /* NULL: not started */
    struct mongo *past;  /* of a backfill: a call there does not wait for changes here */
    bool ops[MONGO_OPS];
    struct arena arena;  /* of calls that give nothing away */
    struct buf database; /* the config's, or that of the connection string */
    struct buf token;    /* what <place> points to */
    struct mongo_place place;
    struct buf text;        /* room for positions */
    int64_t last_time_ns;   /* of the newest change that was read */
    bool is_up_to_date;     /* the last look found nothing */
    bool has_told_of_times; /* that a backfill cannot know how old documents are */
    enum sourced late;      /* came behind changes that were given first */
    struct err late_err;
};

/* ---- options ---- */

static const char *const alias_connection[] = {"uri", "url", "connection_url", NULL};

static const struct option options[] = {
    SOURCE_COMMON_ROWS,
    {.name = "connection_string",
     .aliases = alias_connection,
     .type = OPTION_SECRET,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct mongodb_config, connection_string),
     .help =
         "`mongodb://user:password@host1,host2/database?replicaSet=rs0&tls=true`, with libmongoc's options. The "
         "server is a replica set (one member does) or a sharded cluster, and the user may read the collection."},
    {.name = "database",
     .type = OPTION_TEXT,
     .offset = offsetof(struct mongodb_config, database),
     .help = "The database; without, that of the connection string."},
    {.name = "collection",
     .type = OPTION_TEXT,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct mongodb_config, collection),
     .help = "The collection."},
    {.name = "operations",
     .type = OPTION_LIST,
     .offset = offsetof(struct mongodb_config, operations),
     .fallback = "[insert]",
     .help =
         "What is told: `insert`, `update` (with the document as it is when it is read, and replacements), `delete` "
         "(its `_id`). An insert's event has the document's `_id` as id, the others the change's own token behind it."},
    {.name = "time_field",
     .type = OPTION_TEXT,
     .offset = offsetof(struct mongodb_config, time_field),
     .help =
         "The date in documents that a backfill's `maxAge` looks at, `createdAt`; it should be indexed. Without, the "
         "time in ObjectIds."},
};

static const struct option_table option_table = {
    .name = "source mongodb",
    .help = "Changes of a collection in MongoDB.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct mongodb_config),
};

static const char *const op_names[MONGO_OPS] = {"insert", "update", "delete"};

static bool read_operations(const struct option_list *list, bool ops[MONGO_OPS])
{
    for (size_t i = 0; i < list->count; i++) {
        bool known = false;
        for (size_t k = 0; k < MONGO_OPS; k++) {
            bool same = str_eq_nocase(list->items[i], str_of(op_names[k]));
            ops[k] = ops[k] || same;
            known = known || same;
        }
        if (!known) {
            return false;
        }
    }
    return list->count > 0;
}

/* The connection string's own where the config names none. */
static bool find_database(const struct mongodb_config *c, struct arena *a, struct buf *ret_text,
                          struct str *ret_database, struct err *e)
{
    struct str named = STR("");

    secret_reveal(c->connection_string, ret_text);
    if (!mongo_parse(buf_text(ret_text), a, &named, e)) {
        return false;
    }
    *ret_database = c->database.len > 0 ? c->database : named;
    return true;
}

static bool fail_at(const struct yaml_node *node, const char *option, struct err *e,
                    const char *message)
{
    const struct yaml_node *at = yaml_get(node, str_of(option));

    (void)yaml_err(at != NULL ? at : node, e, ERR_CONFIG, "%s", message);
    e->source[0] = '\0'; /* the line may have the password */
    return false;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct mongodb_config *c = config;
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX + 1);
    AUTO(arena_release) struct arena a = {0};
    bool ops[MONGO_OPS] = {false};
    struct str database = STR("");
    struct err why = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!read_operations(&c->operations, ops)) {
        return fail_at(node, "operations", e, "expected some of insert, update, delete");
    }
    bool fine = find_database(c, &a, &text, &database, &why);
    explicit_bzero(text.ptr, text.len);
    if (!fine) {
        return fail_at(node, "connection_string", e, why.message);
    }
    return database.len > 0 ||
           fail_at(node, "database", e,
                   "no database is named, neither here nor in the connection string");
}

/* ---- answers ---- */

static const enum sourced results[MONGO_ANSWERS] = {
    [MONGO_OK] = SOURCED_OK,      [MONGO_NONE] = SOURCED_OK,
    [MONGO_AWAY] = SOURCED_AGAIN, [MONGO_REFUSED] = SOURCED_REFUSED,
    [MONGO_GONE] = SOURCED_LOST,  [MONGO_INVALIDATED] = SOURCED_OK,
};

/* What is gone is told with the time from which on it was not read. */
static enum sourced result_of(const struct mongodb_source *s, enum mongo_answer answer,
                              const struct mongo_place *at, struct err *e)
{
    AUTO(buf_release) struct buf when = BUF_INIT(BUF_SMALL);
    struct err why = *e;

    if (answer == MONGO_GONE) {
        buf_add_rfc3339(&when, (int64_t)at->seconds * NS_PER_S);
        (void)err_set(
            e, ERR_CONFLICT,
            "the server's log of changes does not reach back to where we were (%s): changes "
            "of '%.*s' since then were not read, and no stream can give them any more (%.600s)",
            buf_text(&when), STR_FMT(s->config->collection), why.message);
    }
    return results[answer];
}

/* ---- starting ---- */

static bool connect_to(struct mongodb_source *s, struct mongo **ret, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(SECRET_MAX + 1);
    struct str database = STR("");

    bool fine = find_database(s->config, &s->arena, &text, &database, e);
    if (fine) {
        buf_clear(&s->database);
        buf_add_str(&s->database, database);
        fine = mongo_open(buf_text(&text), buf_str(&s->database), s->config->collection, ret, e);
    }
    explicit_bzero(text.ptr, text.len);
    return fine;
}

static void set_place(struct mongodb_source *s, const struct mongo_place *place)
{
    AUTO(buf_release) struct buf token = BUF_INIT(POSITION_MAX);

    buf_add_str(&token, place->token); /* which may be a view of s->token */
    buf_clear(&s->token);
    buf_add_str(&s->token, buf_str(&token));
    s->place = *place;
    s->place.token = buf_str(&s->token);
}

static struct str print_place(struct mongodb_source *s)
{
    buf_clear(&s->text);
    mongodb_place_add(&s->text, &s->place);
    return buf_str(&s->text);
}

static enum mongo_answer watch(struct mongodb_source *s, struct err *e)
{
    struct mongo_watch w = {.from = s->place};
    struct str token;

    memcpy(w.ops, s->ops, sizeof(w.ops));
    enum mongo_answer answer = mongo_watch(s->mongo, &w, e);
    if (answer == MONGO_OK && s->place.token.len == 0 && mongo_token(s->mongo, &s->arena, &token)) {
        struct mongo_place p = s->place;
        p.token = token;
        set_place(s, &p);
    }
    return answer;
}

struct last {
    struct arena *arena;
    struct str id_json;
    bool is_there;
};

static bool take_last(void *arg, const struct mongo_document *d)
{
    struct last *last = arg;

    last->id_json = d->id_json;
    last->is_there = true;
    return false;
}

/* The _id of the document at <skip> of a query; empty without. */
static enum mongo_answer find_id(struct mongodb_source *s, struct mongo *m,
                                 const struct mongo_query *q, struct str *ret, struct err *e)
{
    struct last last = {.arena = &s->arena, .id_json = STR("")};
    enum mongo_answer answer = mongo_find(m, q, &s->arena, take_last, &last, e);

    *ret = last.id_json;
    return answer;
}

static enum sourced begin_first(struct mongodb_source *s, const struct mongo_place *now,
                                struct source_begun *ret, struct err *e)
{
    const struct mongo_query last = {.backwards = true, .limit = 1};
    struct str id = STR("");

    set_place(s, now);
    enum mongo_answer answer = watch(s, e);
    if (answer == MONGO_OK && s->place.token.len == 0 && s->place.seconds == 0) {
        (void)err_set(e, ERR_CONFIG, "the server gives neither a resume token nor its time");
        answer = MONGO_REFUSED;
    }
    if (answer == MONGO_OK) {
        answer = find_id(s, s->mongo, &last, &id, e);
    }
    buf_add_str(&ret->oldest, id);
    return results[answer];
}

static enum sourced begin_again(struct mongodb_source *s, struct str position, struct err *e)
{
    struct mongo_place from = {.token = STR("")};

    if (!mongodb_place_parse(position, &from)) {
        (void)err_set(e, ERR_CONFLICT, "'%.*s' is no place in a change stream",
                      STR_FMT(str_slice(position, 0, 200)));
        return SOURCED_LOST;
    }
    set_place(s, &from);
    return result_of(s, watch(s, e), &from, e);
}

static void end_clients(struct mongodb_source *s)
{
    mongo_close(s->mongo);
    mongo_close(s->past);
    s->mongo = s->past = NULL;
}

static enum sourced source_start(struct source *source, const struct source_start *from,
                                 struct source_begun *ret, struct wait wait, struct err *e)
{
    struct mongodb_source *s = (struct mongodb_source *)source;
    struct mongo_place now = {.token = STR("")};
    struct str name = STR("");

    (void)wait; /* bounded by the connection string's timeouts */
    end_clients(s);
    arena_reset(&s->arena);
    s->is_up_to_date = false;
    s->late = SOURCED_OK;
    if (!connect_to(s, &s->mongo, e)) {
        return SOURCED_REFUSED;
    }
    enum mongo_answer answer = mongo_look(s->mongo, &s->arena, &name, &now, e);
    if (answer != MONGO_OK) {
        return results[answer];
    }
    buf_addf(&ret->identity, "mongodb %.*s %.*s.%.*s", STR_FMT(name),
             STR_FMT(buf_str(&s->database)), STR_FMT(s->config->collection));
    if (from->identity.len > 0 && !str_eq(from->identity, buf_str(&ret->identity))) {
        buf_add_str(&ret->position, from->position);
        return SOURCED_OK; /* another replica set: who asked decides, and closes us */
    }
    enum sourced result =
        from->position.len > 0 ? begin_again(s, from->position, e) : begin_first(s, &now, ret, e);
    if (result == SOURCED_OK) {
        buf_add_str(&ret->position, print_place(s));
    }
    return result;
}

/* ---- the stream ---- */

static enum change_op change_op(enum mongo_op op)
{
    static const enum change_op ops[MONGO_OPS] = {[MONGO_INSERT] = CHANGE_INSERT,
                                                  [MONGO_UPDATE] = CHANGE_UPDATE,
                                                  [MONGO_DELETE] = CHANGE_DELETE};

    return ops[op];
}

/* "65e1...": what the token says beside its braces. */
static struct str token_word(struct str token)
{
    size_t from = str_find(token, STR(": \"")) + 3;
    struct str rest = from < token.len ? str_slice(token, from, token.len) : token;

    return str_slice(rest, 0, str_find_byte(rest, '"'));
}

static struct change *add_change(struct mongodb_source *s, struct changes *out, struct str id,
                                 struct str document, struct str fault)
{
    struct change *ch = changes_add(out);

    ch->name = s->config->collection;
    ch->id = id;
    ch->document = document;
    ch->form = CHANGE_DOCUMENT;
    if (fault.len > 0) {
        ch->form = CHANGE_BROKEN;
        ch->fault = fault;
    }
    out->bytes += document.len + CHANGE_OVERHEAD;
    return ch;
}

static void take_change(struct mongodb_source *s, const struct mongo_change *c, struct changes *out)
{
    struct arena *a = &out->arena;
    struct change *ch = add_change(s, out, c->id, c->document, c->fault);

    ch->op = change_op(c->op);
    ch->time_ns = c->time_ns;
    ch->sequence = arena_printf(a, "%08" PRIx32 "%08" PRIx32, c->place.seconds, c->place.ordinal);
    if (s->ops[MONGO_UPDATE] || s->ops[MONGO_DELETE]) {
        ch->key = c->id;
    }
    if (c->op != MONGO_INSERT) {
        ch->id = arena_printf(a, "%.*s/%.*s", STR_FMT(c->id), STR_FMT(token_word(c->place.token)));
    }
    set_place(s, &c->place);
    ch->position = arena_dup(a, print_place(s));
    s->last_time_ns = c->time_ns;
}

/* Dropped or renamed: goes on behind it, with what may come under its name. */
static enum mongo_answer cross(struct mongodb_source *s, const struct mongo_place *place,
                               struct err *e)
{
    trace_warn(&s->trace,
               "the collection was dropped or renamed; going on with what comes under its name",
               T_STR("stream", s->stream), T_STR("collection", s->config->collection));
    set_place(s, place);
    return watch(s, e);
}

/* What was passed over moves the place too, so that the token of an idle collection does not grow old. */
static void move_on(struct mongodb_source *s, struct changes *out)
{
    struct str token = STR("");

    if (mongo_token(s->mongo, &out->arena, &token) && !str_eq(token, s->place.token) &&
        !s->place.is_invalidated) {
        struct mongo_place p = s->place;
        p.token = token;
        set_place(s, &p);
        out->position = arena_dup(&out->arena, print_place(s));
    }
}

/* Servers wait for changes themselves; one that does not is not asked without end. */
static void slow_down(const struct mongodb_source *s, int64_t began_ns, struct wait wait)
{
    if (clock_mono_ns(s->env->clock) - began_ns < PAUSE_MS * NS_PER_MS) {
        (void)wait_sleep(wait_limit_ms(wait, s->env->clock, PAUSE_MS));
    }
}

static enum sourced source_next(struct source *source, size_t max, struct changes *ret,
                                struct wait wait, struct err *e)
{
    struct mongodb_source *s = (struct mongodb_source *)source;
    enum mongo_answer answer = MONGO_OK;
    struct mongo_change c;
    bool goes_on = true;

    if (s->late != SOURCED_OK) {
        *e = s->late_err;
        return s->late;
    }
    while (goes_on) {
        int64_t began_ns = clock_mono_ns(s->env->clock);
        answer = mongo_next(s->mongo, &ret->arena, &c, &s->late_err);
        if (answer == MONGO_OK) {
            take_change(s, &c, ret);
        } else if (answer == MONGO_INVALIDATED) {
            answer = cross(s, &c.place, &s->late_err);
            ret->position = arena_dup(&ret->arena, print_place(s));
        }
        if (answer == MONGO_NONE && ret->list.len == 0) {
            slow_down(s, began_ns, wait);
        }
        bool is_due = ret->list.len > 0 || wait_is_over(wait, s->env->clock);
        goes_on = results[answer] == SOURCED_OK && ret->list.len < max &&
                  (mongo_has_more(s->mongo) || !is_due);
    }
    move_on(s, ret);
    s->is_up_to_date = !mongo_has_more(s->mongo) && answer == MONGO_NONE;
    s->late = result_of(s, answer, &s->place, &s->late_err);
    if (s->late != SOURCED_OK && ret->list.len == 0) {
        *e = s->late_err;
        return s->late;
    }
    return SOURCED_OK;
}

static void source_ack(struct source *source, struct str position)
{
    (void)source;
    (void)position; /* the server keeps nothing for us */
}

static void source_measure(struct source *source, struct source_measures *ret, struct wait wait)
{
    struct mongodb_source *s = (struct mongodb_source *)source;

    (void)wait;
    *ret = (struct source_measures){.behind = -1, .retained_bytes = -1};
    if (s->is_up_to_date) {
        ret->behind = 0;
        ret->head_ns = s->last_time_ns;
    }
}

/* ---- the backfill ---- */

struct page {
    struct mongodb_source *source;
    struct changes *out;
    size_t seen;
};

static bool take_document(void *arg, const struct mongo_document *d)
{
    struct page *page = arg;
    struct change *ch = add_change(page->source, page->out, d->id, d->document, d->fault);

    ch->op = CHANGE_INSERT;
    ch->time_ns = d->time_ns;
    ch->position = d->id_json;
    if (page->source->ops[MONGO_UPDATE] || page->source->ops[MONGO_DELETE]) {
        ch->key = d->id;
    }
    page->seen++;
    return true;
}

static struct mongo_query query_of(const struct mongodb_source *s, const struct source_range *range)
{
    return (struct mongo_query){
        .until = range->end, .time_field = s->config->time_field, .from_ns = range->from_ns};
}

/* A first page of the newest begins at the first of them. */
static enum mongo_answer find_floor(struct mongodb_source *s, const struct source_range *range,
                                    struct mongo_query *q, struct err *e)
{
    struct mongo_query newest = query_of(s, range);
    struct str id = STR("");

    if (range->newest == 0) {
        return MONGO_OK;
    }
    newest.backwards = true;
    newest.skip = range->newest; /* the one before the first that is wanted */
    newest.limit = 1;
    enum mongo_answer answer = find_id(s, s->past, &newest, &id, e);
    if (answer == MONGO_OK) {
        q->after = id;
    }
    return answer;
}

static void tell_of_times(struct mongodb_source *s, const struct source_range *range)
{
    if (range->from_ns > 0 && s->config->time_field.len == 0 && !s->has_told_of_times &&
        str_find(range->end, STR("$oid")) == range->end.len) {
        s->has_told_of_times = true;
        trace_warn(
            &s->trace,
            "how old documents are is not known, since their _id is no ObjectId: all are exported; "
            "time_field names a date",
            T_STR("stream", s->stream));
    }
}

static enum sourced source_backfill(struct source *source, const struct source_range *range,
                                    struct str cursor, size_t max, struct changes *ret,
                                    bool *ret_done, struct wait wait, struct err *e)
{
    struct mongodb_source *s = (struct mongodb_source *)source;
    struct mongo_query q = query_of(s, range);
    struct page page = {s, ret, 0};
    enum mongo_answer answer = MONGO_OK;

    (void)wait;
    *ret_done = false;
    arena_reset(&s->arena);
    tell_of_times(s, range);
    if (s->past == NULL && !connect_to(s, &s->past, e)) {
        return SOURCED_REFUSED;
    }
    q.after = cursor;
    q.limit = max;
    if (cursor.len == 0) {
        answer = find_floor(s, range, &q, e);
    }
    if (answer == MONGO_OK) {
        answer = mongo_find(s->past, &q, &ret->arena, take_document, &page, e);
    }
    if (answer != MONGO_OK && page.seen == 0) {
        mongo_close(s->past);
        s->past = NULL;
        return results[answer];
    }
    *ret_done = answer == MONGO_OK && page.seen < max;
    return SOURCED_OK;
}

static int64_t source_backfill_left(struct source *source, const struct source_range *range,
                                    struct str cursor, struct wait wait)
{
    struct mongodb_source *s = (struct mongodb_source *)source;
    struct mongo_query q = query_of(s, range);

    (void)wait;
    if (s->past == NULL) {
        return -1;
    }
    q.after = cursor;
    int64_t left = mongo_count(s->past, &q);
    bool too_many = cursor.len == 0 && range->newest > 0 && left > (int64_t)range->newest;
    return too_many ? (int64_t)range->newest : left;
}

/* ---- life ---- */

static void source_end(struct source *source)
{
    struct mongodb_source *s = (struct mongodb_source *)source;

    end_clients(s);
    arena_release(&s->arena);
    buf_release(&s->database);
    buf_release(&s->token);
    buf_release(&s->text);
    mem_free(s);
}

static const struct source_ops ops = {
    .start = source_start,
    .next = source_next,
    .ack = source_ack,
    .backfill = source_backfill,
    .backfill_left = source_backfill_left,
    .measure = source_measure,
    .close = source_end,
};

static bool open_source(const struct source_place *place, const void *config,
                        struct source **ret_source, struct err *e)
{
    const struct mongodb_config *c = config;
    struct mongodb_source *s = mem_new(struct mongodb_source);

    s->source.ops = &ops;
    s->config = c;
    s->env = place->env;
    s->stream = place->stream;
    trace_init_part(&s->trace, place->env->trace, "events", place->stream, TRACE_INFO);
    arena_init(&s->arena, ARENA_UNLIMITED);
    buf_init(&s->database, BUF_SMALL);
    buf_init(&s->token, POSITION_MAX);
    buf_init(&s->text, POSITION_MAX);
    if (!read_operations(&c->operations, s->ops)) {
        source_end(&s->source);
        return err_set(e, ERR_CONFIG, "operations: expected some of insert, update, delete");
    }
    *ret_source = &s->source;
    return true;
}

const struct source_kind source_mongodb = {
    .name = "mongodb",
    .help = "Changes of a collection in MongoDB, by a change stream.",
    .example = "type: mongodb\nconnection_string: mongodb://127.0.0.1:27017/?replicaSet=rs0\n"
               "database: nvsentinel\ncollection: HealthEvents\n",
    .options = &option_table,
    .check = check,
    .look = source_look_by_start,
    .open = open_source,
};
