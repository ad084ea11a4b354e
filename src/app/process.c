/* process_*: what the kernel says of this process, under the names that all Prometheus clients use. */
#include "app/environment.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"

#include <sys/resource.h>
#include <unistd.h>

enum { STATM_MAX = 256, STATM_VIRTUAL = 0, STATM_RESIDENT = 1 };

struct process_metrics {
    int64_t start_ns;
};

/* The <index>th number of /proc/self/statm, in bytes; 0 when it cannot be read. */
static double statm_bytes(size_t index)
{
    AUTO(buf_release) struct buf text = BUF_INIT(STATM_MAX);
    struct err ignored = ERR_INIT;
    int64_t pages = 0;
    struct str part;

    if (!fs_read_file(fs_system(), STR("/proc/self/statm"), STATM_MAX, &text, &ignored)) {
        return 0;
    }
    struct str rest = buf_str(&text);
    for (size_t i = 0; i <= index; i++) {
        if (!str_split(&rest, ' ', &part)) {
            return 0;
        }
    }
    return number_parse_i64(part, &pages) ? (double)(pages * sysconf(_SC_PAGESIZE)) : 0;
}

static double read_resident(void *arg)
{
    (void)arg;
    return statm_bytes(STATM_RESIDENT);
}

static double read_virtual(void *arg)
{
    (void)arg;
    return statm_bytes(STATM_VIRTUAL);
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double read_cpu(void *arg)
{
    struct rusage usage;

    (void)arg;
    return getrusage(RUSAGE_SELF, &usage) == 0
               ? seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime)
               : 0;
}

static void count_fd(void *arg, const char *name)
{
    double *count = arg;

    *count += name[0] != '.';
}

static double read_open_fds(void *arg)
{
    const struct fs *fs = fs_system();
    double count = 0;

    (void)arg;
    (void)fs->ops->list(fs, "/proc/self/fd", count_fd, &count);
    return count > 0 ? count - 1 : 0; /* one is the folder that is being read */
}

static double read_max_fds(void *arg)
{
    struct rlimit limit;

    (void)arg;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double read_start(void *arg)
{
    return (double)((const struct process_metrics *)arg)->start_ns / (double)NS_PER_S;
}

static const struct {
    struct metric_desc desc;
    double (*read)(void *arg);
} readings[] = {
    {{.name = "process_cpu_seconds_total",
      .help = "Processor time spent, user and system.",
      .type = METRIC_COUNTER},
     read_cpu},
    {{.name = "process_resident_memory_bytes", .help = "Resident memory.", .type = METRIC_GAUGE},
     read_resident},
    {{.name = "process_virtual_memory_bytes", .help = "Virtual memory.", .type = METRIC_GAUGE},
     read_virtual},
    {{.name = "process_open_fds", .help = "Open file descriptors.", .type = METRIC_GAUGE},
     read_open_fds},
    {{.name = "process_max_fds",
      .help = "File descriptors that may be open.",
      .type = METRIC_GAUGE},
     read_max_fds},
    {{.name = "process_start_time_seconds",
      .help = "When the program started, in seconds since 1970.",
      .type = METRIC_GAUGE},
     read_start},
};

struct process_metrics *process_metrics_new(const struct env *env)
{
    struct process_metrics *p = mem_new(struct process_metrics);

    p->start_ns = clock_wall_ns(env->clock);
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        (void)metrics_watch(env->metrics, &readings[i].desc, NULL, readings[i].read, p);
    }
    return p;
}

void process_metrics_free(struct process_metrics *p)
{
    mem_free(p);
}
