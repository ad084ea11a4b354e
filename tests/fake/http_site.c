#include "fake/http_site.h"

#include "base/mem.h"

#include <string.h>

static void note_begin(struct http_exchange *x)
{
    struct http_site *f = http_exchange_arg(x);

    atomic_fetch_add(&f->began, 1);
}

static void note_gone(struct http_exchange *x)
{
    struct http_site *f = http_exchange_arg(x);

    atomic_fetch_add(&f->gone, 1);
}

/* What the server saw, as text. */
static void end_echo(struct http_exchange *x)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_UNLIMITED);
    struct str value = STR("-");

    (void)http_exchange_query_value(x, STR("q"), &value);
    buf_addf(&text, "%.*s %.*s q=%.*s p=%.*s h=%.*s b=%.*s", STR_FMT(http_exchange_method(x)),
             STR_FMT(http_exchange_path(x)), STR_FMT(value), STR_FMT(http_exchange_param(x, 0)),
             STR_FMT(http_exchange_header(x, "x-test")), STR_FMT(http_exchange_body(x)));
    (void)http_exchange_answer(x,
                               &(struct http_answer){.content_type = "text/plain", .take = &text});
}

static void begin_busy(struct http_exchange *x)
{
    note_begin(x);
    (void)http_exchange_busy(x, 429, 7, "later, please");
}

static void end_never(struct http_exchange *x)
{
    INVARIANT(http_exchange_is_over(x)); /* end is not called after an answer in begin */
}

static void end_forgets(struct http_exchange *x)
{
    (void)x;
}

/* Holds and drops without an answer, from another thread's point of view. */
static void end_hold(struct http_exchange *x)
{
    struct http_site *f = http_exchange_arg(x);

    f->held = http_exchange_hold(x);
    atomic_store(&f->is_held, true);
}

struct count {
    struct http_site *f;
    struct http_exchange *x;
    unsigned left;
    unsigned pauses;
};

static enum http_stream_step read_count(void *arg, char *out, size_t max, size_t *ret_len)
{
    struct count *c = arg;

    if (c->left == 0) {
        return HTTP_STREAM_END;
    }
    c->left--;
    size_t len = max < 10000 ? max : 10000;
    memset(out, 'a' + (int)(c->left % 26), len);
    *ret_len = len;
    return HTTP_STREAM_DATA;
}

static void close_count(void *arg)
{
    struct count *c = arg;

    atomic_fetch_add(&c->f->closed, 1);
    http_exchange_drop(c->x);
    mem_free(c);
}

static const struct http_stream count_stream = {.read = read_count, .close = close_count};

static void end_stream(struct http_exchange *x)
{
    struct count *c = mem_new(struct count);

    c->f = http_exchange_arg(x);
    c->left = 500;
    (void)http_exchange_answer(x, &(struct http_answer){.content_type = "text/plain",
                                                        .stream = &count_stream,
                                                        .stream_arg = c});
}

/* One event per wake-up: the stream waits in between. */
static enum http_stream_step read_event(void *arg, char *out, size_t max, size_t *ret_len)
{
    struct count *c = arg;

    INVARIANT(max >= 16);
    if (c->pauses++ % 2 == 0) {
        atomic_store(&c->f->is_held, true);
        return HTTP_STREAM_WAIT;
    }
    if (c->left-- == 0) {
        return HTTP_STREAM_END;
    }
    struct str event = STR("data: x\n\n");
    memcpy(out, event.ptr, event.len);
    *ret_len = event.len;
    return HTTP_STREAM_DATA;
}

static const struct http_stream event_stream = {.read = read_event, .close = close_count};

static void end_events(struct http_exchange *x)
{
    struct http_site *f = http_exchange_arg(x);
    struct count *c = mem_new(struct count);

    c->f = f;
    c->left = 3;
    c->x = http_exchange_hold(x);
    f->held = http_exchange_hold(x);
    (void)http_exchange_answer(x, &(struct http_answer){.content_type = "text/event-stream",
                                                        .stream = &event_stream,
                                                        .stream_arg = c});
}

static enum http_stream_step read_fail(void *arg, char *out, size_t max, size_t *ret_len)
{
    struct count *c = arg;

    if (c->left-- == 0) {
        return HTTP_STREAM_FAIL;
    }
    (void)max;
    *out = 'x';
    *ret_len = 1;
    return HTTP_STREAM_DATA;
}

static const struct http_stream fail_stream = {.read = read_fail, .close = close_count};

static void end_fail(struct http_exchange *x)
{
    struct count *c = mem_new(struct count);

    c->f = http_exchange_arg(x);
    c->left = 3;
    (void)http_exchange_answer(x, &(struct http_answer){.stream = &fail_stream, .stream_arg = c});
}

static void body_count(struct http_exchange *x, struct str bytes)
{
    size_t *seen = http_exchange_state(x);

    *seen += bytes.len;
}

static void begin_count(struct http_exchange *x)
{
    note_begin(x);
    http_exchange_set_state(x, mem_new(size_t));
}

static void end_count(struct http_exchange *x)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);

    buf_add_u64(&text, *(size_t *)http_exchange_state(x));
    (void)http_exchange_answer(x, &(struct http_answer){.body = buf_str(&text)});
}

static void gone_count(struct http_exchange *x)
{
    mem_free(http_exchange_state(x));
    note_gone(x);
}

