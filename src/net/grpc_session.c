/*
 * HTTP/2 as gRPC uses it: libnghttp2 knows the frames, here are the streams.
 *
 * Invariants:
 *   1. A stream of a request has an exchange from its first header to its close; more than
 *      GRPC_STREAMS_MAX at a time are refused, whatever the peer has heard of our settings.
 *   2. Nothing here waits or reads a socket.
 */
#include "net/grpc_server_int.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/env.h"

enum {
    STREAM_WINDOW = 1 << 20,
    CONNECTION_WINDOW = 4 << 20,
    HEADER_LIST_MAX = 32 * 1024,
    ANSWER_HEADERS_MAX = 5,
    SEND_S = 60, /* for the peer to read an answer */
    DRAIN_S = 2, /* for what is left of a request that was answered early */
};

static struct grpc_exchange *exchange_of(nghttp2_session *http2, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(http2, stream_id);
}

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* ---- what libnghttp2 calls ---- */

static int on_begin_headers(nghttp2_session *http2, const nghttp2_frame *frame, void *arg)
{
    struct grpc_session *s = arg;

    if (!is_request(frame)) {
        return 0;
    }
    if (s->count >= GRPC_STREAMS_MAX) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    struct grpc_exchange *x = grpc_exchange_new(s, frame->hd.stream_id);
    return nghttp2_session_set_stream_user_data(http2, x->stream_id, x);
}

static int on_header(nghttp2_session *http2, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *arg)
{
    struct grpc_exchange *x = exchange_of(http2, frame->hd.stream_id);

    (void)flags;
    (void)arg;
    if (x != NULL && is_request(frame)) {
        grpc_exchange_header(x, str_make((const char *)name, name_len),
                             str_make((const char *)value, value_len));
    }
    return 0;
}

static int on_frame(nghttp2_session *http2, const nghttp2_frame *frame, void *arg)
{
    struct grpc_exchange *x = exchange_of(http2, frame->hd.stream_id);
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;

    (void)arg;
    if (x == NULL) {
        return 0;
    }
    if (is_request(frame)) {
        grpc_exchange_head(x);
    }
    if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        grpc_exchange_end(x);
    }
    return 0;
}

/* Ends a stream whose answer is out; clients of libcurl take it badly while they still send. */
static int cut(const struct grpc_exchange *x)
{
    return nghttp2_submit_rst_stream(x->session->http2, NGHTTP2_FLAG_NONE, x->stream_id,
                                     NGHTTP2_NO_ERROR);
}

static int on_data(nghttp2_session *http2, uint8_t flags, int32_t stream_id, const uint8_t *bytes,
                   size_t len, void *arg)
{
    struct grpc_exchange *x = exchange_of(http2, stream_id);

    (void)flags;
    (void)arg;
    if (x == NULL) {
        return 0;
    }
    grpc_exchange_data(x, str_make((const char *)bytes, len));
    x->drained += x->discards ? len : 0;
    return x->is_sent && x->drained > HTTP_DRAIN_MAX ? cut(x) : 0;
}

static int on_close(nghttp2_session *http2, int32_t stream_id, uint32_t code, void *arg)
{
    struct grpc_exchange *x = exchange_of(http2, stream_id);

    (void)code;
    (void)arg;
    if (x != NULL) {
        grpc_exchange_over(x);
    }
    return 0;
}

/* An answer came before the request has ended: a little of that is still waited for. */
static int on_sent(nghttp2_session *http2, const nghttp2_frame *frame, void *arg)
{
    struct grpc_exchange *x = exchange_of(http2, frame->hd.stream_id);

    (void)arg;
    if (x != NULL && frame->hd.type == NGHTTP2_HEADERS &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        x->is_sent = true;
        x->deadline_ns = clock_mono_ns(x->server->env->clock) + DRAIN_S * NS_PER_S;
    }
    return 0;
}

/* ---- answers ---- */

static nghttp2_nv header(const char *name, struct str value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value.ptr,
                        .namelen = strlen(name),
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

/* What says how it went; the views live as long as <scratch>. */
static size_t add_status(const struct grpc_exchange *x, struct buf *scratch, nghttp2_nv *headers)
{
    size_t count = 0;

    buf_addf(scratch, "%d", (int)x->code);
    size_t digits = scratch->len;
    base64_encode(buf_str(&x->details), scratch);
    headers[count++] = header("grpc-status", str_slice(buf_str(scratch), 0, digits));
    if (x->text.len > 0) {
        headers[count++] = header("grpc-message", buf_str(&x->text));
    }
    if (x->details.len > 0) {
        headers[count++] =
            header("grpc-status-details-bin", str_slice(buf_str(scratch), digits, scratch->len));
    }
    return count;
}

static ssize_t read_reply(nghttp2_session *http2, int32_t stream_id, uint8_t *out, size_t max,
                          uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    AUTO(buf_release) struct buf scratch = BUF_INIT(BUF_SMALL);
    nghttp2_nv trailers[ANSWER_HEADERS_MAX];
    struct grpc_exchange *x = source->ptr;
    struct str part = str_slice(buf_str(&x->reply), x->sent, max);

    (void)arg;
    if (part.len > 0) {
        memcpy(out, part.ptr, part.len);
    }
    x->sent += part.len;
    if (x->sent == x->reply.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(http2, stream_id, trailers, add_status(x, &scratch, trailers)) !=
            0) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)part.len;
}

