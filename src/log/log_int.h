/*
 * log_int.h - what the sources of the log share.
 *
 * The parts: recovery.c makes the list of segments from a folder; commit.c takes frames in and waits for
 * them; writer.c is the one thread that changes files; segment.c writes segments; consumer.c knows who
 * reads and how far, cursor_file.c keeps that on disk; reader.c gives frames out.
 *
 * Ownership: struct log owns all. Threads: fields say which: set at open and constant, under the lock, or
 * the writer's. The lock is never held over a file operation. Limits: see log.h.
 */
#ifndef TELEX_LOG_LOG_INT_H
#define TELEX_LOG_LOG_INT_H

#include "base/metrics.h"
#include "base/trace.h"
#include "base/vec.h"
#include "log/frame.h"
#include "log/log.h"
#include "log/recent.h"

#include <limits.h>

/* Where frame <seq> begins; one every MARK_BYTES, so that a reader need not begin at the front. */
struct mark {
    uint64_t seq;
    int64_t offset;
    int64_t time_ns; /* no frame from here on is older, if the clock was not set back */
    uint64_t mask;   /* of the frames before it */
    size_t tallies;  /* where those of its bits begin in the segment's tallies */
};
enum { MARK_BYTES = 256 * 1024 };

struct tally {
    uint64_t count;
    int64_t bytes;
};

/* A segment as readers and the remover see it; all under the log's lock once the log is open. */
struct segment {
    uint64_t serial;
    uint64_t first_seq; /* from its header: older segments hold nothing from here on */
    uint32_t salt;
    bool active; /* the writer adds to it */
    bool keep; /* the disk did not give all of it: goes to quarantine, not away, when it is done */
    struct footer sum; /* of the acknowledged frames; sum.end is where they end */
    int64_t file_bytes;
    int64_t created_ns; /* from its header */
    VEC(struct mark) marks;
    VEC(struct tally)
    tallies; /* for each mark what is before it, a tally for each bit of its mask */
};

/* What a consumer has still to do; see owed.c. */
struct owed {
    uint64_t count;
    int64_t bytes;
    int64_t slack_bytes; /* how much less it may really be */
    uint64_t oldest_seq; /* 0: nothing is owed */
    int64_t oldest_ns;
};

/* Where in a sealed segment a consumer stood at the start, found by looking at each frame. */
struct place {
    uint64_t serial; /* of the segment; 0: not looked for */
    uint64_t seq;    /* the cursor */
    struct tally done;
    int64_t next_ns; /* when the next frame for it was appended */
};

struct consumer {
    char *name; /* NULL: the bit is free */
    bool retired;
    bool found; /* its cursor was on disk at the start */
    uint64_t cursor;
    uint64_t written; /* as the cursor file has it */
    uint64_t synced;
    struct owed owed;
    struct place place;
};

/* The segment that is written to; the writer's alone. */
struct active {
    struct segment *segment; /* NULL: none */
    int fd;
    uint32_t salt;
    int64_t offset;
    struct footer sum; /* of the written frames */
};

/* The file of cursors. The writer's alone. */
struct cursor_file {
    bool usable; /* there, and to be written to */
    bool unsynced;
    int fd; /* -1: not open */
    uint32_t salt;
    uint8_t slot[LOG_CONSUMERS_MAX]; /* which of a bit's two slots is next */
};

struct log_metrics {
    struct metric *frames;
    struct metric *bytes;
    struct metric *syncs;
    struct metric *sync_seconds;
    struct metric *errors;
    struct metric *damaged;
    struct metric *quarantine_dropped;
    struct metric *disk_bytes;
    struct metric *memory_bytes;
};

struct log {
    /* constant */
    const struct fs *fs;
    const struct env *env;
    struct trace trace;
    char *name;
    char *path;
    int lock_fd;
    int64_t interval_ns;
    int64_t segment_bytes;
    int64_t memory_bytes_max;
    int64_t disk_bytes_max;
    int64_t min_free_bytes;
    int64_t quarantine_bytes;
    struct log_metrics metrics;
    struct thread writer;

    struct lock lock;
    struct cond work;    /* something for the writer */
    struct cond done;    /* the writer did something, or failed */
    struct cond arrived; /* frames for readers */

