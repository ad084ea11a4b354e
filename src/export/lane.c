/*
 * Invariants
 *   1. The lane's place passes a frame only when each of its rows that is the lane's has ended
 * (delivery.h), or was dropped to make room and counted.
 *   2. The thread runs from open to stop and touches log and leaf only after the start; of what the
 * log holds it takes frames up to last_seq.
 *   3. Whoever wants something of the thread sets it first and fires <poke> then; the thread takes
 * the token before it looks. So it sleeps only when nothing is wanted.
 */
#include "export/lane.h"

#include "export/lane_int.h"

#include "base/mem.h"
#include "export/flush_pace.h"

/* ---- what others want of a lane ---- */

/* A token that fires when there is something to look at; to be taken before looking. */
struct cancel *lane_poke_token(struct lane *lane)
{
    lock_take(&lane->poke_lock);
    if (cancel_is_set(lane->poke) && !cancel_is_set(lane->rest)) {
        cancel_free(lane->poke);
        lane->poke = cancel_new(lane->rest);
    }
    struct cancel *token = lane->poke;
    lock_give(&lane->poke_lock);
    return token;
}

void lane_nudge(struct lane *lane)
{
    lock_take(&lane->poke_lock);
    cancel_fire(lane->poke);
    lock_give(&lane->poke_lock);
}

bool lane_pauses(struct lane *lane)
{
    lock_take(&lane->lock);
    bool paused = lane->paused;
    lock_give(&lane->lock);
    return paused;
}

/* Is what waits to be sent now? */
static bool is_hurried(struct lane *lane)
{
    lock_take(&lane->lock);
    bool hurries = lane->hurries;
    lock_give(&lane->lock);
    return hurries;
}

static void end_hurry(struct lane *lane)
{
    lock_take(&lane->lock);
    lane->hurries = false;
    lane->tries_now = false;
    lock_give(&lane->lock);
}

/* Did somebody ask for a try now? Once per question. */
static bool take_try(struct lane *lane)
{
    lock_take(&lane->lock);
    bool tries_now = lane->tries_now;
    lane->tries_now = false;
    lock_give(&lane->lock);
    return tries_now;
}

/* Must the oldest records make room, and are they this lane's to drop? */
bool lane_must_shed(struct lane *lane)
{
    const struct exporter_buffer *buffer = lane->config.buffer;

    return exporter_overflow(buffer) == OVERFLOW_DROP_OLDEST && buffer->max_disk_bytes > 0 &&
           progress_owed_bytes(lane->config.progress, true) > buffer->max_disk_bytes &&
           progress_is_last(lane->config.progress, lane->config.index);
}

/* Is the lane to end before <deadline_ns>, whatever comes? Then there is no use in sleeping. */
static bool is_too_late(struct lane *lane, int64_t deadline_ns)
{
    return cancel_is_set(lane->idle) && deadline_ns >= atomic_load(&lane->until_ns);
}

/* Sleeps between two tries; false when the lane must stop, or what it holds must make room. */
bool lane_sleep_until(struct lane *lane, int64_t deadline_ns)
{
    while (true) {
        struct cancel *token = lane_poke_token(lane);
        bool paused = lane_pauses(lane);
        if (cancel_is_set(lane->rest) || (paused && cancel_is_set(lane->idle)) ||
            is_too_late(lane, deadline_ns)) {
            return false;
        }
        if (lane_must_shed(lane)) {
            lane->sheds = true;
            return false;
        }
        if (!paused && take_try(lane)) {
            return true;
        }
        if (wait_sleep((struct wait){paused ? DEADLINE_NEVER : deadline_ns, token})) {
            return true;
        }
    }
}

/* ---- the thread ---- */

/* One look at the log; false when it could not be read. */
bool lane_read_frame(struct lane *lane, struct wait wait, const struct log_frame **ret_frame)
{
    struct err e = ERR_INIT;

    if (log_reader_next(lane->reader, wait, ret_frame, &e)) {
        return true;
    }
    delivery_note_trouble(lane->delivery, &e);
    trace_error(&lane->trace, "the log cannot be read, trying again",
                T_STR("exporter", lane->config.place.name), T_ERR(&e));
    (void)wait_sleep(
        (struct wait){clock_deadline_ms(lane->env->clock, LANE_READ_AGAIN_MS), lane->rest});
    return false;
}

