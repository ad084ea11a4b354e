/* What a handler may ask of its request. */
#include "net/http_server_int.h"
#include "net/url.h"

void *http_exchange_arg(const struct http_exchange *x)
{
    return x->match.arg;
}

struct str http_exchange_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_exchange_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_exchange_query(const struct http_exchange *x)
{
    return x->query;
}

struct str http_exchange_param(const struct http_exchange *x, size_t index)
{
    return index < HTTP_PARAMS_MAX ? x->match.params[index] : STR_NONE;
}

bool http_exchange_query_value(struct http_exchange *x, struct str name, struct str *ret_value)
{
    struct str rest = x->query;
    struct str raw_name;
    struct str raw_value;

    while (url_next_param(&rest, &raw_name, &raw_value)) {
        struct buf AUTO(buf_release) text = BUF_INIT(HTTP_EXCHANGE_ARENA_MAX);
        if (!url_add_unescaped(&text, raw_name, URL_QUERY) || !str_eq(buf_str(&text), name)) {
            continue;
        }
        buf_clear(&text);
        if (!url_add_unescaped(&text, raw_value, URL_QUERY)) {
            return false;
        }
        *ret_value = arena_dup(&x->arena, buf_str(&text));
        return true;
    }
    return false;
}

struct str http_exchange_header(const struct http_exchange *x, const char *name)
{
    return str_of(MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name));
}

struct header_search {
    struct str prefix;
    struct http_header *headers;
    size_t max;
    size_t count;
};

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct header_search *s = arg;

    (void)kind;
    if (str_eq_nocase(str_slice(str_of(name), 0, s->prefix.len), s->prefix)) {
        if (s->count < s->max) {
            s->headers[s->count] = (struct http_header){str_of(name), str_of(value)};
        }
        s->count++;
    }
    return MHD_YES;
}

size_t http_exchange_headers(const struct http_exchange *x, struct str prefix,
                             struct http_header *ret, size_t max)
{
    struct header_search s = {prefix, ret, max, 0};

    (void)MHD_get_connection_values(x->connection, MHD_HEADER_KIND, look_at_header, &s);
    return s.count;
}

struct str http_exchange_remote(const struct http_exchange *x)
{
    return str_of(x->place->remote);
}

struct str http_exchange_body(const struct http_exchange *x)
{
    return buf_str(&x->body);
}

void http_exchange_take_body(struct http_exchange *x, struct buf *ret)
{
    buf_release(ret);
    *ret = x->body;
    buf_init(&x->body, 0);
}

struct arena *http_exchange_arena(struct http_exchange *x)
{
    return &x->arena;
}

void http_exchange_set_state(struct http_exchange *x, void *state)
{
    x->state = state;
}

void *http_exchange_state(const struct http_exchange *x)
{
    return x->state;
}
