/*
 * plan.h - the delivery plan: routes choose targets, the log holds, consumers deliver.
 *
 *     give (rules, receivers) -> plan_give(): routes -> targets -> mask -> one append to ledger or bulk
 *     consumer per output: reader -> batch -> retry(leaf) -> cursor
 *
 * A record is HELD when plan_give() returns true with durable set; the giver may forget it then.
 * One output never blocks, starves or duplicates another: each has its own cursor and thread.
 * Rejected rows go to the output's dead letters with the reason before the cursor passes them.
 *
 * Ownership: the plan owns outputs, consumers and logs and borrows env and the config. Threads:
 * plan_give() from any thread. Limits: 63 targets, and 63 outputs: the mask of a frame has a bit for
 * each, and one for alert state.
 */
#ifndef TELEX_EXPORT_PLAN_H
#define TELEX_EXPORT_PLAN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/options.h"
#include "base/thread.h"
#include "base/yaml.h"
#include "export/delivery.h"
#include "export/exporter.h"
#include "export/level_set.h"
#include "model/batch.h"
#include "model/condition.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct fs;
struct plan;

enum { PLAN_WARNINGS_MAX = 64, PLAN_OUTPUTS_MAX = 63 };

/*
 * What a target comes to: one consumer; several side by side (a parallel multi); or those that
 * conditions choose (a conditional).
 */
struct plan_expansion {
    uint64_t outputs;                             /* bits: all that it can come to */
    bool is_chosen;                               /* conditions decide, here or below */
    const struct plan_expansion *const *children; /* side by side */
    size_t child_count;
    size_t needed; /* how many of them must have a record before it counts as delivered */
    const struct plan_choice *choices;
    size_t choice_count;
    bool first_only;                        /* the first choice whose condition holds, not all */
    const struct plan_expansion *otherwise; /* when none holds; or NULL */
};

struct plan_choice {
    const struct condition *when;
    struct str text;
    struct str description;
    const struct plan_expansion *to;
};

/* What routes and rules name: an exporter of the config, leaf or combinator. */
struct target_config {
    struct str name;
    const struct exporter_kind *kind;
    const struct yaml_node *node;
    unsigned takes; /* what any of its consumers takes */
    unsigned caps;  /* what all of them are */
    const struct plan_expansion *expansion;
};

/* An exporter as it was written, also on the spot in another one. */
struct exporter_config {
    struct str name;
    const struct exporter_kind *kind;
    const void *config;
    const struct yaml_node *node;
};

/* Where a monitor sends what it measures. */
struct self_metrics_config {
    struct str monitor;
    uint64_t to; /* bits: index into targets */
};

/* One consumer of the log: where it stands in the config, and what it delivers through. */
struct output_config {
    struct str name;
    const struct exporter_kind *kind; /* of the leaf; of the first where there are several */
    void *config;                     /* of kind->options, of the same leaf */
    unsigned takes;                   /* TAKES(): what all of its leaves take */
    unsigned caps;                    /* enum exporter_caps: those of all of its leaves */
    bool says_types;                  /* one of its leaves says what samples are */
    struct delivery_config delivery;
    struct exporter_buffer buffer;
    const struct yaml_node *node;
    uint64_t
        hash; /* of all that was said about it: who has the same goes on as it was; 0: unknown */
};

/* One line of `routes`. */
struct route_config {
    struct condition *match; /* NULL: everything */
    struct str text;         /* of match, as it was written */
    uint64_t to;             /* bits: index into targets */
    bool also_next;          /* continue: true */
    const struct yaml_node *node;
};

/* Where the logs are kept; all zero: in the file system below state_path, as large as the disk is. */
struct plan_storage {
    const struct fs *fs;
    int64_t max_bytes;            /* per log; beyond it nothing is taken in */
    const char *max_bytes_option; /* what its user calls that */
    int64_t segment_bytes;        /* in which room is given back */
};

