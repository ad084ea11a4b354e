/* /api/v1/exporters: how each exporter is, and what may be asked of it while it runs. */
#include "app/overrides.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "server/reply.h"
#include "server/server_int.h"
#include "wire/json.h"

#include <inttypes.h>
#include <string.h>

enum { ORPHANS_MAX = 128, ADOPT_MS = 2000 };

/* ---- one exporter ---- */

static void add_queue(struct json_writer *w, const struct output_status *s)
{
    json_key(w, STR("queue"));
    json_begin_object(w);
    reply_u64(w, "frames", s->pending_frames);
    reply_u64(w, "bytes", s->pending_bytes);
    reply_time(w, "oldest", s->oldest_ns);
    json_end_object(w);
    json_key(w, STR("buffer"));
    json_begin_object(w);
    reply_u64(w, "records", s->gathered_rows);
    reply_u64(w, "bytes", s->gathered_bytes);
    reply_double(w, "usage_percent", s->usage_percent);
    reply_double(w, "avg_flush_time_ms", s->avg_flush_time_ms);
    reply_u64(w, "flushes", s->flushes);
    json_end_object(w);
}

static void add_last_result(struct json_writer *w, const struct export_result *r)
{
    json_key(w, STR("last_result"));
    if (r->at_ns == 0) {
        json_add_null(w);
        return;
    }
    json_begin_object(w);
    reply_bool(w, "success", r->success);
    reply_u64(w, "exported_count", r->exported_count);
    reply_double(w, "response_time_ms", r->response_time_ms);
    reply_text(w, "error", r->error[0] != '\0' ? r->error : NULL);
    reply_time(w, "at", r->at_ns);
    json_end_object(w);
}

static void add_health(struct json_writer *w, const struct output_status *s)
{
    json_key(w, STR("health"));
    json_begin_object(w);
    reply_bool(w, "is_healthy", s->is_healthy);
    reply_text(w, "error_message", s->health_error[0] != '\0' ? s->health_error : NULL);
    json_end_object(w);
}

/* ---- what was left out, by reason: the program's own metrics ---- */

struct reasons {
    struct json_writer *w;
    const char *metric;
    struct str exporter;
};

static struct str label_of(const struct metrics_sample *s, const char *name)
{
    for (size_t i = 0; i < s->label_count; i++) {
        if (strcmp(s->label_names[i], name) == 0) {
            return s->label_values[i];
        }
    }
    return STR_NONE;
}

static void add_reason(void *arg, const struct metrics_sample *s)
{
    const struct reasons *r = arg;

    if (strcmp(s->name, r->metric) == 0 && str_eq(label_of(s, "exporter"), r->exporter)) {
        json_key(r->w, label_of(s, "reason"));
        json_add_u64(r->w, (uint64_t)s->value);
    }
}

static void add_reasons(struct json_writer *w, struct metrics *metrics, const char *key,
                        const char *metric, struct str exporter)
{
    struct reasons reasons = {w, metric, exporter};

    json_key(w, str_of(key));
    json_begin_object(w);
    metrics_walk(metrics, add_reason, &reasons);
    json_end_object(w);
}

/* What debug.measure_performance measured; null when nothing is. */
struct performance {
    struct json_writer *w;
    struct str exporter;
    bool found;
};

static void add_performance(void *arg, const struct metrics_sample *s)
{
    struct performance *p = arg;
    bool is_count = strcmp(s->name, "telex_exporter_measured_requests_total") == 0;
    bool is_stage = strcmp(s->name, "telex_exporter_stage_seconds_total") == 0;

    if (!(is_count || is_stage) || !str_eq(label_of(s, "exporter"), p->exporter)) {
        return;
    }
    if (!p->found) {
        json_begin_object(p->w);
        p->found = true;
    }
    if (is_count) {
        reply_u64(p->w, "requests", (uint64_t)s->value);
    } else {
        AUTO(buf_release) struct buf key = BUF_INIT(BUF_SMALL);
        buf_addf(&key, "%.*s_seconds", STR_FMT(label_of(s, "stage")));
        json_key(p->w, buf_str(&key));
        json_add_double(p->w, s->value);
    }
}

static void print_performance(struct json_writer *w, struct metrics *metrics, struct str exporter)
{
    struct performance p = {.w = w, .exporter = exporter};

    json_key(w, STR("performance"));
    metrics_walk(metrics, add_performance, &p);
    if (p.found) {
        json_end_object(w);
    } else {
        json_add_null(w);
    }
}

