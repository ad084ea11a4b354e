/*
 * A URL is one file. A bucket's prefix is listed page by page, then each object is fetched; with * ? or
 * [ in it, it is listed up to there and the keys must match.
 */
#include "app/rule_fetch.h"

#include "app/rule_sources.h"
#include "base/clock.h"
#include "base/env.h"
#include "net/http_client.h"
#include "net/url.h"
#include "rules/rule.h"
#include "wire/s3_list.h"

#include <fnmatch.h>

enum { CONDITIONS_MAX = 2, SHOWN_MAX = 200 };

struct fetch {
    const struct env *env;
    const struct rule_server *server;
    const struct rule_bundle *known;
    struct rule_bundle *out;
    struct wait wait;
    struct http_client_config config;
    struct http_client *client;
    struct arena arena;
    struct err *err;
};

/* ---- one answer ---- */

static bool refuse_status(struct fetch *f, int status, struct str body)
{
    enum err_code code = status == 401 || status == 403 ? ERR_AUTH : ERR_NET;
    struct str text = rule_place_is_s3(f->server->url) && f->config.aws.service.len > 0
                          ? s3_error_text(body, &f->arena)
                          : str_trim(str_slice(body, 0, SHOWN_MAX));

    return err_set(f->err, code, "the server answered %d: %.*s", status, STR_FMT(text));
}

/* GETs <url> into <body>; *ret_status is 200, or 304 when <conditions> held. */
static bool get(struct fetch *f, struct str url, const struct http_header *conditions, size_t count,
                struct http_response *res, struct buf *body)
{
    struct http_request request = {.url = url, .headers = conditions, .header_count = count};

    http_response_init(res, body);
    if (!http_client_call(f->client, &request, f->wait, res, f->err)) {
        return false;
    }
    bool is_known = res->status == 304 && count > 0;
    return res->status == 200 || is_known || refuse_status(f, res->status, buf_str(body));
}

/* ---- one file ---- */

static size_t conditions_of(const struct bundle_file *known, struct http_header *headers)
{
    size_t count = 0;

    if (known != NULL && known->etag.len > 0) {
        headers[count++] = (struct http_header){STR("If-None-Match"), known->etag};
    } else if (known != NULL && known->modified.len > 0) {
        headers[count++] = (struct http_header){STR("If-Modified-Since"), known->modified};
    }
    return count;
}

/* The file at <url>, called <name>. */
static bool fetch_file(struct fetch *f, struct str url, struct str name)
{
    const struct bundle_file *known = rule_bundle_find(f->known, name);
    struct http_header conditions[CONDITIONS_MAX];
    size_t count = conditions_of(known, conditions);
    AUTO(buf_release) struct buf body = BUF_INIT(RULE_FILE_MAX);
    struct http_response res;

    bool ok = get(f, url, conditions, count, &res, &body);
    if (ok && res.status == 304) {
        rule_bundle_add(f->out, known);
    } else if (ok) {
        struct bundle_file file = {.name = name,
                                   .etag = http_response_header(&res, STR("ETag")),
                                   .modified = http_response_header(&res, STR("Last-Modified")),
                                   .text = buf_str(&body)};
        rule_bundle_add(f->out, &file);
    }
    http_response_release(&res);
    return ok;
}

/* ---- S3 ---- */

struct s3_place {
    struct str bucket;
    struct str key;  /* prefix, or pattern */
    struct str base; /* URL of the bucket, with a slash behind it */
};

static bool has_pattern(struct str text)
{
    return str_find_byte(text, '*') < text.len || str_find_byte(text, '?') < text.len ||
           str_find_byte(text, '[') < text.len;
}

/* https://bucket.s3.region.amazonaws.com/, or the endpoint with the bucket as its first folder. */
static struct str bucket_url(struct fetch *f, struct str bucket)
{
    struct str endpoint = f->server->endpoint;
    AUTO(buf_release) struct buf escaped = BUF_INIT(BUF_SMALL);

    url_add_escaped(&escaped, bucket, URL_SEGMENT);
    if (endpoint.len > 0) {
        while (endpoint.len > 0 && endpoint.ptr[endpoint.len - 1] == '/') {
            endpoint.len--;
        }
        return arena_printf(&f->arena, "%.*s/%s/", STR_FMT(endpoint), buf_text(&escaped));
    }
    if (str_find_byte(bucket, '.') <
        bucket.len) { /* no certificate covers bucket names with dots */
        return arena_printf(&f->arena, "https://s3.%.*s.amazonaws.com/%s/",
                            STR_FMT(f->server->region), buf_text(&escaped));
    }
    return arena_printf(&f->arena, "https://%s.s3.%.*s.amazonaws.com/", buf_text(&escaped),
                        STR_FMT(f->server->region));
}

static bool read_place(struct fetch *f, struct str place, struct s3_place *ret)
{
    struct str rest = str_slice(place, 5, place.len); /* behind s3:// */

    ret->bucket = str_slice(rest, 0, str_find_byte(rest, '/'));
    ret->key = str_slice(rest, ret->bucket.len + 1, rest.len);
    if (ret->bucket.len == 0 || has_pattern(ret->bucket)) {
        return err_set(f->err, ERR_CONFIG, "expected s3://BUCKET/PREFIX, found %.*s",
                       STR_FMT(place));
    }
    ret->base = bucket_url(f, ret->bucket);
    return true;
}

