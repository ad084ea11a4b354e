#include "app/environment.h"

#include "base/fs.h"
#include "base/metrics.h"
#include "base/number.h"

#include <unistd.h>

enum { MEMORY_SHARE = 60 /* % */, CGROUP_MAX = 64 };

/* The limit that a container sets; INT64_MAX when it sets none. */
static int64_t memory_of_container(void)
{
    AUTO(buf_release) struct buf text = BUF_INIT(CGROUP_MAX);
    struct err ignored = ERR_INIT;
    int64_t bytes = 0;

    if (!fs_read_file(fs_system(), STR("/sys/fs/cgroup/memory.max"), CGROUP_MAX, &text, &ignored)) {
        return INT64_MAX;
    }
    return number_parse_i64(str_trim(buf_str(&text)), &bytes) && bytes > 0 ? bytes : INT64_MAX;
}

int64_t memory_of_machine(void)
{
    int64_t pages = sysconf(_SC_PHYS_PAGES);
    int64_t page_bytes = sysconf(_SC_PAGESIZE);
    int64_t machine = pages > 0 && page_bytes > 0 ? pages * page_bytes : INT64_MAX;
    int64_t container = memory_of_container();

    return container < machine ? container : machine;
}

static const struct metric_desc memory_used_desc = {
    .name = "telex_memory_budget_used_bytes",
    .help = "Memory taken from the budget for what others decide the size of.",
    .type = METRIC_GAUGE};
static const struct metric_desc memory_limit_desc = {.name = "telex_memory_budget_limit_bytes",
                                                     .help = "Size of the memory budget.",
                                                     .type = METRIC_GAUGE};
static const struct metric_desc memory_refused_desc = {
    .name = "telex_memory_budget_refused_total",
    .help = "Requests for memory that the budget refused.",
    .type = METRIC_COUNTER};
static const struct metric_desc lines_desc = {.name = "telex_log_lines_total",
                                              .help = "Lines of the log, by what became of them.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"result"}};

static double read_used(void *arg)
{
    return (double)budget_used(arg);
}

static double read_limit(void *arg)
{
    return (double)((const struct budget *)arg)->cap_bytes;
}

static double read_refused(void *arg)
{
    return (double)atomic_load_explicit(&((struct budget *)arg)->refused_total,
                                        memory_order_relaxed);
}

static double read_written(void *arg)
{
    uint64_t written = 0;
    uint64_t suppressed = 0;

    trace_sink_counts(arg, &written, &suppressed);
    return (double)written;
}

static double read_suppressed(void *arg)
{
    uint64_t written = 0;
    uint64_t suppressed = 0;

    trace_sink_counts(arg, &written, &suppressed);
    return (double)suppressed;
}

/* These live as long as the registry, which frees them. */
static void watch(struct environment *en)
{
    static const struct str written = STR_INIT("written");
    static const struct str suppressed = STR_INIT("suppressed");
    struct metrics *m = en->env.metrics;

    (void)metrics_watch(m, &memory_used_desc, NULL, read_used, &en->budget);
    (void)metrics_watch(m, &memory_limit_desc, NULL, read_limit, &en->budget);
    (void)metrics_watch(m, &memory_refused_desc, NULL, read_refused, &en->budget);
    (void)metrics_watch(m, &lines_desc, &written, read_written, en->env.trace);
    (void)metrics_watch(m, &lines_desc, &suppressed, read_suppressed, en->env.trace);
}

void environment_init(struct environment *en, const struct config *config, int log_fd)
{
    const struct settings *s = &config->settings;
    int64_t limit = s->memory.limit_bytes;

    *en = (struct environment){0};
    rng_init(&en->rng);
    budget_init(&en->budget, NULL, "the process",
                limit > 0 ? limit : memory_of_machine() / 100 * MEMORY_SHARE);
    en->env = (struct env){
        .clock = clock_system(),
        .rng = &en->rng,
        .trace = trace_sink_new(log_fd, (enum trace_format)s->log.format, clock_system()),
        .metrics = metrics_new(),
        .budget = &en->budget,
    };
    config_apply_log(config, en->env.trace);
    watch(en);
    en->process = process_metrics_new(&en->env);
}

void environment_release(struct environment *en)
{
    process_metrics_free(en->process);
    metrics_free(en->env.metrics);
    trace_sink_free(en->env.trace);
    *en = (struct environment){0};
}
