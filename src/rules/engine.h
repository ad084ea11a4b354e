/*
 * engine.h - rule groups evaluated: queries in, samples and alert edges out.
 *
 * The engine holds the runtime of each group (series tables, alert tables) and evaluates one group
 * at one slot when told to; what is due when is the scheduler's business (app/scheduler.h). An
 * evaluation runs its rules in file order: query, labels, alert_step, then the edges go to the
 * ledger, and only when they are durable does the new state become visible; recorded samples,
 * ALERTS and ALERTS_FOR_STATE go to the bulk log as one batch per rule. When the plan refuses, the
 * rule's state stays as it was and the evaluation counts as missed.
 *
 * Ownership: the engine owns runtimes and refs the rule set; it borrows env, datasource and the
 * give function. Threads: different groups may be evaluated by different threads at once; one group
 * never is. Views (API, level outputs) may be taken by any thread at any time. Limits: series per
 * rule and process from the budget.
 */
#ifndef TELEX_RULES_ENGINE_H
#define TELEX_RULES_ENGINE_H

#include "base/err.h"
#include "base/thread.h"
#include "datasource/datasource.h"
#include "export/level.h"
#include "model/batch.h"
#include "rules/engine_filter.h"
#include "rules/rule.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct engine;
struct group_run; /* the runtime of one group */

/* What a batch of edges holds. */
enum edges_told {
    EDGES_QUIET, /* state alone: delivered to nobody */
    EDGES_FIRED,
    EDGES_ENDED,
    EDGES_TOLD_COUNT
};

/* What was given of a rule's last evaluation; zeroed before it. Opaque but to who gives. */
struct given_mark {
    uint64_t seq;
    uint64_t outputs;
};

/* Where outputs go: implemented over export/plan.h by app. Nothing waits for room but held(). */
struct engine_output {
    /* Alert edges. True: taken, up to *ret_seq; false: nothing of them was taken. */
    bool (*edges)(void *arg, const struct rule *rule, struct batch *b, enum edges_told told,
                  uint64_t *ret_seq, struct err *e);
    /* Waits until the edges up to <seq> are durable. False: not yet. */
    bool (*held)(void *arg, uint64_t seq, struct wait wait, struct err *e);
    /* Samples of one rule. alert_series: ALERTS and ALERTS_FOR_STATE. thinned: export_interval is
     * not due. What was given is added to <mark>. */
    bool (*samples)(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                    bool thinned, struct given_mark *mark, struct err *e);
    /* Can what <mark> says be asked for: have the time series stores among the outputs it? <hurry>: they
     * should not gather more before they send. NULL: always. */
    bool (*delivered)(void *arg, const struct given_mark *mark, bool hurry);
    /* Something changed for level outputs. */
    void (*changed)(void *arg);
    void *arg;
};

struct engine_options {
    struct datasource *const *named; /* behind the default one: rule.source from 1 on; borrowed */
    struct datasource *self; /* for groups that ask our own metrics; NULL: their queries fail */
    const struct labels *external_labels;
    struct str external_url;
    struct str
        alert_source; /* template of what alerts link to below it; empty: their rule's page */
    enum template_dialect template_dialect;
    int64_t keep_resolved_ns;    /* 15 min */
    int64_t query_timeout_ns;    /* of datasources that say nothing */
    int64_t max_series_per_rule; /* these three: 0 is no limit */
    int64_t max_series_per_group;
    int64_t max_series;    /* of all rules together */
    bool alertgroup_label; /* alerts get it, with the name of their group */
    bool keep_displaced;   /* labels of series that a rule's own ones displace: exported_<name> */
    struct datasource *restore; /* asked for alerts that an engine before us left, for rules without
                                   state; NULL: nobody; borrowed */
    int64_t restore_lookback_ns;
};

MUST_USE bool engine_new(const struct env *env, const struct engine_options *options,
                         struct datasource *d, const struct engine_output *output,
                         struct engine **ret_engine, struct err *e);
void engine_free(struct engine *en);

/* The rule set to run. Groups and rules that stay (by id) keep their state. Call only while nothing
 * evaluates. */
MUST_USE bool engine_set_rules(struct engine *en, struct rule_set *set, struct err *e);

/* Groups of the current set, in file order; valid until the next engine_set_rules(). */
size_t engine_group_count(struct engine *en);
struct group_run *engine_group(struct engine *en, size_t i);
const struct rule_group *group_run_rules(const struct group_run *g);

/*
 * From now on groups are evaluated at each of their slots, the first ones not before <from_ns>: so they wait for
 * each other. Before this is called nobody does. Call after engine_set_rules(), before anything is evaluated.
 */
void engine_begin_slots(struct engine *en, int64_t from_ns);

/* Of groups with one slot, those with lower ranks are read by others and are best begun first. */
uint32_t group_run_rank(const struct group_run *g);

/* First slot >= <after_ns> of a group: spread by hash over its interval, those that read each other alike,
 * or its eval_offset. */
int64_t group_next_slot(const struct rule_group *g, int64_t after_ns);

/* Evaluates the group at <slot_ns>. Never fails as a whole: each rule's outcome is in its state and
 * metrics. */
void group_evaluate(struct group_run *g, int64_t slot_ns, struct wait wait);

/*
 * Evaluates one rule of the group at <slot_ns>, for whoever goes through the past rule by rule. False with the
 * reason when the evaluation failed or the outputs refused.
 */