static void end_text(struct http_exchange *x)
{
    (void)http_exchange_answer(
        x, &(struct http_answer){.content_type = "text/plain",
                                 .constant = STR("0123456789012345678901234567890123456789")});
}

/* Releases nothing: the answer takes the bytes, packed or not. */
static void end_long_text(struct http_exchange *x)
{
    struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_add_repeat(&text, 'z', 100000);
    (void)http_exchange_answer(x,
                               &(struct http_answer){.content_type = "text/plain", .take = &text});
}

static const struct http_handler echo = {.begin = note_begin, .end = end_echo, .gone = note_gone};
static const struct http_handler busy = {.begin = begin_busy, .end = end_never, .gone = note_gone};
static const struct http_handler forgets = {.end = end_forgets, .gone = note_gone};
static const struct http_handler hold = {.end = end_hold, .gone = note_gone};
static const struct http_handler stream = {.end = end_stream, .gone = note_gone};
static const struct http_handler events = {.end = end_events, .gone = note_gone};
static const struct http_handler fails = {.end = end_fail, .gone = note_gone};
static const struct http_handler counts = {
    .begin = begin_count, .body = body_count, .end = end_count, .gone = gone_count};
static const struct http_handler text = {.end = end_text};
static const struct http_handler long_text = {.end = end_long_text};

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/echo", .handler = &echo},
    {.method = "POST", .pattern = "/echo", .handler = &echo, .body_max = 1000000},
    {.method = "GET", .pattern = "/api/rules/{id}/x", .handler = &echo},
    {.method = "GET", .pattern = "/files/{rest...}", .handler = &echo, .name = "files"},
    {.method = "POST", .pattern = "/busy", .handler = &busy, .body_max = 100000000},
    {.method = "GET", .pattern = "/forgets", .handler = &forgets},
    {.method = "GET", .pattern = "/hold", .handler = &hold},
    {.method = "GET", .pattern = "/stream", .handler = &stream},
    {.method = "GET", .pattern = "/events", .handler = &events},
    {.method = "GET", .pattern = "/fails", .handler = &fails},
    {.method = "POST", .pattern = "/count", .handler = &counts, .body_max = 100000000},
    {.method = "GET", .pattern = "/text", .handler = &text},
    {.method = "GET", .pattern = "/long", .handler = &long_text},
    {.method = "POST", .pattern = "/admin", .handler = &text, .access = HTTP_ACCESS_ADMIN},
    {.method = "POST", .pattern = "/reload", .handler = &text, .access = HTTP_ACCESS_RELOAD},
    {.method = "POST", .pattern = "/client", .handler = &text, .access = HTTP_ACCESS_CLIENT},
};

void http_site_init(struct http_site *f)
{
    *f = (struct http_site){0};
    http_kit_start(&f->kit, 1);
    f->metrics = metrics_new();
    f->kit.env.metrics = f->metrics;
    f->config = (struct http_server_config){
        .listen = STR("127.0.0.1:0"),
        .threads = 2,
        .max_connections = 100,
        .max_header_bytes = INT64_C(32) * 1024,
        .idle_timeout_ns = 60 * NS_PER_S,
        .request_timeout_ns = 60 * NS_PER_S,
    };
    f->kit.config.max_response_bytes = INT64_C(64) * 1024 * 1024;
}

bool http_site_try_start(struct http_site *f, struct err *e)
{
    const struct http_routes tables[] = {{routes, ARRAY_LEN(routes), f}};

    if (!http_server_start(&f->kit.env, &f->config, tables, ARRAY_LEN(tables), &f->server, e)) {
        return false;
    }
    buf_clear(&f->kit.url);
    http_server_add_url(f->server, &f->kit.url);
    f->kit.config.url = buf_str(&f->kit.url);
    return true;
}

void http_site_release(struct http_site *f)
{
    http_server_free(f->server);
    http_exchange_drop(f->held);
    http_kit_stop(&f->kit);
    metrics_free(f->metrics);
}

bool http_site_wait_held(struct http_site *f)
{
    for (int i = 0; i < 1000 && !atomic_load(&f->is_held); i++) {
        http_peer_pause_ms(5);
    }
    return atomic_exchange(&f->is_held, false);
}

bool http_site_wait_count(_Atomic unsigned *count, unsigned want)
{
    for (int i = 0; i < 1000 && atomic_load(count) != want; i++) {
        http_peer_pause_ms(5);
    }
    return atomic_load(count) == want;
}

bool http_site_wait_idle(struct http_site *f, size_t in_flight)
{
    for (int i = 0; i < 1000 && http_server_in_flight(f->server) > in_flight; i++) {
        http_peer_pause_ms(5);
    }
    return http_server_in_flight(f->server) == in_flight;
}

void http_site_exchange(struct http_site *f, const char *request, struct buf *out)
{
    struct buf AUTO(buf_release) bytes = BUF_INIT(BUF_UNLIMITED);
    struct str rest = str_of(request);
    size_t at = str_find(rest, STR("%s"));

    buf_add_str(&bytes, str_slice(rest, 0, at));
    if (at < rest.len) {
        buf_addf(&bytes, "Host: 127.0.0.1:%u\r\n", http_server_port(f->server));
        buf_add_str(&bytes, str_slice(rest, at + 2, rest.len));
    }
    buf_clear(out);
    raw_exchange(http_server_port(f->server), buf_text(&bytes), out);
}
