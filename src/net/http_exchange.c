/*
 * A request's way through its phases, driven by libmicrohttpd's callbacks on the connection's thread,
 * answered there or from anywhere.
 *
 *     on_uri -> HEAD -> (admit, begin) -> BODY -> END -> SEND -> on_completed
 *                             |             |
 *                             +--> DRAIN ---+   answered early, a small body is still read
 *
 * Invariants:
 *   1. From on_uri to on_completed the server holds a reference; <over> is set in between the last
 *      use of <connection> and the reference's drop.
 *   2. <response> is given at most once (<answered>), queued at most once, and destroyed by whoever
 *      finds it when the exchange is over.
 *   3. <suspended> is set under the lock together with MHD_suspend_connection(), so that nobody
 *      resumes too early; whoever clears it under the lock is the one who resumes.
 *   4. While <suspended> the connection lives: libmicrohttpd ends it only after it was resumed.
 *   5. After <aborting> nothing is suspended any more.
 *   6. libmicrohttpd takes a response before the body or after it, never in between.
 */
#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "net/http_server_int.h"

enum {
    SEND_LIMIT_S = 300, /* for an answer that is not a stream */
    BUDGET_STEP = 64 * 1024,
};

/* --- references and the list --- */

struct http_exchange *http_exchange_hold(struct http_exchange *x)
{
    lock_take(&x->server->lock);
    x->refs++;
    lock_give(&x->server->lock);
    return x;
}

/* Would nobody be left to answer it, but for the caller? Then the caller keeps its reference. */
static bool is_forgotten(struct http_exchange *x) REQUIRES(&x->server->lock)
{
    return x->refs == 2 && x->suspended && !x->answered;
}

void http_exchange_drop(struct http_exchange *x)
{
    if (x == NULL) {
        return;
    }
    struct http_server *s = x->server;
    lock_take(&x->server->lock);
    if (is_forgotten(x)) {
        lock_give(&x->server->lock);
        http_exchange_error(x, 500, "internal", "the request was dropped without an answer");
        lock_take(&x->server->lock);
    }
    unsigned left = --x->refs;
    lock_give(&x->server->lock);
    if (left == 0) {
        arena_release(&x->arena);
        mem_free(x);
        http_server_unref(s);
    }
}

static void enlist(struct http_exchange *x)
{
    struct http_server *s = x->server;

    lock_take(&s->lock);
    x->next = s->exchanges;
    if (x->next != NULL) {
        x->next->prev = x;
    }
    s->exchanges = x;
    s->in_flight++;
    lock_give(&s->lock);
}

static void unlist(struct http_exchange *x) REQUIRES(&x->server->lock)
{
    struct http_server *s = x->server;

    if (x->prev != NULL) {
        x->prev->next = x->next;
    } else {
        s->exchanges = x->next;
    }
    if (x->next != NULL) {
        x->next->prev = x->prev;
    }
    s->in_flight--;
    if (s->in_flight == 0) {
        cond_broadcast(&s->idle);
    }
}

void *http_exchange_on_uri(void *server, const char *uri, struct MHD_Connection *connection)
{
    struct http_exchange *x = mem_new(struct http_exchange);
    struct str target = str_of(uri);

    x->server = http_server_ref(server);
    x->connection = connection;
    x->start_ns = clock_mono_ns(x->server->env->clock);
    x->match.stats = SIZE_MAX;
    x->refs = 1;
    arena_init(&x->arena, HTTP_EXCHANGE_ARENA_MAX);
    target = arena_dup(&x->arena, str_slice(target, 0, str_find_byte(target, '#')));
    size_t question = str_find_byte(target, '?');
    x->path = str_slice(target, 0, question);
    x->query = str_slice(target, question + 1, target.len);
    enlist(x);
    return x;
}

/* --- answering --- */

/* Ends a wait, if there is one; called with the server's lock. */
static void resume(struct http_exchange *x)
{
    if (x->suspended) {
        x->suspended = false;
        MHD_resume_connection(x->connection);
    }
}

bool http_exchange_answer(struct http_exchange *x, const struct http_answer *answer)
{
    struct MHD_Response *response = http_answer_make(x, answer);

    lock_take(&x->server->lock);
    if (x->answered || x->over || x->aborted) {
        lock_give(&x->server->lock);
        MHD_destroy_response(response);
        return false;
    }
    x->answered = true;
    x->streams = answer->stream != NULL;
    x->response = response;
    x->response_status = answer->status != 0 ? answer->status : 200;
    resume(x);
    lock_give(&x->server->lock);
    return true;
}

