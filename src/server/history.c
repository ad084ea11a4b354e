/* /api/v1/history and why: what alerts went through, and why a rule fires or does not. */
#include "state/history.h"

#include "base/number.h"
#include "base/timetext.h"
#include "server/server_int.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- parameters ---- */

static bool refuse(struct http_exchange *x, const char *name, const char *what)
{
    (void)http_exchange_error(x, 400, "bad_data", "%s is %s", name, what);
    return false;
}

static struct str text_param(struct http_exchange *x, const char *name)
{
    struct str text = STR("");

    return http_exchange_query_value(x, str_of(name), &text) ? text : STR("");
}

static bool time_param(struct http_exchange *x, const char *name, int64_t *ret_ns)
{
    struct str text = text_param(x, name);
    struct err ignored = ERR_INIT;

    return text.len == 0 || time_parse_any(text, ret_ns, &ignored) ||
           refuse(x, name, "a time, RFC 3339 or Unix seconds");
}

static bool number_param(struct http_exchange *x, const char *name, int64_t *ret_number)
{
    struct str text = text_param(x, name);

    return text.len == 0 || (number_parse_i64(text, ret_number) && *ret_number >= 0) ||
           refuse(x, name, "a number");
}

static bool limit_param(struct http_exchange *x, int64_t *ret_limit)
{
    char what[64];

    (void)snprintf(what, sizeof(what), "%d at most; 'next' leads on", HISTORY_PAGE_MAX);
    return number_param(x, "limit", ret_limit) &&
           (*ret_limit <= HISTORY_PAGE_MAX || refuse(x, "limit", what));
}

static bool state_param(struct http_exchange *x, struct str *ret_state)
{
    static const char *const states[] = {"pending", "firing", "resolved", "inactive"};

    *ret_state = text_param(x, "state");
    for (size_t i = 0; i < ARRAY_LEN(states); i++) {
        if (str_eq(*ret_state, str_of(states[i]))) {
            return true;
        }
    }
    return ret_state->len == 0 || refuse(x, "state", "pending, firing, resolved or inactive");
}

static bool read_filter(struct http_exchange *x, struct history_filter *f)
{
    f->rule = text_param(x, "rule");
    f->rule_id = text_param(x, "rule_id");
    f->group = text_param(x, "group");
    f->labels = text_param(x, "labels");
    f->only_told = str_eq(text_param(x, "told"), STR("true"));
    return state_param(x, &f->state) && time_param(x, "from", &f->from_ns) &&
           time_param(x, "to", &f->to_ns) && limit_param(x, &f->limit) &&
           number_param(x, "before", &f->before);
}

/* ---- history ---- */

static void history(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct history_filter filter = {0};
    int64_t next = 0;
    struct err e = ERR_INIT;

    if (app == NULL || !read_filter(x, &filter)) {
        return;
    }
    if (app_history(app) == NULL) {
        (void)http_exchange_error(x, 404, "not_found", "no history is kept (history.enabled)");
        return;
    }
    buf_add_text(&out, "{\"status\":\"success\",\"data\":{\"changes\":");
    if (!history_print(app_history(app), &filter, &out, &next, &e)) {
        bool is_ours = filter.labels.len == 0;
        (void)http_exchange_error(x, is_ours ? 500 : 400, is_ours ? "internal" : "bad_data", "%s",
                                  e.message);
        buf_release(&out);
        return;
    }
    buf_add_text(&out, ",\"next\":");
    if (next != 0) {
        buf_add_i64(&out, next);
    } else {
        buf_add_text(&out, "null");
    }
    buf_add_text(&out, "}}\n");
    server_answer(x, 200, NULL, &out);
}

const struct http_handler resource_history = {.end = history};

/* ---- why ---- */

/* Who asks for a pushed alert is told where to look. */
static void refuse_why(struct http_exchange *x, struct app *app, const struct err *e)
{
    AUTO(config_autounref) struct config *config = app_config(app);
    bool receives = config->settings.receive.alerts;

    (void)http_exchange_error(x, 404, "not_found", "%s%s", e->message,
                              receives ? "; why an alert fires that others push, only they know: "
                                         "/api/v1/history has when it was pushed"
                                       : "");
}

static void why(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct err e = ERR_INIT;

    if (app == NULL) {
        return;
    }
    buf_add_text(&out, "{\"status\":\"success\",\"data\":");
    bool ok = engine_explain(app_view_begin(app), http_exchange_param(x, 0), &out, &e);
    app_view_end(app);
    if (!ok) {
        refuse_why(x, app, &e);
        buf_release(&out);
        return;
    }
    buf_add_text(&out, "}\n");
    server_answer(x, 200, NULL, &out);
}

const struct http_handler resource_why = {.end = why};