struct plan_config {
    const struct output_config *outputs;
    size_t output_count;
    const struct target_config *targets;
    size_t target_count;
    const struct route_config *routes; /* none: the default targets get what they take */
    size_t route_count;
    uint64_t default_targets; /* those that no other exporter names */
    const struct exporter_config *exporters;
    size_t exporter_count;
    const struct self_metrics_config *self_metrics;
    size_t self_metrics_count;
    const struct err *const *warnings; /* of options that have no effect where they stand */
    size_t warning_count;
    struct tree *tree; /* as it was written; owns the secrets and conditions */
    struct str state_path;
    struct plan_storage storage;
};

struct tree;

/*
 * Parses `exporters` (map or list) and `routes`; either node may be NULL. Fills what plan_open()
 * needs; <built_in> (or NULL) has entries beside those. <source>'s overrides are a mapping of exporters' paths to their options.
 */
MUST_USE bool plan_parse(const struct yaml_node *exporters, const struct yaml_node *built_in,
                         const struct yaml_node *routes, const struct option_source *source,
                         struct arena *a, struct plan_config *ret_config, struct err *e);

/* The same with kinds of exporters beside those of the registry; NULL-terminated, or NULL. They outlive the
 * config. */
struct plan_sections {
    const struct yaml_node *exporters;
    const struct yaml_node *built_in;
    const struct yaml_node *routes;
    const struct exporter_kind *const *kinds;
    const struct yaml_node
        *named; /* exporters that get only what names them, nothing by default; or NULL */
};
MUST_USE bool plan_parse_sections(const struct plan_sections *text,
                                  const struct option_source *source, struct arena *a,
                                  struct plan_config *ret_config, struct err *e);
void plan_config_release(struct plan_config *config);

/*
 * Is there an exporter that overrides of <path> are for? That is its name; on the spot in another one
 * PARENT/NAME, and for an only child without a name PARENT/exporter.
 */
bool plan_has_exporter(const struct plan_config *config, struct str path);

/* Index of the target that <datastore> means: a name, else the only one of that type; -1 with the
 * reason in e. */
int plan_find_target(const struct plan_config *config, struct str datastore, struct err *e);

/* The plan for a person: routes, targets, consumers with all that they do; no secrets. */
void plan_print(const struct plan_config *config, struct buf *out);

/* Opens logs, recovers, starts the consumers. */
MUST_USE bool plan_open(const struct env *env, const struct plan_config *config,
                        struct plan **ret_plan, struct err *e);

/* Who is told how alerts end at each output, from now on (ends.h); NULL: nobody. */
struct end_listener;
void plan_tell_ends(struct plan *p, const struct end_listener *listener);

/*
 * Replaces outputs and routes by those of <config>, keeping the logs and the cursors of outputs
 * whose name stays; all or nothing.
 */
MUST_USE bool plan_change(struct plan *p, const struct plan_config *config, struct err *e);

/* What plan_give() needs to know beside the batch. */
struct give {
    uint64_t
        only; /* these targets and no routes (a rule's own annotations); 0: the routes decide */
    struct str
        named; /* as <only>, by the name that a record gives; the routes where there is none */
    uint64_t except;   /* never these targets (thinned by export_interval) */
    bool alert_series; /* ALERTS and ALERTS_FOR_STATE: only to outputs with EXPORTER_SERIES */
    bool state_only;   /* append to the ledger, deliver to nobody */
    bool durable;      /* wait until the log has it on disk (always so for the ledger) */
    bool hurried;      /* the giver must not be held up: a log in trouble refuses at once, and
                          plan_wait_held() waits for the disk instead */
    struct wait wait;
};

/*
 * Gives a batch to the outputs that routes choose. true: appended (and synced, where durable);
 * *ret_seq is the frame's sequence, 0 when no output wants it and nothing was written. false: not
 * taken. Where routes split a batch, each part is a frame of its own (*ret_seq is the last one), and
 * some of them may have been taken although the whole was not: giving it again duplicates those.
 */
MUST_USE bool plan_give(struct plan *p, struct batch *b, const struct give *how, uint64_t *ret_seq,
                        struct err *e);

