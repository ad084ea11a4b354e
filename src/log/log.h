/*
 * log.h - the append-only log that everything passes through on its way out.
 *
 * A log is a folder of segments made of frames. log_append() returns when the frame is as safe as the
 * sync policy says; many appenders share one sync. A frame carries a mask with a bit per consumer that
 * must get it; each consumer reads with a reader of its own, from memory while it keeps up and from the
 * files when it does not, and says with its cursor how far it is done. A segment is removed when every
 * consumer with a bit in it is done with it. What a crash leaves is sorted out by log_open(): nothing
 * that was acknowledged is lost, nothing is invented or reordered, what is damaged is copied aside and
 * counted.
 *
 * Ownership: the opener closes the log after all readers are freed and all appenders are done; frames
 * are counted and may outlive readers, not the log. Threads: any, except that a reader belongs to one
 * thread at a time; one thread of the log's own does all writing. Limits: LOG_PAYLOAD_MAX per frame, 64
 * consumers, <memory_bytes> of frames in memory, <max_bytes> on disk.
 */
#ifndef TELEX_LOG_LOG_H
#define TELEX_LOG_LOG_H

#include "base/env.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum { LOG_CONSUMERS_MAX = 64, LOG_NAME_MAX = 255, LOG_PAYLOAD_MAX = 256 * 1024 * 1024 };

/* Types from here on are the log's own. */
enum { LOG_TYPE_RESERVED = 0xFF00 };

/* When an append is acknowledged. */
enum log_sync {
    LOG_SYNC_ALWAYS,   /* after fdatasync: survives a power cut */
    LOG_SYNC_INTERVAL, /* after write: survives a kill; synced <interval_ms> later at the latest */
    LOG_SYNC_NEVER,    /* after write; the system syncs when it likes */
};

struct log_options {
    struct str name; /* "ledger", "bulk": for metrics and messages */
    struct str path; /* the folder; made if need be */
    enum log_sync sync;
    int64_t interval_ms;          /* 0: 1000 */
    int64_t segment_bytes;        /* 0: 64 MiB; a larger frame gets a segment of its own */
    int64_t memory_bytes;         /* 0: 64 MiB; frames waiting to be written and recent ones */
    int64_t max_bytes;            /* 0: no limit; on disk */
    const char *max_bytes_option; /* what its user calls it, in messages; NULL: max_bytes */
    int64_t
        min_free_bytes; /* 0: 64 MiB, below 0: none; while the file system has less left, nothing is taken in */
    int64_t quarantine_bytes; /* 0: 256 MiB; of what was damaged, the oldest copies go beyond it */
    const struct fs *fs;      /* NULL: the system's */
    const struct env *env;    /* clock, rng, metrics; trace may be NULL */
};

/* What log_open() found. */
struct log_report {
    uint64_t segments;
    uint64_t
        segments_scanned; /* those without a valid footer; one after a crash, none after a stop */
    uint64_t segments_refused;    /* without any readable header: moved aside whole */
    uint64_t segments_unreadable; /* the disk does not give their header: left as they are */
    uint64_t
        unreadable_bytes; /* within other segments, which are kept when all else in them is done */
    uint64_t frames;      /* held */
    uint64_t damaged_ranges; /* bad frames with valid ones behind them: copied aside, passed over */
    uint64_t damaged_bytes;
    uint64_t torn_bytes;   /* cut off the ends of segments, copied aside */
    uint64_t cursors_lost; /* consumers known without a cursor: they start at the oldest frame */
    uint64_t first_seq;    /* of the oldest frame held; next_seq when there is none */
    uint64_t next_seq;
};

struct log;

/*
 * Opens the log in a folder, makes it if absent. Fails when another process has it open, when a file is
 * of a version this program does not know (the message names it), or when the folder cannot be used.
 */
MUST_USE bool log_open(const struct log_options *options, struct log **ret_log,
                       struct log_report *ret_report, struct err *e);

/* Writes what waits to be written, syncs, seals and lets go. What cannot be written is told by the trace. */
void log_close(struct log *l);
static inline UNUSED void log_autofree(struct log **l)
{
    log_close(*l);
}

/* One frame to be. */
struct log_record {
    uint16_t type;  /* the user's; below LOG_TYPE_RESERVED */
    uint16_t flags; /* the user's */
    uint64_t mask;  /* a bit per consumer */
    const struct iovec *parts;
    int part_count;
};

/*
 * Appends and waits until the frame is acknowledged under the sync policy. False: the log is full, the
 * disk fails (the message says how), the payload is too large, or <w> was over; the frame is not in the
 * log then, except that after a timeout in the middle of its write it may be.
 */
MUST_USE bool log_append(struct log *l, const struct log_record *record, struct wait w,
                         uint64_t *ret_seq, struct err *e);

