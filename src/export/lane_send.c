/* From what was gathered to batches, and past what must make room. */
#include "export/lane_int.h"

#include "base/mem.h"
#include "export/flush_pace.h"

/* The rows of the batch that are this lane's; a batch that does not decode is the first lane's. */
static struct view take_share(struct lane *lane, struct batch *b, uint32_t **ret_rows)
{
    unsigned lanes = lane->config.progress->lanes;
    struct view view = view_all(b);
    struct err ignored = ERR_INIT;

    *ret_rows = NULL;
    if (lanes == 1) {
        return view;
    }
    if (lane_share_rows(b, lane->config.index, lanes, ret_rows, &view.n, &ignored)) {
        view.rows = *ret_rows;
    } else {
        view.n = lane->config.index == 0 ? view.n : 0;
    }
    return view;
}

/* Every row of the batch that is the lane's ended; false when the lane must stop before. */
static bool deliver_batch(struct lane *lane, struct batch *b, int64_t since_ns)
{
    uint32_t *rows = NULL;
    struct view view = take_share(lane, b, &rows);
    lane->sheds = false;
    uint32_t left = delivery_run(lane->delivery, view, since_ns, NULL);
    if (left > 0 && lane->sheds) {
        drops_add(lane->config.drops, DROP_OVERFLOW_OLDEST, left);
        left = 0;
    }
    mem_free(rows);
    return left == 0;
}

/* One frame of the group by itself. */
static bool deliver_frame(struct lane *lane, size_t at)
{
    const struct log_frame *frame = lane->gather.frames.items[at].frame;
    AUTO(batch_autounref) struct batch *b = NULL;
    struct err e = ERR_INIT;

    if (!gather_batch(&lane->gather, at, 1, &b, &e)) {
        return lane->config.index > 0 || delivery_bury_raw(lane->delivery, frame->payload, &e);
    }
    return deliver_batch(lane, b, frame->time_ns);
}

static bool deliver_apart(struct lane *lane)
{
    bool goes_on = true;

    for (size_t i = 0; goes_on && i < lane->gather.frames.len; i++) {
        goes_on = deliver_frame(lane, i);
        if (goes_on) {
            progress_set(lane->config.progress, lane->config.index,
                         lane->gather.frames.items[i].frame->seq);
        }
    }
    return goes_on;
}

static bool deliver_together(struct lane *lane)
{
    AUTO(batch_autounref) struct batch *b = NULL;
    const struct gather *g = &lane->gather;
    struct err e = ERR_INIT;

    if (!gather_batch(g, 0, g->frames.len, &b, &e)) {
        trace_warn(&lane->trace, "frames cannot be put together, they are sent one by one",
                   T_STR("exporter", lane->config.place.name), T_ERR(&e));
        return deliver_apart(lane);
    }
    bool goes_on = deliver_batch(lane, b, gather_first(g)->time_ns);
    if (goes_on) {
        progress_set(lane->config.progress, lane->config.index, gather_last(g)->seq);
    }
    return goes_on;
}

/* ---- what is gathered ---- */

/* Says what is in memory, for the status. */
void lane_note_gathered(struct lane *lane)
{
    const struct gather *g = &lane->gather;

    lock_take(&lane->lock);
    lane->status.gathered_rows = g->rows;
    lane->status.gathered_bytes = g->bytes;
    lock_give(&lane->lock);
}

static void note_flush(struct lane *lane, int64_t took_ns)
{
    double took_ms = (double)took_ns / (double)NS_PER_MS;

    lock_take(&lane->lock);
    struct output_status *s = &lane->status;
    s->avg_flush_time_ms =
        s->flushes == 0 ? took_ms : s->avg_flush_time_ms + (took_ms - s->avg_flush_time_ms) / 8;
    s->flushes++;
    lock_give(&lane->lock);
}

/* Sends the group; false when the lane must stop before all of it has ended. */
bool lane_send_group(struct lane *lane)
{
    struct gather *g = &lane->gather;
    const struct exporter_buffer *buffer = lane->config.buffer;
    int64_t began_ns = clock_mono_ns(lane->env->clock);
    bool early = gather_is_early(g, lane->interval_ns, began_ns);

    if (buffer->compress_buffer && g->rows > (uint64_t)buffer->compression_threshold) {
        metric_set(lane->ratio, gather_ratio(g));
    }
    lane->slept_ns = 0;
    bool goes_on = g->frames.len > 1 ? deliver_together(lane) : deliver_apart(lane);
    if (!goes_on) {
        return false;
    }
    int64_t ended_ns = clock_mono_ns(lane->env->clock);
    lane->interval_ns = flush_pace_next(buffer, lane->interval_ns, g->rows, early);
    gather_clear(g, ended_ns);
    lane_note_gathered(lane);
    note_flush(lane, ended_ns - began_ns - lane->slept_ns);
    return true;
}

/* ---- making room ---- */

/* How many rows of the group are the lane's. */
static uint64_t own_rows(struct lane *lane)
{
    uint64_t rows = 0;

    if (lane->config.progress->lanes == 1) {
        return lane->gather.rows;
    }
    for (size_t i = 0; i < lane->gather.frames.len; i++) {
        AUTO(batch_autounref) struct batch *b = NULL;
        uint32_t *own = NULL;
        struct err ignored = ERR_INIT;
        if (gather_batch(&lane->gather, i, 1, &b, &ignored)) {
            rows += take_share(lane, b, &own).n;
            mem_free(own);
        }
    }
    return rows;
}

/* Passes over the oldest frames until the quota has room again. */
void lane_shed(struct lane *lane)
{
    struct gather *g = &lane->gather;
    const struct log_frame *frame = NULL;

    while (!cancel_is_set(lane->rest) && lane_must_shed(lane)) {
        int64_t now_ns = clock_mono_ns(lane->env->clock);
        if (gather_is_empty(g)) {
            if (!lane_read_frame(lane, (struct wait){0, NULL}, &frame) || frame == NULL) {
                return;
            }
            gather_add(g, frame, now_ns);
        }
        uint64_t rows = own_rows(lane);
        bool is_unread = gather_first(g) == gather_last(g) && g->rows == 0;
        drops_add(lane->config.drops, DROP_OVERFLOW_OLDEST, is_unread ? 1 : rows);
        progress_set(lane->config.progress, lane->config.index, gather_last(g)->seq);
        gather_clear(g, now_ns);
    }
    lane_note_gathered(lane);
}
