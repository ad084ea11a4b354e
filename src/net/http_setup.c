/*
 * What a pair and a transfer are told: policy once per pair; method, URL, headers and body each
 * time. Every option that a transfer sets is set by each transfer.
 */
#include "net/http_client_int.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/secret.h"

#include <string.h>

enum {
    DNS_CACHE_S = 30,
    CA_CACHE_S = 300,
    KEPT_PER_PAIR = 2, /* connections */
};

/* --- settings of a pair --- */

/* A borrowed text as the C string that libcurl copies; NULL when empty. */
static void set_text(CURL *easy, CURLoption option, struct str text)
{
    char *copy = text.len > 0 ? mem_dup_text(text.ptr, text.len) : NULL;

    SET(easy, option, copy);
    mem_free(copy);
}

static long seconds_of(int64_t ns)
{
    int64_t seconds = (ns + NS_PER_S - 1) / NS_PER_S;

    return seconds > 0 ? (long)seconds : 1;
}

static long ms_of(int64_t ns)
{
    int64_t ms = ns / NS_PER_MS;

    return ms > 0 ? (long)ms : 1;
}

static void set_tls(CURL *easy, const struct http_tls_config *tls)
{
    SET(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure_skip_verify ? 0L : 1L);
    SET(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure_skip_verify ? 0L : 2L);
    SET(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    if (tls->ca_file.len > 0) {
        set_text(easy, CURLOPT_CAINFO, tls->ca_file);
        SET(easy, CURLOPT_CAPATH, (char *)NULL);
    }
    set_text(easy, CURLOPT_SSLCERT, tls->cert_file);
    set_text(easy, CURLOPT_SSLKEY, tls->key_file);
}

static void set_policy(CURL *easy, const struct http_client_config *config)
{
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(easy, CURLOPT_PATH_AS_IS, 1L);
    SET(easy, CURLOPT_HTTP_VERSION,
        (long)(config->http2 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_1_1));
    SET(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    SET(easy, CURLOPT_ACCEPT_ENCODING, config->http2 ? NULL : "gzip");
    SET(easy, CURLOPT_MAXAGE_CONN, seconds_of(config->idle_timeout_ns));
    SET(easy, CURLOPT_MAXLIFETIME_CONN, seconds_of(config->max_connection_ns));
    SET(easy, CURLOPT_DNS_CACHE_TIMEOUT, (long)DNS_CACHE_S);
    SET(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* An empty proxy keeps libcurl from looking at the environment. */
    SET(easy, CURLOPT_PROXY, "");
    set_text(easy, CURLOPT_USERAGENT, config->user_agent);
    if (config->proxy_url.len > 0) {
        set_text(easy, CURLOPT_PROXY, config->proxy_url);
    }
    set_tls(easy, &config->tls);
}

bool transfer_prepare_pair(const struct http_client *c, struct http_pair *pair, struct err *e)
{
    pair->multi = curl_multi_init();
    pair->easy = curl_easy_init();
    if (pair->multi == NULL || pair->easy == NULL) {
        return err_set(e, ERR_LIMIT,
                       "libcurl cannot start a transfer: are there file descriptors left?");
    }
    INVARIANT(curl_multi_setopt(pair->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_PER_PAIR) ==
              CURLM_OK);
    set_policy(pair->easy, c->config);
    transfer_set_callbacks(pair->easy);
    return true;
}

/* --- settings of a transfer --- */

static bool is_overridden(const struct http_request *req, struct str name)
{
    for (size_t i = 0; i < req->header_count; i++) {
        if (str_eq_nocase(req->headers[i].name, name)) {
            return true;
        }
    }
    return false;
}

static bool add_config_headers(struct transfer *t, struct err *e)
{
    const struct option_map *headers = &t->client->config->headers;

    for (size_t i = 0; i < headers->count; i++) {
        const struct option_pair *pair = &headers->items[i];
        if (!is_overridden(t->request, pair->name) &&
            !header_lines_add(&t->headers, pair->name, pair->value, e)) {
            return false;
        }
    }
    return true;
}

static bool has_header(const struct transfer *t, struct str name)
{
    for (const struct curl_slist *line = t->headers.list; line != NULL; line = line->next) {
        struct str text = str_of(line->data);
        if (str_eq_nocase(str_slice(text, 0, name.len), name) && text.len > name.len &&
            text.ptr[name.len] == ':') {
            return true;
        }
    }
    return false;
}

static bool add_token(struct transfer *t, struct str token, struct err *e)
{
    struct buf AUTO(buf_release) value = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    if (token.len == 0) {
        return true;
    }
    buf_add_text(&value, "Bearer ");
    buf_add_str(&value, token);
    bool fine = header_lines_add(&t->headers, STR("Authorization"), buf_str(&value), e);
    buf_wipe(&value);
    return fine;
}

/*
 * libcurl signs all header lines that it is given, those that keep it from sending one as well: so there
 * are none of these. What is signed has no body.
 */
static bool add_aws_headers(struct transfer *t, struct err *e)
{
    static const struct str sha256_of_nothing =
        STR_INIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    const struct http_aws_config *aws = &t->client->config->aws;
    AUTO(buf_release) struct buf token = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    if (t->request->part_count > 0) {
        return err_set(e, ERR_INTERNAL, "a signed request cannot have a body");
    }
    if (!header_lines_add(&t->headers, STR("x-amz-content-sha256"), sha256_of_nothing, e)) {
        return false;
    }
    if (secret_is_empty(aws->session_token)) {
        return true;
    }
    secret_reveal(aws->session_token, &token);
    bool ok = header_lines_add(&t->headers, STR("x-amz-security-token"), buf_str(&token), e);
    buf_wipe(&token);
    return ok;
}

bool transfer_build_headers(struct transfer *t, struct str token, struct err *e)
{
    const struct http_request *req = t->request;

    if (req->header_count > HTTP_HEADERS_MAX) {
        return err_set(e, ERR_LIMIT, "a request has %zu headers, %d are allowed", req->header_count,
                       HTTP_HEADERS_MAX);
    }
    for (size_t i = 0; i < req->header_count; i++) {
        if (!header_lines_add(&t->headers, req->headers[i].name, req->headers[i].value, e)) {
            return false;
        }
    }
    if (!add_config_headers(t, e) ||
        !http_credentials_add(&t->client->credentials, &t->headers, e) || !add_token(t, token, e)) {
        return false;
    }
    if (t->client->config->aws.region.len > 0) {
        return add_aws_headers(t, e);
    }
    header_lines_suppress(&t->headers, "Expect");
    if (!has_header(t, STR("Content-Type"))) {
        header_lines_suppress(&t->headers, "Content-Type");
    }
    return true;
}

/*
 * Asks for and verifies another name than the URL's host: the URL gets the name, the connection
 * goes to the host, and the Host header stays what it was.
 */
static bool use_server_name(struct transfer *t, const struct url *url, struct err *e)
{
    struct str name = t->client->config->tls.server_name;
    const char *open = url->ipv6 ? "[" : "";
    const char *close = url->ipv6 ? "]" : "";

    struct buf AUTO(buf_release) connect_to = BUF_INIT(URL_MAX);

    buf_clear(&t->url);
    buf_addf(&t->url, "https://%.*s:%u%.*s%s%.*s", STR_FMT(name), url->port, STR_FMT(url->path),
             url->query.len > 0 ? "?" : "", STR_FMT(url->query));
    buf_addf(&connect_to, "%.*s:%u:%s%.*s%s:%u", STR_FMT(name), url->port, open, STR_FMT(url->host),
             close, url->port);
    t->connect_list = curl_slist_append(NULL, buf_text(&connect_to));
    INVARIANT(t->connect_list != NULL);
    return has_header(t, STR("Host")) ||
           header_lines_add(&t->headers, STR("Host"), url->authority, e);
}

bool transfer_build_url(struct transfer *t, struct err *e)
{
    const struct http_client *c = t->client;
    bool own = t->request->url.len > 0;
    struct url url;

    if (!own && c->config->url.len == 0) {
        return err_set(e, ERR_INTERNAL, "a request without URL on a client without URL");
    }
    url_add_joined(&t->url, own ? t->request->url : c->config->url, t->request->path);
    if (!buf_ok(&t->url)) {
        return err_set(e, ERR_LIMIT, "the request's URL is longer than %d bytes", URL_MAX);
    }
    /* The parts are views of a copy: use_server_name() writes the URL anew. */
    struct buf AUTO(buf_release) copy = BUF_INIT(URL_MAX);
    buf_add_str(&copy, buf_str(&t->url));
    if (!url_parse(buf_str(&copy), &url, e)) {
        return false;
    }
    if (own && c->config->url.len > 0 && !url_same_origin(&url, &c->url)) {
        return err_set(e, ERR_CONFIG, "a request for %.*s on a client for %.*s is refused",
                       STR_FMT(url.authority), STR_FMT(c->url.authority));
    }
    return !url.secure || c->config->tls.server_name.len == 0 || use_server_name(t, &url, e);
}

static curl_off_t body_len(const struct http_request *req)
{
    curl_off_t total = 0;

    for (size_t i = 0; i < req->part_count; i++) {
        total += (curl_off_t)req->parts[i].len;
    }
    return total;
}

static bool wants_body(struct str method)
{
    return str_eq(method, STR("POST")) || str_eq(method, STR("PUT")) ||
           str_eq(method, STR("PATCH"));
}

static void set_method_and_body(struct transfer *t)
{
    CURL *easy = t->pair->easy;
    const struct http_request *req = t->request;
    const char *method = req->method != NULL ? req->method : "GET";
    bool single = req->part_count <= 1;

    SET(easy, CURLOPT_HTTPGET, 1L); /* forgets what the last transfer was */
    if (req->part_count > 0 || wants_body(str_of(method))) {
        /* A single part goes out in one write with the headers when it is small. */
        const char *whole = req->part_count == 1 ? req->parts[0].ptr : "";
        SET(easy, CURLOPT_POST, 1L);
        SET(easy, CURLOPT_POSTFIELDSIZE_LARGE, body_len(req));
        SET(easy, CURLOPT_POSTFIELDS, single ? (whole != NULL ? whole : "") : NULL);
    } else if (strcmp(method, "HEAD") == 0) {
        SET(easy, CURLOPT_NOBODY, 1L);
    }
    SET(easy, CURLOPT_CUSTOMREQUEST, method);
}

/* Set each time: the secret may have changed. */
static void set_proxy_user(struct transfer *t)
{
    const struct http_client_config *config = t->client->config;
    struct buf AUTO(buf_release) password = BUF_INIT(HTTP_AUTHORIZATION_MAX);

    if (config->proxy_username.len == 0) {
        return;
    }
    if (config->proxy_password != NULL) {
        secret_reveal(config->proxy_password, &password);
    }
    set_text(t->pair->easy, CURLOPT_PROXYUSERNAME, config->proxy_username);
    SET(t->pair->easy, CURLOPT_PROXYPASSWORD, buf_text(&password));
    buf_wipe(&password);
}

/* Keys are read for each transfer: they may be in files that change. */
static void set_aws(struct transfer *t)
{
    const struct http_aws_config *aws = &t->client->config->aws;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (aws->region.len == 0) {
        return;
    }
    buf_addf(&text, "aws:amz:%.*s:%.*s", STR_FMT(aws->region), STR_FMT(aws->service));
    SET(t->pair->easy, CURLOPT_AWS_SIGV4, buf_text(&text));
    buf_clear(&text);
    buf_add_str(&text, aws->access_key_id);
    SET(t->pair->easy, CURLOPT_USERNAME, buf_text(&text));
    buf_clear(&text);
    secret_reveal(aws->secret_access_key, &text);
    SET(t->pair->easy, CURLOPT_PASSWORD, buf_text(&text));
    buf_wipe(&text);
}

/*
 * libcurl 7.88 begins HTTP/2 anew on a kept connection that had it from the start, and so breaks it: there
 * each request has a connection of its own. With TLS, where the handshake chooses HTTP/2, it is kept.
 */
static bool is_used_once(const struct transfer *t)
{
    enum { FIXED_IN = 0x080000 };
    bool is_clear = str_starts(buf_str(&t->url), STR("http:"));

    return t->client->config->http2 && is_clear &&
           curl_version_info(CURLVERSION_NOW)->version_num < FIXED_IN;
}

void transfer_configure(struct transfer *t, int64_t left_ns)
{
    CURL *easy = t->pair->easy;
    int64_t connect_ns = t->client->config->connect_timeout_ns;

    SET(easy, CURLOPT_URL, buf_text(&t->url));
    SET(easy, CURLOPT_CONNECT_TO, t->connect_list);
    SET(easy, CURLOPT_HTTPHEADER, t->headers.list);
    SET(easy, CURLOPT_TIMEOUT_MS, ms_of(left_ns));
    SET(easy, CURLOPT_CONNECTTIMEOUT_MS, ms_of(connect_ns < left_ns ? connect_ns : left_ns));
    SET(easy, CURLOPT_FORBID_REUSE, is_used_once(t) ? 1L : 0L);
    SET(easy, CURLOPT_ERRORBUFFER, t->message);
    SET(easy, CURLOPT_PREREQDATA, t);
    SET(easy, CURLOPT_READDATA, t);
    SET(easy, CURLOPT_SEEKDATA, t);
    SET(easy, CURLOPT_HEADERDATA, t);
    SET(easy, CURLOPT_WRITEDATA, t);
    set_method_and_body(t);
    set_proxy_user(t);
    set_aws(t);
}
