/*
 * rule.h - rules as loaded: immutable, compiled, each knowing where it stands in its file.
 *
 * Ownership: a rule set is one reference-counted object with its own arena; everything below it
 * lives and dies with it. Threads: immutable after loading. Limits: RULE_FILE_MAX bytes per file,
 * RULES_MAX rules per set.
 */
#ifndef TELEX_RULES_RULE_H
#define TELEX_RULES_RULE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "datasource/datasource.h"
#include "model/labels.h"
#include "promql/promql.h"
#include "rules/alert_step.h"
#include "template/template.h"

#include <stdbool.h>
#include <stdint.h>

enum { RULE_FILE_MAX = 64 << 20, RULES_MAX = 1000 * 1000 };

enum rule_kind { RULE_ALERT, RULE_RECORD };

/* A label or annotation: a compiled template. */
struct rule_text {
    struct str name;
    struct str source; /* as written */
    struct template *text;
    struct pos pos;
};

/* The export_* labels and annotations of seed 000, read once. */
struct rule_export {
    bool enabled;     /* label export_to_datastore: "true" */
    bool disabled;    /* label export_to_datastore: "false": no output gets it */
    struct str query; /* annotation export_query, as written */
    struct template *query_text;
    struct str datastore; /* an exporter's name, or a type of which there is one */
    struct str database;
    struct str measurement; /* default: the rule's name */
    int64_t interval_ns;    /* 0: every evaluation */
    bool has_threshold;
    double threshold;
    struct str metric_type;
    struct pos datastore_pos;
};

struct rule_group;

struct rule {
    enum rule_kind kind;
    struct str name; /* of the alert or the recorded metric */
    struct str id;   /* 32 hex digits: group, name and static labels; the same after a restart */
    struct str expr;
    const struct promql_node *tree;
    struct alert_policy policy;
    int64_t keep_firing_for_ns;
    const struct rule_text *labels;
    size_t label_count;
    const struct rule_text *annotations;
    size_t annotation_count;
    unsigned label_uses; /* bits of template_uses over all labels */
    unsigned annotation_uses;
    struct rule_export export;
    bool needs_series; /* annotations look at the metric name or at all labels of the series */
    bool debug;
    int64_t limit; /* series; 0: the group's */
    const struct rule_group *group;
    struct pos pos;
};

struct rule_group {
    struct str name;
    struct str file;
    struct str id; /* 32 hex digits of file and name */
    int64_t interval_ns;
    int64_t query_offset_ns;
    int64_t eval_offset_ns; /* with has_eval_offset: a fixed slot inside the interval */
    bool has_eval_offset;
    int64_t limit;
    int64_t concurrency;
    const struct query_param *params;
    size_t param_count;
    const struct query_param *headers;
    size_t header_count;
    const struct rule *rules;
    size_t rule_count;
    struct pos pos;
};

struct rule_set {
    const struct rule_group *groups;
    size_t group_count;
    size_t rule_count;
};

/* What loading needs to know beside the files. */
struct rule_options {
    int64_t interval_ns;         /* for groups that name none */
    enum promql_dialect dialect; /* what the datasource speaks */
    const struct labels *external_labels;
    bool check_only; /* collect all errors instead of stopping at the first */
};

/* Receives each problem found; a warning does not make loading fail. */
struct rule_problems {
    void (*report)(void *arg, bool is_warning, const struct err *problem);
    void *arg;
};

/*
 * Loads the files that <patterns> (paths and globs, relative to <base_folder>) match, strictly. All
 * errors go to <problems>; false when there was one. A pattern that matches nothing is an error
 * when it has no wildcard.
 */
MUST_USE bool rule_set_load(const struct str *patterns, size_t pattern_count,
                            struct str base_folder, const struct rule_options *options,
                            const struct rule_problems *problems, struct rule_set **ret_set,
                            struct err *e);

/* The same from one text, for tests and APIs. */
MUST_USE bool rule_set_parse(struct str file, struct str text, const struct rule_options *options,
                             const struct rule_problems *problems, struct rule_set **ret_set,
                             struct err *e);

struct rule_set *rule_set_ref(struct rule_set *set);
void rule_set_unref(struct rule_set *set); /* NULL is fine */

#endif