static void submit(struct grpc_exchange *x)
{
    AUTO(buf_release) struct buf scratch = BUF_INIT(BUF_SMALL);
    const nghttp2_data_provider reply = {.source = {.ptr = x}, .read_callback = read_reply};
    nghttp2_nv headers[ANSWER_HEADERS_MAX];
    size_t count = 0;
    bool has_message = x->reply.len > 0;

    headers[count++] = header(":status", x->is_grpc ? STR("200") : STR("415"));
    headers[count++] = header("content-type", STR("application/grpc"));
    if (!has_message) {
        count += add_status(x, &scratch, headers + count);
    }
    x->deadline_ns = clock_mono_ns(x->server->env->clock) + SEND_S * NS_PER_S;
    if (nghttp2_submit_response(x->session->http2, x->stream_id, headers, count,
                                has_message ? &reply : NULL) != 0) {
        x->session->is_stuck = true;
    }
}

void grpc_exchanges_submit(struct grpc_loop *loop)
{
    lock_take(&loop->lock);
    struct grpc_exchange *x = loop->answered;
    loop->answered = NULL;
    lock_give(&loop->lock);
    while (x != NULL) {
        struct grpc_exchange *next = x->next_answered;
        if (x->session != NULL) {
            submit(x);
        }
        grpc_exchange_drop(x);
        x = next;
    }
}

/* ---- the session ---- */

static nghttp2_session_callbacks *callbacks_new(void)
{
    nghttp2_session_callbacks *callbacks = NULL;

    if (nghttp2_session_callbacks_new(&callbacks) == 0) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    }
    return callbacks;
}

bool grpc_session_init(struct grpc_session *s, struct grpc_loop *loop, struct err *e)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, GRPC_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADER_LIST_MAX},
    };
    nghttp2_session_callbacks *callbacks = callbacks_new();

    *s = (struct grpc_session){.loop = loop};
    s->active_ns = clock_mono_ns(loop->server->env->clock);
    bool ok =
        callbacks != NULL && nghttp2_session_server_new(&s->http2, callbacks, s) == 0 &&
        nghttp2_submit_settings(s->http2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0 &&
        nghttp2_session_set_local_window_size(s->http2, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) ==
            0;
    nghttp2_session_callbacks_del(callbacks);
    if (!ok) {
        nghttp2_session_del(s->http2);
        s->http2 = NULL;
        return err_set(e, ERR_LIMIT, "libnghttp2 does not start a session");
    }
    return true;
}

void grpc_session_release(struct grpc_session *s)
{
    while (s->exchanges != NULL) {
        (void)nghttp2_session_set_stream_user_data(s->http2, s->exchanges->stream_id, NULL);
        grpc_exchange_over(s->exchanges);
    }
    nghttp2_session_del(s->http2);
}

bool grpc_session_receive(struct grpc_session *s, struct str bytes)
{
    return nghttp2_session_mem_recv(s->http2, (const uint8_t *)bytes.ptr, bytes.len) ==
           (ssize_t)bytes.len;
}

bool grpc_session_send(struct grpc_session *s, struct str *ret_bytes)
{
    const uint8_t *bytes = NULL;
    ssize_t len = nghttp2_session_mem_send(s->http2, &bytes);

    *ret_bytes = len > 0 ? str_make((const char *)bytes, (size_t)len) : STR("");
    return len >= 0 && !s->is_stuck;
}

bool grpc_session_is_done(const struct grpc_session *s)
{
    return nghttp2_session_want_read(s->http2) == 0 && nghttp2_session_want_write(s->http2) == 0;
}

void grpc_session_drain(struct grpc_session *s)
{
    (void)nghttp2_submit_goaway(s->http2, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(s->http2), NGHTTP2_NO_ERROR,
                                NULL, 0);
}

bool grpc_session_tick(struct grpc_session *s, int64_t now_ns)
{
    int64_t idle_ns = s->loop->server->config.server->idle_timeout_ns;

    for (struct grpc_exchange *x = s->exchanges; x != NULL; x = x->next) {
        if (now_ns < x->deadline_ns) {
            continue;
        }
        if (!x->discards) {
            grpc_exchange_refuse(x, GRPC_DEADLINE_EXCEEDED, "the message did not arrive in time");
        } else if (!x->is_sent || cut(x) != 0) {
            return false; /* it does not read its answer */
        }
    }
    return s->count > 0 || now_ns - s->active_ns < idle_ns;
}
