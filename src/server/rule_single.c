/* /api/v1/group, /rule and /alert: one of them as vmalert has it, a bare object. */
#include "base/env.h"
#include "base/number.h"
#include "server/server_int.h"

static struct str param(struct http_exchange *x, struct str name)
{
    struct str value = STR("");

    return http_exchange_query_value(x, name, &value) ? value : STR("");
}

static void answer_found(struct http_exchange *x, bool found, const char *what, struct buf *out)
{
    if (found) {
        buf_add_byte(out, '\n');
        server_answer(x, 200, NULL, out);
    } else {
        (void)http_exchange_error(x, 404, "not_found", "there is no such %s", what);
    }
    buf_release(out);
}

static void group(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);

    if (app != NULL) {
        bool found = engine_print_group(app_view_begin(app), param(x, STR("group_id")), &out);
        app_view_end(app);
        answer_found(x, found, "group: group_id is the id of one", &out);
    }
}

static void rule(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);

    if (app != NULL) {
        bool found = engine_print_rule(app_view_begin(app), param(x, STR("group_id")),
                                       param(x, STR("rule_id")), &out);
        app_view_end(app);
        answer_found(x, found, "rule: rule_id is the id of one", &out);
    }
}

static void alert(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    uint64_t id = 0;

    if (app == NULL) {
        return;
    }
    bool found = number_parse_u64(param(x, STR("alert_id")), &id);
    if (found) {
        found = engine_print_alert(app_view_begin(app), param(x, STR("group_id")), id, &out);
        app_view_end(app);
    }
    answer_found(x, found, "alert: group_id and alert_id are the ids of one that is active", &out);
}

const struct http_handler resource_alert = {.end = alert};
const struct http_handler resource_group = {.end = group};
const struct http_handler resource_rule = {.end = rule};