/* What became of a batch that was given. */
struct receipt {
    enum record_kind kind;
    uint64_t seq;           /* of its last frame in the log of the kind; 0: nothing was written */
    uint64_t outputs;       /* bits: those that have it to deliver */
    uint64_t unrouted_rows; /* that no output was chosen for */
    bool name_unknown;      /* give.named is no target: the routes decided */
};

/* As plan_give(), with what became of the rows. */
MUST_USE bool plan_offer(struct plan *p, struct batch *b, const struct give *how,
                         struct receipt *ret_receipt, struct err *e);

/* Waits until what was offered is HELD: written or synced, as its log's policy has it. */
MUST_USE bool plan_wait_held(struct plan *p, const struct receipt *receipt, struct wait wait,
                             struct err *e);

/*
 * Have the time series stores (EXPORTER_SERIES) among the outputs of a receipt what was given? An output that
 * is not there any more has. <hurry>: those that have not send what they gather now; backoffs go on.
 */
bool plan_is_delivered(struct plan *p, const struct receipt *receipt, bool hurry);

/* Is there an output that takes records of <kind>? */
bool plan_takes(struct plan *p, enum record_kind kind);

/* Is there one that says what samples are (type, help, unit)? */
bool plan_says_types(struct plan *p);

/*
 * Can records of <kind> be given now? False when its log takes nothing, or all outputs that take them
 * have used up their quotas: no need to look at what would be given. Asking costs a few locks.
 */
MUST_USE bool plan_admits(struct plan *p, enum record_kind kind, struct err *e);

/*
 * Replays the ledger's frames of alert edges with sequence > <after> in order, before plan users
 * start.
 */
MUST_USE bool plan_replay_alerts(struct plan *p, uint64_t after,
                                 bool (*visit)(void *arg, uint64_t seq, struct batch *b,
                                               struct err *e),
                                 void *arg, struct err *e);

/* Frames up to <seq> are in a snapshot: the ledger need not keep them for replay. */
MUST_USE bool plan_alerts_saved(struct plan *p, uint64_t seq, struct err *e);
uint64_t plan_ledger_seq(struct plan *p);

/*
 * Has <target> what was given up to <seq>, in the log of <kind>: as many of its consumers as it needs
 * are done with it? A consumer that is busy with later frames may be told late, never early.
 */
bool plan_target_delivered(struct plan *p, size_t target, enum record_kind kind, uint64_t seq);

/* Where the level outputs find alerts; set once before the first evaluation. */
void plan_set_levels(struct plan *p, const struct level_source *levels);

/* Tells level outputs that something changed. */
void plan_levels_changed(struct plan *p);

/* How the last call to a destination ended. */
struct export_result {
    bool success;
    uint64_t exported_count;
    double response_time_ms;
    int64_t at_ns; /* wall clock; 0: there was none */
    char error[256];
};

/* State of an output, for the API and the status page. */
struct output_status {
    struct str name;
    const char *kind;
    const char *state;   /* "idle", "ok", "retrying", "open" (the breaker is), "halted", "paused" */
    uint8_t trouble;     /* of a level output: enum level_state */
    const char *breaker; /* "closed", "open", "half_open"; NULL: it has none */
    bool is_healthy;
    char health_error[256]; /* why it is not */
    int64_t unhealthy_ns;   /* wall; when it failed last while it was not */
    struct export_result last_result;
    uint64_t pending_frames;
    uint64_t pending_bytes;  /* on disk */
    int64_t oldest_ns;       /* when the oldest record owed was held, wall clock; 0: none */
    uint64_t gathered_rows;  /* in memory, waiting for company or on their way */
    uint64_t gathered_bytes; /* without compression */
    double usage_percent;    /* of buffer_size or of the quota, whichever is fuller */
    double
        avg_flush_time_ms; /* without waits between tries; smoothed over some eight flushes; of the slowest lane */
    uint64_t flushes;
    uint64_t calls;        /* that were made, */
    uint64_t failed_calls; /* those of them that did not give all away, */
    int64_t call_ns;       /* and the time of all */
    uint64_t sent_bytes;
    uint64_t delivered_rows;
    uint64_t rejected_rows;
    uint64_t untold_alerts;    /* of levels: at the last telling, those that were not taken */
    int64_t dead_letter_bytes; /* on disk, of all runs */
    uint64_t retries;
    int64_t last_success_ns;
    uint64_t
        halted_event; /* which one is refused and holds all up; 0: none, or it is something else that does */
    char last_error[256];
    int64_t last_error_ns; /* wall; 0: none, or not known */
};
size_t plan_status(struct plan *p, struct output_status *ret, size_t max);

