/*
 * One request over one {multi, easy} pair.
 *
 * Invariants:
 *   1. A pair carries at most one transfer; the easy handle is in the multi only inside drive().
 *   2. Every option that a transfer sets is set by each transfer; the rest is set once per pair.
 *   3. No callback waits: the only wait is curl_multi_poll(), and the cancel hook wakes it.
 *   4. The hook is removed before anything that it touches goes away.
 *   5. Bytes of the body are taken from the budget before they are stored.
 */
#include "net/http_client_int.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"

#include <string.h>

enum {
    POLL_MAX_MS = 60 * 1000,
    BUDGET_STEP = 64 * 1024,
};

/* --- what libcurl calls --- */

static int on_connected(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct transfer *t = arg;

    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    t->may_be_sent = true;
    return CURL_PREREQFUNC_OK;
}

static size_t on_send(char *out, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t room = size * count;
    size_t filled = 0;

    while (filled < room && t->part < t->request->part_count) {
        struct str left = str_slice(t->request->parts[t->part], t->part_offset, room - filled);
        if (left.len == 0) {
            t->part++;
            t->part_offset = 0;
            continue;
        }
        memcpy(out + filled, left.ptr, left.len);
        filled += left.len;
        t->part_offset += left.len;
    }
    return filled;
}

/* libcurl rewinds when a kept connection turns out to be dead. */
static int on_rewind(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (offset != 0 || origin != SEEK_SET) {
        return CURL_SEEKFUNC_CANTSEEK;
    }
    t->part = 0;
    t->part_offset = 0;
    return CURL_SEEKFUNC_OK;
}

static size_t refuse(struct transfer *t, const char *why)
{
    t->refused = why;
    return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * count;

    if (str_starts(str_make(line, len), STR("HTTP/"))) {
        buf_clear(&t->response->headers); /* what went before was a 100 Continue */
    }
    buf_add(&t->response->headers, line, len);
    return buf_ok(&t->response->headers) ? len : refuse(t, "the answer's headers are too long");
}

/* Has the budget room for <len> bytes of body? Grows in doubling steps, as the buffer does. */
static bool take_budget(struct transfer *t, size_t len)
{
    struct http_response *r = t->response;
    int64_t want = r->taken_bytes > 0 ? r->taken_bytes : BUDGET_STEP;

    if (r->budget == NULL || r->body == NULL || (int64_t)len <= r->taken_bytes) {
        return true;
    }
    while (want < (int64_t)len) {
        want *= 2;
    }
    if (!budget_try_take(r->budget, want - r->taken_bytes)) {
        return false;
    }
    r->taken_bytes = want;
    return true;
}

