/* Alerts and groups of the status page. */
#include "base/clock.h"
#include "base/timetext.h"
#include "server/html.h"
#include "server/page.h"

/* ---- values of JSON ---- */

static int64_t time_of(const struct json_node *node, struct str member)
{
    struct str text = json_get_str(node, member);
    struct err ignored = ERR_INIT;
    int64_t ns = 0;

    return time_parse_rfc3339(text, &ns, &ignored) && ns > 0 ? ns : 0;
}

static void add_seconds(struct buf *out, const struct json_node *node, struct str member)
{
    double seconds = 0;

    if (json_node_double(json_get(node, member), &seconds)) {
        buf_add_duration(out, (int64_t)(seconds * (double)NS_PER_MS) * 1000);
    }
}

static void print_labels(const struct json_node *labels, struct buf *out)
{
    for (const struct json_node *l = labels != NULL ? labels->first : NULL; l != NULL;
         l = l->next) {
        if (!str_eq(l->key, STR("alertname"))) {
            html_print(out, "<span class=\"l\">%=%</span>", l->key, l->text);
        }
    }
}

/* ---- alerts ---- */

static void print_alert(const struct page_view *v, const struct json_node *a, struct buf *out)
{
    const struct json_node *labels = json_get(a, STR("labels"));
    struct str state = json_get_str(a, STR("state"));
    struct str class = str_eq(state, STR("firing")) ? STR("bad") : STR("warn");

    html_print(out, "<tr><td class=\"%\">%</td><td>%</td><td>", class, state,
               json_get_str(labels, STR("alertname")));
    print_labels(labels, out);
    html_print(out, "</td><td class=\"n\">%</td><td>", json_get_str(a, STR("value")));
    page_add_ago(out, time_of(a, STR("activeAt")), v->now_ns);
    buf_add_text(out, "</td></tr>\n");
}

void page_print_alerts(const struct page_view *v, struct buf *out)
{
    size_t shown = 0;

    buf_add_text(out, "<h2>Alerts</h2>\n");
    if (v->alerts == NULL) {
        buf_add_text(
            out,
            "<p class=\"dim\">Too many to show; ask <a href=\"/api/v1/alerts\">the API</a>.</p>\n");
        return;
    }
    if (v->alerts->count == 0) {
        buf_add_text(out, "<p class=\"dim\">None is pending or firing.</p>\n");
        return;
    }
    buf_add_text(
        out,
        "<table><tr><th>state</th><th>alert</th><th>labels</th><th>value</th><th>since</th></tr>\n");
    for (const struct json_node *a = v->alerts->first; a != NULL && shown < PAGE_ALERTS_MAX;
         a = a->next) {
        print_alert(v, a, out);
        shown++;
    }
    buf_add_text(out, "</table>\n");
    if (v->alerts->count > shown) {
        buf_addf(out, "<p class=\"dim\">and %zu more</p>\n", v->alerts->count - shown);
    }
}

/* ---- groups ---- */

static void print_state(const struct json_node *r, struct buf *out)
{
    struct str health = json_get_str(r, STR("health"));
    struct str state = json_get_str(r, STR("state"));
    bool fails = str_eq(health, STR("err"));
    const char *class = fails                           ? "bad"
                        : str_eq(state, STR("firing"))  ? "bad"
                        : str_eq(state, STR("pending")) ? "warn"
                        : str_eq(health, STR("ok"))     ? "good"
                                                        : "dim";

    html_print(out, "<td class=\"%\">%</td>", str_of(class),
               fails           ? STR("failing")
               : state.len > 0 ? state
                               : health);
}

static void print_rule(const struct page_view *v, const struct json_node *r, struct buf *out)
{
    struct str error = json_get_str(r, STR("lastError"));

    html_print(out, "<tr id=\"rule-%\"><td>%</td><td>%<br><code class=\"dim\">%</code>",
               json_get_str(r, STR("id")), json_get_str(r, STR("type")),
               json_get_str(r, STR("name")), json_get_str(r, STR("query")));
    if (error.len > 0) {
        html_print(out, "<br><span class=\"bad\">%</span>", error);
    }
    buf_add_text(out, "</td>");
    print_state(r, out);
    buf_add_text(out, "<td>");
    page_add_ago(out, time_of(r, STR("lastEvaluation")), v->now_ns);
    buf_add_text(out, "</td><td>");
    add_seconds(out, r, STR("evaluationTime"));
    buf_add_text(out, "</td></tr>\n");
}

/* Does the page show this rule? */
static bool is_shown(const struct page_view *v, const struct json_node *r)
{
    return v->rule.len == 0 || str_eq(v->rule, json_get_str(r, STR("id")));
}

static bool any_shown(const struct page_view *v, const struct json_node *rules)
{
    for (const struct json_node *r = rules != NULL ? rules->first : NULL; r != NULL; r = r->next) {
        if (is_shown(v, r)) {
            return true;
        }
    }
    return false;
}

static void print_group(const struct page_view *v, const struct json_node *g, struct buf *out)
{
    const struct json_node *rules = json_get(g, STR("rules"));

    if (!any_shown(v, rules)) {
        return;
    }
    html_print(out, "<h3>% <span class=\"dim\">% &middot; every ", json_get_str(g, STR("name")),
               json_get_str(g, STR("file")));
    add_seconds(out, g, STR("interval"));
    buf_add_text(out, "</span></h3>\n<table><tr><th>type</th><th>rule</th><th>state</th>"
                      "<th>evaluated</th><th>took</th></tr>\n");
    for (const struct json_node *r = rules->first; r != NULL; r = r->next) {
        if (is_shown(v, r)) {
            print_rule(v, r, out);
        }
    }
    buf_add_text(out, "</table>\n");
}

void page_print_groups(const struct page_view *v, struct buf *out)
{
    buf_add_text(out, "<h2>Rules</h2>\n");
    if (v->groups == NULL) {
        buf_add_text(
            out,
            "<p class=\"dim\">Too many to show; ask <a href=\"/api/v1/rules\">the API</a>.</p>\n");
        return;
    }
    if (v->groups->count == 0) {
        buf_add_text(
            out,
            "<p class=\"dim\">None: name rule files under <code>rules</code> in the config.</p>\n");
        return;
    }
    for (const struct json_node *g = v->groups->first; g != NULL; g = g->next) {
        print_group(v, g, out);
    }
}
