#include "base/arena.h"
#include "base/env.h"
#include "base/mem.h"
#include "net/http_server_int.h"
#include "wire/json.h"

#include <stdarg.h>
#include <zlib.h>

enum {
    STREAM_BLOCK = 32 * 1024,
    GZIP_LEVEL = 1,
    GZIP_WINDOW = 15 + 16, /* with gzip's frame */
    ERROR_TEXT_MAX = 4096,
};

/* --- errors --- */

void http_error_json(struct buf *out, const char *type, struct str message)
{
    buf_add_text(out, "{\"status\":\"error\",\"errorType\":");
    json_print_str(out, str_of(type));
    buf_add_text(out, ",\"error\":");
    json_print_str(out, message);
    buf_add_text(out, "}\n");
}

bool http_exchange_error(struct http_exchange *x, int status, const char *type, const char *fmt,
                         ...)
{
    struct buf AUTO(buf_release) message = BUF_INIT(ERROR_TEXT_MAX);
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_SMALL);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&message, fmt, args);
    va_end(args);
    http_error_json(&json, type, buf_str(&message));
    return http_exchange_answer(x, &(struct http_answer){.status = status, .take = &json});
}

bool http_exchange_busy(struct http_exchange *x, int status, int64_t retry_after_s, const char *why)
{
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_SMALL);

    http_error_json(&json, "unavailable", str_of(why));
    return http_exchange_answer(
        x, &(struct http_answer){.status = status, .take = &json, .retry_after_s = retry_after_s});
}

/* --- gzip --- */

static bool is_text(const char *type)
{
    static const char *const prefixes[] = {"text/", "application/json", "application/javascript",
                                           "image/svg", "application/x-ndjson"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_starts(str_of(type), str_of(prefixes[i]))) {
            return true;
        }
    }
    return false;
}

static void gzip_start(z_stream *z)
{
    *z = (z_stream){0};
    INVARIANT(deflateInit2(z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK);
}

static void gzip_whole(struct str body, struct buf *out)
{
    z_stream z;

    gzip_start(&z);
    size_t bound = deflateBound(&z, (uLong)body.len);
    char *room = buf_reserve(out, bound);
    INVARIANT(room != NULL);
    z.next_in = (z_const Bytef *)(uintptr_t)body.ptr;
    z.next_out = (Bytef *)room;
    /* zlib counts in 32 bits. */
    size_t left = body.len;
    int result = Z_OK;
    while (result == Z_OK) {
        uInt step = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)left;
        z.avail_in = step;
        z.avail_out = UINT32_MAX;
        left -= step;
        result = deflate(&z, left == 0 ? Z_FINISH : Z_NO_FLUSH);
    }
    INVARIANT(result == Z_STREAM_END);
    buf_added(out, z.total_out);
    (void)deflateEnd(&z);
}

/* --- streams --- */

struct stream {
    struct http_exchange *x; /* held */
    const struct http_stream *ops;
    void *arg;
    bool gzip;
    bool ended;
    z_stream z;
    char in[STREAM_BLOCK]; /* not yet compressed */
};

/* Reads plain bytes; 0 with *ret_step WAIT when the connection is suspended now. */
static size_t read_plain(struct stream *s, char *out, size_t max, enum http_stream_step *ret_step)
{
    size_t len = 0;

    do {
        *ret_step = s->ops->read(s->arg, out, max, &len);
    } while (*ret_step == HTTP_STREAM_WAIT && !http_exchange_pause(s->x) &&
             !http_exchange_is_over(s->x));
    return *ret_step == HTTP_STREAM_DATA ? len : 0;
}

static ssize_t result_of(struct stream *s, enum http_stream_step step)
{
    if (step == HTTP_STREAM_END) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (step == HTTP_STREAM_FAIL || http_exchange_is_over(s->x)) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    return 0; /* suspended */
}

static ssize_t on_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    enum http_stream_step step;
    size_t len = read_plain(s, out, max, &step);

    (void)pos;
    return len > 0 ? (ssize_t)len : result_of(s, step);
}

