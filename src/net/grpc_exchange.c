/*
 * One call: head, message, answer.
 *
 *     HEADERS -> (credentials, method, begin) -> DATA... -> END_STREAM -> (message) -> answer
 *
 * Invariants:
 *   1. <session> is set until the stream is closed; only the loop's thread looks at it.
 *   2. Bytes of a message are taken from the budget before they are kept, and given back when the handler
 *      has seen them or the stream is closed.
 *   3. An answer is given at most once (<answered>), and made known to the loop, which alone sends.
 */
#include "net/grpc_server_int.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/http_guard.h"

#include <unistd.h>

enum { BUDGET_STEP = 64 * 1024, DETAILS_MAX = 16 * 1024, REPLY_MAX = 64 * 1024 };

struct grpc_exchange *grpc_exchange_new(struct grpc_session *s, int32_t stream_id)
{
    struct grpc_exchange *x = mem_new(struct grpc_exchange);
    struct grpc_server *server = s->loop->server;

    x->server = grpc_server_ref(server);
    x->loop = s->loop;
    x->session = s;
    x->stream_id = stream_id;
    atomic_init(&x->refs, 1);
    x->deadline_ns = clock_mono_ns(server->env->clock) + server->config.server->request_timeout_ns;
    buf_init(&x->authorization, HTTP_AUTHORIZATION_MAX);
    buf_init(&x->body, server->config.message_max);
    buf_init(&x->text, GRPC_TEXT_MAX);
    buf_init(&x->details, DETAILS_MAX);
    buf_init(&x->reply, REPLY_MAX);
    x->next = s->exchanges;
    if (x->next != NULL) {
        x->next->prev = x;
    }
    s->exchanges = x;
    s->count++;
    grpc_server_began(server);
    return x;
}

/* ---- references ---- */

struct grpc_exchange *grpc_exchange_hold(struct grpc_exchange *x)
{
    atomic_fetch_add(&x->refs, 1);
    return x;
}

void grpc_exchange_drop(struct grpc_exchange *x)
{
    if (x == NULL || atomic_fetch_sub(&x->refs, 1) != 1) {
        return;
    }
    buf_release(&x->text);
    buf_release(&x->details);
    buf_release(&x->reply);
    grpc_server_unref(x->server);
    mem_free(x);
}

void *grpc_exchange_arg(const struct grpc_exchange *x)
{
    return x->server->arg;
}

/* ---- the message's memory ---- */

static void forget_body(struct grpc_exchange *x)
{
    buf_release(&x->body);
    if (x->taken_bytes > 0) {
        budget_give(x->server->env->budget, x->taken_bytes);
        x->taken_bytes = 0;
    }
}

static void forget_credentials(struct grpc_exchange *x)
{
    if (x->authorization.ptr != NULL) {
        explicit_bzero(x->authorization.ptr, x->authorization.cap);
    }
    buf_release(&x->authorization);
}

void grpc_exchange_over(struct grpc_exchange *x)
{
    struct grpc_session *s = x->session;

    if (x->prev != NULL) {
        x->prev->next = x->next;
    } else {
        s->exchanges = x->next;
    }
    if (x->next != NULL) {
        x->next->prev = x->prev;
    }
    s->count--;
    s->active_ns = clock_mono_ns(x->server->env->clock);
    x->session = NULL;
    forget_body(x);
    forget_credentials(x);
    grpc_server_ended(x->server);
    grpc_exchange_drop(x);
}

/* ---- answers ---- */

/* What is sent of an answer, the response with its prefix. */
static void keep(struct grpc_exchange *x, const struct grpc_reply *reply)
{
    char prefix[GRPC_PREFIX_BYTES];

    x->code = reply->code;
    grpc_add_text(&x->text, reply->text);
    buf_add_str(&x->details, reply->details);
    if (reply->code == GRPC_OK) {
        grpc_prefix(false, reply->message.len, prefix);
        buf_add(&x->reply, prefix, sizeof(prefix));
        buf_add_str(&x->reply, reply->message);
    }
}

