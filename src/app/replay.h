/*
 * replay.h - rules over the past: what they would have recorded and alerted between two times.
 *
 * Each rule goes through all its slots before the next one begins, and rules come in the order in which they
 * read each other's results. Queries are asked for many slots at once. What is found is delivered to one
 * exporter while the caller waits; alerts are written as their series and told to nobody. Everything has the
 * time of its slot, so a replay that is done again writes the same samples.
 *
 * How far it came stands in a file of the state folder: an interrupted replay of the same rules, times and
 * exporter goes on there. A recording rule goes on at the next slot, an alerting rule, whose state depends on
 * what was before, begins again.
 *
 * Ownership: borrows config and rules. Threads: confined. Limits: those of engine, slices and plan.
 */
#ifndef TELEX_APP_REPLAY_H
#define TELEX_APP_REPLAY_H

#include "app/load.h"
#include "base/env.h"
#include "base/thread.h"

struct replay_options {
    int64_t from_ns;
    int64_t to_ns;            /* included */
    struct str exporter;      /* who gets the samples */
    const struct str *groups; /* by name; none: all */
    size_t group_count;
    uint32_t slice_steps; /* slots in one query */
    int64_t settle_ns;    /* between a rule's delivery and a rule that reads it */
    int64_t patience_ns;  /* how long a query or delivery is tried again */
    bool anew;            /* begin at the front, whatever an interrupted replay left */
    bool dry;             /* ask and evaluate, deliver nothing */
};

/* How far it is, told after each slice. */
struct replay_progress {
    struct str group;
    struct str rule;
    size_t rules_done;
    size_t rules;
    int64_t slot_ns; /* the rule's last one so far */
    double part;     /* of all work, 0..1 */
    uint64_t samples;
    uint64_t refused;
};

struct replay_watch {
    void (*progress)(void *arg, const struct replay_progress *p);
    void (*note)(void *arg, const char *text); /* something the user should know */
    void *arg;
};

/* False when it stopped before the end; what was done is noted on disk. */
MUST_USE bool replay_run(const struct env *env, const struct loaded *l,
                         const struct replay_options *options, const struct replay_watch *watch,
                         struct cancel *cancel, struct replay_progress *ret_progress,
                         struct err *e);

#endif