bool http_exchange_is_over(struct http_exchange *x)
{
    lock_take(&x->server->lock);
    bool over = x->over || x->aborted;
    lock_give(&x->server->lock);
    return over;
}

void http_exchange_wake(struct http_exchange *x)
{
    lock_take(&x->server->lock);
    x->woken = !x->over && !x->suspended;
    resume(x);
    lock_give(&x->server->lock);
}

bool http_exchange_pause(struct http_exchange *x)
{
    struct http_server *s = x->server;

    lock_take(&s->lock);
    bool pause = !x->woken && !x->aborted && !s->aborting;
    x->woken = false;
    if (pause) {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    lock_give(&s->lock);
    return pause;
}

void http_exchanges_abort(struct http_server *s)
{
    lock_take(&s->lock);
    s->aborting = true;
    for (struct http_exchange *x = s->exchanges; x != NULL; x = x->next) {
        x->aborted = true;
        resume(x);
    }
    lock_give(&s->lock);
}

/* --- libmicrohttpd's side --- */

static void limit(struct http_exchange *x, int64_t limit_ns)
{
    if (x->place != NULL) { /* it has one from its head on */
        http_connection_limit(&x->server->connections, x->place, limit_ns);
    }
}

static enum MHD_Result queue(struct http_exchange *x, struct MHD_Response *response, int status)
{
    struct http_server *s = x->server;

    x->phase = PHASE_SEND;
    x->status = status;
    limit(x, x->streams ? DEADLINE_NEVER : SEND_LIMIT_S * NS_PER_S);
    if (atomic_load(&s->draining)) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    enum MHD_Result queued = MHD_queue_response(x->connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return queued;
}

/* Takes the answer that is there; NULL: there is none, and the connection waits for it. */
static struct MHD_Response *take_or_wait(struct http_exchange *x, int *ret_status)
    REQUIRES(&x->server->lock)
{
    struct MHD_Response *response = x->response;

    x->response = NULL;
    *ret_status = x->response_status;
    if (response == NULL && !x->aborted && !x->server->aborting) {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    return response;
}

static enum MHD_Result queue_or_wait(struct http_exchange *x)
{
    int status;

    lock_take(&x->server->lock);
    struct MHD_Response *response = take_or_wait(x, &status);
    bool waits = x->suspended;
    x->aborted = x->aborted || (response == NULL && !waits);
    lock_give(&x->server->lock);
    if (waits) {
        return MHD_YES;
    }
    if (response == NULL) {
        struct http_answer stopping = {
            .status = 503, .constant = STR("stopping\n"), .content_type = "text/plain"};
        response = http_answer_make(x, &stopping);
        status = stopping.status;
    }
    return queue(x, response, status);
}

/* The answer came before the body was read: is what is left of it worth reading? */
static bool is_worth_draining(const struct http_exchange *x)
{
    int64_t announced = http_exchange_announced(x);

    return announced > 0 && announced <= HTTP_DRAIN_MAX &&
           http_exchange_header(x, MHD_HTTP_HEADER_EXPECT).ptr == NULL;
}

static bool is_answered(struct http_exchange *x)
{
    lock_take(&x->server->lock);
    bool answered = x->answered;
    lock_give(&x->server->lock);
    return answered;
}

static enum MHD_Result on_head(struct http_exchange *x)
{
    const struct http_handler *handler = NULL;

    const union MHD_ConnectionInfo *place =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    x->place = place->socket_context;
    x->takes_gzip = accepts_gzip(http_exchange_header(x, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    limit(x, x->server->config->request_timeout_ns);
    if (http_admit(x)) {
        handler = x->match.route->handler;
        buf_init(&x->body, x->match.route->body_max);
        x->began = true;
        if (handler->begin != NULL) {
            handler->begin(x);
        }
    }
    if (!is_answered(x)) {
        x->phase = PHASE_BODY;
        return MHD_YES;
    }
    if (is_worth_draining(x)) {
        x->phase = PHASE_DRAIN;
        return MHD_YES;
    }
    return queue_or_wait(x);
}

/* Room for all of a body that was announced, and so paid for, instead of a little more with each piece. */
static void make_room(struct http_exchange *x)
{
    int64_t announced = http_exchange_announced(x);

    if (x->body.len == 0 && announced > 0 && announced <= x->taken_bytes) {
        (void)buf_reserve(&x->body, (size_t)announced);
    }
}

static void collect(struct http_exchange *x, struct str bytes)
{
    struct budget *budget = x->server->env->budget;
    int64_t need = (int64_t)(x->body.len + bytes.len);

    if (budget != NULL && need > x->taken_bytes) {
        int64_t more = need - x->taken_bytes < BUDGET_STEP ? BUDGET_STEP : need - x->taken_bytes;
        if (!budget_try_take(budget, more)) {
            http_exchange_busy(x, 503, 1, "no memory is left for this request");
            return;
        }
        x->taken_bytes += more;
    }
    make_room(x);
    buf_add_str(&x->body, bytes);
}

static enum MHD_Result on_bytes(struct http_exchange *x, struct str bytes)
{
    const struct http_route *route = x->match.route;

    x->seen_bytes += bytes.len;
    if (x->phase == PHASE_DRAIN) {
        /* An announced body ends; one in chunks need not. */
        bool endless = http_exchange_announced(x) < 0 &&
                       x->seen_bytes - HTTP_DRAIN_MAX > route->body_max &&
                       x->seen_bytes > HTTP_DRAIN_MAX;
        return endless ? MHD_NO : MHD_YES;
    }
    if (x->seen_bytes > route->body_max) {
        http_exchange_error(x, 413, "too_large", "the body is larger than the %zu bytes allowed",
                            route->body_max);
    } else if (route->handler->body != NULL) {
        route->handler->body(x, bytes);
    } else {
        collect(x, bytes);
    }
    if (is_answered(x)) {
        x->phase = PHASE_DRAIN;
    }
    return MHD_YES;
}

/* The handler has returned: did it answer, or keep the exchange to do so? */
static void answer_if_left(struct http_exchange *x)
{
    lock_take(&x->server->lock);
    bool left = x->refs == 1 && !x->answered;
    lock_give(&x->server->lock);
    if (left) {
        http_exchange_error(x, 500, "internal", "the request was left without an answer");
    }
}

/* All is read. */
static enum MHD_Result on_end(struct http_exchange *x)
{
    if (x->phase == PHASE_BODY) {
        x->phase = PHASE_END;
        limit(x, DEADLINE_NEVER);
        x->match.route->handler->end(x);
        answer_if_left(x);
    }
    x->phase = PHASE_END;
    return queue_or_wait(x);
}

enum MHD_Result http_exchange_on_request(void *server, struct MHD_Connection *connection,
                                         const char *url, const char *method, const char *version,
                                         const char *bytes, size_t *len, void **exchange)
{
    struct http_exchange *x = *exchange;

    (void)server;
    (void)connection;
    (void)url;
    (void)version;
    if (x->phase == PHASE_HEAD) {
        x->method = arena_dup(&x->arena, str_of(method));
        return on_head(x);
    }
    if (*len > 0) {
        struct str chunk = str_make(bytes, *len);
        *len = 0;
        return on_bytes(x, chunk);
    }
    return on_end(x);
}

/* --- the end --- */

static void note_end(struct http_exchange *x)
{
    struct http_server *s = x->server;
    int64_t took_ns = clock_mono_ns(s->env->clock) - x->start_ns;

    http_stats_count(s->stats, x->match.stats, x->status, took_ns);
    trace_debug(&s->trace, "request", T_STR("method", x->method), T_STR("path", x->path),
                T_I64("status", x->status), T_F64("seconds", (double)took_ns / (double)NS_PER_S),
                T_U64("body_bytes", x->seen_bytes),
                T_TEXT("remote", x->place != NULL ? x->place->remote : "?"));
}

void http_exchange_on_completed(void *server, struct MHD_Connection *connection, void **exchange,
                                enum MHD_RequestTerminationCode why)
{
    struct http_server *s = server;
    struct http_exchange *x = *exchange;

    (void)connection;
    (void)why;
    if (x == NULL) {
        return;
    }
    lock_take(&x->server->lock);
    struct MHD_Response *response = x->response;
    x->response = NULL;
    x->over = true;
    lock_give(&x->server->lock);
    if (response != NULL) {
        MHD_destroy_response(response);
    }
    if (x->began && x->match.route->handler->gone != NULL) {
        x->match.route->handler->gone(x);
    }
    note_end(x);
    buf_release(&x->body);
    if (x->taken_bytes > 0) {
        budget_give(s->env->budget, x->taken_bytes);
    }
    limit(x, s->config->idle_timeout_ns);
    *exchange = NULL;
    lock_take(&x->server->lock);
    unlist(x);
    lock_give(&x->server->lock);
    http_exchange_drop(x);
}
