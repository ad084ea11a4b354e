/*
 * gather.h - frames that are sent together: consecutive ones whose rows share all but the time.
 *
 *     gather_add() ... until gather_is_full() or gather_due_ns() -> gather_batch() -> gather_clear()
 *
 * Frames are held as the log has them, encoded and by reference; they become one batch when they
 * are sent, put together without being decoded. A frame that does not join what is gathered, or
 * would make it too large, is kept and begins the next group.
 *
 * Ownership: a gather holds references to frames and borrows the config. Threads: confined to a
 * lane. Limits: buffer_size rows (together_max of those that are there already) and max_memory_bytes, or
 * one frame that is larger.
 */
#ifndef TELEX_EXPORT_GATHER_H
#define TELEX_EXPORT_GATHER_H

#include "base/vec.h"
#include "export/exporter_options.h"
#include "log/log.h"
#include "wire/frame.h"

struct gathered {
    const struct log_frame *frame;
    struct batch_frame head; /* without a codec: the frame cannot be read */
};

struct gather {
    const struct exporter_buffer *config;
    VEC(struct gathered) frames; /* the group, in order */
    struct gathered next;        /* begins the next group; no frame: none */
    uint64_t rows;               /* of the group */
    uint64_t bytes;              /* without compression */
    int64_t since_ns;            /* when its first frame came, monotonic */
};

void gather_init(struct gather *g, const struct exporter_buffer *config);
void gather_release(struct gather *g);

/* Takes the reference to <frame>, which is no older than what is gathered; only while the group is
 * not full. */
void gather_add(struct gather *g, const struct log_frame *frame, int64_t now_mono_ns);

static inline bool gather_is_empty(const struct gather *g)
{
    return g->frames.len == 0;
}

/* Can nothing be added? */
bool gather_is_full(const struct gather *g);

/* When the group is to be sent, if it is not full before: samples <interval_ns> after the first
 * frame came, all else, and a group of buffer_size rows, at once. What is there then still joins it. */
int64_t gather_due_ns(const struct gather *g, int64_t interval_ns);

/* Did buffer_size rows come before the time? */
bool gather_is_early(const struct gather *g, int64_t interval_ns, int64_t now_mono_ns);

/* Of the group, which is not empty. */
const struct log_frame *gather_first(const struct gather *g);
const struct log_frame *gather_last(const struct gather *g);

/*
 * The rows of frames <from> to <from> + <count> as one batch, with its parts. False when a frame cannot be read, or
 * they cannot be put together; one frame alone fails only when it cannot be read.
 */
MUST_USE bool gather_batch(const struct gather *g, size_t from, size_t count,
                           struct batch **ret_batch, struct err *e);

/* Bytes of the group's rows without compression, by byte held; 1 where nothing is compressed. */
double gather_ratio(const struct gather *g);

/* Lets go of the group; what was kept begins the next one. */
void gather_clear(struct gather *g, int64_t now_mono_ns);

#endif
