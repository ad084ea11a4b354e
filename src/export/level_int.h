/*
 * level_int.h - a level output from the inside: level.c is its thread and life, level_tell.c what it
 * tells.
 *
 * Ownership: as level.h. Threads: what <lock> guards is shared, the rest is the thread's own. Limits:
 * LEVEL_WALK_MAX alerts are remembered from one walk.
 */
#ifndef TELEX_EXPORT_LEVEL_INT_H
#define TELEX_EXPORT_LEVEL_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "base/trace.h"
#include "base/vec.h"
#include "export/backoff.h"
#include "export/debug.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/level.h"
#include "export/level_meter.h"
#include "export/level_target_meter.h"
#include "model/relabel.h"
#include "net/http_client.h"

enum { LEVEL_WALK_MAX = 64 * 1024 };

struct level_output {
    const struct level_exporter *exporter;
    const struct env *env;
    const void *config;
    const struct exporter_common *common;
    const struct level_options *options;
    struct level_target own_target;
    const struct level_target *target; /* NULL: the URL of the config */
    struct http_client_config client_config;
    struct relabel_work work;
    struct str name;
    struct level_filter filter;
    struct http_client *client;
    struct level_meter *meter;
    struct level_target_meter *target_meter; /* NULL: it is the only one */
    struct trace trace;
    struct debug debug;
    struct thread thread;
    struct cancel *cancel;

    struct lock lock;
    struct cond changed;
    const struct level_source *source GUARDED_BY(lock);
    uint64_t source_number GUARDED_BY(lock); /* counts set_source() */
    bool in_use GUARDED_BY(lock);            /* the thread is inside the source */
    bool dirty GUARDED_BY(lock);
    bool stopping GUARDED_BY(lock);
    struct cancel *poke GUARDED_BY(lock); /* ends the health check that is under way; or NULL */
    bool done GUARDED_BY(lock);           /* the thread said its last word */
    uint64_t untold GUARDED_BY(lock);     /* of the last telling */

    /* The thread's own. */
    struct level_memory *memory;
    int64_t probe_due_ns; /* monotonic */
    struct backoff backoff;
    struct arena arena;
    struct buf body;
    struct buf answer;
};

/* What the destination last accepted of one alert. */
struct confirmed {
    uint64_t key;
    int64_t at_ns; /* monotonic: when it accepted it; while it is not told: when it was met first */
    int64_t slot_ns; /* of the alert as it was told; 0: not known */
    uint32_t walk;   /* the last walk that met it */
    uint32_t chosen; /* the last walk that told it, where several alerts have the key */
    bool is_told;    /* what follows says something */
    bool firing;
    bool refused; /* the destination would not have it */
    bool fires;   /* in the last walk: one with the key did */
};

struct level_memory {
    struct map confirmed;
    uint32_t walks; /* of whoever has it */
};

/* What came of telling. */
struct level_told {
    bool failed;            /* the destination takes nothing now */
    bool more;              /* there was more than one walk can remember: tell again at once */
    int64_t walk_ns;        /* time that the walk took */
    int64_t next_mono_ns;   /* when the next resend is due; DEADLINE_NEVER: none */
    int64_t retry_after_ms; /* what the destination asked for */
    uint64_t untold; /* alerts that the destination was to hear of, and did not or would not */
};

/* One that the destination is to be told of. */
struct due_alert {
    struct level_alert alert; /* with a reference to its labels */
    bool may_wait;            /* for its texts: they take a query, and it has the time */
    int64_t told_ns;          /* monotonic; 0: never */
    uint32_t place;           /* in the walk */
};

/* What a walk found. */
struct due {
    struct level_output *output;
    struct level_told *told;
    int64_t now_ns; /* monotonic: of the walk */
    VEC(struct due_alert) alerts;
    bool has_doubles; /* some have the same key */
    bool has_waiting; /* some may wait */
    uint64_t source_number;
    VEC(uint64_t) slow;          /* rules whose texts took too long, as hashes of their ids */
    int64_t waited_ns;           /* for those */
    struct arena words;          /* headers of groups, which the source lends for the walk only */
    const struct label *lent;    /* those copied last */
    const struct label *headers; /* and their copy */
};

/* Walks the source: what is due, in the order in which it is to be told. False when there is no source; to be
 * released in either case. */
bool level_due_find(struct due *due, struct level_output *o, struct level_told *told);
void level_due_release(struct due *due);

/* The destination, or whoever decides for it, is done with the alert until it is due again. */
void level_confirm(struct due *due, const struct level_alert *a, bool refused);

/* One walk, and what it found due is sent. */
void level_tell(struct level_output *o, struct wait wait, struct level_told *ret);

/* Takes the source, if it is still the one with *number (0: any, and *number is set); NULL when not.
 * Give it back soon: set_source() waits. */
const struct level_source *level_source_take(struct level_output *o, uint64_t *number);
void level_source_give(struct level_output *o);

/* How many slots after a telling, as a time, the alert is told again: the first multiple of its group's interval
 * that is not below resend_delay. */
int64_t level_period_ns(const struct level_output *o, const struct level_alert *a);

/* What becomes of an alert's labels: those of the exporter are added, rules change them (or drop the alert: NULL),
 * names are made plain. A new reference. */
struct level_labels {
    const struct option_map *extra;
    const struct relabel *relabel; /* or NULL */
    struct relabel_work *work;
    bool utf8_names;
    struct arena *arena;
};
struct labels *level_labels(const struct level_labels *how, struct labels *found);

/* How long a destination that is told that it fires takes it to, when it hears nothing more. */
int64_t level_lasts_ns(const struct level_output *o, const struct level_alert *a);
int64_t level_lasts(const struct level_options *options, int64_t interval_ns);

/* When it may take it as resolved, if it is told of it now. */
int64_t level_ends_at(const struct level_output *o, const struct level_alert *a);

/* The alert as it goes out, with a reference to its labels, its texts in the output's arena; they may take
 * until <wait> is over. When it ends is not said yet. */
enum level_words { LEVEL_WORDS_READY, LEVEL_WORDS_DROPPED, LEVEL_WORDS_GONE };
enum level_words level_describe(struct level_output *o, uint64_t *source_number,
                                const struct level_alert *a, struct wait wait,
                                struct level_item *ret_item);

#endif
