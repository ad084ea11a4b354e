/* What a hub says of itself. */
#include "base/mem.h"
#include "base/metrics.h"
#include "lib/hub.h"
#include "lib/problem.h"

/* ---- one exporter ---- */

/* Its own name, or that of what stands around it: "both" for "both/influx". */
static bool is_called(struct str output, struct str name)
{
    return str_eq(output, name) ||
           (str_starts(output, name) && output.len > name.len && output.ptr[name.len] == '/');
}

/* The first that is not healthy, else the first. */
static const struct output_status *choose(const struct output_status *all, size_t count,
                                          const char *exporter)
{
    const struct output_status *found = NULL;

    for (size_t i = 0; i < count; i++) {
        bool is_it = exporter == NULL || is_called(all[i].name, str_of(exporter));
        if (is_it && (found == NULL || (found->is_healthy && !all[i].is_healthy))) {
            found = &all[i];
        }
    }
    return found;
}

/* Has <fill> write <ret> from the status of <exporter>. */
static int with_status(struct telex_hub *hub, const char *exporter,
                       void (*fill)(struct telex_hub *hub, const struct output_status *s,
                                    void *ret),
                       void *ret)
{
    int code = hub_check(hub, NULL);
    struct output_status *all =
        code == TELEX_OK ? mem_try_alloc(PLAN_OUTPUTS_MAX * sizeof(*all)) : NULL;

    if (all == NULL) {
        return code != TELEX_OK ? code : TELEX_NO_MEMORY;
    }
    struct hub_view v = hub_view_begin(hub);
    size_t count = plan_status(hub->plan, all, PLAN_OUTPUTS_MAX);
    const struct output_status *s = choose(all, count, exporter);
    if (s != NULL) {
        fill(hub, s, ret);
    }
    hub_view_end(&v);
    mem_free(all);
    return s != NULL ? TELEX_OK : TELEX_UNKNOWN;
}

static void copy_text(char *ret, size_t size, const char *text)
{
    lib_copy_text(ret, size, str_of(text));
}

static void fill_health(struct telex_hub *hub, const struct output_status *s, void *ret)
{
    struct telex_health *health = ret;

    (void)hub;
    *health =
        (struct telex_health){.struct_size = health->struct_size, .is_healthy = s->is_healthy};
    copy_text(health->state, sizeof(health->state), s->state);
    copy_text(health->breaker, sizeof(health->breaker), s->breaker);
    copy_text(health->error, sizeof(health->error), s->is_healthy ? "" : s->health_error);
}

int telex_health(struct telex_hub *hub, const char *exporter, struct telex_health *ret_health)
{
    if (ret_health == NULL || ret_health->struct_size < sizeof(*ret_health)) {
        return TELEX_INVALID;
    }
    return with_status(hub, exporter, fill_health, ret_health);
}

static void fill_result(struct telex_hub *hub, const struct output_status *s, void *ret)
{
    struct telex_result *result = ret;
    const struct export_result *last = &s->last_result;

    (void)hub;
    *result = (struct telex_result){.struct_size = result->struct_size,
                                    .success = last->success,
                                    .exported_count = last->exported_count,
                                    .response_time_ms = last->response_time_ms,
                                    .time_ns = last->at_ns};
    copy_text(result->error, sizeof(result->error), last->error);
}

int telex_last_result(struct telex_hub *hub, const char *exporter, struct telex_result *ret_result)
{
    if (ret_result == NULL || ret_result->struct_size < sizeof(*ret_result)) {
        return TELEX_INVALID;
    }
    return with_status(hub, exporter, fill_result, ret_result);
}

static void fill_buffer(struct telex_hub *hub, const struct output_status *s, void *ret)
{
    struct telex_buffer_stats *stats = ret;
    double ring = 100.0 * ring_usage(&hub->ring);

    *stats = (struct telex_buffer_stats){
        .struct_size = stats->struct_size,
        .usage_percent = s->usage_percent > ring ? s->usage_percent : ring,
        .avg_flush_time_ms = s->avg_flush_time_ms,
        .pending_batches = s->pending_frames,
        .pending_bytes = s->pending_bytes,
        .gathered_records = s->gathered_rows,
        .flushes = s->flushes,
        .delivered_records = s->delivered_rows,
        .rejected_records = s->rejected_rows,
        .retries = s->retries,
    };
}