struct key_list {
    struct arena *arena;
    struct str pattern; /* empty: all are taken */
    VEC(struct str) keys;
};

static bool is_wanted(const struct key_list *list, struct str key)
{
    if (key.len == 0 || key.ptr[key.len - 1] == '/') { /* what stands for a folder */
        return false;
    }
    return list->pattern.len == 0 || fnmatch(arena_text(list->arena, list->pattern),
                                             arena_text(list->arena, key), FNM_PATHNAME) == 0;
}

static void take_key(void *arg, struct str key)
{
    struct key_list *list = arg;

    if (is_wanted(list, key)) {
        vec_push(&list->keys, key);
    }
}

/* The parameters of a page, by name, as what is signed must have them. */
static struct str page_url(struct fetch *f, const struct s3_place *place, struct str prefix,
                           struct str token)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);

    buf_add_str(&url, place->base);
    if (token.len > 0) {
        url_add_param(&url, STR("continuation-token"), token);
    }
    url_add_param(&url, STR("list-type"), STR("2"));
    url_add_param(&url, STR("prefix"), prefix);
    return arena_dup(&f->arena, buf_str(&url));
}

static bool list_page(struct fetch *f, struct str url, struct key_list *list, struct str *token)
{
    AUTO(buf_release) struct buf body = BUF_INIT(RULE_FILE_MAX);
    struct s3_keys keys = {take_key, list};
    struct http_response res;

    bool ok = get(f, url, NULL, 0, &res, &body) &&
              s3_list_decode(buf_str(&body), &f->arena, &keys, token, f->err);
    http_response_release(&res);
    return ok;
}

static bool list_keys(struct fetch *f, const struct s3_place *place, struct key_list *list)
{
    size_t plain = 0;
    struct str token = STR("");

    while (plain < place->key.len && strchr("*?[", place->key.ptr[plain]) == NULL) {
        plain++;
    }
    list->pattern = plain < place->key.len ? place->key : STR("");
    do {
        struct str url = page_url(f, place, str_slice(place->key, 0, plain), token);
        if (!list_page(f, url, list, &token)) {
            return err_wrap(f->err, "listing bucket '%.*s'", STR_FMT(place->bucket));
        }
        if (list->keys.len > FETCH_FILES_MAX) {
            return err_set(f->err, ERR_LIMIT, "there are more than %d objects", FETCH_FILES_MAX);
        }
    } while (token.len > 0);
    return true;
}

static bool fetch_key(struct fetch *f, const struct s3_place *place, struct str key)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);

    buf_add_str(&url, place->base);
    url_add_escaped(&url, key, URL_PATH);
    struct str name =
        arena_printf(&f->arena, "s3://%.*s/%.*s", STR_FMT(place->bucket), STR_FMT(key));
    return fetch_file(f, buf_str(&url), name) || err_wrap(f->err, "object '%.*s'", STR_FMT(key));
}

static bool fetch_bucket(struct fetch *f, const struct s3_place *place)
{
    struct key_list list = {.arena = &f->arena};
    bool ok = list_keys(f, place, &list);

    for (size_t i = 0; ok && i < list.keys.len; i++) {
        ok = fetch_key(f, place, list.keys.items[i]);
    }
    if (ok && list.keys.len == 0) {
        ok = err_set(f->err, ERR_CONFIG, "there are no such objects in bucket '%.*s'",
                     STR_FMT(place->bucket));
    }
    vec_release(&list.keys);
    return ok;
}

/* ---- the whole ---- */

static bool open_client(struct fetch *f, struct str url, bool is_s3)
{
    const struct rule_server *s = f->server;

    f->config = s->client;
    f->config.url = url;
    if (is_s3) {
        f->config.aws.service = STR("s3");
        f->config.aws.region = s->access_key_id.len > 0 ? s->region : STR("");
        f->config.aws.access_key_id = s->access_key_id;
        f->config.aws.secret_access_key = s->secret_access_key;
        f->config.aws.session_token = s->session_token;
    }
    return http_client_new(f->env, &f->config, &f->client, f->err);
}

static bool fetch_all(struct fetch *f, struct str place)
{
    struct s3_place s3;

    if (!rule_place_is_s3(place)) {
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        url_add_redacted(&name, place);
        return open_client(f, place, false) && fetch_file(f, place, buf_str(&name));
    }
    return read_place(f, place, &s3) && open_client(f, s3.base, true) && fetch_bucket(f, &s3);
}

bool rule_fetch(const struct env *env, const struct rule_server *server, struct str place,
                const struct rule_bundle *known, struct wait wait, struct rule_bundle *ret,
                struct err *e)
{
    struct fetch f = {
        .env = env, .server = server, .known = known, .out = ret, .wait = wait, .err = e};

    arena_init(&f.arena, ARENA_UNLIMITED);
    bool ok = fetch_all(&f, place);
    ret->fetched_ns = clock_wall_ns(env->clock);
    http_client_free(f.client);
    arena_release(&f.arena);
    return ok;
}