void grpc_exchange_answer(struct grpc_exchange *x, const struct grpc_reply *reply)
{
    const uint64_t one = 1;
    struct grpc_loop *loop = x->loop;

    lock_take(&loop->lock);
    bool is_first = !x->answered && !loop->over;
    if (is_first) {
        x->answered = true;
        keep(x, reply);
        x->next_answered = loop->answered;
        loop->answered = grpc_exchange_hold(x);
    }
    lock_give(&loop->lock);
    if (is_first) {
        metric_add(x->server->answers[reply->code], 1);
        ssize_t written = write(loop->wake_fd, &one, sizeof(one)); /* a full counter wakes too */
        (void)written;
    }
}

void grpc_exchange_refuse(struct grpc_exchange *x, enum grpc_code code, const char *why)
{
    const struct grpc_reply reply = {.code = code, .text = str_of(why)};

    x->discards = true;
    forget_body(x);
    grpc_exchange_answer(x, &reply);
}

/* ---- the head ---- */

static void take_path(struct grpc_exchange *x, struct str value)
{
    x->path_len = value.len < sizeof(x->path) ? value.len : 0;
    memcpy(x->path, value.ptr, x->path_len);
}

static void take_method(struct grpc_exchange *x, struct str value)
{
    x->is_post = str_eq(value, STR("POST"));
}

static void take_type(struct grpc_exchange *x, struct str value)
{
    struct str usual = STR("application/grpc");
    char behind = value.len > usual.len ? value.ptr[usual.len] : ';';

    x->is_grpc = str_starts(value, usual) && (behind == ';' || behind == '+');
}

static void take_coding(struct grpc_exchange *x, struct str value)
{
    bool is_none = str_eq(value, STR("identity"));

    x->coding = is_none                      ? GRPC_CODING_NONE
                : str_eq(value, STR("gzip")) ? GRPC_CODING_GZIP
                                             : GRPC_CODING_OTHER;
}

static void take_authorization(struct grpc_exchange *x, struct str value)
{
    buf_clear(&x->authorization);
    buf_add_str(&x->authorization, value);
}

void grpc_exchange_header(struct grpc_exchange *x, struct str name, struct str value)
{
    static const struct {
        struct str name;
        void (*take)(struct grpc_exchange *x, struct str value);
    } headers[] = {
        {STR_INIT(":path"), take_path},
        {STR_INIT(":method"), take_method},
        {STR_INIT("content-type"), take_type},
        {STR_INIT("grpc-encoding"), take_coding},
        {STR_INIT("authorization"), take_authorization},
    };

    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (str_eq(name, headers[i].name)) {
            headers[i].take(x, value);
        }
    }
}

static bool password_fits(const struct grpc_exchange *x, const struct http_server_auth_config *auth)
{
    AUTO(buf_release) struct buf scratch = BUF_INIT(BUF_SMALL);
    struct str user;
    struct str password;

    if (auth->username.len == 0 ||
        !auth_parse_basic(buf_str(&x->authorization), &scratch, &user, &password)) {
        return false;
    }
    bool fits = str_eq(user, auth->username);
    return secret_equals(auth->password, password) && fits;
}

static bool token_fits(const struct grpc_exchange *x, struct secret *token)
{
    struct str given;

    return !secret_is_empty(token) && auth_parse_bearer(buf_str(&x->authorization), &given) &&
           secret_equals(token, given);
}

/* As the HTTP server has it for receivers. */
static bool is_allowed(const struct grpc_exchange *x, enum http_access access)
{
    const struct http_server_config *config =
        atomic_load_explicit(&x->server->access, memory_order_acquire);
    const struct http_server_auth_config *auth = &config->auth;
    bool wants_certificate = x->server->config.server->tls.client_ca_file.len > 0;

    if (access == HTTP_ACCESS_OPEN ||
        (!wants_certificate && auth->username.len == 0 && secret_is_empty(auth->bearer_token))) {
        return true;
    }
    return (wants_certificate && x->session->is_verified) || password_fits(x, auth) ||
           token_fits(x, auth->bearer_token) || token_fits(x, config->admin_token);
}

