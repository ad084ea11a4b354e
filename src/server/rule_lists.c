/*
 * /api/v1/rules and /api/v1/alerts: what is asked for, in the words of Prometheus and of vmalert, and an answer that is
 * made while it is sent.
 */
#include "base/env.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/url.h"
#include "rules/listing.h"
#include "server/server_int.h"

#include <string.h>

enum { GROUP_LIMIT_MAX = 1000 * 1000 };

/* ---- what is asked for ---- */

struct list_request {
    struct engine_filter filter;
    struct listing_page page;
    bool is_paged;
};

static bool is_true(struct str text)
{
    return str_eq(text, STR("true")) || str_eq(text, STR("1"));
}

static bool take_count(struct str name, struct str value, int64_t *ret_count, struct err *e)
{
    if (!number_parse_i64(value, ret_count) || *ret_count < 1 || *ret_count > GROUP_LIMIT_MAX) {
        return err_set(e, ERR_PARSE, "%.*s is a whole number from 1 to %d, not '%.*s'",
                       STR_FMT(name), GROUP_LIMIT_MAX, STR_FMT(str_slice(value, 0, 64)));
    }
    return true;
}

static bool take_type(struct list_request *r, struct str value, struct err *e)
{
    if (!str_eq(value, STR("alert")) && !str_eq(value, STR("record"))) {
        return err_set(e, ERR_PARSE, "type is 'alert' or 'record', not '%.*s'",
                       STR_FMT(str_slice(value, 0, 64)));
    }
    r->filter.type = engine_filter_text(&r->filter, value);
    return true;
}

static bool take_exclude(struct list_request *r, struct str value, struct err *e)
{
    (void)e;
    r->filter.exclude_alerts = is_true(value);
    return true;
}

static bool take_extended(struct list_request *r, struct str value, struct err *e)
{
    (void)e;
    r->filter.extended_states = is_true(value);
    return true;
}

static bool take_rule(struct list_request *r, struct str value, struct err *e)
{
    return engine_filter_name(&r->filter, &r->filter.rules, value, e);
}

static bool take_group(struct list_request *r, struct str value, struct err *e)
{
    return engine_filter_name(&r->filter, &r->filter.groups, value, e);
}

static bool take_file(struct list_request *r, struct str value, struct err *e)
{
    return engine_filter_name(&r->filter, &r->filter.files, value, e);
}

static bool take_match(struct list_request *r, struct str value, struct err *e)
{
    return engine_filter_match(&r->filter, value, e);
}

static bool take_language(struct list_request *r, struct str value, struct err *e)
{
    (void)e;
    r->filter.language = engine_filter_text(&r->filter, value);
    return true;
}

static bool take_search(struct list_request *r, struct str value, struct err *e)
{
    (void)e;
    r->filter.search = engine_filter_text(&r->filter, value);
    return true;
}

static bool take_state(struct list_request *r, struct str value, struct err *e)
{
    return engine_filter_conditions(&r->filter, value, e);
}

static bool take_limit(struct list_request *r, struct str value, struct err *e)
{
    r->is_paged = true;
    return take_count(STR("group_limit"), value, &r->page.group_limit, e);
}

static bool take_page(struct list_request *r, struct str value, struct err *e)
{
    return take_count(STR("page_num"), value, &r->page.number, e);
}

static bool take_token(struct list_request *r, struct str value, struct err *e)
{
    (void)e;
    r->page.token = engine_filter_text(&r->filter, value);
    return true;
}

struct list_param {
    const char *name;
    bool (*take)(struct list_request *r, struct str value, struct err *e);
    bool of_rules; /* not asked of alerts: passed over there */
};

static const struct list_param params[] = {
    {"type", take_type, true},
    {"exclude_alerts", take_exclude, true},
    {"extended_states", take_extended, true},
    {"rule_name[]", take_rule, false},
    {"rule_name", take_rule, false},
    {"rule_group[]", take_group, false},
    {"rule_group", take_group, false},
    {"file[]", take_file, false},
    {"file", take_file, false},
    {"match[]", take_match, false},
    {"match", take_match, false},
    {"datasource_type", take_language, false},
    {"search", take_search, false},
    {"state", take_state, true},
    {"filter", take_state, true},
    {"group_limit", take_limit, true},
    {"page_num", take_page, true},
    {"group_next_token", take_token, true},
};

static bool take_param(struct list_request *r, enum listing_kind kind, struct str name,
                       struct str value, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        if (str_eq(name, str_of(params[i].name))) {
            return value.len == 0 || (params[i].of_rules && kind == LISTING_ALERTS) ||
                   params[i].take(r, value, e);
        }
    }
    return true; /* what we do not know is for others, as everywhere */
}

