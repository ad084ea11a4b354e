/*
 * Pages of vmalert and Prometheus: links to them, in notifications and dashboards of before, lead to ours. Small answers
 * that probes of both expect stand here too.
 */
#include "server/server_int.h"

#include "net/url.h"

/* ---- pages ---- */

static void lead_to(struct http_exchange *x, struct str place)
{
    const struct http_header headers[] = {{STR_INIT("Location"), place}};

    (void)http_exchange_answer(x, &(struct http_answer){.status = 302,
                                                        .content_type = "text/plain; charset=utf-8",
                                                        .headers = headers,
                                                        .header_count = ARRAY_LEN(headers),
                                                        .constant = STR("see the status page\n")});
}

static void page(struct http_exchange *x)
{
    lead_to(x, STR("/"));
}

static void rule_page(struct http_exchange *x)
{
    AUTO(buf_release) struct buf place = BUF_INIT(HTTP_EXCHANGE_ARENA_MAX);
    struct str id;

    buf_add_text(&place, "/");
    if (http_exchange_query_value(x, STR("rule_id"), &id)) {
        buf_add_text(&place, "?rule=");
        url_add_escaped(&place, id, URL_QUERY);
    }
    lead_to(x, buf_str(&place));
}

const struct http_handler resource_peer_page = {.end = page};
const struct http_handler resource_peer_rule = {.end = rule_page};

/* ---- probes ---- */

static void answer_text(struct http_exchange *x, int status, struct str text)
{
    (void)http_exchange_answer(x, &(struct http_answer){.status = status,
                                                        .content_type = "text/plain; charset=utf-8",
                                                        .constant = text});
}

static void health(struct http_exchange *x)
{
    answer_text(x, 200, STR("OK"));
}

static void ping(struct http_exchange *x)
{
    answer_text(x, 204, STR(""));
}

/* Grafana asks for it to learn what answers rules: without one it takes us for something else. */
static void build_info(struct http_exchange *x)
{
    (void)http_exchange_answer(
        x,
        &(struct http_answer){
            .status = 200,
            .content_type = "application/json",
            .constant = STR("{\"status\":\"success\",\"data\":{\"version\":\"" TELEX_VERSION
                            "\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":"
                            "\"\",\"goVersion\":\"\"}}\n")});
}

const struct http_handler resource_build_info = {.end = build_info};
const struct http_handler resource_health = {.end = health};
const struct http_handler resource_ping = {.end = ping};