static const struct grpc_method *method_of(const struct grpc_exchange *x)
{
    struct str path = str_make(x->path, x->path_len);

    for (size_t i = 0; i < x->server->method_count; i++) {
        if (str_eq(path, str_of(x->server->methods[i].path))) {
            return &x->server->methods[i];
        }
    }
    return NULL;
}

void grpc_exchange_head(struct grpc_exchange *x)
{
    const struct grpc_method *method = method_of(x);

    if (!x->is_post || !x->is_grpc) {
        grpc_exchange_refuse(x, GRPC_INTERNAL, "expected POST of application/grpc");
    } else if (method == NULL) {
        grpc_exchange_refuse(x, GRPC_UNIMPLEMENTED, "there is no such method here");
    } else if (!is_allowed(x, method->access)) {
        grpc_exchange_refuse(x, GRPC_UNAUTHENTICATED, "credentials are needed: see server.auth");
    } else if (x->coding == GRPC_CODING_OTHER) {
        grpc_exchange_refuse(x, GRPC_UNIMPLEMENTED,
                             "this grpc-encoding is not taken here: send gzip or identity");
    } else {
        x->method = method;
        if (method->begin != NULL) {
            method->begin(x);
        }
    }
    forget_credentials(x);
    lock_take(&x->loop->lock);
    x->discards = x->discards || x->answered;
    lock_give(&x->loop->lock);
}

/* ---- the message ---- */

/* False: refused. */
static bool take_budget(struct grpc_exchange *x, size_t len)
{
    struct budget *budget = x->server->env->budget;
    int64_t need = (int64_t)(x->body.len + len) - x->taken_bytes;

    if (budget == NULL || need <= 0) {
        return true;
    }
    need = need < BUDGET_STEP ? BUDGET_STEP : need;
    if (!budget_try_take(budget, need)) {
        grpc_exchange_refuse(x, GRPC_UNAVAILABLE, "no memory is left for this message");
        return false;
    }
    x->taken_bytes += need;
    return true;
}

static bool check_prefix(struct grpc_exchange *x)
{
    bool is_compressed = x->prefix[0] == 1;

    if (grpc_prefix_length(x->prefix) > x->server->config.message_max) {
        grpc_exchange_refuse(x, GRPC_RESOURCE_EXHAUSTED,
                             "the message is larger than receive.max_body allows");
    } else if ((unsigned char)x->prefix[0] > 1 ||
               (is_compressed && x->coding != GRPC_CODING_GZIP)) {
        grpc_exchange_refuse(x, GRPC_INTERNAL,
                             "the message says that it is compressed, and no grpc-encoding does");
    }
    return !x->discards;
}

static struct str take_prefix(struct grpc_exchange *x, struct str bytes)
{
    size_t len = sizeof(x->prefix) - x->prefix_len;

    len = len < bytes.len ? len : bytes.len;
    memcpy(x->prefix + x->prefix_len, bytes.ptr, len);
    x->prefix_len += len;
    return str_slice(bytes, len, bytes.len);
}

void grpc_exchange_data(struct grpc_exchange *x, struct str bytes)
{
    if (x->discards) {
        return;
    }
    if (x->prefix_len < sizeof(x->prefix)) {
        bytes = take_prefix(x, bytes);
        if (x->prefix_len < sizeof(x->prefix) || !check_prefix(x)) {
            return;
        }
    }
    if (x->body.len + bytes.len > grpc_prefix_length(x->prefix)) {
        grpc_exchange_refuse(x, GRPC_UNIMPLEMENTED, "a call here has one message");
    } else if (take_budget(x, bytes.len)) {
        buf_add_str(&x->body, bytes);
    }
}

/* The loop's own reference keeps <x> while the handler has it. */
void grpc_exchange_end(struct grpc_exchange *x)
{
    x->has_ended = true;
    x->deadline_ns = DEADLINE_NEVER;
    if (x->discards) {
        return;
    }
    if (x->prefix_len < sizeof(x->prefix) || x->body.len < grpc_prefix_length(x->prefix)) {
        grpc_exchange_refuse(x, GRPC_INTERNAL, "the message is cut off");
        return;
    }
    x->discards = true;
    x->method->message(x, buf_str(&x->body), x->prefix[0] == 1);
    forget_body(x);
}
