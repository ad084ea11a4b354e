/*
 * engine_int.h - the runtime of rules, shared by the files that evaluate them.
 *
 * Ownership: the engine owns group runs and rule runs; a rule run survives reloads for as long as
 * its rule's id is in the set. Threads: a run is written by the one thread that evaluates its
 * group, under <lock> where other threads read (alert items, outcome). Limits: engine_options.
 */
#ifndef TELEX_RULES_ENGINE_INT_H
#define TELEX_RULES_ENGINE_INT_H

#include "base/arena.h"
#include "base/map.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "rules/across.h"
#include "rules/engine.h"
#include "rules/record_memory.h"
#include "rules/rule_batch.h"
#include "rules/rule_graph.h"
#include "rules/series_table.h"
#include "rules/updates.h"

enum { EVALUATION_BATCH_ROWS = RECORD_BODY_ROWS };

/* An alert. */
struct alert_item {
    struct series_item head;
    struct labels *series; /* as the datasource gave it, where annotations need it; else NULL */
    struct alert_status status;
    uint8_t written;  /* enum alert_state whose ALERTS series was written last; READY: none */
    bool is_credited; /* with the run's shift_ns, for which others of the run still wait */
};

/* How the last evaluation of a rule went; for the API. */
struct rule_outcome {
    int64_t time_ns; /* slot; 0: never evaluated */
    int64_t duration_ns;
    int64_t samples;
    int64_t series_fetched;
    bool failed;
    bool missed;              /* for lack of room: the outputs refused the results */
    struct error_text *error; /* a reference; NULL when it did not fail */
};

/* A change of state that waits to be durable. */
struct pending_edge {
    uint32_t item;
    struct alert_status next;
};

/* Whose limit on series an answer may pass. */
enum series_limit { SERIES_OF_RULE, SERIES_OF_GROUP, SERIES_OF_PROCESS, SERIES_LIMITS };
struct str series_limit_name(enum series_limit limit);

struct rule_run {
    struct str id;           /* of the rule; owned */
    struct str name;         /* of the rule, or of the one that it was; owned */
    struct str group;        /* the name of its group; owned */
    const struct rule *rule; /* NULL: restored, and not in the set: an orphan */
    struct engine *engine;
    struct series_table table;   /* of alert_item; for alerting rules */
    struct record_memory memory; /* for recording rules */
    struct group_run *home;      /* NULL: an orphan */
    int64_t held;                /* series that it has, as the sums of home and engine know */
    int64_t last_export_ns;      /* slot that export_interval let through */
    struct lock lock;
    struct rule_outcome outcome GUARDED_BY(lock);
    struct updates updates GUARDED_BY(lock);
    uint64_t failures GUARDED_BY(lock);
    int64_t given_slot_ns GUARDED_BY(lock);   /* the slot of its last evaluation; */
    struct given_mark given GUARDED_BY(lock); /* what that gave, for other groups */
    bool was_hurried GUARDED_BY(lock);        /* somebody waits for that */
    VEC(struct pending_edge) owed; /* given, not known to be durable; for alerting rules */
    uint64_t owed_seq;
    uint64_t commit_floor;     /* is_committing: their frames come after this one; likewise */
    int64_t shift_ns;          /* time that nobody watched, which alerts are still to be credited */
    int64_t loaded_ns;         /* wall clock: it was made for its rule */
    struct farewell *farewell; /* its rule went; or NULL */
    struct remote *remote;     /* what another engine left of its alerts; or NULL */
    struct given_mark mark;    /* what its last evaluation gave */
    const struct rule_batch *batch; /* has the answer of this evaluation; or NULL */
    size_t part;                    /* in it */
    int64_t alone_until_ns;         /* monotonic: it is not asked for with others */
    enum rule_kind kind;
    uint32_t evaluation; /* number of the current one */
    bool kept;           /* while rules are replaced: the new set has it */
    bool is_committing;  /* edges are given and their states not yet set; under the engine's lock */
    bool is_new; /* while rules are replaced: it was made for its rule and knows nothing yet */
    uint8_t remote_phase; /* enum remote_phase */
    bool was_doubtful;    /* its own last answer failed, or had a warning, or was partial */
};