/* The same of the output of this name alone; false when there is none. */
bool plan_output_status(struct plan *p, struct str name, struct output_status *ret);

/* What requests of target <name> came to, since the plan changed last; nothing where there is none. */
struct attempt_counts;
void plan_attempts(struct plan *p, struct str name, struct attempt_counts *ret);

/* The bit of target <name>, for give.only, as long as the plan does not change; false when there is none. */
bool plan_target_bit(struct plan *p, struct str name, uint64_t *ret_bit);

/* The targets of all level outputs, in the config's order; for the time of each call. */
struct level_set_target;
void plan_level_targets(struct plan *p,
                        void (*visit)(void *arg, const struct level_set_target *target), void *arg);

/*
 * Holds back the output called <name>, lets it go on, or has it send what waits now, from any
 * thread. False when no output of that name keeps a queue. It stays so over a reload.
 */
MUST_USE bool plan_pause(struct plan *p, struct str name, struct err *e);
MUST_USE bool plan_resume(struct plan *p, struct str name, struct err *e);
MUST_USE bool plan_flush(struct plan *p, struct str name, struct err *e);

/* Has all outputs that gather send what they have; backoffs go on. From any thread, as often as one likes. */
void plan_hurry(struct plan *p);

/* The calls that output <name> made since number <after>, as export/tap.h has it. */
MUST_USE bool plan_tap(struct plan *p, struct str name, uint64_t after, struct buf *out,
                       uint64_t *ret_next, uint64_t *ret_missed, struct err *e);

/* What a removed exporter owes in one log: it is kept until somebody decides. */
struct plan_orphan {
    char name[256];
    const char *log; /* "ledger", "bulk" */
    uint64_t frames;
    int64_t bytes;
    int64_t oldest_ns; /* wall clock */
};
size_t plan_orphans(struct plan *p, struct plan_orphan *ret, size_t max);

/*
 * Gives what the removed exporter <name> owes to output <heir>, as if it had been given just now;
 * *ret_frames of it. A reload waits meanwhile. False when it is not known, when <heir> does not
 * take such records, or the log does not; some may be given then, and again by another try.
 */
MUST_USE bool plan_adopt(struct plan *p, struct str name, struct str heir, struct wait wait,
                         uint64_t *ret_frames, struct err *e);

/* Drops what the removed exporter <name> owes, counted as dropped with the reason "orphan"; records
 * that cannot be counted until <wait> is over are estimated. */
MUST_USE bool plan_drop_orphan(struct plan *p, struct str name, struct wait wait,
                               uint64_t *ret_frames, struct err *e);

/* What destinations do not have when the program stops. */
struct plan_left {
    uint64_t frames; /* owed; the logs keep them for the next start */
    uint64_t alerts; /* that targets of levels were not told of, each counted once per target */
    uint64_t dead_letters; /* records that became some since the plan was opened, and still are */
    uint64_t dropped;      /* records, since then */
    char text[2048];       /* who and how many: "hook: 3 dead letters; am: 2 alerts not told" */
};

/*
 * Stops: consumers deliver what they can until <wait> is over, then stop; what is left is told of in the log
 * and is in *ret_left. False when the disk did not take all that was given in that time.
 */
bool plan_drain(struct plan *p, struct wait wait, struct plan_left *ret_left);
void plan_close(struct plan *p); /* NULL is fine */

#endif