int telex_buffer_stats(struct telex_hub *hub, const char *exporter,
                       struct telex_buffer_stats *ret_stats)
{
    if (ret_stats == NULL || ret_stats->struct_size < sizeof(*ret_stats)) {
        return TELEX_INVALID;
    }
    return with_status(hub, exporter, fill_buffer, ret_stats);
}

/* ---- names ---- */

int telex_exporter_name(struct telex_hub *hub, size_t index, char *ret_name, size_t size)
{
    int code = hub_check(hub, NULL);

    if (code != TELEX_OK || ret_name == NULL || size == 0) {
        return code != TELEX_OK ? code : TELEX_INVALID;
    }
    struct hub_view v = hub_view_begin(hub);
    const struct plan_config *config = &v.now->plan;
    if (index >= config->output_count) {
        code = TELEX_UNKNOWN;
    } else if (config->outputs[index].name.len >= size) {
        code = TELEX_TOO_LARGE;
    } else {
        lib_copy_text(ret_name, size, config->outputs[index].name);
    }
    hub_view_end(&v);
    return code;
}

/* ---- all of it ---- */

/* Sums over exporters, of counters that outlive changes of the config. */
static void add_sample(void *arg, const struct metrics_sample *s)
{
    static const struct {
        const char *name;
        size_t offset;
    } sums[] = {
        {"telex_exporter_filtered_total", offsetof(struct telex_stats, filtered)},
        {"telex_exporter_delivered_total", offsetof(struct telex_stats, delivered)},
        {"telex_exporter_dead_letters_total", offsetof(struct telex_stats, rejected)},
        {"telex_log_disk_bytes", offsetof(struct telex_stats, log_bytes)},
    };

    for (size_t i = 0; i < ARRAY_LEN(sums); i++) {
        if (strcmp(s->name, sums[i].name) == 0) {
            *(uint64_t *)(void *)((char *)arg + sums[i].offset) += (uint64_t)s->value;
        }
    }
}

static double behind_ms(struct telex_hub *hub)
{
    int64_t since_ns = atomic_load(&hub->writer.behind_ns);

    return since_ns == 0 ? 0
                         : (double)(clock_mono_ns(hub->env.clock) - since_ns) / (double)NS_PER_MS;
}

int telex_stats(struct telex_hub *hub, struct telex_stats *ret_stats)
{
    int code = hub_check(hub, NULL);

    if (code != TELEX_OK || ret_stats == NULL || ret_stats->struct_size < sizeof(*ret_stats)) {
        return code != TELEX_OK ? code : TELEX_INVALID;
    }
    const struct writer *w = &hub->writer;
    *ret_stats = (struct telex_stats){
        .struct_size = ret_stats->struct_size,
        .taken = ring_taken(&hub->ring),
        .dropped_full = atomic_load(&w->dropped[DROPPED_FULL]),
        .dropped_invalid = atomic_load(&w->dropped[DROPPED_INVALID]),
        .dropped_too_large = atomic_load(&w->dropped[DROPPED_TOO_LARGE]),
        .logged = atomic_load(&w->logged),
        .unrouted = atomic_load(&w->unrouted),
        .ring_bytes = hub->ring.shard_bytes * RING_SHARDS,
        .ring_used_bytes = ring_used(&hub->ring),
        .writer_behind_ms = behind_ms(hub),
    };
    metrics_walk(hub->env.metrics, add_sample, ret_stats);
    return TELEX_OK;
}

uint64_t telex_filtered_count(struct telex_hub *hub)
{
    struct telex_stats stats = {.struct_size = sizeof(stats)};

    return telex_stats(hub, &stats) == TELEX_OK ? stats.filtered + stats.unrouted : 0;
}
