/*
 * source.h - an event source kind: one const table per datastore, and the registry of them.
 *
 * A source is a log that somebody else keeps. It is started behind a position, gives changes, is told
 * how far they are safe, and can perhaps give what was there before it was started for the first time.
 * Positions are its own words; what stands above keeps them and gives them back.
 *
 *     start(position) -> { next(changes) | backfill(cursor, changes) | tend() | ack(position) }... -> close
 *
 * After any answer but SOURCED_OK it is started again or closed; next to nothing else is done with it.
 * It connects in start(), never in open().
 *
 * Ownership: tables are static; a config belongs to who parsed it and outlives its sources. Threads:
 * one at a time, save source_ops.measure's result, which the caller hands on. Limits: every call ends
 * soon after its wait; a batch has about as many changes as were asked for, a transaction may make it more.
 */
#ifndef TELEX_EVENTS_SOURCE_H
#define TELEX_EVENTS_SOURCE_H

#include "base/attr.h"
#include "base/env.h"
#include "base/err.h"
#include "base/options.h"
#include "base/thread.h"
#include "events/change.h"

#include <stdbool.h>
#include <stdint.h>

struct event_table;
struct source;

/* What came of asking it. */
enum sourced {
    SOURCED_OK,
    SOURCED_AGAIN, /* not now: start it again after a while (the network, a restart, a lease that another has) */
    SOURCED_REFUSED, /* not as it is: credentials, privileges, settings of the server; asked again slowly */
    SOURCED_LOST, /* what the position stands for is gone: a person must decide. The error says what was
                        missed and how to go on */
    SOURCED_ENDED, /* nothing will ever follow: a file that is no stream was read to its end */
    SOURCED_RESULTS
};

/* Where to start. */
struct source_start {
    struct str position; /* empty: it never ran */
    struct str identity; /* as start() gave it when that position was kept; empty: unknown */
};

/* What a start found. */
struct source_begun {
    struct buf
        identity; /* of the datastore and of what keeps our place there; differs when either is another */
    struct buf
        position; /* where it goes on; of a first start, where it begins: kept before anything is read */
    struct buf
        oldest; /* of a first start: what a backfill is to end before; empty: there is none to be made */
    struct buf
        server; /* of a kind that leaves things: the datastore, as every stream at it calls it */
    /* Told before something is made, which is not done when that fails; NULL: nobody wants to know. */
    bool (*before_making)(void *arg, const struct source_begun *begun, struct err *e);
    void *arg;
    uint32_t made; /* of source_leavings.things, a bit each: what was not there, and is about to be
                        made, or was. Valid after a start that failed, too */
    uint32_t unmade; /* what was about to be made, and surely was not */
};

/* How much of what is there is to be given by a backfill. */
struct source_range {
    struct str end;  /* source_begun.oldest of the first start */
    int64_t from_ns; /* wall; older ones are left out; 0: none is too old */
    uint64_t newest; /* of what is then left, only so many of the newest; 0: all */
};

/* How far behind it is, as well as the source knows. */
struct source_measures {
    int64_t head_ns;        /* wall; when the newest change was made; 0: not known */
    int64_t behind;         /* changes that were not given yet; -1: not known */
    int64_t retained_bytes; /* that the datastore keeps for us; -1: nothing or not known */
    char state[64];         /* in the datastore's words ("reserved", "extended"); empty: none */
    bool in_danger;         /* what is kept for us may be gone soon */
};

struct source_ops {
    enum sourced (*start)(struct source *s, const struct source_start *from,
                          struct source_begun *ret, struct wait wait, struct err *e);
    /* Waits until there is something or <wait> is over, which is no error; then <ret> is empty. */
    enum sourced (*next)(struct source *s, size_t max, struct changes *ret, struct wait wait,
                         struct err *e);
    /* All up to <position> is safe: the datastore may forget it. Does not wait; may do it later. */
    void (*ack)(struct source *s, struct str position);
    /* The same of a backfill: all up to <cursor> is safe; <is_done>: there is none any more. NULL: nobody wants to know. */
    void (*ack_backfill)(struct source *s, struct str cursor, bool is_done);
    /* While nothing may be read: keepalives, what ack() left to do. At most five seconds apart. NULL: nothing. */
    enum sourced (*tend)(struct source *s, struct err *e);
    /*
     * The changes behind <cursor> ("": the first) of a backfill, oldest first, as many as fit <max>, each with its
     * cursor as position. *ret_done: there are no more. NULL: there is nothing that it could give.
     */
    enum sourced (*backfill)(struct source *s, const struct source_range *range, struct str cursor,
                             size_t max, struct changes *ret, bool *ret_done, struct wait wait,
                             struct err *e);
    /* How many a backfill behind <cursor> still has; -1: not known. NULL: never. */
    int64_t (*backfill_left)(struct source *s, const struct source_range *range, struct str cursor,
                             struct wait wait);
    /* Asked every few seconds. NULL: nothing is known. */
    void (*measure)(struct source *s, struct source_measures *ret, struct wait wait);
    /* Takes back one thing that start() made in the datastore: source_thing.words. NULL: it makes none. */
    bool (*forget)(struct source *s, struct str words, struct wait wait, struct err *e);
    void (*close)(struct source *s);
};

