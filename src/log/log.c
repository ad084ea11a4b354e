#include "log/log.h"

#include "base/mem.h"
#include "log/log_int.h"

#include <errno.h>
#include <stdio.h>

enum {
    MIB = 1024 * 1024,
    SEGMENT_MIB = 64,
    MEMORY_MIB = 64,
    MIN_FREE_MIB = 64,
    QUARANTINE_MIB = 256,
    INTERVAL_MS = 1000
};

static const struct metric_desc frames_desc = {.name = "telex_log_frames_total",
                                               .help = "Frames written to the log.",
                                               .type = METRIC_COUNTER,
                                               .labels = {"log"}};
static const struct metric_desc bytes_desc = {.name = "telex_log_bytes_total",
                                              .help = "Bytes of frames written to the log.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"log"}};
static const struct metric_desc syncs_desc = {.name = "telex_log_syncs_total",
                                              .help = "Syncs of segments.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"log"}};
static const struct metric_desc sync_desc = {.name = "telex_log_sync_seconds",
                                             .help = "How long syncs of segments took.",
                                             .type = METRIC_HISTOGRAM,
                                             .labels = {"log"},
                                             .buckets = metric_seconds_buckets,
                                             .bucket_count = METRIC_SECONDS_BUCKETS};
static const struct metric_desc errors_desc = {.name = "telex_log_errors_total",
                                               .help = "File operations of the log that failed.",
                                               .type = METRIC_COUNTER,
                                               .labels = {"log"}};
static const struct metric_desc damaged_desc = {
    .name = "telex_log_damaged_total",
    .help = "Damaged ranges found in segments, copied to quarantine and passed over.",
    .type = METRIC_COUNTER,
    .labels = {"log"}};
static const struct metric_desc dropped_desc = {
    .name = "telex_log_quarantine_dropped_total",
    .help = "Copies removed from quarantine because it had become too large.",
    .type = METRIC_COUNTER,
    .labels = {"log"}};
static const struct metric_desc disk_desc = {.name = "telex_log_disk_bytes",
                                             .help = "Bytes of segments on disk.",
                                             .type = METRIC_GAUGE,
                                             .labels = {"log"}};
static const struct metric_desc memory_desc = {.name = "telex_log_memory_bytes",
                                               .help = "Bytes of frames in memory.",
                                               .type = METRIC_GAUGE,
                                               .labels = {"log"}};

void log_path(const struct log *l, const char *name, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/%s", l->path, name);
}

int log_failed_with(struct log *l, const struct err *e)
{
    metric_add(l->metrics.errors, 1);
    trace_error(&l->trace, "a file operation failed", T_TEXT("log", l->name), T_ERR(e));
    lock_take(&l->lock);
    l->failures++;
    (void)snprintf(l->reason, sizeof(l->reason), "fails: %.240s", e->message);
    cond_broadcast(&l->done);
    lock_give(&l->lock);
    return -EIO;
}

int log_failed(struct log *l, const char *what, int result)
{
    struct err e = ERR_INIT;

    (void)err_set_errno(&e, ERR_IO, -result, "%s", what);
    (void)log_failed_with(l, &e);
    return result;
}

static double read_disk_bytes(void *arg)
{
    struct log *l = arg;

    lock_take(&l->lock);
    double bytes = (double)l->disk_bytes;
    lock_give(&l->lock);
    return bytes;
}

static double read_memory_bytes(void *arg)
{
    struct log *l = arg;

    lock_take(&l->lock);
    double bytes = (double)l->recent.bytes;
    lock_give(&l->lock);
    return bytes;
}

static void open_metrics(struct log *l)
{
    struct metrics *m = l->env->metrics;
    struct str name = str_of(l->name);

    l->metrics = (struct log_metrics){
        .frames = metrics_get1(m, &frames_desc, name),
        .bytes = metrics_get1(m, &bytes_desc, name),
        .syncs = metrics_get1(m, &syncs_desc, name),
        .sync_seconds = metrics_get1(m, &sync_desc, name),
        .errors = metrics_get1(m, &errors_desc, name),
        .damaged = metrics_get1(m, &damaged_desc, name),
        .quarantine_dropped = metrics_get1(m, &dropped_desc, name),
        .disk_bytes = metrics_watch(m, &disk_desc, &name, read_disk_bytes, l),
        .memory_bytes = metrics_watch(m, &memory_desc, &name, read_memory_bytes, l),
    };
}

static void close_metrics(struct log *l)
{
    struct metric *all[] = {
        l->metrics.frames,       l->metrics.bytes,        l->metrics.syncs,
        l->metrics.sync_seconds, l->metrics.errors,       l->metrics.damaged,
        l->metrics.disk_bytes,   l->metrics.memory_bytes, l->metrics.quarantine_dropped};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        metric_drop(all[i]);
    }
}

static struct log *log_new(const struct log_options *o)
{
    struct log *l = mem_new(struct log);

    l->fs = o->fs != NULL ? o->fs : fs_system();
    l->env = o->env;
    l->name = mem_dup_text(o->name.ptr, o->name.len);
    l->path = mem_dup_text(o->path.ptr, o->path.len);
    l->sync = o->sync;
    l->asked_sync = o->sync;
    l->interval_ns = (o->interval_ms > 0 ? o->interval_ms : INTERVAL_MS) * NS_PER_MS;
    l->segment_bytes = o->segment_bytes > 0 ? o->segment_bytes : (int64_t)SEGMENT_MIB * MIB;
    l->memory_bytes_max = o->memory_bytes > 0 ? o->memory_bytes : (int64_t)MEMORY_MIB * MIB;
    l->disk_bytes_max = o->max_bytes;
    (void)snprintf(l->full_reason, sizeof(l->full_reason),
                   "is as large as %s allows; its consumers are behind",
                   o->max_bytes_option != NULL ? o->max_bytes_option : "max_bytes");
    l->min_free_bytes = o->min_free_bytes != 0 ? o->min_free_bytes : (int64_t)MIN_FREE_MIB * MIB;
    l->quarantine_bytes =
        o->quarantine_bytes > 0 ? o->quarantine_bytes : (int64_t)QUARANTINE_MIB * MIB;
    l->lock_fd = -1;
    l->active.fd = -1;
    l->cursor_file.fd = -1;
    trace_init(&l->trace, o->env->trace, "log", TRACE_INFO);
    lock_init(&l->lock);
    cond_init(&l->work);
    cond_init(&l->done);
    cond_init(&l->arrived);
    open_metrics(l);
    return l;
}

static void close_files(struct log *l)
{
    const int fds[] = {l->active.fd, l->cursor_file.fd, l->lock_fd};

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (fds[i] >= 0) {
            (void)l->fs->ops->close(l->fs, fds[i]);
        }
    }
}

