/* The frame of the status page, its summary and the exporters; page_rules.c and page_streams.c have the rest. */
#include "server/page.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/timetext.h"
#include "server/html.h"

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#667;--line:#dde1e6;--card:#f6f7f9;"
    "--bad:#b3261e;--warn:#8a5a00;--good:#1a7f37;--link:#0b57d0}"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e3e6ea;--dim:#98a1ab;--line:#30363d;"
    "--card:#1c2126;--bad:#ff7b72;--warn:#e3b341;--good:#56d364;--link:#8ab4f8}}"
    "body{margin:0 auto;max-width:76rem;padding:1rem 1.5rem 3rem;background:var(--bg);color:var(--fg);"
    "font:15px/1.5 system-ui,sans-serif}"
    "h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.1rem;margin:2rem 0 .5rem}"
    "h3{font-size:1rem;margin:1.5rem 0 .3rem}a{color:var(--link)}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}"
    "th{color:var(--dim);font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}"
    ".dim{color:var(--dim)}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}"
    ".cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.5rem 1rem}"
    ".card b{display:block;font-size:1.5rem}"
    ".problem{background:var(--card);border-left:.3rem solid var(--bad);padding:.6rem 1rem;"
    "white-space:pre-wrap;overflow-wrap:anywhere}"
    ".l{display:inline-block;background:var(--card);border:1px solid var(--line);border-radius:.3rem;"
    "padding:0 .35rem;margin:0 .25rem .2rem 0;overflow-wrap:anywhere}";

/* ---- small parts ---- */

void page_add_ago(struct buf *out, int64_t then_ns, int64_t now_ns)
{
    int64_t since_ns = now_ns - then_ns;

    if (then_ns == 0) {
        buf_add_text(out, "never");
        return;
    }
    /* Seconds are fine enough for a person, and for long times minutes are. */
    int64_t step_ns = since_ns > 3600 * NS_PER_S ? 60 * NS_PER_S : NS_PER_S;
    buf_add_duration(out, since_ns > 0 ? time_floor_div(since_ns, step_ns) * step_ns : 0);
    buf_add_text(out, " ago");
}

size_t page_count_rules(const struct page_view *v, struct str member, struct str value)
{
    size_t count = 0;

    for (const struct json_node *g = v->groups != NULL ? v->groups->first : NULL; g != NULL;
         g = g->next) {
        const struct json_node *rules = json_get(g, STR("rules"));
        for (const struct json_node *r = rules != NULL ? rules->first : NULL; r != NULL;
             r = r->next) {
            count += str_eq(json_get_str(r, member), value);
        }
    }
    return count;
}

static void print_card(struct buf *out, size_t count, const char *what, const char *class_if_any)
{
    buf_addf(out, "<div class=\"card\"><b class=\"%s\">%zu</b>%s</div>\n",
             count > 0 ? class_if_any : "", count, what);
}

static size_t count_alerts(const struct page_view *v, struct str state)
{
    size_t count = 0;

    for (const struct json_node *a = v->alerts != NULL ? v->alerts->first : NULL; a != NULL;
         a = a->next) {
        count += str_eq(json_get_str(a, STR("state")), state);
    }
    return count;
}

static size_t count_troubled(const struct page_view *v)
{
    size_t count = 0;

    for (size_t i = 0; i < v->output_count; i++) {
        struct str state = str_of(v->outputs[i].state);
        count += str_eq(state, STR("retrying")) || str_eq(state, STR("halted"));
    }
    return count;
}

static void print_summary(const struct page_view *v, struct buf *out)
{
    buf_add_text(out, "<div class=\"cards\">\n");
    if (v->alerts != NULL) {
        print_card(out, count_alerts(v, STR("firing")), "alerts firing", "bad");
        print_card(out, count_alerts(v, STR("pending")), "alerts pending", "warn");
    }
    print_card(out, page_count_rules(v, STR("health"), STR("err")), "rules failing", "bad");
    print_card(out, count_troubled(v), "exporters in trouble", "bad");
    if (v->stream_count > 0) {
        print_card(out, page_count_unready(v), "streams not ready", "bad");
    }
    buf_add_text(out, "</div>\n");
}

/* ---- exporters ---- */

static const char *state_class(struct str state)
{
    static const struct {
        struct str state;
        const char *class;
    } classes[] = {
        {STR_INIT("ok"), "good"}, {STR_INIT("retrying"), "warn"}, {STR_INIT("halted"), "bad"}};

    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (str_eq(state, classes[i].state)) {
            return classes[i].class;
        }
    }
    return "dim";
}

static void print_output(const struct page_view *v, const struct output_status *o, struct buf *out)
{
    buf_addf(out, "<tr><td>");
    html_print(out, "%</td><td>%</td><td class=\"%\">%</td>", o->name, str_of(o->kind),
               str_of(state_class(str_of(o->state))), str_of(o->state));
    buf_addf(out, "<td class=\"n\">%llu</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td><td>",
             (unsigned long long)o->pending_frames, (unsigned long long)o->delivered_rows,
             (unsigned long long)o->rejected_rows);
    page_add_ago(out, o->last_success_ns, v->now_ns);
    html_print(out, "</td><td class=\"bad\">%</td></tr>\n", str_of(o->last_error));
}

static void print_outputs(const struct page_view *v, struct buf *out)
{
    buf_add_text(out, "<h2>Exporters</h2>\n");
    if (v->output_count == 0) {
        buf_add_text(
            out, "<p class=\"dim\">None: what rules find is shown here and goes nowhere.</p>\n");
        return;
    }
    buf_add_text(
        out, "<table><tr><th>name</th><th>type</th><th>state</th><th>waiting</th><th>delivered</th>"
             "<th>refused</th><th>last success</th><th>last error</th></tr>\n");
    for (size_t i = 0; i < v->output_count; i++) {
        print_output(v, &v->outputs[i], out);
    }
    buf_add_text(out, "</table>\n");
}

/* ---- the page ---- */

static void print_head(const struct page_view *v, struct buf *out)
{
    buf_addf(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Telex</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<meta http-equiv=\"refresh\" content=\"%d\">\n<style>%s</style></head><body>\n"
        "<h1>Telex</h1>\n<p class=\"dim\">started ",
        PAGE_REFRESH_S, style);
    page_add_ago(out, v->started_ns, v->now_ns);
    buf_add_text(out, " &middot; <a href=\"/api/v1/rules\">rules</a> &middot; "
                      "<a href=\"/api/v1/alerts\">alerts</a> &middot; "
                      "<a href=\"/api/v1/status/exporters\">exporters</a> &middot; "
                      "<a href=\"/api/v1/streams\">streams</a> &middot; "
                      "<a href=\"/metrics\">metrics</a></p>\n");
}

void page_print(const struct page_view *v, struct buf *out)
{
    print_head(v, out);
    if (v->problem.len > 0) {
        html_print(out,
                   "<div class=\"problem\"><b class=\"bad\">The last reload was refused; what ran "
                   "goes on.</b>\n%</div>\n",
                   str_trim(v->problem));
    }
    if (v->rule.len == 0) {
        print_summary(v, out);
        page_print_streams(v, out);
        print_outputs(v, out);
        page_print_alerts(v, out);
    } else {
        buf_add_text(out, "<p><a href=\"/\">all rules</a></p>\n");
    }
    page_print_groups(v, out);
    buf_add_text(out, "</body></html>\n");
}