/* As log_append(), but <w> only bounds the wait for room; the frame is not acknowledged yet. */
MUST_USE bool log_append_async(struct log *l, const struct log_record *record, struct wait w,
                               uint64_t *ret_seq, struct err *e);

/* Waits until all frames up to <seq> are acknowledged. False: <w> was over; the message says why so late. */
MUST_USE bool log_wait_durable(struct log *l, uint64_t seq, struct wait w, struct err *e);

/* Appends from now on are acknowledged under another policy; what was appended before may stay as the old one has
 * it. Waits for the writing thread. */
void log_set_sync(struct log *l, enum log_sync sync);

/* The highest acknowledged sequence number; 0 when there is none. */
uint64_t log_durable_seq(struct log *l);

/*
 * The bit of consumer <name>, which is given one if it is new; durable when this returns. A bit is not
 * given to another name while frames that carry it are held. Fails when all 64 are taken or the disk
 * fails.
 */
MUST_USE bool log_consumer_add(struct log *l, struct str name, unsigned *ret_bit, struct err *e);

/* Nobody reads for <bit> any more: its frames need not be kept on its account. Durable when this returns. */
MUST_USE bool log_consumer_retire(struct log *l, unsigned bit, struct err *e);

/*
 * How many frames consumer <bit> has still to do, and how many bytes those are on disk or will be. Exact but
 * for the one segment in which a consumer stands whose next frame is no longer in memory: there it may
 * seem to owe 256 KiB more than it does (all of the segment if that has no sums). Never too low; 0 is always
 * exact, and so is what is owed at the start. Asking costs a lock.
 */
uint64_t log_pending(struct log *l, unsigned bit);
int64_t log_owed_bytes(struct log *l, unsigned bit);

/* How many of these bytes may be done already. */
int64_t log_owed_slack_bytes(struct log *l, unsigned bit);

/*
 * When the oldest frame that consumer <bit> has still to do was appended, as wall clock; 0 when it has none. Where the above
 * are not exact it may be told earlier than it was, never later.
 */
int64_t log_oldest_ns(struct log *l, unsigned bit);

/* Who reads the log: those not retired. At most LOG_CONSUMERS_MAX are written to <ret>. */
struct log_consumer {
    unsigned bit;
    char name[LOG_NAME_MAX + 1];
};
size_t log_consumers(struct log *l, struct log_consumer ret[LOG_CONSUMERS_MAX]);

/*
 * Consumer <bit> is done with all its frames up to <seq>. Monotonic: a lower one than before changes
 * nothing. Written soon, synced before any segment is removed; a lost cursor means duplicates.
 */
void log_cursor_set(struct log *l, unsigned bit, uint64_t seq);

/* Where consumer <bit> is; 0: nothing is done yet. */
uint64_t log_cursor_get(struct log *l, unsigned bit);

/* Waits until all cursors set so far are synced. */
MUST_USE bool log_cursor_sync(struct log *l, struct wait w, struct err *e);

/* A frame, immutable and counted. */
struct log_frame {
    uint64_t seq;
    uint64_t mask;
    int64_t time_ns; /* wall clock when it was appended */
    uint16_t type;
    uint16_t flags;
    struct str payload; /* aligned to 16 bytes */
};

const struct log_frame *log_frame_ref(const struct log_frame *f);

/* Gives a frame back; NULL is fine. */
void log_frame_drop(const struct log_frame *f);

struct log_reader;

/* Reads acknowledged frames with a bit of <mask>, from sequence number <from_seq> on, in order. */
struct log_reader *log_reader_new(struct log *l, uint64_t from_seq, uint64_t mask);
void log_reader_free(struct log_reader *r);
DEFINE_AUTOFREE(log_reader)

/*
 * The next frame, for log_frame_drop(); waits for one to come. True with NULL when the wait was over.
 * Damage on the way is copied aside, counted and passed over. False when a file cannot be read; calling
 * again tries again.
 */
MUST_USE bool log_reader_next(struct log_reader *r, struct wait w,
                              const struct log_frame **ret_frame, struct err *e);

/* All frames below this have been given or do not concern the reader. */
uint64_t log_reader_position(const struct log_reader *r);

/* For status pages and tests. */
struct log_status {
    uint64_t first_seq; /* of the oldest frame held; next_seq when there is none */
    uint64_t next_seq;
    uint64_t durable_seq;
    uint64_t segments;
    int64_t disk_bytes;
    int64_t memory_bytes;
    bool failing; /* the last write failed; new appends are refused until one succeeds */
    bool low;     /* less than min_free_bytes is left; new appends are refused */
};

void log_status(struct log *l, struct log_status *ret_status);

#endif