static bool is_announced_too_large(struct transfer *t)
{
    curl_off_t announced = -1;

    (void)curl_easy_getinfo(t->pair->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    return announced > t->client->config->max_response_bytes;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    struct buf *body = t->response->body;
    size_t len = size * count;

    if (t->received_bytes == 0 && is_announced_too_large(t)) {
        return refuse(t, "the answer is announced to be larger than max_response_bytes");
    }
    t->received_bytes += len;
    if (t->received_bytes > (uint64_t)t->client->config->max_response_bytes) {
        return refuse(t, "the answer is larger than max_response_bytes");
    }
    if (body == NULL) {
        return len;
    }
    if (!take_budget(t, body->len + len)) {
        return refuse(t, "the memory budget has no room for the answer");
    }
    buf_add(body, bytes, len);
    return buf_ok(body) ? len : refuse(t, "the answer is larger than its buffer may grow");
}

static void on_cancel(void *arg)
{
    (void)curl_multi_wakeup(arg);
}

void transfer_set_callbacks(CURL *easy)
{
    SET(easy, CURLOPT_PREREQFUNCTION, on_connected);
    SET(easy, CURLOPT_READFUNCTION, on_send);
    SET(easy, CURLOPT_SEEKFUNCTION, on_rewind);
    SET(easy, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
}

/* --- running --- */

static int64_t time_left_ns(const struct transfer *t)
{
    int64_t left = t->client->config->timeout_ns;

    if (t->request->timeout_ns > 0 && t->request->timeout_ns < left) {
        left = t->request->timeout_ns;
    }
    if (t->wait.deadline_mono_ns != DEADLINE_NEVER) {
        int64_t until = t->wait.deadline_mono_ns - clock_mono_ns(t->client->env->clock);
        left = until < left ? until : left;
    }
    return left;
}

/* Steps until the transfer ended or the wait is over; false when libcurl itself failed. */
static bool step_until_done(struct transfer *t)
{
    CURLM *multi = t->pair->multi;
    int running = 1;

    while (curl_multi_perform(multi, &running) == CURLM_OK) {
        if (running == 0 || wait_is_over(t->wait, t->client->env->clock)) {
            return true;
        }
        if (curl_multi_poll(multi, NULL, 0, POLL_MAX_MS, NULL) != CURLM_OK) {
            return false;
        }
    }
    return false;
}

/* The result of the transfer; CURLE_AGAIN when it has not ended. */
static CURLcode take_result(CURLM *multi)
{
    int left;
    const CURLMsg *message = curl_multi_info_read(multi, &left);

    return message != NULL && message->msg == CURLMSG_DONE ? message->data.result : CURLE_AGAIN;
}

static CURLcode drive(struct transfer *t)
{
    struct http_pair *pair = t->pair;
    struct cancel_hook hook = {.wake = on_cancel, .arg = pair->multi};

    if (curl_multi_add_handle(pair->multi, pair->easy) != CURLM_OK) {
        return CURLE_FAILED_INIT;
    }
    if (t->wait.cancel != NULL) {
        cancel_hook_add(t->wait.cancel, &hook);
    }
    bool stepped = step_until_done(t);
    if (t->wait.cancel != NULL) {
        cancel_hook_remove(t->wait.cancel, &hook);
    }
    CURLcode code = stepped ? take_result(pair->multi) : CURLE_FAILED_INIT;
    (void)curl_multi_remove_handle(pair->multi, pair->easy);
    return code;
}

static const struct {
    CURLcode code;
    enum http_failure failure;
} failures[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, HTTP_FAILURE_CONNECT},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_FAILURE_CONNECT},
    {CURLE_COULDNT_CONNECT, HTTP_FAILURE_CONNECT},
    {CURLE_INTERFACE_FAILED, HTTP_FAILURE_CONNECT},
    {CURLE_PROXY, HTTP_FAILURE_CONNECT},
    {CURLE_SSL_CONNECT_ERROR, HTTP_FAILURE_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_FAILURE_TLS},
    {CURLE_SSL_CERTPROBLEM, HTTP_FAILURE_TLS},
    {CURLE_SSL_CIPHER, HTTP_FAILURE_TLS},
    {CURLE_SSL_CACERT_BADFILE, HTTP_FAILURE_TLS},
    {CURLE_SSL_ISSUER_ERROR, HTTP_FAILURE_TLS},
    {CURLE_SSL_CRL_BADFILE, HTTP_FAILURE_TLS},
    {CURLE_SSL_INVALIDCERTSTATUS, HTTP_FAILURE_TLS},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, HTTP_FAILURE_TLS},
    {CURLE_USE_SSL_FAILED, HTTP_FAILURE_TLS},
    {CURLE_OPERATION_TIMEDOUT, HTTP_FAILURE_TIMEOUT},
    {CURLE_URL_MALFORMAT, HTTP_FAILURE_REQUEST},
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_FAILURE_REQUEST},
    {CURLE_OUT_OF_MEMORY, HTTP_FAILURE_TOO_LARGE},
};

static enum http_failure classify(const struct transfer *t, CURLcode code)
{
    if (t->refused != NULL) {
        return HTTP_FAILURE_TOO_LARGE;
    }
    if (code == CURLE_AGAIN) { /* we stopped waiting */
        bool canceled = t->wait.cancel != NULL && cancel_is_set(t->wait.cancel);
        return canceled ? HTTP_FAILURE_CANCELED : HTTP_FAILURE_TIMEOUT;
    }
    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        /* "Unsupported protocol" is also what an answer that is not HTTP is called. */
        bool is_theirs = failures[i].failure == HTTP_FAILURE_REQUEST && t->may_be_sent;
        if (failures[i].code == code && !is_theirs) {
            return failures[i].failure;
        }
    }
    /* A proxy that refuses the tunnel shows as a broken reception before anything was sent. */
    return t->may_be_sent ? HTTP_FAILURE_BROKEN : HTTP_FAILURE_CONNECT;
}