static void log_free(struct log *l)
{
    close_files(l);
    close_metrics(l);
    recent_release(&l->recent);
    for (size_t i = 0; i < l->segments.len; i++) {
        segment_free(l->segments.items[i]);
    }
    vec_release(&l->segments);
    for (size_t i = 0; i < LOG_CONSUMERS_MAX; i++) {
        mem_free(l->consumers[i].name);
    }
    cond_release(&l->arrived);
    cond_release(&l->done);
    cond_release(&l->work);
    lock_release(&l->lock);
    mem_free(l->path);
    mem_free(l->name);
    mem_free(l);
}

/* Keeps a second process out for as long as the file is open. */
static bool take_folder(struct log *l, struct err *e)
{
    char path[PATH_MAX];

    if (!fs_make_path(l->fs, str_of(l->path), e)) {
        return false;
    }
    log_path(l, "lock", path);
    int result = l->fs->ops->open(l->fs, path, FS_WRITE | FS_CREATE, &l->lock_fd);
    if (result != 0) {
        l->lock_fd = -1;
        return err_set_errno(e, ERR_IO, -result, "cannot open %s", path);
    }
    result = l->fs->ops->lock(l->fs, l->lock_fd);
    if (result == -EWOULDBLOCK) {
        return err_set(
            e, ERR_CONFLICT,
            "%s is in use by another process: stop it, or give this one a folder of its own",
            l->path);
    }
    return result == 0 || err_set_errno(e, ERR_IO, -result, "cannot lock %s", path);
}

/* Where the writer and the readers begin after recovery. */
static void begin(struct log *l)
{
    uint64_t last_seq = l->next_seq - 1;

    l->taken_seq = last_seq;
    l->durable_seq = last_seq;
    l->kept_seq = last_seq;
    l->written_seq = last_seq;
    for (size_t i = 0; i < LOG_CONSUMERS_MAX; i++) {
        struct consumer *c = &l->consumers[i];
        c->written = c->cursor;
        c->synced = c->cursor;
        owed_count(l, (unsigned)i);
    }
}

bool log_open(const struct log_options *options, struct log **ret_log,
              struct log_report *ret_report, struct err *e)
{
    struct log_report report = {0};

    if (options->path.len == 0 || options->path.len > PATH_MAX - 128) {
        return err_set(e, ERR_CONFIG, "the path of a log has 1 to %d bytes", PATH_MAX - 128);
    }
    struct log *l = log_new(options);
    bool ok = take_folder(l, e) && log_recover(l, &report, e);
    if (ok) {
        owed_settle(l);
        begin(l);
        space_look(l, clock_mono_ns(clock_system()));
        ok = thread_start(&l->writer, "log", writer_run, l, e);
    }
    if (!ok) {
        (void)err_wrap(e, "opening the %s log", l->name);
        log_free(l);
        return false;
    }
    *ret_log = l;
    *ret_report = report;
    return true;
}

void log_close(struct log *l)
{
    if (l == NULL) {
        return;
    }
    lock_take(&l->lock);
    l->closing = true;
    cond_broadcast(&l->work);
    cond_broadcast(&l->done);
    lock_give(&l->lock);
    thread_join(&l->writer);
    log_free(l);
}

void log_status(struct log *l, struct log_status *ret_status)
{
    lock_take(&l->lock);
    struct log_status status = {
        .first_seq = l->next_seq,
        .next_seq = l->next_seq,
        .durable_seq = l->durable_seq,
        .segments = l->segments.len,
        .disk_bytes = l->disk_bytes,
        .memory_bytes = l->recent.bytes,
        .failing = l->failing,
        .low = l->low,
    };
    for (size_t i = l->segments.len; i > 0; i--) {
        const struct segment *s = l->segments.items[i - 1];
        status.first_seq = s->sum.count > 0 ? s->sum.first_seq : status.first_seq;
    }
    lock_give(&l->lock);
    *ret_status = status;
}
