#include "fake/plan_kit.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/varint.h"
#include "log/log.h"
#include "wire/edges.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDERS_OPEN = 8 };

void plan_kit_start(struct plan_kit *k)
{
    memset(k, 0, sizeof(*k)); /* too large for a compound literal on the stack */
    (void)snprintf(k->folder, sizeof(k->folder), "/tmp/telex-plan-XXXXXX");
    INVARIANT(mkdtemp(k->folder) != NULL);
    rng_seed(&k->rng, 1);
    k->metrics = metrics_new();
    k->env = (struct env){.clock = clock_system(), .rng = &k->rng, .metrics = k->metrics};
    k->config = (struct plan_config){.outputs = k->outputs,
                                     .targets = k->targets,
                                     .routes = k->routes,
                                     .state_path = str_of(k->folder)};
    for (size_t i = 0; i < KIT_OUTPUTS; i++) {
        destination_init(&k->destinations[i]);
    }
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

void plan_kit_remove(const char *folder)
{
    (void)nftw(folder, remove_one, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
}

void plan_kit_stop(struct plan_kit *k)
{
    plan_kit_close(k);
    for (size_t i = 0; i < KIT_OUTPUTS; i++) {
        destination_release(&k->destinations[i]);
    }
    for (size_t i = 0; i < k->config.route_count; i++) {
        condition_free(k->routes[i].match);
    }
    metrics_free(k->metrics);
    plan_kit_remove(k->folder);
}

void plan_kit_output(struct plan_kit *k, const char *name, const struct exporter_kind *kind,
                     size_t i)
{
    INVARIANT(k->config.output_count < KIT_OUTPUTS && i < KIT_OUTPUTS);
    size_t at = k->config.output_count++;

    fake_config_init(&k->configs[at], &k->destinations[i]);
    k->outputs[at] =
        (struct output_config){.name = str_of(name), .kind = kind, .config = &k->configs[at]};
    plan_kit_compile(k);
}

void plan_kit_compile(struct plan_kit *k)
{
    k->config.target_count = k->config.output_count;
    k->config.default_targets = (UINT64_C(1) << k->config.output_count) - 1;
    for (size_t i = 0; i < k->config.output_count; i++) {
        struct output_config *o = &k->outputs[i];
        k->stages[i] = (struct stage_config){.kind = o->kind, .config = o->config, .name = o->name};
        k->expansions[i] = (struct plan_expansion){.outputs = UINT64_C(1) << i};
        k->targets[i] = (struct target_config){
            .name = o->name, .kind = o->kind, .expansion = &k->expansions[i]};
        o->takes = o->kind->takes;
        o->caps = o->kind->caps;
        o->delivery.stage = &k->stages[i];
        o->delivery.retry = k->configs[i].common.retry;
        o->buffer = k->configs[i].common.buffer;
    }
}

void plan_kit_route(struct plan_kit *k, const char *match, uint64_t to, bool also_next)
{
    struct err e = ERR_INIT;

    INVARIANT(k->config.route_count < KIT_ROUTES);
    struct route_config *route = &k->routes[k->config.route_count++];
    *route = (struct route_config){.to = to, .also_next = also_next};
    INVARIANT(match == NULL || condition_compile(str_of(match), &route->match, &e));
}

void plan_kit_open(struct plan_kit *k)
{
    struct err e = ERR_INIT;

    plan_kit_compile(k);
    INVARIANT(plan_open(&k->env, &k->config, &k->plan, &e));
}

void plan_kit_close(struct plan_kit *k)
{
    plan_close(k->plan);
    k->plan = NULL;
}

/* {<name_label>="<name>", n="<value>"} */
static struct labels *numbered(const char *name_label, const char *name, double value)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct labels_builder builder;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    buf_addf(&text, "%.0f", value);
    labels_builder_init(&builder);
    labels_builder_set(&builder, str_of(name_label), str_of(name));
    labels_builder_set(&builder, STR("n"), buf_str(&text));
    INVARIANT(labels_build(&builder, &labels, &e));
    labels_builder_release(&builder);
    return labels;
}

struct batch *sample_batch(double first, uint32_t rows)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .rule = STR("r")};
    struct batch *b = batch_new(&codec_rw1, &info);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, rows);
    int64_t *times = arena_array(batch_arena(b), int64_t, rows);
    double *values = arena_array(batch_arena(b), double, rows);
    struct labels **series = arena_array(batch_arena(b), struct labels *, rows);

    for (uint32_t i = 0; i < rows; i++) {
        series[i] = numbered("__name__", "m", first + i);
        series_of[i] = i;
        times[i] = 1000 * NS_PER_MS;
        values[i] = first + i;
    }
    batch_set_samples(b, (struct samples){series, rows, rows, series_of, times, values, NULL});
    return b;
}