enum look { LOOK_AGAIN, LOOK_SEND, LOOK_END };

static enum look nothing_more(const struct lane *lane)
{
    return gather_is_empty(&lane->gather) ? LOOK_END : LOOK_SEND;
}

/* Nothing came: is what is there to be sent? */
static enum look nothing_came(struct lane *lane, bool ending, bool hurried)
{
    const struct gather *g = &lane->gather;

    if (ending) {
        return nothing_more(lane);
    }
    if (hurried) {
        end_hurry(lane);
    }
    bool due = !gather_is_empty(g) &&
               (hurried || clock_mono_ns(lane->env->clock) >= gather_due_ns(g, lane->interval_ns));
    return due ? LOOK_SEND : LOOK_AGAIN;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When there is something to do though nothing comes: the group is due, a question of health, or the breaker. */
static int64_t next_look_ns(const struct lane *lane)
{
    const struct gather *g = &lane->gather;
    int64_t due_ns = gather_is_empty(g) ? DEADLINE_NEVER : gather_due_ns(g, lane->interval_ns);

    due_ns = sooner(due_ns, delivery_breaker_due_ns(lane->delivery));
    due_ns = sooner(due_ns, delivery_tend_due_ns(lane->delivery));
    return sooner(due_ns, delivery_probe_due_ns(lane->delivery));
}

/* Also while records come: none of them need be for the leaf. */
static void tend_if_due(struct lane *lane, struct cancel *token)
{
    if (!cancel_is_set(lane->idle) &&
        clock_mono_ns(lane->env->clock) >= delivery_tend_due_ns(lane->delivery)) {
        delivery_tend(lane->delivery, token);
    }
}

/* Nothing waits for the end of a health check: what comes ends it (lane_appended()), and while
 * something is there, calls tell how the destination is. */
static void probe_if_due(struct lane *lane, struct cancel *token)
{
    const struct lane_config *config = &lane->config;

    if (cancel_is_set(lane->idle) ||
        clock_mono_ns(lane->env->clock) < delivery_probe_due_ns(lane->delivery)) {
        return;
    }
    atomic_store(&lane->probes, true);
    if (gather_is_empty(&lane->gather) && log_pending(config->log, config->bit) == 0) {
        delivery_probe(lane->delivery, token);
    } else {
        delivery_skip_probe(lane->delivery);
    }
    atomic_store(&lane->probes, false);
}

void lane_appended(struct lane *lane)
{
    if (atomic_load(&lane->probes)) {
        lane_nudge(lane);
    }
}

/* Reads one frame, waiting for it until the group is due. */
static enum look look(struct lane *lane, struct cancel *token)
{
    struct gather *g = &lane->gather;
    bool ending = cancel_is_set(lane->idle);
    bool hurried = is_hurried(lane);
    struct wait wait = {next_look_ns(lane), token};
    const struct log_frame *frame = NULL;