MUST_USE bool group_evaluate_rule(struct group_run *g, size_t rule, int64_t slot_ns,
                                  struct wait wait, struct err *e);

/*
 * While <hurries>, evaluations of groups end behind the rule under way, so that who waits for them need not
 * wait for all of their rules; what they leave out counts as a missed evaluation. Any thread.
 */
void engine_hurry(struct engine *en, bool hurries);

/* Counts <slots> that passed without an evaluation. */
void group_count_missed(struct group_run *g, uint64_t slots);

/*
 * Forgets the alerts that were restored for rules that the set still lacks after keep_resolved_ns:
 * by then it was no slip in a rule file. Their series end. Rules that engine_set_rules() replaced go too once the ends
 * of their alerts are durable. Call now and then, on the thread that sets rules.
 */
void engine_forget_orphans(struct engine *en);

/*
 * Call when all was restored: state that has no rule goes to the rule that has its name, if only one does
 * (a group that was moved to another file while the program was down). A snapshot is due when
 * engine_forgotten() changed.
 */
void engine_adopt_orphans(struct engine *en);

/* How many rules went, with their alerts, or went over to another id, since the engine was made: a
 * snapshot of before says otherwise. */
uint64_t engine_forgotten(const struct engine *en);

/* A frame of the ledger that others gave: no state here depends on it. */
void engine_note_frame(struct engine *en, uint64_t seq);

/* State by snapshot and replay; of rules that are not in the set too, see engine_forget_orphans(). */
MUST_USE bool engine_restore_snapshot(struct engine *en, struct str path, uint64_t *ret_seq,
                                      struct err *e);
MUST_USE bool engine_restore_edge(struct engine *en, uint64_t seq, struct batch *edges,
                                  struct err *e);
MUST_USE bool engine_save_snapshot(struct engine *en, struct str path, uint64_t *ret_seq,
                                   struct err *e);

/*
 * The series that recording rules wrote last, so that those which are gone after a restart get their stale
 * marker. Restoring takes what is sound and says in *ret_rules for how many rules; a file that is not there
 * is none. Saving may be called while groups are evaluated, restoring not.
 */
MUST_USE bool engine_save_series(struct engine *en, struct str path, struct err *e);
MUST_USE bool engine_restore_series(struct engine *en, struct str path, uint64_t *ret_rules,
                                    struct err *e);

/* Times that such a set of series changed, so far. */
uint64_t engine_series_changes(const struct engine *en);

/*
 * The last slot of each group, as lines of text, and back: what lies between it and the first slot after a
 * restart was watched by nobody and counts neither for `for` nor for keep_firing_for. A group that the text
 * does not have goes by the latest slot of all. Lines that cannot be read are passed over.
 */
void engine_print_slots(struct engine *en, struct buf *out);
void engine_restore_slots(struct engine *en, struct str text);

/* Before another engine goes on with its alerts, while nothing evaluates: waits until all that it gave is durable and is
 * its alerts' state. The other would give what is not a second time, under another id. */
MUST_USE bool engine_settle(struct engine *en, struct wait wait, struct err *e);

/* <en>, which has the states of <before>, goes on where that one is: what it counted, when it exported, and what level outputs
 * are still to hear of rules that are gone. */
void engine_take_over(struct engine *en, struct engine *before);

/* Firing and recently resolved alerts, for level outputs. */
struct level_source engine_levels(struct engine *en);

/* Views for the API, as JSON values (the objects that Prometheus documents); rules/listing.h for answers of any
 * length. */
void engine_print_rules(struct engine *en, const struct engine_filter *filter, struct buf *out);
void engine_print_alerts(struct engine *en, const struct engine_filter *filter, struct buf *out);

/* One of them, with its rules; a rule (of any group when <group_id> is empty) has its last evaluations too. False when
 * there is none. */
bool engine_print_group(struct engine *en, struct str group_id, struct buf *out);
bool engine_print_rule(struct engine *en, struct str group_id, struct str rule_id, struct buf *out);
bool engine_print_alert(struct engine *en, struct str group_id, uint64_t alert_id, struct buf *out);

/* An evaluation of a rule, as it is kept. */
struct rule_update {
    int64_t time_ns; /* when it ran */
    int64_t at_ns;   /* the time that it asked for */
    int64_t duration_ns;
    int64_t samples;
    int64_t series_fetched; /* -1: the datasource did not say */
    bool failed;
    struct str error;
};

/*
 * The last evaluations of a rule, newest first, as many as its update_entries_limit keeps; they live
 * in <a>. 0 when there is no such rule too.
 */
size_t engine_rule_updates(struct engine *en, struct str rule_id, struct arena *a,
                           const struct rule_update **ret_updates);

/*
 * Appends the request that the evaluation of a rule at <at_ns> makes, as a curl command; credentials
 * are left out. False when there is no such rule, or nobody to ask over a network.
 */
bool engine_print_request(struct engine *en, struct str rule_id, int64_t at_ns, struct buf *out);

/*
 * Why a rule fires or does not, as a JSON object: its last evaluation in words, each alert with what it waits for,
 * and the evaluations before. <rule> is an id, or a name that only one rule has; false with the reason when
 * it is neither.
 */
MUST_USE bool engine_explain(struct engine *en, struct str rule, struct buf *out, struct err *e);

#endif
