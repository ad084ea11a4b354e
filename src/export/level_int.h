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
    uint32_t walks;
    int64_t probe_due_ns; /* monotonic */
    struct backoff backoff;
    struct arena arena;
    struct buf body;
    struct buf answer;
};

/* What the destination last accepted of one alert. */
struct confirmed {
    uint64_t key;
    int64_t at_ns; /* monotonic */
    bool firing;
    bool refused;  /* the destination would not have it */
    uint32_t walk; /* the last walk that met it */
};

struct level_memory {
    struct map confirmed;
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

/* One walk, and what it found due is sent. */
void level_tell(struct level_output *o, struct wait wait, struct level_told *ret);

/* Takes the source, if it is still the one with *number (0: any, and *number is set); NULL when not.
 * Give it back soon: set_source() waits. */
const struct level_source *level_source_take(struct level_output *o, uint64_t *number);
void level_source_give(struct level_output *o);

/* How long after a telling the alert is told again: the first multiple of its group's interval that is not
 * below resend_delay. */
int64_t level_period_ns(const struct level_output *o, const struct level_alert *a);

/* The alert as it goes out, with a reference to its labels, its texts in the output's arena. */
enum level_words { LEVEL_WORDS_READY, LEVEL_WORDS_DROPPED, LEVEL_WORDS_GONE };
enum level_words level_describe(struct level_output *o, uint64_t *source_number,
                                const struct level_alert *a, struct level_item *ret_item);

#endif
