#include "net/http_client.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/timetext.h"

static const char *const failure_names[HTTP_FAILURES] = {
    [HTTP_FAILURE_NONE] = "none",
    [HTTP_FAILURE_CONNECT] = "connect",
    [HTTP_FAILURE_TLS] = "tls",
    [HTTP_FAILURE_TIMEOUT] = "timeout",
    [HTTP_FAILURE_CANCELED] = "canceled",
    [HTTP_FAILURE_BROKEN] = "broken",
    [HTTP_FAILURE_TOO_LARGE] = "too_large",
    [HTTP_FAILURE_AUTH] = "auth",
    [HTTP_FAILURE_REQUEST] = "request",
};

enum { RETRY_AFTER_MAX_S = 24 * 60 * 60 };

const char *http_failure_name(enum http_failure failure)
{
    return failure_names[failure];
}

void http_response_init(struct http_response *r, struct buf *body)
{
    *r = (struct http_response){.body = body};
    buf_init(&r->headers, HTTP_RESPONSE_HEADERS_MAX);
}

void http_response_release(struct http_response *r)
{
    if (r->budget != NULL && r->taken_bytes > 0) {
        budget_give(r->budget, r->taken_bytes);
    }
    r->taken_bytes = 0;
    buf_release(&r->headers);
}

struct str http_response_header(const struct http_response *r, struct str name)
{
    struct str rest = buf_str(&r->headers);
    struct str line;

    while (str_split(&rest, '\n', &line)) {
        size_t colon = str_find_byte(line, ':');
        if (colon < line.len && str_eq_nocase(str_slice(line, 0, colon), name)) {
            return str_trim(str_slice(line, colon + 1, line.len));
        }
    }
    return STR_NONE;
}

/* Digits only, as the standard has it; saturates. */
static bool parse_seconds(struct str text, int64_t *ret_s)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
        seconds = seconds * 10 + (text.ptr[i] - '0');
        if (seconds > RETRY_AFTER_MAX_S) {
            seconds = RETRY_AFTER_MAX_S;
        }
    }
    *ret_s = seconds;
    return text.len > 0;
}

int64_t http_response_retry_after_ms(const struct http_response *r, int64_t wall_now_ns)
{
    struct err ignored = ERR_INIT;
    struct str text = http_response_header(r, STR("retry-after"));
    int64_t seconds;
    int64_t at_ns;

    if (text.len == 0) {
        return 0;
    }
    if (parse_seconds(text, &seconds)) {
        return seconds * 1000;
    }
    if (!time_parse_http(text, &at_ns, &ignored) || at_ns <= wall_now_ns) {
        return 0;
    }
    int64_t ms = (at_ns - wall_now_ns + NS_PER_MS - 1) / NS_PER_MS; /* never too early */
    return ms < RETRY_AFTER_MAX_S * INT64_C(1000) ? ms : RETRY_AFTER_MAX_S * INT64_C(1000);
}