static bool read_request(struct http_exchange *x, enum listing_kind kind, struct list_request *r,
                         struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(HTTP_EXCHANGE_ARENA_MAX);
    AUTO(buf_release) struct buf value = BUF_INIT(HTTP_EXCHANGE_ARENA_MAX);
    struct str rest = http_exchange_query(x);
    struct str raw_name;
    struct str raw_value;

    while (url_next_param(&rest, &raw_name, &raw_value)) {
        buf_clear(&name);
        buf_clear(&value);
        if (!url_add_unescaped(&name, raw_name, URL_QUERY) ||
            !url_add_unescaped(&value, raw_value, URL_QUERY)) {
            return err_set(e, ERR_PARSE, "a broken escape in '%.*s'",
                           STR_FMT(str_slice(raw_value, 0, 64)));
        }
        if (!take_param(r, kind, buf_str(&name), buf_str(&value), e)) {
            return false;
        }
    }
    return true;
}

/* ---- the answer ---- */

struct list_answer {
    struct app *app;
    struct list_request request;
    struct listing *listing;
    struct buf pending;
    size_t sent; /* of pending */
    bool is_end;
    bool is_broken;
};

static void answer_free(struct list_answer *a)
{
    listing_free(a->listing);
    engine_filter_release(&a->request.filter);
    buf_release(&a->pending);
    mem_free(a);
}

static void note_step(struct list_answer *a, enum listing_step step)
{
    a->is_end = step == LISTING_END;
    a->is_broken = step == LISTING_BROKEN;
    if (a->is_end) {
        buf_add_text(&a->pending, "}\n");
    }
}

static void refill(struct list_answer *a)
{
    buf_clear(&a->pending);
    a->sent = 0;
    note_step(a, listing_next(a->listing, app_view_begin(a->app), &a->pending));
    app_view_end(a->app);
}

static enum http_stream_step read_answer(void *arg, char *out, size_t max, size_t *ret_len)
{
    struct list_answer *a = arg;

    if (a->sent == a->pending.len && a->is_end) {
        return HTTP_STREAM_END;
    }
    if (a->sent == a->pending.len) {
        refill(a);
    }
    if (a->is_broken) {
        return HTTP_STREAM_FAIL;
    }
    struct str rest = buf_str(&a->pending);
    size_t len = rest.len - a->sent < max ? rest.len - a->sent : max;
    memcpy(out, rest.ptr + a->sent, len);
    a->sent += len;
    *ret_len = len;
    return HTTP_STREAM_DATA;
}

static void close_answer(void *arg)
{
    answer_free(arg);
}

/* Pages are told in vmalert's way beside the data, and in Prometheus's inside it. */
static void open_envelope(struct list_answer *a)
{
    struct listing_totals totals = listing_totals(a->listing);

    buf_add_text(&a->pending, "{\"status\":\"success\",");
    if (a->request.is_paged) {
        buf_addf(&a->pending,
                 "\"page\":%lld,\"total_pages\":%lld,\"total_groups\":%lld,\"total_rules\":%lld,",
                 (long long)totals.page, (long long)totals.pages, (long long)totals.groups,
                 (long long)totals.rules);
    }
    buf_add_text(&a->pending, "\"data\":");
}

/* Finds the groups and makes the first piece. */
static bool open_listing(struct list_answer *a, enum listing_kind kind, struct err *e)
{
    struct engine *engine = app_view_begin(a->app);
    bool ok = listing_open(engine, kind, &a->request.filter, &a->request.page, &a->listing, e);

    if (ok) {
        open_envelope(a);
        note_step(a, listing_next(a->listing, engine, &a->pending));
    }
    app_view_end(a->app);
    return ok;
}

/* As long as nothing was sent it can be begun anew: only a long answer can be broken off by a reload. */
static bool open_answer(struct list_answer *a, struct http_exchange *x, enum listing_kind kind,
                        struct err *e)
{
    enum { TRIES = 100 };
    bool ok = read_request(x, kind, &a->request, e);

    for (int i = 0; ok && i < TRIES; i++) {
        ok = open_listing(a, kind, e);
        if (!ok || !a->is_broken) {
            break;
        }
        listing_free(TAKE(a->listing));
        buf_clear(&a->pending);
    }
    return ok;
}

static void list(struct http_exchange *x, enum listing_kind kind)
{
    static const struct http_stream stream = {.read = read_answer, .close = close_answer};
    struct app *app = server_app(x);
    struct err e = ERR_INIT;

    if (app == NULL) {
        return;
    }
    struct list_answer *a = mem_new(struct list_answer);
    a->app = app;
    a->pending = BUF_INIT(BUF_UNLIMITED);
    if (!open_answer(a, x, kind, &e)) {
        (void)http_exchange_error(x, 400, "bad_data", "%s%s%s", e.context,
                                  e.context[0] != '\0' ? ": " : "", e.message);
        answer_free(a);
        return;
    }
    (void)http_exchange_answer(x, &(struct http_answer){.stream = &stream, .stream_arg = a});
}

static void rules(struct http_exchange *x)
{
    list(x, LISTING_RULES);
}

static void alerts(struct http_exchange *x)
{
    list(x, LISTING_ALERTS);
}

const struct http_handler resource_rules = {.end = rules};
const struct http_handler resource_alerts = {.end = alerts};
