/*
 * event_table_int.h - what the files of the table of events share; for src/state only.
 *
 * Ownership: the table owns all of it. Threads: fields say which. Limits: EVENT_READERS_MAX readers.
 */
#ifndef TELEX_STATE_EVENT_TABLE_INT_H
#define TELEX_STATE_EVENT_TABLE_INT_H

#include "base/env.h"
#include "base/hindex.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "base/vec.h"
#include "db/sqlite.h"
#include "state/event_table.h"

#include <stdatomic.h>

enum { EVENT_READERS_MAX = 1000, EVENT_IDENTITY = 32, EVENT_MARKS_RECENT = 1 << 18 };

/* Given and not written. */
struct event_pending {
    struct event_pending *next;
    struct buf rows; /* of each: its mark, its length, its bytes */
    uint32_t count;
    struct event_append_end end;
    struct event_appended result;
};

/* Who needs rows. */
struct event_need {
    char *name;
    uint64_t seq;     /* the rows behind it */
    uint64_t durable; /* as the file has it; EVENT_UNWRITTEN: it has none */
    uint64_t taken;   /* as the transaction under way has it */
    bool is_gone;     /* it is to be none any more */
    bool is_taken;    /* the transaction under way writes it; */
    bool is_dropped;  /* namely that it is none */
};
#define EVENT_UNWRITTEN UINT64_MAX

/* Marks of rows that the file has no mark of yet. */
struct event_mark {
    int64_t mark;
    uint64_t seq;
};
struct event_marks {
    VEC(struct event_mark) recent;
    struct hindex index;
    struct arena arena; /* of events that are compared */
    uint64_t upto;      /* the file has the marks up to here */
    uint64_t last;      /* and these are up to here */
    bool is_known;
};

enum event_statement {
    EVENT_FIND,
    EVENT_ROW,
    EVENT_MARKS_BEHIND,
    EVENT_MARK,
    EVENT_MARKED,
    EVENT_SET_MARKED,
    EVENT_PURGE,
    EVENT_PURGED,
    EVENT_SET_PURGED,
    EVENT_INSERT,
    EVENT_LAST,
    EVENT_FIRST,
    EVENT_YOUNG,
    EVENT_REMOVE,
    EVENT_NEED,
    EVENT_FORGET,
    EVENT_PAGES,
    EVENT_FREE_PAGES,
    EVENT_PAGE_SIZE,
    EVENT_STATEMENTS
};

enum event_removal { REMOVED_ROWS, REMOVED_BYTES, REMOVED_AGE, REMOVED_REASONS };

struct event_metrics {
    struct metric *appended;
    struct metric *known;
    struct metric *refused;
    struct metric *removed[REMOVED_REASONS];
    struct metric *rows;
    struct metric *bytes;
    struct metric *needed;
};

struct event_table {
    const struct env *env;
    struct trace trace;
    struct event_table_options options GUARDED_BY(lock);
    char *path;
    char identity[EVENT_IDENTITY + 1];
    struct event_metrics metrics; /* NULLs: a guest's */
    struct thread thread;

    /* the writing thread's */
    struct db *db;
    struct db_query *statements[EVENT_STATEMENTS];
    uint64_t written;       /* the last number in this transaction */
    int64_t looked_mono_ns; /* when the limits were looked at */
    uint64_t since_looked;  /* rows written since */
    struct event_marks marks;

    struct lock lock;
    struct cond work;    /* of the writing thread */
    struct cond changed; /* rows came, or needs were written */
    struct event_pending *first GUARDED_BY(lock);
    struct event_pending **end GUARDED_BY(lock);
    size_t pending_bytes GUARDED_BY(lock);
    size_t pending_rows GUARDED_BY(lock);
    uint64_t last GUARDED_BY(lock); /* the last number that is on disk, as far as known */
    VEC(struct event_need) needs GUARDED_BY(lock);
    bool needs_changed GUARDED_BY(lock);
    uint64_t needs_given GUARDED_BY(lock); /* changes of needs, and how many of them are on disk */
    uint64_t needs_written GUARDED_BY(lock);
    bool closing GUARDED_BY(lock);
    bool is_full GUARDED_BY(lock); /* at its limits, and all is needed */
    char full[256] GUARDED_BY(lock);
};

/* ---- event_marks.c ---- */

/* In a transaction that writes: knows all marks up to row <last>. */
MUST_USE bool event_marks_sync(struct event_table *t, uint64_t last, struct err *e);

/* Is the event with this mark and these bytes in the table? */
MUST_USE bool event_marks_find(struct event_table *t, int64_t mark, struct str bytes,
                               bool *ret_is_known, struct err *e);
void event_marks_add(struct event_marks *m, int64_t mark, uint64_t seq);

/* The transaction failed. */
void event_marks_forget(struct event_marks *m);

/* Writes marks when there are many. */
void event_marks_keep(struct event_table *t);

/* Removes the marks of rows before <first>, when they are more than those of the <rows> that are there. */
MUST_USE bool event_marks_purge(struct event_table *t, uint64_t first, uint64_t rows,
                                struct err *e);
void event_marks_release(struct event_marks *m);

/* ---- event_needs.c ---- */

/* Reads who needs what from the file. */
MUST_USE bool event_needs_load(struct event_table *t, struct err *e);

/* Writes what changed, in the transaction that is open; *ret_upto goes to event_needs_settle() once it is committed. */
MUST_USE bool event_needs_write(struct event_table *t, uint64_t *ret_upto, struct err *e);
void event_needs_settle(struct event_table *t, uint64_t upto);

/* The last row that nobody needs any more; *ret_who (of <max> bytes) who needs the one behind it, or empty. */
uint64_t event_needs_floor(struct event_table *t, char *ret_who, size_t max) REQUIRES(&t->lock);

/* ---- event_limits.c ---- */

/* Removes what the limits want gone and nobody needs; at most a little, so that others are not held up for long. */
void event_limits_keep(struct event_table *t);

void event_metrics_init(struct event_metrics *m, struct metrics *registry);
void event_metrics_release(struct event_metrics *m);

/* ---- event_table.c ---- */

/* One number of a statement that has no row, or one. */
MUST_USE bool event_number(struct event_table *t, enum event_statement which, int64_t *ret,
                           struct err *e);
MUST_USE bool event_begin(struct event_table *t, struct err *e);
MUST_USE bool event_commit(struct event_table *t, bool ok, struct err *e);

#endif
