/*
 * Patterns are matched segment by segment, in the order of the tables; the first that fits wins. There
 * are tens of routes, so this is a walk, not a tree.
 */
#include "net/http_server_int.h"
#include "net/url.h"

static bool is_capture(struct str segment)
{
    return segment.len > 2 && segment.ptr[0] == '{' && str_ends(segment, STR("}"));
}

static bool is_rest(struct str segment)
{
    return is_capture(segment) && str_ends(segment, STR("...}"));
}

static bool capture(struct str raw, struct arena *a, struct http_match *m, size_t *count)
{
    struct buf AUTO(buf_release) text = BUF_INIT(HTTP_EXCHANGE_ARENA_MAX / 2);

    if (*count == HTTP_PARAMS_MAX || !url_add_unescaped(&text, raw, URL_SEGMENT) ||
        !buf_ok(&text)) {
        return false;
    }
    m->params[(*count)++] = arena_dup(a, buf_str(&text));
    return true;
}

/* The same bytes once the path's escapes are undone? */
static bool is_same(struct str raw, struct str segment)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);

    if (str_find_byte(raw, '%') == raw.len) {
        return str_eq(raw, segment);
    }
    return url_add_unescaped(&text, raw, URL_SEGMENT) && str_eq(buf_str(&text), segment);
}

static bool matches(struct str pattern, struct str path, struct arena *a, struct http_match *m)
{
    struct str want;
    struct str got;
    size_t params = 0;

    while (str_split(&pattern, '/', &want)) {
        if (is_rest(want)) {
            return path.ptr != NULL && capture(path, a, m, &params);
        }
        if (!str_split(&path, '/', &got)) {
            return false;
        }
        if (is_capture(want) ? got.len == 0 || !capture(got, a, m, &params) : !is_same(got, want)) {
            return false;
        }
    }
    return !str_split(&path, '/', &got);
}

static bool method_fits(struct str wanted, struct str method)
{
    return str_eq(wanted, method) || (str_eq(wanted, STR("GET")) && str_eq(method, STR("HEAD")));
}

static void note_allowed(struct buf *allow, struct str method)
{
    if (str_find(buf_str(allow), method) < allow->len) {
        return;
    }
    if (allow->len > 0) {
        buf_add_text(allow, ", ");
    }
    buf_add_str(allow, method);
    if (str_eq(method, STR("GET"))) {
        buf_add_text(allow, ", HEAD");
    }
}

bool http_router_find(const struct http_router *r, struct str method, struct str path,
                      struct arena *a, struct http_match *ret, struct buf *allow)
{
    size_t index = 0;

    for (size_t t = 0; t < r->count; t++) {
        for (size_t i = 0; i < r->tables[t].count; i++, index++) {
            const struct http_route *route = &r->tables[t].routes[i];
            struct http_match m = {.route = route, .arg = r->tables[t].arg, .stats = index};
            if (!matches(str_of(route->pattern), path, a, &m)) {
                continue;
            }
            if (method_fits(str_of(route->method), method)) {
                *ret = m;
                return true;
            }
            note_allowed(allow, str_of(route->method));
        }
    }
    *ret = (struct http_match){.stats = SIZE_MAX};
    return false;
}

size_t http_router_size(const struct http_router *r)
{
    size_t total = 0;

    for (size_t t = 0; t < r->count; t++) {
        total += r->tables[t].count;
    }
    return total;
}

static bool check_pattern(const struct http_route *route, struct err *e)
{
    struct str rest = str_of(route->pattern);
    struct str segment;
    size_t captures = 0;
    bool ended = false;

    while (str_split(&rest, '/', &segment)) {
        if (ended) {
            return err_set(e, ERR_INTERNAL, "route %s: {...} must come last", route->pattern);
        }
        captures += is_capture(segment);
        ended = is_rest(segment);
    }
    if (route->pattern[0] != '/' || captures > HTTP_PARAMS_MAX) {
        return err_set(e, ERR_INTERNAL,
                       "route %s: must begin with a slash and hold at most %d names",
                       route->pattern, HTTP_PARAMS_MAX);
    }
    return true;
}

static bool is_known(const struct http_router *r, size_t table, size_t index)
{
    const struct http_route *route = &r->tables[table].routes[index];

    for (size_t t = 0; t <= table; t++) {
        size_t end = t < table ? r->tables[t].count : index;
        for (size_t i = 0; i < end; i++) {
            const struct http_route *other = &r->tables[t].routes[i];
            if (str_eq(str_of(other->method), str_of(route->method)) &&
                str_eq(str_of(other->pattern), str_of(route->pattern))) {
                return true;
            }
        }
    }
    return false;
}

bool http_router_check(const struct http_router *r, struct err *e)
{
    for (size_t t = 0; t < r->count; t++) {
        for (size_t i = 0; i < r->tables[t].count; i++) {
            const struct http_route *route = &r->tables[t].routes[i];
            if (!check_pattern(route, e)) {
                return false;
            }
            if (is_known(r, t, i)) {
                return err_set(e, ERR_INTERNAL, "route %s %s is there twice", route->method,
                               route->pattern);
            }
        }
    }
    return true;
}
