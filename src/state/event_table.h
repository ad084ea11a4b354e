/*
 * event_table.h - events that were given to us and are kept in order: an append-only table in SQLite.
 *
 * Whoever has an event gives it to event_table_append() and is told when it is on disk; one thread commits
 * what came meanwhile in one transaction, so however many wait, one sync answers them. Rows have ascending
 * numbers. The same event (source and id) is kept once, as long as its row is there. Streams read the rows
 * behind a number (event_reader) and say how far they are done with them: the oldest rows go when the limits
 * want it, but never one that a reader of the table still needs. A table at its limits whose rows are all
 * needed takes nothing more (ERR_FULL) rather than lose one.
 *
 * Ownership: owns its file, <path>, and what belongs to it; copies what it is given. Threads: any may append
 * and keep; an event_reader is for one at a time. Other processes may append to the same file and read it.
 * Limits: EVENT_PENDING_BYTES and EVENT_PENDING_ROWS wait to be written; the options' for what is kept.
 */
#ifndef TELEX_STATE_EVENT_TABLE_H
#define TELEX_STATE_EVENT_TABLE_H

#include "base/err.h"
#include "base/thread.h"
#include "model/event.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    EVENT_PENDING_BYTES = 64 << 20,
    EVENT_PENDING_ROWS = 1000 * 1000,
    EVENT_LOOK_MS = 250, /* how often it is looked whether another process appended */
};

struct env;
struct event_reader;
struct event_table;

struct event_table_options {
    struct str path;   /* of the file */
    int64_t max_rows;  /* these three: beyond which the oldest go; 0: no limit */
    int64_t max_bytes; /* of the file, but for what is free in it */
    int64_t max_age_ns;
    bool is_guest; /* it belongs to another process: nothing is removed, and no metrics are kept */
};

MUST_USE bool event_table_open(const struct env *env, const struct event_table_options *options,
                               struct event_table **ret_table, struct err *e);

/* Writes what was given, tells whom it was given by, and closes. NULL is fine. */
void event_table_close(struct event_table *t);

/* Names this table: another file, or one that was made anew, has another. */
struct str event_table_identity(const struct event_table *t);

/* Other limits from now on. */
void event_table_limit(struct event_table *t, const struct event_table_options *options);

/* ---- appending ---- */

/* What became of events that are on disk now. */
struct event_appended {
    uint32_t fresh;
    uint32_t known; /* were there already */
    uint64_t seq;   /* of the last row written; 0: none was */
};

/*
 * Told once: <ret> is NULL when they are not on disk, and <e> says why. On the writing thread, which waits
 * meanwhile.
 */
struct event_append_end {
    void (*done)(void *arg, const struct event_appended *ret, const struct err *e);
    void *arg;
};

/*
 * Takes events that pass event_check(), all or none. false (ERR_FULL) when there is no room for them now; nobody
 * is told then.
 */
MUST_USE bool event_table_append(struct event_table *t, const struct events *events,
                                 const struct event_append_end *end, struct err *e);

/* The same, and waits for the end. When the wait was over before (ERR_TIMEOUT) they may be written or not. */
MUST_USE bool event_table_append_wait(struct event_table *t, const struct events *events,
                                      struct wait wait, struct event_appended *ret, struct err *e);

/* Is there room, as far as can be told without waiting? Says the reason and who holds it up. */
MUST_USE bool event_table_has_room(struct event_table *t, struct err *e);

/* ---- who still needs what ---- */

/*
 * The rows behind <seq> are needed by <reader>, from now on and after a restart: durable when it returns. Takes the
 * place of what was said before.
 */
MUST_USE bool event_table_need(struct event_table *t, struct str reader, uint64_t seq,
                               struct wait wait, struct err *e);

/* What is said of <reader>; false when nothing is. */
bool event_table_needs(struct event_table *t, struct str reader, uint64_t *ret_seq);

/* <reader> is done with the rows up to <seq>: written with what is written next. Only ever forward. */
void event_table_done(struct event_table *t, struct str reader, uint64_t seq);

/* <reader> needs nothing any more. Durable when it returns. */
MUST_USE bool event_table_forget(struct event_table *t, struct str reader, struct wait wait,
                                 struct err *e);

/* ---- reading ---- */

struct event_row {
    uint64_t seq;
    int64_t at_ns;             /* wall; when it was appended */
    const struct event *event; /* has views of memory in the arena */
};

MUST_USE bool event_reader_open(struct event_table *t, struct event_reader **ret_reader,
                                struct err *e);
void event_reader_close(struct event_reader *r); /* NULL is fine */

struct event_taker {
    bool (*take)(void *arg, const struct event_row *row); /* false: no more */
    void *arg;
};

/* Gives at most <max> rows behind <behind> in order, until they have <max_bytes>; one at least. */
MUST_USE bool event_reader_read(struct event_reader *r, uint64_t behind, size_t max,
                                size_t max_bytes, struct arena *a, const struct event_taker *taker,
                                struct err *e);

/* Waits until there is a row behind <behind>; false when the wait was over before. */
bool event_reader_wait(struct event_reader *r, uint64_t behind, struct wait wait);

/* Numbers of the first and the last row that are there; both 0 in a table that never had one. */
struct event_bounds {
    uint64_t first;
    uint64_t last;
    int64_t last_ns; /* wall; when the last one was appended */
};
MUST_USE bool event_reader_bounds(struct event_reader *r, struct event_bounds *ret, struct err *e);

/* The number of the first row appended at <from_ns> or later; behind the last when there is none. */
MUST_USE bool event_reader_find(struct event_reader *r, int64_t from_ns, uint64_t *ret_seq,
                                struct err *e);

#endif
