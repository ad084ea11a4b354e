#include "export/drops.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"

static const struct metric_desc dropped_desc = {
    .name = "telex_exporter_dropped_total",
    .help = "Records that will never be delivered and are no dead letters, by reason.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "reason"}};

static const struct {
    const char *name;
    const char *message;
} reasons[DROP_REASONS] = {
    [DROP_OVERFLOW_OLDEST] = {"overflow_oldest",
                              "the oldest records were dropped: more is owed than max_disk_bytes"},
    [DROP_OVERFLOW_NEWEST] = {"overflow_newest",
                              "new records were dropped: as much is owed as max_disk_bytes allows"},
    [DROP_DESTINATION] = {"destination", "the destination dropped records that it took"},
    [DROP_LETTERS_FULL] = {"dead_letters_overflow",
                           "the oldest dead letters were dropped: more are kept than "
                           "dead_letters.max_disk_bytes"},
    [DROP_LETTERS_OLD] = {"dead_letters_age",
                          "dead letters older than dead_letters.max_age were dropped"},
    [DROP_REFUSED] = {"refused", "records that the destination refused were dropped, as "
                                 "dead_letters.on_refused says"},
    [DROP_ORPHAN] = {"orphan", "records of a removed exporter were dropped, as was asked"},
};

const char *drop_reason_name(enum drop_reason reason)
{
    return reasons[reason].name;
}

void drops_init(struct drops *d, const struct env *env, struct str name)
{
    *d = (struct drops){.env = env, .name = str_make(mem_dup_text(name.ptr, name.len), name.len)};
    trace_init_part(&d->trace, env->trace, "export", name, TRACE_INFO);
    lock_init(&d->lock);
    for (size_t i = 0; i < DROP_REASONS; i++) {
        d->counts[i] = metrics_get2(env->metrics, &dropped_desc, name, str_of(reasons[i].name));
    }
}

static void tell(struct drops *d, enum drop_reason reason, uint64_t rows)
{
    if (rows > 0) {
        trace_warn(&d->trace, reasons[reason].message, T_STR("exporter", d->name),
                   T_U64("records", rows), T_TEXT("reason", reasons[reason].name));
    }
}

/* What is to be told now; 0: nothing, or later. */
static uint64_t take_untold(struct drops *d, enum drop_reason reason, uint64_t rows, bool now)
{
    int64_t now_ns = clock_mono_ns(d->env->clock);
    uint64_t told = 0;

    lock_take(&d->lock);
    d->untold[reason] += rows;
    if (now || d->told_ns[reason] == 0 ||
        now_ns - d->told_ns[reason] >= DROPS_TELL_MS * NS_PER_MS) {
        told = d->untold[reason];
        d->untold[reason] = 0;
        d->told_ns[reason] = now_ns;
    }
    lock_give(&d->lock);
    return told;
}

void drops_release(struct drops *d)
{
    if (d->env == NULL) {
        return;
    }
    for (size_t i = 0; i < DROP_REASONS; i++) {
        tell(d, (enum drop_reason)i, take_untold(d, (enum drop_reason)i, 0, true));
        metric_drop(d->counts[i]);
    }
    lock_release(&d->lock);
    mem_free(d->name.ptr);
}

void drops_count(struct drops *d, enum drop_reason reason, uint64_t rows)
{
    metric_add(d->counts[reason], rows);
}

void drops_add(struct drops *d, enum drop_reason reason, uint64_t rows)
{
    if (rows > 0) {
        drops_count(d, reason, rows);
        tell(d, reason, take_untold(d, reason, rows, false));
    }
}