static void print_exporter(struct json_writer *w, struct metrics *metrics,
                           const struct output_status *s, const struct config *config)
{
    json_begin_object(w);
    json_key(w, STR("name"));
    json_add_str(w, s->name);
    reply_text(w, "type", s->kind);
    reply_text(w, "state", s->state);
    reply_text(w, "circuit_breaker", s->breaker);
    add_health(w, s);
    add_queue(w, s);
    add_last_result(w, &s->last_result);
    reply_u64(w, "delivered", s->delivered_rows);
    reply_u64(w, "dead_letters", s->rejected_rows);
    reply_u64(w, "dead_letters_disk_bytes", (uint64_t)s->dead_letter_bytes);
    reply_u64(w, "retries", s->retries);
    add_reasons(w, metrics, "dropped", "telex_exporter_dropped_total", s->name);
    add_reasons(w, metrics, "filtered", "telex_exporter_filtered_total", s->name);
    reply_time(w, "last_success", s->last_success_ns);
    reply_text(w, "last_error", s->last_error[0] != '\0' ? s->last_error : NULL);
    print_performance(w, metrics, s->name);
    json_key(w, STR("overrides"));
    overrides_print(config->overrides_source.text, s->name, w);
    json_end_object(w);
}

static void print_orphans(struct json_writer *w, struct plan *plan, struct arena *a)
{
    struct plan_orphan *orphans = arena_array(a, struct plan_orphan, ORPHANS_MAX);
    size_t count = plan_orphans(plan, orphans, ORPHANS_MAX);

    json_key(w, STR("orphans"));
    json_begin_array(w);
    for (size_t i = 0; i < count; i++) {
        json_begin_object(w);
        reply_text(w, "name", orphans[i].name);
        reply_text(w, "log", orphans[i].log);
        reply_u64(w, "frames", orphans[i].frames);
        reply_u64(w, "bytes", (uint64_t)orphans[i].bytes);
        reply_time(w, "oldest", orphans[i].oldest_ns);
        json_end_object(w);
    }
    json_end_array(w);
}

/* ---- answers ---- */

static void end(struct http_exchange *x, struct buf *out, struct json_writer *w)
{
    json_end_object(w);
    buf_add_byte(out, '\n');
    server_answer(x, 200, NULL, out);
}

static struct output_status *look(struct http_exchange *x, struct app *app, size_t *ret_count)
{
    struct output_status *all =
        arena_array(http_exchange_arena(x), struct output_status, PLAN_OUTPUTS_MAX);

    *ret_count = app_outputs(app, all, PLAN_OUTPUTS_MAX);
    return all;
}

static void list(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct json_writer w;
    size_t count = 0;

    if (app == NULL) {
        return;
    }
    AUTO(config_autounref) struct config *config = app_config(app);
    (void)app_view_begin(app);
    const struct output_status *all = look(x, app, &count);
    reply_begin(&w, &out);
    json_begin_object(&w);
    json_key(&w, STR("exporters"));
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        print_exporter(&w, server_of(x)->env->metrics, &all[i], config);
    }
    json_end_array(&w);
    print_orphans(&w, app_plan(app), http_exchange_arena(x));
    json_key(&w, STR("overrides"));
    overrides_print(config->overrides_source.text, STR_NONE, &w);
    json_end_object(&w);
    app_view_end(app);
    end(x, &out, &w);
}

void server_unknown_exporter(struct http_exchange *x, struct str name)
{
    (void)http_exchange_error(x, 404, "not_found",
                              "there is no exporter '%.*s'; /api/v1/exporters lists them",
                              STR_FMT(str_slice(name, 0, 200)));
}

static bool print_one(struct http_exchange *x, struct app *app, struct str name, struct buf *out)
{
    struct json_writer w;
    size_t count = 0;
    const struct output_status *all = look(x, app, &count);
    AUTO(config_autounref) struct config *config = app_config(app);

    for (size_t i = 0; i < count; i++) {
        if (str_eq(all[i].name, name)) {
            reply_begin(&w, out);
            print_exporter(&w, server_of(x)->env->metrics, &all[i], config);
            json_end_object(&w);
            buf_add_byte(out, '\n');
            return true;
        }
    }
    return false;
}

static void one(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct str name = http_exchange_param(x, 0);

    if (app == NULL) {
        return;
    }
    (void)app_view_begin(app);
    bool found = print_one(x, app, name, &out);
    app_view_end(app);
    if (found) {
        server_answer(x, 200, NULL, &out);
    } else {
        server_unknown_exporter(x, name);
    }
}

/* ---- verbs ---- */