struct batch *alert_batch(double first, uint32_t rows)
{
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("r")};
    struct batch *b = batch_new(&codec_edges, &info);
    struct alert *alerts = arena_array(batch_arena(b), struct alert, rows);

    for (uint32_t i = 0; i < rows; i++) {
        alerts[i] = (struct alert){.rule_id = STR("0123456789abcdef0123456789abcdef"),
                                   .labels = numbered("alertname", "a", first + i),
                                   .from = ALERT_PENDING,
                                   .to = ALERT_ALERTING,
                                   .episode_ns = NS_PER_S,
                                   .time_ns = 2 * NS_PER_S,
                                   .active_at_ns = NS_PER_S,
                                   .fired_at_ns = 2 * NS_PER_S,
                                   .value = first + i};
    }
    batch_set_alerts(b, (struct alerts){alerts, rows});
    return b;
}

bool plan_kit_give(struct plan_kit *k, struct batch *b, struct give how, uint64_t *ret_seq)
{
    struct err e = ERR_INIT;

    how.wait = (struct wait){clock_deadline_ms(clock_system(), DESTINATION_PATIENCE_MS), NULL};
    bool ok = plan_give(k->plan, b, &how, ret_seq, &e);
    batch_unref(b);
    return ok;
}

bool plan_kit_samples(struct plan_kit *k, double first, uint32_t rows)
{
    uint64_t seq = 0;

    return plan_kit_give(k, sample_batch(first, rows), (struct give){.durable = true}, &seq);
}

bool plan_kit_alerts(struct plan_kit *k, double first, uint32_t rows)
{
    uint64_t seq = 0;

    return plan_kit_give(k, alert_batch(first, rows), (struct give){.durable = true}, &seq);
}

uint64_t plan_kit_drain(struct plan_kit *k, int64_t ms)
{
    plan_drain(k->plan, (struct wait){clock_deadline_ms(clock_system(), ms), NULL}, &k->left);
    return k->left.frames;
}

void plan_kit_read(struct plan_kit *k, const char *name,
                   void (*visit)(void *arg, uint16_t type, struct str payload), void *arg)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct log_options options = {.name = STR("read"), .env = &k->env};
    const struct log_frame *frame = NULL;
    struct log_report report;
    struct log *l = NULL;
    struct err e = ERR_INIT;

    buf_addf(&path, "%s/%s", k->folder, name);
    options.path = buf_str(&path);
    INVARIANT(log_open(&options, &l, &report, &e));
    struct log_reader *reader = log_reader_new(l, 1, UINT64_MAX);
    while (log_reader_next(reader, (struct wait){0, NULL}, &frame, &e) && frame != NULL) {
        visit(arg, frame->type, frame->payload);
        log_frame_drop(frame);
    }
    log_reader_free(reader);
    log_close(l);
}

/* ---- dead letters ---- */

static void print_rows(struct batch *b, struct buf *out)
{
    const struct samples *samples = NULL;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;
    bool is_alert = batch_info(b)->kind == RECORD_ALERT;

    INVARIANT(is_alert ? batch_alerts(b, &alerts, &e) : batch_samples(b, &samples, &e));
    for (uint32_t i = 0; i < batch_rows(b); i++) {
        buf_addf(out, " %.0f", is_alert ? alerts->rows[i].value : samples->value[i]);
    }
}

static void print_letter(void *arg, uint16_t type, struct str payload)
{
    struct buf *out = arg;
    const char *at = payload.ptr;
    const char *end = payload.ptr + payload.len;
    struct batch *b = NULL;
    uint64_t len = 0;
    struct err e = ERR_INIT;

    (void)type;
    INVARIANT(varint_get(&at, end, &len) && len <= (uint64_t)(end - at));
    buf_addf(out, "%.*s:", (int)len, at);
    at += len;
    INVARIANT(batch_from_frame(str_make(at, (size_t)(end - at)), &b, &e));
    print_rows(b, out);
    buf_add_byte(out, ';');
    batch_unref(b);
}

char *plan_kit_dead(struct plan_kit *k, const char *name)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&folder, "dead/%s", name);
    plan_kit_read(k, buf_text(&folder), print_letter, &text);
    return mem_dup_text(buf_str(&text).ptr, text.len);
}
