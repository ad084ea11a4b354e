/* /api/v1/streams: how change streams are, and what a person may do to one. */
#include "base/mem.h"
#include "events/events.h"
#include "events/stream_letters.h"
#include "server/reply.h"
#include "server/server_int.h"

enum { ANSWER_MAX = 4 * 1024 * 1024 };

/* ---- one stream ---- */

static void print_attempts(struct json_writer *w, const struct attempt_counts *a)
{
    json_key(w, STR("attempts"));
    json_begin_object(w);
    for (size_t i = 0; i < ATTEMPT_KINDS; i++) {
        if (a->of[i] > 0) {
            reply_u64(w, attempt_kind_name(i), a->of[i]);
        }
    }
    json_end_object(w);
}

static void reply_age(struct json_writer *w, const char *name, int64_t age_ns)
{
    if (age_ns < 0) {
        reply_text(w, name, NULL);
    } else {
        reply_double(w, name, (double)age_ns / (double)NS_PER_S);
    }
}

static void print_sink(struct json_writer *w, const struct stream_status *s)
{
    const struct output_status *o = &s->sink;

    json_key(w, STR("sink"));
    json_begin_object(w);
    reply_str(w, "exporter", s->exporter);
    reply_text(w, "state", o->state);
    reply_bool(w, "is_healthy", o->is_healthy);
    reply_u64(w, "delivered", o->delivered_rows);
    reply_u64(w, "refused", o->rejected_rows);
    reply_u64(w, "retries", o->retries);
    print_attempts(w, &s->attempts);
    reply_age(w, "token_age_seconds", s->token_age_ns);
    reply_time(w, "last_success", o->last_success_ns);
    reply_text(w, "last_error", o->last_error[0] != '\0' ? o->last_error : NULL);
    reply_time(w, "last_error_at", o->last_error_ns);
    json_end_object(w);
}

static void print_backfill(struct json_writer *w, const struct stream_status *s)
{
    json_key(w, STR("backfill"));
    json_begin_object(w);
    reply_text(w, "phase", s->backfill);
    reply_u64(w, "done", s->backfilled);
    reply_known(w, "left", s->backfill_left);
    reply_bool(w, "left_is_estimate", s->left_is_estimate);
    reply_time(w, "done_at", s->backfill_done_ns);
    reply_known(w, "eta_seconds", s->backfill_eta_s);
    json_end_object(w);
}

static void print_source(struct json_writer *w, const struct stream_status *s)
{
    json_key(w, STR("source"));
    json_begin_object(w);
    reply_text(w, "kind", s->kind);
    reply_str(w, "identity", s->identity);
    reply_text(w, "state", s->source_state[0] != '\0' ? s->source_state : NULL);
    reply_known(w, "retained_bytes", s->retained_bytes);
    reply_bool(w, "in_danger", s->in_danger);
    reply_u64(w, "restarts", s->restarts);
    json_end_object(w);
}

static void print_spot(struct json_writer *w, const char *name, const struct stream_spot *spot)
{
    if (spot->at_ns == 0) {
        reply_text(w, name, NULL);
        return;
    }
    json_key(w, str_of(name));
    json_begin_object(w);
    reply_str(w, "position", spot->position);
    reply_time(w, "since", spot->at_ns);
    json_end_object(w);
}

static void print_passed(struct json_writer *w, const struct stream_changed *c)
{
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_SMALL);

    if (c->letter != 0) {
        letter_id_print((struct letter_id){c->letter_box, c->letter}, &id);
    }
    reply_bool(w, "moves", c->is_move);
    reply_bool(w, "passes", c->is_pass);
    reply_text(w, "letter", id.len > 0 ? buf_text(&id) : NULL);
}

static void print_changed(struct json_writer *w, const struct stream_changed *c)
{
    json_key(w, STR("change"));
    if (c->what == NULL) {
        json_add_null(w);
        return;
    }
    json_begin_object(w);
    reply_text(w, "what", c->what);
    reply_text(w, "phase", c->phase);
    reply_time(w, "since", c->at_ns);
    reply_text(w, "problem", c->problem[0] != '\0' ? c->problem : NULL);
    print_spot(w, "from", &c->from);
    print_spot(w, "to", &c->to);
    print_passed(w, c);
    json_end_object(w);
}

static void print_lag(struct json_writer *w, const struct stream_status *s)
{
    if (s->lag_ns >= 0) {
        reply_double(w, "lag_seconds", (double)s->lag_ns / (double)NS_PER_S);
    } else {
        reply_text(w, "lag_seconds", NULL);
    }
}