struct group_run {
    const struct rule_group *group;
    struct engine *engine;
    struct rule_run **runs;
    struct rule_graph *graph;
    bool is_late;               /* what its rules read was not delivered in time */
    uint32_t batch_max;         /* rules in one request; 0: as many as there is room for */
    int64_t batch_max_due_ns;   /* monotonic: until then */
    _Atomic int64_t held;       /* series of its rules */
    _Atomic int64_t settled_ns; /* slots before it are over; INT64_MAX: nobody schedules */
    struct lock lock;
    int64_t last_slot_ns GUARDED_BY(lock);
    int64_t last_duration_ns GUARDED_BY(lock);
    int64_t
        resumed_from_ns; /* the last slot before the restart, until there is one after it; or 0 */
    struct metric *iterations;
    struct metric *late;
    struct metric *refused;
    struct metric *cut;
    struct metric *duration;
};

struct engine {
    const struct env *env;
    struct engine_options options;
    struct template *alert_source; /* or NULL */
    struct datasource *datasource;
    struct engine_output output;
    struct trace trace;
    struct rule_set *set;
    struct group_run *groups;
    size_t group_count;
    atomic_bool hurries; /* groups end behind the rule under way */
    struct map runs;     /* by rule id */
    struct error_texts error_texts;
    int64_t started_ns;     /* wall clock: an alert that was active before was restored */
    int64_t orphans_due_ns; /* monotonic: when those without a rule go; 0: there are none */
    size_t leaving; /* runs whose rule went and whose alerts' ends are not durable; main thread */
    uint64_t forgotten; /* runs that went with their rule; main thread */
    uint64_t moved;     /* runs that went over to another rule id; main thread */
    uint64_t last_seq;  /* newest ledger frame whose states are set; older ones may not be yet */
    struct lock lock;   /* the three below, last_seq, and the runs' commit_floor */
    struct cond unviewed;
    uint32_t viewers GUARDED_BY(lock); /* threads that look at groups and runs */
    bool replacing GUARDED_BY(lock);
    _Atomic uint64_t
        series_changes;   /* times that a recording rule's set of series, or its order, changed */
    _Atomic int64_t held; /* series of all rules */
    struct lock departed_lock;
    VEC(struct departed *) departed GUARDED_BY(departed_lock);
    struct metric *breaches[SERIES_LIMITS];
    _Atomic int64_t trimmed_ns; /* monotonic: when memory was last given back */
    struct metric *evaluations;
    struct metric *edges;
    struct metric *fired;
    struct metric *samples;
    struct metric *template_errors;
    struct metric *exports_cut;
    struct metric *failures;
    struct metric *restore_failures;
    struct metric *batches;
    struct metric *batch_failures;
    struct metric *chain_waits;
    struct metric *chain_late;
};

/* ---- one evaluation of one rule ---- */

struct evaluation {
    struct rule_run *run;
    int64_t slot_ns; /* of the query and of the samples */
    struct wait wait;
    struct arena arena;
    struct labels_builder builder;
    struct labels_builder query_builder; /* of templates' own queries */
    struct map answers;                  /* to those, by their text: each is asked once */
    struct arena answer_arena;
    struct answer_info info;
    uint64_t rows;   /* of the answer so far */
    int64_t allowed; /* of them, by the tightest limit */
    enum series_limit tightest;
    int64_t limit;
    int64_t taken; /* of that limit, by other rules */
    bool refused;  /* an output did not take what was found */
    uint32_t met;  /* series whose labels were parsed: work that leaves much free memory behind */
};

void evaluation_begin(struct evaluation *ev, struct rule_run *run, int64_t slot_ns,
                      struct wait wait);
void evaluation_end(struct evaluation *ev);

/* Who answers the queries of a rule of the set; NULL: nobody is there. */
struct datasource *run_datasource(const struct rule_run *run);

/* A query of the rule at a time; without an end to its wait. */
struct query rule_query(const struct rule *rule, struct str expr, int64_t at_ns);

/* A query of an evaluation at its slot, which may take as long as the rule's own. */
struct query evaluation_make_query(const struct evaluation *ev, struct str expr);

/* Asks it. */
MUST_USE bool run_query(const struct rule_run *run, const struct query *q,
                        const struct answer_sink *sink, struct answer_info *ret_info,
                        struct err *e);

/*
 * Evaluates one rule at a slot. False with the reason, and *ret_refused when there was no room for what was
 * found.
 */
bool rule_evaluate(struct rule_run *run, int64_t slot_ns, struct wait wait, bool *ret_refused,
                   struct err *e);

/* How long the rule's query may take. */
int64_t rule_query_timeout_ns(const struct rule_run *run);

/* Runs the rule's query; rows go to <row>(arg). */
MUST_USE bool evaluation_query(struct evaluation *ev,
                               bool (*row)(void *arg, struct str raw, int64_t time_ns, double value,
                                           struct err *e),
                               void *arg, struct err *e);

/* ---- limits on series ---- */

void budget_begin(struct evaluation *ev);