static const enum err_code failure_codes[HTTP_FAILURES] = {
    [HTTP_FAILURE_NONE] = ERR_NONE,         [HTTP_FAILURE_CONNECT] = ERR_NET,
    [HTTP_FAILURE_TLS] = ERR_NET,           [HTTP_FAILURE_TIMEOUT] = ERR_TIMEOUT,
    [HTTP_FAILURE_CANCELED] = ERR_CANCELED, [HTTP_FAILURE_BROKEN] = ERR_NET,
    [HTTP_FAILURE_TOO_LARGE] = ERR_LIMIT,   [HTTP_FAILURE_AUTH] = ERR_AUTH,
    [HTTP_FAILURE_REQUEST] = ERR_CONFIG,
};

bool transfer_fail(struct transfer *t, enum http_failure failure, const char *what, struct err *e)
{
    struct buf AUTO(buf_release) shown = BUF_INIT(ERR_TEXT / 2);

    bool own = t->request->url.len > 0;
    url_add_site(&shown, own ? t->request->url : t->client->config->url);
    url_add_redacted(&shown, str_slice(t->request->path, 0, ERR_TEXT / 4));
    t->response->failure = failure;
    return err_set(e, failure_codes[failure], "%s %s: %s",
                   t->request->method != NULL ? t->request->method : "GET", buf_text(&shown), what);
}

static bool fail_with_code(struct transfer *t, CURLcode code, struct err *e)
{
    enum http_failure failure = classify(t, code);
    const char *what = t->message[0] != '\0' ? t->message : curl_easy_strerror(code);

    if (t->refused != NULL) {
        what = t->refused;
    } else if (failure == HTTP_FAILURE_CANCELED) {
        what = "stopped while waiting for the answer";
    } else if (code == CURLE_AGAIN) {
        what = "the time allowed for it passed";
    }
    return transfer_fail(t, failure, what, e);
}

/* What is known after the transfer, however it ended. */
static void note_facts(struct transfer *t, CURLcode code)
{
    long status = 0;
    long connects = 0;
    long sent_bytes = 0;
    CURL *easy = t->pair->easy;

    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    (void)curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    t->response->status = code == CURLE_OK ? (int)status : 0;
    t->response->new_connections = (uint32_t)connects;
    t->response->request_sent = t->may_be_sent && sent_bytes > 0;
}

/* Nothing of the stack stays in the handle. */
static void forget(CURL *easy)
{
    SET(easy, CURLOPT_ERRORBUFFER, (char *)NULL);
    SET(easy, CURLOPT_HTTPHEADER, (struct curl_slist *)NULL);
    SET(easy, CURLOPT_CONNECT_TO, (struct curl_slist *)NULL);
    SET(easy, CURLOPT_POSTFIELDS, (char *)NULL);
}

bool transfer_run(struct transfer *t, struct str token, struct err *e)
{
    struct err reason = ERR_INIT;
    int64_t left_ns = time_left_ns(t);

    if (!transfer_build_headers(t, token, &reason) || !transfer_build_url(t, &reason)) {
        t->response->failure = HTTP_FAILURE_REQUEST;
        *e = reason;
        return false;
    }
    if (left_ns <= 0 || wait_is_over(t->wait, t->client->env->clock)) {
        return fail_with_code(t, CURLE_AGAIN, e);
    }
    transfer_configure(t, left_ns);
    CURLcode code = drive(t);
    note_facts(t, code);
    forget(t->pair->easy);
    if (code != CURLE_OK) {
        return fail_with_code(t, code, e);
    }
    t->response->failure = HTTP_FAILURE_NONE;
    return true;
}
