/* Alerts as the request that a level output would tell of them with, if they were its level now. */
#include "base/env.h"
#include "base/mem.h"
#include "export/dry_run.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/level_int.h"
#include "export/level_targets.h"
#include "net/http_client.h"
#include "wire/json.h"

struct level_dry {
    struct sink super;
    const struct env *env;
    const struct dry_run *dry;
    const struct level_exporter *exporter;
    const void *config;
    struct str name;
    struct relabel *relabel; /* of targets that are found, or NULL */
    struct relabel_work work;
    struct arena arena; /* of one call */
    struct buf body;
};

static const void *part_of(const struct level_dry *s, size_t offset)
{
    return (const char *)s->config + offset;
}

static struct str annotations_of(struct level_dry *s, const struct alert *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    json_begin_object(&w);
    for (size_t i = 0; i < a->annotation_count; i++) {
        json_key(&w, a->annotations[i].name);
        json_add_str(&w, a->annotations[i].value);
    }
    json_end_object(&w);
    return arena_dup(&s->arena, buf_str(&text));
}

/* False when the destination is not told of such an alert. */
static bool make_item(struct level_dry *s, const struct view *view, const struct alert *a,
                      struct level_item *ret)
{
    const struct level_options *options = part_of(s, s->exporter->options_offset);
    const struct exporter_common *common = s->config;
    const struct level_labels how = {.extra = &common->labels,
                                     .relabel = s->relabel,
                                     .work = &s->work,
                                     .utf8_names = options->utf8_names,
                                     .arena = &s->arena};
    bool firing = a->to == ALERT_ALERTING || a->to == ALERT_SUPPRESSING;
    struct labels *labels =
        firing || a->to == ALERT_RESOLVED ? level_labels(&how, a->labels) : NULL;

    if (labels == NULL) {
        return false;
    }
    int64_t ended_ns = a->resolved_at_ns != 0 ? a->resolved_at_ns : a->time_ns;
    *ret = (struct level_item){
        .alert = {.labels = labels,
                  .firing = firing,
                  .starts_at_ns = a->fired_at_ns != 0 ? a->fired_at_ns : a->time_ns},
        .ends_at_ns = firing ? clock_wall_ns(s->env->clock) + level_lasts(options, 0) : ended_ns,
        .annotations = annotations_of(s, a),
        .generator_url = batch_info(view->batch)->generator_url,
    };
    return true;
}

static bool show(struct level_dry *s, const struct level_item *items, size_t count, struct err *e)
{
    const struct http_client_config *client = part_of(s, s->exporter->client_offset);
    struct export_request req = {.arena = &s->arena, .body = s->body};
    struct http_header headers[HTTP_EXPORT_HEADERS_MAX];

    buf_clear(&req.body);
    bool ok = s->exporter->request(s->config, items, count, &req, e);
    s->body = req.body;
    for (size_t i = 0; i < req.header_count; i++) {
        headers[i] = (struct http_header){req.headers[i].name, req.headers[i].value};
    }
    struct str body = buf_str(&s->body);
    bool has_url = client->url.len > 0;
    const struct http_request request = {
        .method = req.method,
        .url = has_url ? STR("") : STR("http://each-target-that-is-found"),
        .path = has_url ? req.path : str_of(s->exporter->alerts_path),
        .headers = headers,
        .header_count = req.header_count,
        .parts = &body,
        .part_count = 1};
    if (ok) {
        dry_run_request(s->dry, s->name, client, &request);
    }
    return ok;
}

static void level_dry_deliver(struct sink *sink, struct view view, struct wait wait,
                              struct outcome *ret)
{
    struct level_dry *s = container_of(sink, struct level_dry, super);
    const struct alerts *alerts = NULL;
    size_t count = 0;

    (void)wait;
    ret->rest = VERDICT_REJECTED;
    if (!batch_alerts(view.batch, &alerts, &ret->err)) {
        return;
    }
    AUTO(mem_autofree)
    struct level_item *items = mem_alloc0(LEVEL_BATCH, sizeof(struct level_item));
    bool ok = true;
    for (uint32_t i = 0; ok && i < view.n; i++) {
        count += make_item(s, &view, &alerts->rows[view_row(view, i)], &items[count]);
        if (count == LEVEL_BATCH || (count > 0 && i + 1 == view.n)) {
            ok = show(s, items, count, &ret->err);
            for (size_t k = 0; k < count; k++) {
                labels_unref(items[k].alert.labels);
            }
            count = 0;
            arena_reset(&s->arena);
        }
    }
    if (ok) {
        outcome_settle(ret, view.n);
    }
}

static void level_dry_close(struct sink *sink)
{
    struct level_dry *s = container_of(sink, struct level_dry, super);

    relabel_free(s->relabel);
    relabel_work_release(&s->work);
    arena_release(&s->arena);
    buf_release(&s->body);
    mem_free(s->name.ptr);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = level_dry_deliver, .close = level_dry_close};

bool dry_run_open_level(const struct exporter_place *place, const struct level_exporter *exporter,
                        const void *config, struct sink **ret_sink, struct err *e)
{
    struct level_dry *s = mem_new(struct level_dry);

    s->super.ops = &ops;
    s->env = place->env;
    s->dry = place->dry;
    s->exporter = exporter;
    s->config = config;
    s->name = str_make(mem_dup_text(place->name.ptr, place->name.len), place->name.len);
    arena_init(&s->arena, ARENA_UNLIMITED);
    buf_init(&s->body, BUF_UNLIMITED);
    relabel_work_init(&s->work);
    const struct http_client_config *client = part_of(s, exporter->client_offset);
    const struct level_targets_config *targets = part_of(s, exporter->targets_offset);
    bool has_rules = exporter->targets_offset != 0 && client->url.len == 0 &&
                     targets->alert_relabel_configs != NULL;
    if (has_rules && !relabel_compile(targets->alert_relabel_configs, &s->relabel, e)) {
        level_dry_close(&s->super);
        return false;
    }
    *ret_sink = &s->super;
    return true;
}