/* Counts a row of the answer; false when it is beyond a limit, and then it is only counted. */
bool budget_admits(struct evaluation *ev);

/* After the answer: false with what was seen when it passed a limit. */
MUST_USE bool budget_check(struct evaluation *ev, struct err *e);

/* The rule has <held> series now. */
void budget_hold(struct rule_run *run, int64_t held);

/* The rule belongs to another group's runtime, or to none. */
void budget_move(struct rule_run *run, struct group_run *home);

/* "two series of the answer become the same one". Always false. */
bool rule_fail_duplicate(const struct labels *labels, struct err *e);

/* What templates may ask of the outside in this evaluation. */
struct template_world evaluation_world(struct evaluation *ev);

/* What a template of the rule sees. */
struct template_data rule_template_data(const struct rule_run *run, const struct labels *series,
                                        const struct labels *final, double value, int64_t slot_ns,
                                        int64_t active_at_ns);

/*
 * The rule's final labels for a series whose pairs are in ev->builder: the rule's own labels
 * (rendered), its name, the external labels where absent. Renders with the series' own labels
 * <series> (may be NULL when no label is a template).
 */
MUST_USE bool rule_final_labels(struct evaluation *ev, const struct labels *series, double value,
                                struct labels **ret_labels, struct err *e);

/* Samples collected into batches of EVALUATION_BATCH_ROWS, given away all at once when the
 * evaluation succeeded. */
struct sample_set {
    struct evaluation *ev;
    VEC(struct batch *) batches;
    VEC(struct labels *) series;
    VEC(double) values;
    uint64_t total;
};

/* Adds a sample at the slot; takes over the reference. */
void sample_set_add(struct sample_set *set, struct labels *labels, double value);

/* Closes the rows added so far into batches; sample_set_give() does so too. */
void sample_set_close(struct sample_set *set);

/* Gives everything to the output; false when it refused a batch (the rest is not given). */
MUST_USE bool sample_set_give(struct sample_set *set, bool alert_series, bool thinned,
                              struct err *e);
void sample_set_release(struct sample_set *set);

/* ---- data for what an answer lacks ---- */

struct data_seen {
    bool is_asked;
    bool is_partial;
    uint64_t rows;
    uint8_t *has; /* by item: there is data for it */
};

/* Is the answer partial, and keeps the rule what it had where series are missing? */
bool evaluation_keeps(const struct evaluation *ev);

/* Looks whether there is data, if that matters; after the answer, before alerts are stepped. */
MUST_USE bool data_look(struct evaluation *ev, struct data_seen *seen, struct err *e);
void data_seen_release(struct data_seen *seen);

/* What the evaluation saw of an item that is not in the answer. */
enum observation data_observation(const struct evaluation *ev, const struct data_seen *seen,
                                  uint32_t item);

/* Is there no data at all, and no alert that would say so: is the one without series true? */
bool data_is_gone(struct evaluation *ev, const struct data_seen *seen);

MUST_USE bool record_evaluate(struct evaluation *ev, struct err *e);
MUST_USE bool alert_evaluate(struct evaluation *ev, struct err *e);

/* The state under which ALERTS is written: SUPPRESSING is firing; READY means no series. */
uint8_t alert_written_state(const struct alert_status *s);

/* ---- rules that go ---- */

/* Takes edges in batches. */
struct edges_sink {
    bool (*take)(void *arg, struct batch *b, struct err *e);
    void *arg;
};

/* The run's rule goes: its series end, and the ends of its alerts are ready to be told. <set> is what the rule lies in;
 * NULL for an orphan. */
void farewell_begin(struct rule_run *run, struct rule_set *set);

/* Tells what is not told yet. True once all of it is durable, so that the run can go. */
bool farewell_is_said(struct rule_run *run);

/* The rule is back: its alerts go on, but for those whose end was told. */
void farewell_take_back(struct rule_run *run);

/* The run is gone. */
void farewell_drop(struct rule_run *run);

/* Stale markers for all that the rule wrote; for alerts also their ends. */
void alert_retire(struct rule_run *run, struct sample_set *set, struct edges_sink ends);
void record_retire(struct rule_run *run, struct sample_set *set);

/* ---- commits: from before edges are given until their states are set ---- */

void engine_commit_begin(struct rule_run *run);

/* The states of the frames up to <seq> that this run gave are set; 0: nothing was given. */
void engine_commit_end(struct rule_run *run, uint64_t seq);

/* The newest ledger frame such that it and all before it are in the alert states. Main thread. */
uint64_t engine_settled_seq(struct engine *en);

/* Makes what was given the alerts' state once it is durable. */
bool alert_settle(struct rule_run *run, struct wait wait, struct err *e);

