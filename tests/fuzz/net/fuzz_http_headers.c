/* Headers that decide things, and the token server's answer. The first byte picks the reader. */
#include "net/http_client.h"
#include "net/http_guard.h"
#include "net/oauth2.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_host(struct str text)
{
    const struct host_rules rules = {.listen_host = STR("127.0.0.1")};
    struct str host;
    struct str port;

    if (host_is_allowed(text, &rules)) {
        INVARIANT(host_split(text, &host, &port));
        INVARIANT(host.len <= 46);
    }
}

/* The origin and the host, with a line break between them. */
static void read_origin(struct str text)
{
    size_t line = str_find_byte(text, '\n');
    struct str host = str_slice(text, line + 1, text.len);

    if (origin_matches(str_slice(text, 0, line), host)) {
        INVARIANT(host.len > 0);
    }
}

static void read_authorization(struct str text)
{
    struct buf AUTO(buf_release) scratch = BUF_INIT(BUF_SMALL);
    struct str user;
    struct str password;
    struct str token;

    if (auth_parse_basic(text, &scratch, &user, &password)) {
        INVARIANT(user.len + password.len + 1 == scratch.len);
    }
    if (auth_parse_bearer(text, &token)) {
        INVARIANT(token.len > 0);
    }
}

static void read_accept(struct str text)
{
    (void)accepts_gzip(text);
}

static void read_response(struct str text)
{
    struct http_response AUTO(http_response_release) r = {0};

    http_response_init(&r, NULL);
    buf_add_str(&r.headers, text);
    int64_t ms = http_response_retry_after_ms(&r, INT64_C(1700000000) * 1000000000);
    INVARIANT(ms >= 0 && ms <= 86400000);
}

static void read_token(struct str text)
{
    struct arena AUTO(arena_release) a = {0};
    struct oauth2_answer answer;

    arena_init(&a, ARENA_UNLIMITED);
    if (oauth2_parse_answer(text, &a, &answer)) {
        INVARIANT(answer.expires_in_ns == -1 || answer.expires_in_ns > 0);
    }
}

static void (*const readers[])(struct str) = {read_host,   read_origin,   read_authorization,
                                              read_accept, read_response, read_token};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        readers[data[0] % ARRAY_LEN(readers)](str_make((const char *)data + 1, size - 1));
    }
    return 0;
}