static void print_stream(struct json_writer *w, const struct stream_status *s)
{
    json_begin_object(w);
    reply_str(w, "name", s->name);
    reply_text(w, "state", stream_state_name(s->state));
    reply_bool(w, "ready", s->is_ready);
    reply_text(w, "reason", s->reason[0] != '\0' ? s->reason : NULL);
    reply_str(w, "position", s->position);
    reply_time(w, "position_saved", s->saved_ns);
    reply_time(w, "first_started", s->first_ns);
    print_lag(w, s);
    reply_known(w, "lag_events", s->lag_events);
    reply_u64(w, "read", s->read);
    reply_u64(w, "done", s->done);
    reply_u64(w, "filtered", s->filtered);
    reply_u64(w, "broken", s->broken);
    reply_u64(w, "in_flight", s->in_flight);
    json_key(w, STR("dead_letters"));
    json_begin_object(w);
    for (int box = 0; box < LETTER_BOXES; box++) {
        reply_u64(w, letter_box_name((enum letter_box)box), s->letters[box]);
    }
    json_end_object(w);
    print_backfill(w, s);
    print_source(w, s);
    print_sink(w, s);
    print_changed(w, &s->changed);
    json_end_object(w);
}

static void finish_as(struct http_exchange *x, int status, struct buf *out, struct json_writer *w)
{
    json_end_object(w);
    buf_add_byte(out, '\n');
    server_answer(x, status, "application/json", out);
}

static void finish(struct http_exchange *x, struct buf *out, struct json_writer *w)
{
    finish_as(x, 200, out, w);
}

static size_t find_all(struct app *app, struct arena *a, struct stream_status **ret)
{
    struct event_streams *streams = app_event_streams(app);

    *ret = NULL;
    return streams != NULL ? event_streams_status(streams, a, ret) : 0;
}

static void list(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct app *app = server_app(x);
    struct stream_status *all = NULL;
    struct json_writer w;

    if (app == NULL) {
        return;
    }
    (void)app_view_begin(app);
    size_t count = find_all(app, http_exchange_arena(x), &all);
    reply_begin(&w, &out);
    json_begin_object(&w);
    json_key(&w, STR("streams"));
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        print_stream(&w, &all[i]);
    }
    json_end_array(&w);
    json_end_object(&w);
    app_view_end(app);
    finish(x, &out, &w);
}

/* While the list is made anew nobody knows who is not in it. */
static void not_found(struct http_exchange *x, struct app *app, struct str name)
{
    struct event_streams *streams = app_event_streams(app);
    bool is_known = streams == NULL || event_streams_is_whole(streams);

    (void)http_exchange_error(x, is_known ? 404 : 503, is_known ? "not_found" : "unavailable",
                              is_known ? "no stream '%.*s' runs"
                                       : "no stream '%.*s' runs yet; try again",
                              STR_FMT(str_slice(name, 0, 64)));
}

/* On any thread. False: there is none of this name. */
static bool answer_one(struct http_exchange *x, struct app *app, struct str name)
{
    AUTO(arena_release) struct arena a;
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct stream_status *all = NULL;
    struct json_writer w;
    bool found = false;

    arena_init(&a, ARENA_UNLIMITED);
    (void)app_view_begin(app);
    size_t count = find_all(app, &a, &all);
    reply_begin(&w, &out);
    for (size_t i = 0; !found && i < count; i++) {
        found = str_eq(all[i].name, name);
        if (found) {
            print_stream(&w, &all[i]);
        }
    }
    app_view_end(app);
    if (found) {
        finish(x, &out, &w);
    } else {
        buf_release(&out);
    }
    return found;
}

static void one(struct http_exchange *x)
{
    struct app *app = server_app(x);

    if (app != NULL && !answer_one(x, app, http_exchange_param(x, 0))) {
        not_found(x, app, http_exchange_param(x, 0));
    }
}

/* ---- changing one ---- */

static const struct {
    const char *name;
    enum stream_change change;
} verbs[] = {{"reset", STREAM_RESET}, {"skip", STREAM_SKIP}, {"rewind", STREAM_REWIND}};

static bool find_verb(struct http_exchange *x, enum stream_change *ret)
{
    struct str verb = http_exchange_param(x, 1);

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (str_eq(verb, str_of(verbs[i].name))) {
            *ret = verbs[i].change;
            return true;
        }
    }
    return http_exchange_error(x, 404, "not_found",
                               "a stream can be asked to reset, skip or rewind, not to '%.*s'",
                               STR_FMT(str_slice(verb, 0, 64))) &&
           false;
}

/* A change that makes no sense now, or could not be made. */
static void refuse_change(struct http_exchange *x, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    err_print_line(e, &text);
    (void)http_exchange_error(x,
                              e->code == ERR_PARSE  ? 404
                              : e->code == ERR_FULL ? 503
                                                    : 409,
                              e->code == ERR_PARSE  ? "not_found"
                              : e->code == ERR_FULL ? "unavailable"
                                                    : "conflict",
                              "%s", buf_text(&text));
}

/* One of which only something was left is gone with a reset; else a config is taken over. */
static void changed(struct http_exchange *x, struct app *app, struct str name,
                    enum stream_change change)
{
    struct event_streams *streams = app_event_streams(app);
    bool is_gone = change == STREAM_RESET && (streams == NULL || event_streams_is_whole(streams));

    struct buf out = BUF_INIT(ANSWER_MAX);
    struct json_writer w;