/* Compressed bytes are flushed whenever the source has to be waited for. */
static ssize_t on_read_gzip(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *s = arg;
    uInt room = max > UINT32_MAX ? UINT32_MAX : (uInt)max;

    (void)pos;
    s->z.next_out = (Bytef *)out;
    s->z.avail_out = room;
    while (s->z.avail_out == room && !s->ended) {
        enum http_stream_step step = HTTP_STREAM_DATA;
        int flush = Z_NO_FLUSH;
        if (s->z.avail_in == 0) {
            size_t len = read_plain(s, s->in, sizeof(s->in), &step);
            if (step == HTTP_STREAM_FAIL || step == HTTP_STREAM_WAIT) {
                return result_of(s, step);
            }
            s->z.next_in = (Bytef *)s->in;
            s->z.avail_in = (uInt)len;
            flush = step == HTTP_STREAM_END ? Z_FINISH : Z_SYNC_FLUSH;
        }
        s->ended = deflate(&s->z, flush) == Z_STREAM_END;
    }
    uInt made = room - s->z.avail_out;
    return made > 0 ? (ssize_t)made : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_free(void *arg)
{
    struct stream *s = arg;

    if (s->ops->close != NULL) {
        s->ops->close(s->arg);
    }
    if (s->gzip) {
        (void)deflateEnd(&s->z);
    }
    http_exchange_drop(s->x);
    mem_free(s);
}

static struct MHD_Response *make_stream(struct http_exchange *x, const struct http_answer *answer,
                                        bool gzip)
{
    struct stream *s = mem_new(struct stream);

    s->x = http_exchange_hold(x);
    s->ops = answer->stream;
    s->arg = answer->stream_arg;
    s->gzip = gzip;
    if (gzip) {
        gzip_start(&s->z);
    }
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
                                             gzip ? on_read_gzip : on_read, s, on_free);
}

/* --- whole answers --- */

static void free_bytes(void *bytes)
{
    mem_free(bytes);
}

static struct MHD_Response *make_owned(char *bytes, size_t len)
{
    return MHD_create_response_from_buffer_with_free_callback(len, bytes, free_bytes);
}

static struct MHD_Response *make_whole(const struct http_answer *answer, bool gzip)
{
    struct str body = answer->take != NULL           ? buf_str(answer->take)
                      : answer->constant.ptr != NULL ? answer->constant
                                                     : answer->body;

    if (gzip) {
        struct buf AUTO(buf_release) packed = BUF_INIT(BUF_UNLIMITED);
        gzip_whole(body, &packed);
        size_t len = packed.len;
        if (answer->take != NULL) {
            buf_release(answer->take);
        }
        return make_owned(buf_take(&packed), len);
    }
    if (answer->take != NULL) {
        return make_owned(buf_take(answer->take), body.len);
    }
    if (answer->constant.ptr != NULL) {
        return MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr,
                                               MHD_RESPMEM_PERSISTENT);
    }
    return make_owned(mem_dup(body.ptr != NULL ? body.ptr : "", body.len), body.len);
}

static size_t whole_len(const struct http_answer *answer)
{
    return answer->take != NULL           ? answer->take->len
           : answer->constant.ptr != NULL ? answer->constant.len
                                          : answer->body.len;
}

/* --- headers --- */

static void add_header(struct MHD_Response *response, struct str name, struct str value)
{
    char *AUTO(mem_autofree) name_text = mem_dup_text(name.ptr, name.len);
    char *AUTO(mem_autofree) value_text = mem_dup_text(value.ptr, value.len);

    /* Refuses what would not be one line; better no header than somebody else's. */
    (void)MHD_add_response_header(response, name_text, value_text);
}

static void add_headers(struct MHD_Response *response, const struct http_answer *answer,
                        const char *type, bool gzip)
{
    struct buf AUTO(buf_release) number = BUF_INIT(64);

    if (answer->content_type != NULL || answer->stream != NULL || whole_len(answer) > 0) {
        add_header(response, STR("Content-Type"), str_of(type));
    }
    add_header(response, STR("X-Content-Type-Options"), STR("nosniff"));
    if (gzip) {
        add_header(response, STR("Content-Encoding"), STR("gzip"));
        add_header(response, STR("Vary"), STR("Accept-Encoding"));
    }
    if (answer->retry_after_s > 0) {
        buf_add_i64(&number, answer->retry_after_s);
        add_header(response, STR("Retry-After"), buf_str(&number));
    }
    for (size_t i = 0; i < answer->header_count; i++) {
        add_header(response, answer->headers[i].name, answer->headers[i].value);
    }
}

struct MHD_Response *http_answer_make(struct http_exchange *x, const struct http_answer *answer)
{
    const char *type = answer->content_type != NULL ? answer->content_type : "application/json";
    bool large = answer->stream != NULL || whole_len(answer) >= HTTP_SMALLEST_GZIP;
    bool gzip = x->takes_gzip && large && !answer->is_encoded && is_text(type);
    struct MHD_Response *response =
        answer->stream != NULL ? make_stream(x, answer, gzip) : make_whole(answer, gzip);

    INVARIANT(response != NULL);
    add_headers(response, answer, type, gzip);
    return response;
}