    /* under the lock */
    struct recent recent;
    uint64_t next_seq;
    uint64_t taken_seq;   /* up to here frames cannot be withdrawn any more */
    uint64_t durable_seq; /* acknowledged */
    uint64_t kept_seq; /* up to here memory is not needed: synced, or written where nothing syncs */
    int64_t waiting_bytes; /* in memory, of frames beyond kept_seq */
    int64_t disk_bytes;
    VEC(struct segment *) segments; /* by serial; the active one is last */
    struct consumer consumers[LOG_CONSUMERS_MAX];
    uint64_t consumers_version; /* raised by each change, saved_version follows */
    uint64_t saved_version;
    uint64_t cursors_version; /* raised by each cursor set; the two below follow */
    uint64_t written_version;
    uint64_t synced_version;
    uint64_t failures; /* in all */
    char reason[256];  /* of the last one */
    bool failing;      /* the last round of the writer failed */
    bool low;          /* too little room is left on the file system */
    int64_t free_bytes;
    char low_reason[192];
    char full_reason[96];
    bool sync_cursors; /* somebody waits for synced_version */
    bool closing;
    enum log_sync asked_sync; /* the writer's <sync> follows */
    bool sweep_owed; /* the writer's: segments were not looked through when they might have been */

    /* the writer's */
    enum log_sync sync; /* changes under the lock */
    struct active active;
    struct cursor_file cursor_file;
    uint64_t next_serial;
    uint64_t written_seq;
    int64_t unsynced_bytes;
    int64_t synced_at_ns;
    int64_t cursors_synced_at_ns;
    int64_t retry_at_ns;
    int64_t space_looked_ns;
    bool reserved;       /* the reserve is there */
    int64_t swept_at_ns; /* when segments were last looked through for ones to remove */
    int64_t backoff_ms;
};

enum { LOG_FLAG_RETIRED = 1 };

/* "<folder>/<name>" */
void log_path(const struct log *l, const char *name, char path[PATH_MAX]);
void segment_name(uint64_t serial, char name[32]);

/* Tells of a failed file operation by trace and metric, and remembers it as the reason. Gives <result>. */
int log_failed(struct log *l, const char *what, int result);

/* The same for an error that says itself what failed. */
int log_failed_with(struct log *l, const struct err *e);

struct segment *segment_new(uint64_t serial, uint32_t salt, uint64_t first_seq);
void segment_free(struct segment *s);

/* segment.c, the writer's: 0 or -errno, told of already. */
MUST_USE int active_create(struct log *l, uint64_t first_seq);
MUST_USE int active_write(struct log *l, struct held *const *frames, size_t count);
MUST_USE int active_sync(struct log *l);
void active_seal(struct log *l);

/* No more is written to it, and nothing of it is trusted beyond what was acknowledged. */
void active_abandon(struct log *l);

/* Makes what was written visible; under the lock. */
void active_publish(struct log *l) REQUIRES(&l->lock);

/* Writes the sums and the footer of a segment behind its frames and syncs them unless the log never does. */
MUST_USE int footer_write(const struct log *l, int fd, uint32_t salt, struct footer *sum);

/* owed.c, under the lock: a frame came, was withdrawn; the cursor moved on from <from_seq>; count anew. */
void owed_add(struct log *l, const struct held *h);
void owed_withdraw(struct log *l, const struct held *h);
void owed_move(struct log *l, unsigned bit, uint64_t from_seq);
void owed_count(struct log *l, unsigned bit);

/* Counts exactly what is done in the segments where consumers stand, some of them at most; at the start. */
void owed_settle(struct log *l);

/* Marks where the frames of the segment end that <sum> counts; the first ones of it. */
void segment_mark(struct segment *s, const struct footer *sum);

/* recovery.c */
MUST_USE bool log_recover(struct log *l, struct log_report *report, struct err *e);

/* Copies a range of a file aside, unless it is all zeros. 0 or -errno; -EEXIST when it was before. */
int log_quarantine(struct log *l, int fd, uint64_t serial, int64_t from, int64_t to,
                   const char *kind);

/* Copies a damaged range aside, counts it and tells of it; once, however often it is found. */
void log_damaged(struct log *l, int fd, uint64_t serial, int64_t from, int64_t to);

/* space.c, the writer's: looks how much room is left, and makes the reserve. */
bool space_is_due(const struct log *l, int64_t now_ns);
void space_look(struct log *l, int64_t now_ns);

/* Gives up the reserve; false when there was none. */
bool reserve_spend(struct log *l);

/* Removes the oldest copies until the quarantine is within its bounds. */
void quarantine_bound(struct log *l);

/* Nothing that could not be read is thrown away: segment <serial> will go to quarantine. */
void segment_keep(struct log *l, uint64_t serial);

/* cursor_file.c */
MUST_USE bool cursors_load(struct log *l, struct log_report *report, struct err *e);
MUST_USE int consumers_save(struct log *l);
MUST_USE int cursors_write(struct log *l);
MUST_USE int cursors_sync(struct log *l);

/* consumer.c: is every consumer done with the segment, going by the cursors as they are, or as they are synced? */
bool segment_is_done(const struct log *l, const struct segment *s, bool synced);

/* Bits that somebody has, and bits that held frames carry. */
uint64_t named_mask(const struct log *l);
uint64_t held_mask(const struct log *l);

/* writer.c */
void writer_run(void *log);

#endif
