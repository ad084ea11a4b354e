/*
 * stream_positions.h - how far each change stream is, kept where a power cut does not take it.
 *
 * A row per stream: whose changes it reads (identity), where it goes on (position), and how far its backfill
 * is. Positions are words of the source; nobody here compares them. What keeps a row from going back is its
 * turn: who starts a stream takes the next one, and a write of an earlier turn is refused. Beside it stands what a stream
 * has elsewhere (a replication slot), for when it is no more in the config.
 *
 * Ownership: owns its database; texts that are read live in the caller's arena. Threads: any; calls wait for
 * each other and for the disk. Limits: SQLite's.
 */
#ifndef TELEX_STATE_STREAM_POSITIONS_H
#define TELEX_STATE_STREAM_POSITIONS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct stream_positions;

enum backfill_phase {
    BACKFILL_NOT_BEGUN, /* nothing is known: the stream never started */
    BACKFILL_RUNS,
    BACKFILL_DONE, /* or none was wanted */
    BACKFILL_PHASES
};

const char *backfill_phase_name(enum backfill_phase phase);

struct stream_place {
    struct str identity;
    struct str position; /* empty: it never started */
    enum backfill_phase backfill;
    struct str oldest; /* what the backfill ends before; the source's words */
    struct str cursor; /* of the backfill; empty: at its beginning */
    int64_t backfill_from_ns;
    uint64_t backfilled;      /* changes, done by it */
    uint64_t done;            /* changes of the stream, done since it first started */
    int64_t first_ns;         /* wall; when it first started */
    int64_t updated_ns;       /* wall; of the last write */
    int64_t backfill_done_ns; /* wall; 0: it is not, or an earlier Telex did not say */
};

MUST_USE bool stream_positions_open(struct str path, struct stream_positions **ret_positions,
                                    struct err *e);
void stream_positions_close(struct stream_positions *p); /* NULL is fine */

/* The place of <stream>, all empty when there is none, and a turn for who writes it from now on. */
MUST_USE bool stream_positions_take(struct stream_positions *p, struct str stream, struct arena *a,
                                    struct stream_place *ret_place, int64_t *ret_turn,
                                    struct err *e);

/* The same to look at, without a turn. */
MUST_USE bool stream_positions_read(struct stream_positions *p, struct str stream, struct arena *a,
                                    struct stream_place *ret_place, struct err *e);

/* Durable when true. ERR_CONFLICT: another turn has begun. */
MUST_USE bool stream_positions_write(struct stream_positions *p, struct str stream, int64_t turn,
                                     const struct stream_place *place, struct err *e);

/* Forgets where it is: it starts as for the first time. */
MUST_USE bool stream_positions_forget(struct stream_positions *p, struct str stream, struct err *e);

/* ---- what a stream has elsewhere ---- */

/*
 * Something that a stream has in a datastore (a replication slot), for when nobody has its config any more. No secrets.
 * It is kept with the stream until that is reset; of a stream that has another instead (another slot, server or type) it is
 * kept as that of a stream NAME@1, NAME@2, ...
 */
struct stream_holding {
    struct str kind;  /* of the source */
    struct str what;  /* which it is among all things of all servers: equal when it is the same */
    struct str words; /* the source's own for it */
    struct str claim; /* as source_kind.claim has it: equal when it is called the same */
    struct str place; /* of the datastore, as configs call it */
    struct str
        access; /* a source section with which the source can take it back; empty: not known */
    struct str by_hand; /* how a person removes it */
    bool is_log;        /* it keeps a log, without end when nobody reads it */
    bool is_made;       /* by Telex, for whichever stream */
};

struct stream_holdings {
    struct str kind; /* of the source; empty: not known */
    const struct stream_holding *items;
    size_t count;
};

/* Keeps what <stream> has. <is_all>: it has nothing else, so what is kept of it besides is what it had before, and becomes
 * that of NAME@1. What Telex made once stays so. Durable when true. */
MUST_USE bool stream_positions_note(struct stream_positions *p, struct str stream,
                                    const struct stream_holdings *has, bool is_all, struct err *e);

/* One thing is gone, or all that is kept of what it has. */
MUST_USE bool stream_positions_drop_holding(struct stream_positions *p, struct str stream,
                                            struct str what, struct err *e);
MUST_USE bool stream_positions_drop_holdings(struct stream_positions *p, struct str stream,
                                             struct err *e);

/* Another number whenever what some stream has elsewhere became another. */
uint64_t stream_positions_generation(struct stream_positions *p);

struct stream_row {
    struct str name;
    struct stream_place place;
    struct stream_holdings has; /* what keeps a log comes first */
};

/* All of which something is kept, by name; in the arena. */
MUST_USE bool stream_positions_list(struct stream_positions *p, struct arena *a,
                                    struct stream_row **ret_rows, size_t *ret_count, struct err *e);

/* The same of a file that is perhaps in use, without writing; none when there is no such file. */
MUST_USE bool stream_positions_peek(struct str path, struct arena *a, struct stream_row **ret_rows,
                                    size_t *ret_count, struct err *e);

#endif