    if (lane->read_all) {
        return nothing_more(lane);
    }
    if (ending || hurried) {
        wait = (struct wait){0, NULL};
    }
    if (!lane_read_frame(lane, wait, &frame)) {
        return LOOK_AGAIN;
    }
    if (frame == NULL) {
        return nothing_came(lane, ending, hurried);
    }
    if (ending && frame->seq > atomic_load(&lane->last_seq)) {
        log_frame_drop(frame);
        lane->read_all = true;
        return nothing_more(lane);
    }
    gather_add(g, frame, clock_mono_ns(lane->env->clock));
    lane_note_gathered(lane);
    return gather_is_full(g) ? LOOK_SEND : LOOK_AGAIN;
}

/* Gathers until the group is to be sent; false when the lane is to end. */
static bool collect(struct lane *lane)
{
    enum look next = LOOK_AGAIN;

    while (next == LOOK_AGAIN) {
        struct cancel *token = lane_poke_token(lane);
        if (cancel_is_set(lane->rest)) {
            return false;
        }
        lane_shed(lane);
        delivery_look_at_breaker(lane->delivery);
        probe_if_due(lane, token);
        tend_if_due(lane, token);
        if (lane_pauses(lane)) {
            if (cancel_is_set(lane->idle)) {
                return false;
            }
            (void)wait_sleep((struct wait){DEADLINE_NEVER, token});
        } else {
            next = gather_is_full(&lane->gather) ? LOOK_SEND : look(lane, token);
        }
    }
    return next == LOOK_SEND && !cancel_is_set(lane->rest);
}

static void deliver_all(struct lane *lane)
{
    while (collect(lane) && lane_send_group(lane)) {
    }
}

/* Waits for the start; false when the lane is closed without one. */
static bool wait_for_start(struct lane *lane)
{
    struct waiter waiter;

    waiter_begin(&waiter, (struct wait){DEADLINE_NEVER, lane->cancel}, &lane->lock, &lane->changed);
    lock_take(&lane->lock);
    while (!lane->started && waiter_pause(&waiter)) {
    }
    bool started = lane->started;
    lock_give(&lane->lock);
    waiter_end(&waiter);
    return started;
}

static void run(void *arg)
{
    struct lane *lane = arg;

    if (wait_for_start(lane)) {
        uint64_t done = progress_get(lane->config.progress, lane->config.index);
        lane->reader = log_reader_new(lane->config.log, done + 1, UINT64_C(1) << lane->config.bit);
        deliver_all(lane);
        delivery_flush(lane->delivery);
    }
    lock_take(&lane->lock);
    lane->ended = true;
    cond_broadcast(&lane->changed);
    lock_give(&lane->lock);
}

/* ---- life ---- */

static const struct metric_desc ratio_desc = {
    .name = "telex_exporter_buffer_compression_ratio",
    .help = "Bytes of records without compression by byte held, of what was gathered last.",
    .type = METRIC_GAUGE,
    .labels = {"exporter"}};

static bool sleep_for_delivery(void *arg, int64_t deadline_ns)
{
    struct lane *lane = arg;
    int64_t began_ns = clock_mono_ns(lane->env->clock);
    bool goes_on = lane_sleep_until(lane, deadline_ns);

    lane->slept_ns += clock_mono_ns(lane->env->clock) - began_ns;
    return goes_on;
}

/* Does the log hold this very frame for the consumer? */
static bool holds_frame(void *arg, uint64_t seq, int64_t time_ns)
{
    struct lane *lane = arg;
    AUTO(log_reader_autofree)
    struct log_reader *reader =
        log_reader_new(lane->config.log, seq, UINT64_C(1) << lane->config.bit);
    const struct log_frame *frame = NULL;
    struct err ignored = ERR_INIT;
    bool is_read = log_reader_next(reader, (struct wait){0, NULL}, &frame, &ignored);
    bool holds = is_read && frame != NULL && frame->seq == seq && frame->time_ns == time_ns;

    log_frame_drop(is_read ? frame : NULL);
    return holds;
}

static void set_place(struct lane *lane)
{
    struct lane_config *config = &lane->config;

    lane->place = (struct lane_place){.consumer = config->place.name,
                                      .log = str_of(config->log_name),
                                      .index = config->index,
                                      .lanes = config->progress->lanes,
                                      .holds = holds_frame,
                                      .arg = lane};
    config->place.lane = &lane->place;
}

static bool open_delivery(struct lane *lane, struct err *e)
{
    const struct lane_config *config = &lane->config;
    const struct delivery_setup setup = {.place = config->place,
                                         .config = config->delivery,
                                         .dead = config->dead,
                                         .drops = config->drops,
                                         .waits = &lane->waits};

    lane->waits = (struct delivery_waits){
        .sleep = sleep_for_delivery, .arg = lane, .cancel = lane->cancel, .rest = lane->rest};
    return delivery_open(&setup, &lane->delivery, e);
}

bool lane_open(const struct lane_config *config, struct lane **ret_lane, struct err *e)
{
    struct lane *lane = mem_new(struct lane);

    lane->config = *config;
    lane->env = config->place.env;
    lane->cancel = cancel_new(NULL);
    lane->rest = cancel_new(lane->cancel);
    lane->idle = cancel_new(lane->rest);
    lane->poke = cancel_new(lane->rest);
    lane->interval_ns = flush_pace_first(config->buffer);
    gather_init(&lane->gather, config->buffer);
    lock_init(&lane->poke_lock);
    trace_init_part(&lane->trace, lane->env->trace, "export", config->place.name, TRACE_INFO);
    lock_init(&lane->lock);
    cond_init(&lane->changed);
    lane->ratio = metrics_get1(lane->env->metrics, &ratio_desc, config->place.name);
    set_place(lane);
    bool ok = open_delivery(lane, e);
    lane->config.place.data_folder = STR(""); /* was the leaf's to look at while it was opened */
    if (!ok || !thread_start(&lane->thread, "lane", run, lane, e)) {
        lane_close(lane);
        return false;
    }
    *ret_lane = lane;
    return true;
}

void lane_follow(struct lane *lane, struct lane *before)
{
    lane->interval_ns = before->interval_ns;
    delivery_follow(lane->delivery, before->delivery);
    lock_take(&before->lock);
    struct output_status status = before->status;
    lock_give(&before->lock);
    status.gathered_rows = 0;
    status.gathered_bytes = 0;
    lock_take(&lane->lock);
    lane->status = status;
    lock_give(&lane->lock);
}

void lane_start(struct lane *lane)
{
    lock_take(&lane->lock);
    lane->started = true;
    cond_broadcast(&lane->changed);
    lock_give(&lane->lock);
}

void lane_drain(struct lane *lane, int64_t until_ns)
{
    struct log_status log;

    atomic_store(&lane->until_ns, until_ns);
    log_status(lane->config.log, &log);
    atomic_store(&lane->last_seq, log.next_seq - 1);
    cancel_fire(lane->config.buffer->flush_on_shutdown ? lane->idle : lane->rest);
    lane_nudge(lane);
}

static void set_paused(struct lane *lane, bool paused)
{
    lock_take(&lane->lock);
    lane->paused = paused;
    lock_give(&lane->lock);
    lane_nudge(lane);
}

void lane_pause(struct lane *lane)
{
    set_paused(lane, true);
}

void lane_resume(struct lane *lane)
{
    set_paused(lane, false);
}

void lane_flush(struct lane *lane)
{
    lock_take(&lane->lock);
    lane->hurries = true;
    lane->tries_now = true;
    lock_give(&lane->lock);
    lane_nudge(lane);
}

void lane_hurry(struct lane *lane)
{
    lock_take(&lane->lock);
    bool is_known = lane->hurries;
    lane->hurries = true;
    lock_give(&lane->lock);
    if (!is_known) {
        lane_nudge(lane);
    }
}

void lane_rest(struct lane *lane)
{
    cancel_fire(lane->rest);
}

void lane_stop(struct lane *lane, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &lane->lock, &lane->changed);
    lock_take(&lane->lock);
    while (lane->started && !lane->ended && waiter_pause(&waiter)) {
    }
    lock_give(&lane->lock);
    waiter_end(&waiter);
    cancel_fire(lane->cancel);
    thread_join(&lane->thread);
}

void lane_status(struct lane *lane, struct output_status *status)
{
    delivery_status(lane->delivery, status);
    lock_take(&lane->lock);
    status->state = lane->paused ? "paused" : status->state;
    status->gathered_rows += lane->status.gathered_rows;
    status->gathered_bytes += lane->status.gathered_bytes;
    status->flushes += lane->status.flushes;
    if (lane->status.avg_flush_time_ms > status->avg_flush_time_ms) {
        status->avg_flush_time_ms = lane->status.avg_flush_time_ms;
    }
    lock_give(&lane->lock);
}

void lane_close(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    cancel_fire(lane->cancel);
    thread_join(&lane->thread);
    gather_release(&lane->gather);
    log_reader_free(lane->reader);
    delivery_close(lane->delivery);
    metric_drop(lane->ratio);
    cancel_free(lane->poke);
    cancel_free(lane->idle);
    cancel_free(lane->rest);
    cancel_free(lane->cancel);
    cond_release(&lane->changed);
    lock_release(&lane->poke_lock);
    lock_release(&lane->lock);
    mem_free(lane);
}