    if (answer_one(x, app, name)) {
        return;
    }
    reply_begin(&w, &out);
    json_begin_object(&w);
    reply_str(&w, "name", name);
    reply_text(&w, "state", is_gone ? "forgotten" : "changed");
    reply_bool(&w, "ready", true);
    json_end_object(&w);
    finish(x, &out, &w);
}

/* It takes long: where to look. */
static void answer_later(struct http_exchange *x, struct str name)
{
    struct buf out = BUF_INIT(ANSWER_MAX);
    struct json_writer w;

    reply_begin(&w, &out);
    json_begin_object(&w);
    reply_str(&w, "name", name);
    reply_text(&w, "state", "changing");
    reply_text(&w, "reason", "the change goes on; `change` of the stream says what becomes of it");
    json_key(&w, STR("see"));
    AUTO(buf_release) struct buf see = BUF_INIT(BUF_SMALL);
    buf_addf(&see, "/api/v1/streams/%.*s", STR_FMT(name));
    json_add_str(&w, buf_str(&see));
    json_end_object(&w);
    finish_as(x, 202, &out, &w);
}

struct asked {
    struct http_exchange *exchange;
    struct app *app;
    struct str name;
    enum stream_change change;
    struct arena arena;
};

static void free_asked(struct asked *a)
{
    http_exchange_drop(a->exchange);
    arena_release(&a->arena);
    mem_free(a);
}

static void told(void *arg, enum stream_change_result result, const struct err *e)
{
    struct asked *a = arg;

    if (result == STREAM_CHANGE_DONE) {
        changed(a->exchange, a->app, a->name, a->change);
    } else if (result == STREAM_CHANGE_GOES_ON) {
        answer_later(a->exchange, a->name);
    } else {
        refuse_change(a->exchange, e);
    }
    free_asked(a);
}

static void ask(struct http_exchange *x, struct app *app, const struct stream_order *order)
{
    struct asked *a = mem_new(struct asked);
    const struct stream_change_end end = {told, a};
    struct err e = ERR_INIT;

    arena_init(&a->arena, ARENA_UNLIMITED);
    a->exchange = http_exchange_hold(x);
    a->app = app;
    a->change = order->change;
    a->name = arena_dup(&a->arena, order->name);
    if (!event_streams_ask(app_event_streams(app), order, &end, &e)) {
        refuse_change(x, &e);
        free_asked(a);
    }
}

/* Of a rewind: in the query, or, since it may be long, as {"position": ...} in the body. */
static bool read_position(struct http_exchange *x, struct stream_order *order)
{
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    if (!http_exchange_query_value(x, STR("position"), &order->position) &&
        http_exchange_body(x).len > 0) {
        if (!json_parse(http_exchange_body(x), http_exchange_arena(x), &root, &e)) {
            (void)http_exchange_error(x, 400, "bad_data", "the body: %s", e.message);
            return false;
        }
        order->position = json_get_str(root, STR("position"));
    }
    if (order->change == STREAM_REWIND && order->position.len == 0) {
        (void)http_exchange_error(x, 400, "bad_data", "rewind needs a position");
        return false;
    }
    return true;
}

/* `drop_source`: without, what is usual. */
static bool read_fate(struct http_exchange *x, struct stream_order *order)
{
    struct str drop = STR("");

    if (!http_exchange_query_value(x, STR("drop_source"), &drop)) {
        return true;
    }
    order->source = str_eq(drop, STR("true")) ? STREAM_SOURCE_DROPPED : STREAM_SOURCE_KEPT;
    if (order->change != STREAM_RESET && order->source == STREAM_SOURCE_DROPPED) {
        (void)http_exchange_error(x, 400, "bad_data", "drop_source goes with reset alone");
        return false;
    }
    return true;
}

static void change(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct stream_order order = {.name = http_exchange_param(x, 0)};

    if (app == NULL || !find_verb(x, &order.change) || !read_position(x, &order) ||
        !read_fate(x, &order)) {
        return;
    }
    if (app_event_streams(app) == NULL) {
        not_found(x, app, order.name);
    } else {
        ask(x, app, &order);
    }
}

/* ---- readiness ---- */

bool server_streams_ready(struct http_exchange *x, struct app *app, struct buf *out)
{
    struct stream_status *all = NULL;
    bool is_ready = true;

    (void)app_view_begin(app);
    size_t count = find_all(app, http_exchange_arena(x), &all);
    for (size_t i = 0; i < count; i++) {
        if (!all[i].is_ready) {
            is_ready = false;
            buf_addf(out, "stream %.*s: %s%s%s\n", STR_FMT(all[i].name),
                     stream_state_name(all[i].state), all[i].reason[0] != '\0' ? ": " : "",
                     all[i].reason);
        }
    }
    app_view_end(app);
    return is_ready;
}

const struct http_handler resource_streams = {.end = list};
const struct http_handler resource_stream = {.end = one};
const struct http_handler resource_stream_change = {.end = change};
