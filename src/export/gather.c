/*
 * Invariants
 *   1. <frames> and then <next> are consecutive frames of the log's reader, each referenced once.
 *   2. All frames of a group join its first one; a frame that cannot be read is alone in its group.
 *   3. With <next> the group is full: nothing is ever added in front of it.
 */
#include "export/gather.h"

void gather_init(struct gather *g, const struct exporter_buffer *config)
{
    *g = (struct gather){.config = config};
}

static void drop_frames(struct gather *g)
{
    for (size_t i = 0; i < g->frames.len; i++) {
        log_frame_drop(g->frames.items[i].frame);
    }
    g->frames.len = 0;
    g->rows = 0;
    g->bytes = 0;
}

void gather_release(struct gather *g)
{
    drop_frames(g);
    log_frame_drop(g->next.frame);
    g->next.frame = NULL;
    vec_release(&g->frames);
}

/* What the rows are as they are worked on: those of a packed frame may be many times its bytes. */
static uint64_t weight(const struct gathered *frame)
{
    return frame->head.codec != NULL ? batch_frame_plain_bytes(&frame->head)
                                     : frame->frame->payload.len;
}

static void append(struct gather *g, struct gathered frame, int64_t now_mono_ns)
{
    if (gather_is_empty(g)) {
        g->since_ns = now_mono_ns;
    }
    g->rows += frame.head.rows;
    g->bytes += weight(&frame);
    vec_push(&g->frames, frame);
}

/* Rows of a group at most, where so many are there. */
static uint64_t rows_max(const struct gather *g)
{
    const struct exporter_buffer *c = g->config;

    return (uint64_t)(c->together_max > c->buffer_size ? c->together_max : c->buffer_size);
}

static bool fits(const struct gather *g, const struct gathered *frame)
{
    return g->rows + frame->head.rows <= rows_max(g) &&
           g->bytes + weight(frame) <= (uint64_t)g->config->max_memory_bytes;
}

static bool joins(const struct gather *g, const struct gathered *frame)
{
    const struct batch_frame *first = &g->frames.items[0].head;

    return first->codec != NULL && frame->head.codec != NULL && fits(g, frame) &&
           batch_frames_join(first, &frame->head);
}

void gather_add(struct gather *g, const struct log_frame *frame, int64_t now_mono_ns)
{
    struct gathered one = {.frame = frame};
    struct err ignored = ERR_INIT;

    INVARIANT(g->next.frame == NULL);
    if (!batch_frame_read(frame->payload, &one.head, &ignored)) {
        one.head = (struct batch_frame){.codec = NULL};
    }
    if (gather_is_empty(g) || joins(g, &one)) {
        append(g, one, now_mono_ns);
    } else {
        g->next = one;
    }
}

bool gather_is_full(const struct gather *g)
{
    if (gather_is_empty(g)) {
        return false;
    }
    const struct batch_codec *codec = g->frames.items[0].head.codec;
    return g->next.frame != NULL || codec == NULL || codec->join == NULL ||
           g->rows >= rows_max(g) || g->bytes >= (uint64_t)g->config->max_memory_bytes;
}

static bool is_enough(const struct gather *g)
{
    return g->rows >= (uint64_t)g->config->buffer_size || gather_is_full(g);
}

/* When it has waited for company long enough. */
static int64_t end_of_wait_ns(const struct gather *g, int64_t interval_ns)
{
    const struct batch_codec *codec = g->frames.items[0].head.codec;

    return codec != NULL && codec->kind == RECORD_SAMPLE ? g->since_ns + interval_ns : g->since_ns;
}

int64_t gather_due_ns(const struct gather *g, int64_t interval_ns)
{
    return is_enough(g) ? g->since_ns : end_of_wait_ns(g, interval_ns);
}

bool gather_is_early(const struct gather *g, int64_t interval_ns, int64_t now_mono_ns)
{
    return is_enough(g) && now_mono_ns < end_of_wait_ns(g, interval_ns);
}

const struct log_frame *gather_first(const struct gather *g)
{
    return g->frames.items[0].frame;
}

const struct log_frame *gather_last(const struct gather *g)
{
    return g->frames.items[g->frames.len - 1].frame;
}

/* Says of a batch which frames its rows are of. */
static void set_parts(const struct gather *g, size_t from, size_t count, struct batch *b)
{
    struct frame_part *items = mem_alloc(count * sizeof(*items));
    uint32_t row = 0;

    for (size_t i = 0; i < count; i++) {
        const struct gathered *one = &g->frames.items[from + i];
        items[i] = (struct frame_part){row, one->frame->seq, one->frame->time_ns};
        row += one->head.rows;
    }
    const struct frame_parts parts = {.items = items, .count = (uint32_t)count};
    batch_set_parts(b, &parts, 0);
    mem_free(items);
}

static bool make_batch(const struct gather *g, size_t from, size_t count, struct batch **ret_batch,
                       struct err *e)
{
    if (count == 1) {
        return batch_from_frame(g->frames.items[from].frame->payload, ret_batch, e);
    }
    struct batch_frame *heads = mem_alloc(count * sizeof(*heads));
    for (size_t i = 0; i < count; i++) {
        heads[i] = g->frames.items[from + i].head;
    }
    bool ok = batch_from_frames(heads, count, ret_batch, e);
    mem_free(heads);
    return ok;
}

bool gather_batch(const struct gather *g, size_t from, size_t count, struct batch **ret_batch,
                  struct err *e)
{
    if (!make_batch(g, from, count, ret_batch, e)) {
        return false;
    }
    set_parts(g, from, count, *ret_batch);
    return true;
}

double gather_ratio(const struct gather *g)
{
    uint64_t plain = 0;
    uint64_t held = 0;

    for (size_t i = 0; i < g->frames.len; i++) {
        if (g->frames.items[i].head.codec != NULL) {
            plain += batch_frame_plain_bytes(&g->frames.items[i].head);
            held += g->frames.items[i].head.payload.len;
        }
    }
    return held > 0 ? (double)plain / (double)held : 1;
}

void gather_clear(struct gather *g, int64_t now_mono_ns)
{
    struct gathered next = g->next;

    drop_frames(g);
    g->next.frame = NULL;
    if (next.frame != NULL) {
        append(g, next, now_mono_ns);
    }
}