/* Sources embed this first. */
struct source {
    const struct source_ops *ops;
};

/* Where a source stands. */
struct source_place {
    const struct env *env;
    struct str stream;         /* its name in the config */
    struct str data_folder;    /* of the stream, below state.path; made by who uses it */
    struct event_table *table; /* our own events; or NULL */
};

/* What every source's config begins with. */
struct source_common {
    struct str type;
};

#define SOURCE_COMMON_ROWS                                                                   \
    {                                                                                        \
        .name = "type", .type = OPTION_TEXT, .offset = offsetof(struct source_common, type), \
        .help = "The kind."                                                                  \
    }

enum { SOURCE_THINGS_MAX = 4 };

/* Something that a stream has in a datastore, made by it or not. */
struct source_thing {
    struct str words;   /* the source's own, for forget() */
    struct str claim;   /* as source_kind.claim has it, without the mark */
    struct str by_hand; /* how a person removes it */
    bool is_log;        /* it keeps a log, without end when nobody reads it */
};

/* What stays in a datastore when nobody has the stream's config any more. No secrets. */
struct source_leavings {
    struct str place;  /* a connection to the same place will do as well */
    struct str access; /* a section with which forget() can be called then */
    struct source_thing things[SOURCE_THINGS_MAX];
    size_t count;
};

struct source_kind {
    const char *name;
    const char *const *aliases; /* NULL-terminated, or NULL */
    const char *help;           /* one sentence */
    const char *example; /* YAML of a source section, for the docs; a test runs check on it */
    const struct option_table *options;
    const char *age_option; /* the text without which a backfill knows no times; NULL: it does */
    bool left_is_estimate;  /* what source_ops.backfill_left says */
    /* Checks what the table cannot say, points errors at <node>; NULL: nothing. */
    bool (*check)(const void *config, const struct yaml_node *node, struct err *e);
    /* What a stream of this name leaves, in the arena. NULL: nothing, or nothing outside of our state folder. */
    void (*leave)(const void *config, struct str stream, struct arena *a,
                  struct source_leavings *ret);
    /* What a stream of this name may take from others, as lines that are equal when it is the same thing: behind '!' what nobody
     * else can have (a slot of a server), behind '?' what others can have unless one has it alone, behind '~' what two should
     * not have, behind '.' what anybody can have and nobody may take away. NULL: nothing. */
    void (*claim)(const void *config, struct str stream, struct buf *out);
    /* Of an open source: says what start() would, and makes, changes and takes nothing anywhere, no lock and no slot either.
     * <ret_told> gets what a start would make or change, and what else is worth knowing, as text for people. It is closed
     * then. AGAIN with ERR_CONFLICT: another has what it needs, maybe a Telex that runs. NULL: our own table, of which nobody
     * need be asked. */
    enum sourced (*look)(struct source *s, const struct source_start *from,
                         struct source_begun *ret, struct buf *ret_told, struct wait wait,
                         struct err *e);
    /* Does not talk to the datastore. */
    bool (*open)(const struct source_place *place, const void *config, struct source **ret_source,
                 struct err *e);
};

/* Does it read our own table? */
static inline bool source_kind_is_own(const struct source_kind *kind)
{
    return kind->look == NULL;
}

/* All kinds, NULL-terminated, in the order of the docs. */
extern const struct source_kind *const source_kinds[];

/* By its name or an alias; NULL without. */
const struct source_kind *source_kind_find(struct str name);

/* Adds to the error how a person goes on with <stream>: SOURCED_LOST. */
enum sourced source_lost(struct str stream, struct err *e);

/* Thing number <thing> is about to be made. False: it must not be, since nobody would know of it. */
bool source_makes(struct source_begun *b, unsigned thing, struct err *e);
void source_made_not(struct source_begun *b, unsigned thing);

/* The `look` of sources whose start() only reads. */
enum sourced source_look_by_start(struct source *s, const struct source_start *from,
                                  struct source_begun *ret, struct buf *ret_told, struct wait wait,
                                  struct err *e);

/* Is what a start found the one that <stream>'s position is of? <known>: empty when nothing is known. */
MUST_USE bool source_is_same(struct str stream, struct str known, struct str found, struct err *e);

void source_begun_init(struct source_begun *b);
void source_begun_release(struct source_begun *b);

static inline void source_close(struct source *s)
{
    if (s != NULL) {
        s->ops->close(s);
    }
}

#endif
