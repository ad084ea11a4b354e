/* /api/v1/notifiers and /api/v1/alertmanagers: whom alerts are told, as vmalert and as Prometheus put it. */
#include "base/env.h"
#include "export/level_set.h"
#include "net/url.h"
#include "server/server_int.h"
#include "wire/json.h"

/* ---- vmalert's ---- */

/* A list of vmalert's, and the ways to find targets that belong to it. */
static const struct notifier_kind {
    const char *name;
    const char *found_by[2];
} kinds[] = {
    {"static", {"static", "url"}},
    {"dns", {"dns"}},
    {"consul", {"consul"}},
    {"file", {"file"}},
    {"http", {"http"}},
};

static bool holds(const struct notifier_kind *kind, const struct level_set_target *t)
{
    bool found = false;

    for (size_t i = 0; !found && i < ARRAY_LEN(kind->found_by) && kind->found_by[i] != NULL; i++) {
        found = strcmp(kind->found_by[i], t->kind) == 0;
    }
    return found;
}

struct target_printer {
    struct json_writer w;
    const struct notifier_kind *kind;
    bool want_dropped;
    bool is_open; /* the kind's list */
};

static void print_labels(struct json_writer *w, const struct labels *labels)
{
    struct label pair;

    json_key(w, STR("labels"));
    json_begin_object(w);
    for (uint32_t at = 0; labels != NULL && labels_next(labels, &at, &pair);) {
        if (!str_starts(pair.name, STR("__"))) {
            json_key(w, pair.name);
            json_add_str(w, pair.value);
        }
    }
    json_end_object(w);
}

static void open_kind(struct target_printer *p)
{
    if (!p->is_open) {
        json_begin_object(&p->w);
        json_key(&p->w, STR("kind"));
        json_add_text(&p->w, p->kind->name);
        json_key(&p->w, STR("targets"));
        json_begin_array(&p->w);
        p->is_open = true;
    }
}

static void close_kind(struct target_printer *p)
{
    if (p->is_open) {
        json_end_array(&p->w);
        json_end_object(&p->w);
        p->is_open = false;
    }
}

static void print_target(void *arg, const struct level_set_target *t)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct target_printer *p = arg;

    if (t->is_dropped || !holds(p->kind, t)) {
        return;
    }
    open_kind(p);
    url_add_redacted(&url, t->url);
    json_begin_object(&p->w);
    json_key(&p->w, STR("address"));
    json_add_str(&p->w, buf_str(&url));
    print_labels(&p->w, t->labels);
    json_key(&p->w, STR("lastError"));
    json_add_text(&p->w, t->status->last_error);
    json_key(&p->w, STR("exporter"));
    json_add_str(&p->w, t->exporter);
    json_end_object(&p->w);
}

static void notifiers(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct target_printer p = {0};

    if (app == NULL) {
        return;
    }
    buf_add_text(&out, "{\"status\":\"success\",\"data\":");
    json_write_init(&p.w, &out);
    json_begin_object(&p.w);
    json_key(&p.w, STR("notifiers"));
    json_begin_array(&p.w);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        p.kind = &kinds[i];
        plan_level_targets(app_plan(app), print_target, &p);
        close_kind(&p);
    }
    json_end_array(&p.w);
    json_end_object(&p.w);
    buf_add_text(&out, "}\n");
    server_answer(x, 200, NULL, &out);
}

/* ---- Prometheus's ---- */

static void add_dropped_address(struct buf *out, const struct labels *labels)
{
    buf_add_text(out, "http://");
    buf_add_str(out, labels_get(labels, STR("__address__")));
}

static void print_url(void *arg, const struct level_set_target *t)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct target_printer *p = arg;

    if (t->is_dropped != p->want_dropped) {
        return;
    }
    if (t->url.len > 0) {
        url_add_redacted(&url, t->url);
    } else if (t->labels != NULL) {
        add_dropped_address(&url, t->labels);
    }
    if (str_find(buf_str(&url), STR("/api/v2/alerts")) == url.len) {
        url.len -= str_ends(buf_str(&url), STR("/"));
        buf_add_text(&url, "/api/v2/alerts");
    }
    json_begin_object(&p->w);
    json_key(&p->w, STR("url"));
    json_add_str(&p->w, buf_str(&url));
    json_end_object(&p->w);
}

static void alertmanagers(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct target_printer p = {0};

    if (app == NULL) {
        return;
    }
    buf_add_text(&out, "{\"status\":\"success\",\"data\":");
    json_write_init(&p.w, &out);
    json_begin_object(&p.w);
    json_key(&p.w, STR("activeAlertmanagers"));
    json_begin_array(&p.w);
    plan_level_targets(app_plan(app), print_url, &p);
    json_end_array(&p.w);
    p.want_dropped = true;
    json_key(&p.w, STR("droppedAlertmanagers"));
    json_begin_array(&p.w);
    plan_level_targets(app_plan(app), print_url, &p);
    json_end_array(&p.w);
    json_end_object(&p.w);
    buf_add_text(&out, "}\n");
    server_answer(x, 200, NULL, &out);
}

const struct http_handler resource_alertmanagers = {.end = alertmanagers};
const struct http_handler resource_notifiers = {.end = notifiers};