static const struct {
    const char *name;
    bool (*act)(struct plan *p, struct str name, struct err *e);
} verbs[] = {{"pause", plan_pause}, {"resume", plan_resume}, {"flush", plan_flush}};

/* The exporter as it is afterwards. */
static void act(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct str verb = http_exchange_param(x, 1);
    struct err e = ERR_INIT;

    if (app == NULL) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!str_eq(verb, str_of(verbs[i].name))) {
            continue;
        }
        if (verbs[i].act(app_plan(app), http_exchange_param(x, 0), &e)) {
            one(x);
        } else {
            (void)http_exchange_error(x, 404, "not_found", "%s", e.message);
        }
        return;
    }
    (void)http_exchange_error(x, 404, "not_found",
                              "an exporter can be asked to pause, resume or flush, not to '%.*s'",
                              STR_FMT(str_slice(verb, 0, 64)));
}

/* ---- looking at what is sent ---- */

static bool read_number(struct http_exchange *x, const char *name, uint64_t *ret_number)
{
    struct str text;

    if (!http_exchange_query_value(x, str_of(name), &text)) {
        return true;
    }
    return number_parse_u64(text, ret_number) ||
           (http_exchange_error(x, 400, "bad_data", "%s is a number", name), false);
}

/* Lines of JSON; the headers say where to go on. */
static void answer_tap(struct http_exchange *x, struct buf *lines, uint64_t next, uint64_t missed)
{
    AUTO(buf_release) struct buf next_text = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf missed_text = BUF_INIT(BUF_SMALL);

    buf_addf(&next_text, "%" PRIu64, next);
    buf_addf(&missed_text, "%" PRIu64, missed);
    const struct http_header headers[] = {{STR("X-Telex-Next"), buf_str(&next_text)},
                                          {STR("X-Telex-Missed"), buf_str(&missed_text)}};
    const struct http_answer answer = {.content_type = "application/x-ndjson",
                                       .headers = headers,
                                       .header_count = ARRAY_LEN(headers),
                                       .take = lines};
    (void)http_exchange_answer(x, &answer);
}

static void tap(struct http_exchange *x)
{
    AUTO(buf_release) struct buf lines = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    uint64_t after = 0;
    uint64_t next = 0;
    uint64_t missed = 0;
    struct err e = ERR_INIT;

    if (app == NULL || !read_number(x, "after", &after)) {
        return;
    }
    if (plan_tap(app_plan(app), http_exchange_param(x, 0), after, &lines, &next, &missed, &e)) {
        answer_tap(x, &lines, next, missed);
    } else {
        (void)http_exchange_error(x, e.code == ERR_LIMIT ? 429 : 404, "not_found", "%s", e.message);
    }
}

/* ---- what removed exporters left ---- */

static void answer_frames(struct http_exchange *x, bool ok, uint64_t frames, const struct err *e)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct json_writer w;

    if (!ok) {
        (void)http_exchange_error(x, 409, "conflict", "%s", e->message);
        return;
    }
    reply_begin(&w, &out);
    json_begin_object(&w);
    reply_u64(&w, "frames", frames);
    json_end_object(&w);
    end(x, &out, &w);
}

static void drop_orphan(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    if (app != NULL) {
        struct wait wait = {clock_deadline_ms(server_of(x)->env->clock, ADOPT_MS), NULL};
        bool ok = plan_drop_orphan(app_plan(app), http_exchange_param(x, 0), wait, &frames, &e);
        answer_frames(x, ok, frames, &e);
    }
}

/* The heir gets what it is owed as if it had been given just now. */
static void adopt_orphan(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct str heir = STR("");
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    if (app == NULL) {
        return;
    }
    if (!http_exchange_query_value(x, STR("by"), &heir)) {
        (void)http_exchange_error(x, 400, "bad_data", "say who adopts it: ?by=EXPORTER");
        return;
    }
    struct wait wait = {clock_deadline_ms(server_of(x)->env->clock, ADOPT_MS), NULL};
    bool ok = plan_adopt(app_plan(app), http_exchange_param(x, 0), heir, wait, &frames, &e);
    answer_frames(x, ok, frames, &e);
}

const struct http_handler resource_exporter_list = {.end = list};
const struct http_handler resource_exporter = {.end = one};
const struct http_handler resource_exporter_verb = {.end = act};
const struct http_handler resource_exporter_tap = {.end = tap};
const struct http_handler resource_orphan_adopt = {.end = adopt_orphan};
const struct http_handler resource_orphan_drop = {.end = drop_orphan};
