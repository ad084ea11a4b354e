#include "export/grpc_call.h"

#include "base/base64.h"

enum { HTTP_OK = 200, DETAILS_MAX = 64 * 1024 };

size_t grpc_call_headers(const char *compression, int64_t timeout_ns, struct arena *a,
                         struct http_header headers[static GRPC_CALL_HEADERS])
{
    AUTO(buf_release) struct buf timeout = BUF_INIT(BUF_SMALL);
    size_t count = 0;

    headers[count++] = (struct http_header){STR("Content-Type"), STR("application/grpc")};
    headers[count++] = (struct http_header){STR("TE"), STR("trailers")};
    grpc_add_timeout(&timeout, timeout_ns > 0 ? timeout_ns : 1);
    headers[count++] = (struct http_header){STR("grpc-timeout"), arena_dup(a, buf_str(&timeout))};
    if (compression != NULL) {
        headers[count++] = (struct http_header){STR("grpc-encoding"), str_of(compression)};
    }
    return count;
}

static struct str decoded_text(struct str header, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(GRPC_TEXT_MAX);

    grpc_read_text(str_slice(header, 0, GRPC_TEXT_MAX), &text);
    for (size_t i = 0; i < text.len; i++) {
        text.ptr[i] = (char)((unsigned char)text.ptr[i] < ' ' ? ' ' : text.ptr[i]);
    }
    return arena_dup(a, buf_str(&text));
}

static struct str decoded_details(struct str header, struct arena *a)
{
    AUTO(buf_release) struct buf details = BUF_INIT(DETAILS_MAX);

    return base64_decode(header, &details) ? arena_dup(a, buf_str(&details)) : STR("");
}

void grpc_call_read(const struct http_response *res, struct str body, struct arena *a,
                    struct grpc_answer *ret)
{
    struct str status = http_response_header(res, STR("grpc-status"));
    bool is_compressed = false;
    struct str message = STR("");

    ret->code = status.len > 0 ? grpc_code_read(status) : grpc_code_from_http(res->status);
    ret->text = decoded_text(http_response_header(res, STR("grpc-message")), a);
    ret->details = decoded_details(http_response_header(res, STR("grpc-status-details-bin")), a);
    if (status.len == 0 && ret->text.len == 0) {
        ret->text =
            arena_printf(a, "HTTP %d without a grpc-status: is this a gRPC server?", res->status);
    }
    /* We said of no compression that we take it. */
    ret->message = grpc_next(&body, &is_compressed, &message) && !is_compressed ? message : STR("");
}