/* ---- levels ---- */

/* Identity of an alert's episode, in every process. The rule has no part in it, since a group that moves gives
 * its rules other ids. */
uint64_t alert_level_key(const struct labels *labels, int64_t episode_ns);

void level_print_annotations(const struct label *pairs, size_t count, struct buf *out);

/* The rule of the run goes, and its alerts ended as the batch says, which nobody else has yet: level outputs see
 * them for keep_resolved_ns. */
void departed_keep(struct rule_run *run, struct batch *ended);
void departed_release(struct engine *en);
void departed_take(struct engine *en, struct engine *before);

/* Both in a view. False when it is none of them. */
void departed_walk(struct engine *en, void (*visit)(void *, const struct level_alert *),
                   void *visit_arg);
bool departed_describe(struct engine *en, const struct level_alert *alert, struct buf *annotations);

/* ---- debug: true; nothing for other rules ---- */

void debug_evaluation(struct rule_run *run, const struct rule_update *update,
                      const struct error_text *error);

/* The changes that are about to become the states of alerts. */
void debug_changes(struct rule_run *run);

/* ---- slots over restarts and reloads ---- */

/* Groups of a new set know when the same groups of the old one were evaluated last. */
void carry_slots(struct engine *en, struct group_run *groups, size_t count);

/* Before the first evaluation after a restart: its rules are told how long nobody watched. */
void credit_absence(struct group_run *g, int64_t slot_ns);

/* ---- what groups read of each other ---- */

/* Is what the rule reads of other groups, as of its slot, where it can be asked for? */
bool across_is_delivered(struct group_run *g, size_t rule, int64_t slot_ns);

/* The rule was evaluated; others may see what it gave. */
void note_given(struct rule_run *run, int64_t slot_ns);

/* The group's slots before that time are over. */
void slots_settle(struct group_run *g, int64_t before_ns);

/* ---- edges ---- */

/* Gives the edges in order, in batches of some MiB, annotations and export_query's answers included for told ones;
 * ends with the first batch that is not taken. */
bool edges_build(struct evaluation *ev, const struct pending_edge *edges, size_t count,
                 enum edges_told told, struct edges_sink sink, struct err *e);

/* What every batch of the rule says about itself. */
struct batch_info rule_batch_info(const struct rule_run *run, enum record_kind kind,
                                  int64_t slot_ns);

/* What a template of the rule sees when it is about an alert. */
struct template_data alert_template_data(const struct evaluation *ev, const struct alert_item *item,
                                         const struct alert_status *status);

/* What the API calls it. */
uint64_t alert_api_id(const struct rule_run *run, const struct alert_item *item);

/* What an alert links to: what alert_source says, or the page that shows its rule. */
void alert_add_source(struct evaluation *ev, const struct alert_item *item, struct buf *out);

/* Renders the annotations of an alert into <arena>. */
const struct label *alert_annotations(struct evaluation *ev, const struct alert_item *item,
                                      const struct alert_status *status, struct arena *arena,
                                      size_t *ret_count);

/* ---- views: other threads look at groups and runs between these two, and only then ---- */

void engine_view_begin(struct engine *en);
void engine_view_end(struct engine *en);

/* ---- runs ---- */

struct rule_run *rule_run_new(struct engine *en, struct str id, enum rule_kind kind);
void rule_run_free(struct rule_run *run);

/* What the rule and its group are called; copied. */
void rule_run_name(struct rule_run *run, struct str name, struct str group);

/* From now on it runs <rule>. */
void rule_run_take(struct rule_run *run, const struct rule *rule);

/* The run that state is restored to: of a rule of the set, or an orphan's, made when new. */
struct rule_run *restored_run(struct engine *en, struct str id, enum rule_kind kind,
                              struct str name, struct str group);

/* Under another id; the caller keeps the map of runs right. */
void rule_run_rename(struct rule_run *run, struct str id);

/*
 * Gives rules that are new by their id the runs of rules that are gone, or that were restored and have no
 * rule, where only one of each has the name: a group that was moved to another file, a rule that was moved
 * to another group. Such a run goes over to the rule's id.
 */
void adopt_moved(struct engine *en, struct group_run *groups, size_t count);

/* The alert item with these labels, made when new; takes over the reference. Under run->lock. */
struct alert_item *alert_item_for(struct rule_run *run, struct labels *labels);

/*
 * What a view may look at without the lock, with references of its own; what only the evaluation
 * knows (seen, written) is left out. Under run->lock.
 */
struct alert_item alert_item_copy(const struct alert_item *item);

#endif
