/*
 * rule.h - rules as loaded: immutable, compiled, each knowing where it stands in its file.
 *
 * Ownership: a rule set is one reference-counted object with its own arena; everything below it
 * lives and dies with it. Threads: immutable after loading. Limits: RULE_FILE_MAX bytes per file,
 * RULE_FILES_MAX files, RULES_MAX rules and RULE_SET_BYTES_MAX bytes per set, RULE_PROBLEMS_MAX problems
 * reported.
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

enum {
    RULE_FILE_MAX = 64 << 20,
    RULE_FILES_MAX = 100 * 1000,
    RULES_MAX = 1000 * 1000,
    RULE_SET_BYTES_MAX = 2000 * 1000 * 1000,
    RULE_PROBLEMS_MAX = 1000,
};

enum rule_kind { RULE_ALERT, RULE_RECORD };

/* What expressions are written in. */
enum rule_language { RULE_PROMQL, RULE_GRAPHITE };

/* "prometheus", "graphite": the group's type. */
const char *rule_language_name(enum rule_language language);

/* Our own metrics, as the source of a rule; the others are places in rule_options.sources. */
enum { RULE_SOURCE_SELF = -1, RULE_SOURCE_DEFAULT = 0 };

/* What an answer that is not complete does to series that are missing from it. */
enum partial_policy { PARTIAL_KEEPS, PARTIAL_RESOLVES, PARTIAL_FAILS };

/* Someone who can be asked. */
struct rule_source {
    struct str name; /* empty: the config's `datasource` */
    enum rule_language language;
    enum promql_dialect dialect;
    bool takes_tenants;
};

/* A label or annotation. */
struct rule_text {
    struct str name;
    struct str source;           /* as written */
    const struct template *text; /* NULL for labels of a recording rule: <source> is the value */
    struct pos pos;
};

/* The labels and annotations that say what is exported, and where to; read once. */
struct rule_export {
    bool enabled;                      /* label export_to_datastore: "true" */
    bool disabled;                     /* label export_to_datastore: "false": no output gets it */
    struct str query;                  /* annotation export_query, as written; or empty */
    const struct template *query_text; /* when it has template actions; else NULL */
    struct str datastore;              /* an exporter's name, or a type of which there is one */
    struct str database;
    struct str measurement; /* default: the rule's name */
    int64_t interval_ns;    /* of a recording rule; 0: every evaluation */
    bool has_threshold;
    double threshold;
    struct str metric_type;
    bool has_webhook; /* annotation webhook_url: goes there */
    bool is_batch;    /* label export_type: batch: samples wait for company */
    bool on_resolve;  /* annotation export_on_resolve: the end is exported like the beginning */
    const struct label *annotations; /* of a recording rule with a webhook, complete */
    size_t annotation_count;
    struct pos datastore_pos;
};

/* An exporter of the config that a group or rule names. */
struct rule_target {
    struct str name;
    struct pos pos;
};

struct across;
struct rule_group;

struct rule {
    enum rule_kind kind;
    struct str name; /* of the alert or the recorded metric */
    struct str id;   /* 32 hex digits: group, kind, name, labels as written, and which of those that
                        are alike in these; the same after a restart and after an edit of expr */
    struct str expr; /* as written, without white space at its end */
    const struct promql_node *tree; /* NULL when it is not PromQL */
    int source;                     /* place in rule_options.sources, or RULE_SOURCE_SELF */
    enum rule_language language;
    struct alert_policy policy;
    enum partial_policy on_partial;
    struct str
        data_expr;       /* asked when a series is missing and no_data is of account: is there data?
                             Empty: what is missing has none */
    bool data_by_series; /* its series are those of the rule; else any of them is data for all */
    int64_t keep_firing_for_ns;
    const struct rule_text *labels; /* sorted by name; those of the group included */
    size_t label_count;
    const struct rule_text *annotations; /* in file order */
    size_t annotation_count;
    unsigned label_uses; /* bits of template_uses over all labels */
    unsigned annotation_uses;
    struct rule_export export;
    const struct rule_target *exporters; /* where all that it finds goes; none: the routes decide */
    size_t exporter_count;
    bool needs_series; /* annotations look at the metric name or at all labels of the series */
    bool debug;
    int64_t limit; /* series; 0: the group's */
    int64_t update_entries_limit;
    int64_t query_timeout_ns; /* 0: the group's */
    const struct rule_group *group;
    struct pos pos;
};

struct rule_group {
    struct str name;
    struct str file; /* as opened */
    struct str id;   /* 32 hex digits of the file's path below the base folder, and name */
    int64_t interval_ns;
    int64_t query_offset_ns;
    int64_t eval_offset_ns; /* with has_eval_offset: the slot inside the interval, [0, interval) */
    bool has_eval_offset;
    const struct rule_group *phase_of; /* whose place in the interval it shares, or itself */
    int64_t limit;                     /* series or alerts of one rule; 0: none */
    int64_t series_limit;              /* of all rules together; 0: none */
    int64_t concurrency;
    int source; /* of its rules, as rule.source */
    enum rule_language language;
    struct str tenant; /* of a VictoriaMetrics cluster: ACCOUNT or ACCOUNT:PROJECT; or empty */
    const struct query_param *params;
    size_t param_count;
    const struct query_param *headers;
    size_t header_count;
    const struct label *notifier_headers; /* for whoever is told of its alerts */
    size_t notifier_header_count;
    const struct rule *rules;
    size_t rule_count;
    struct pos pos;
};

struct rule_set {
    const struct rule_group *groups;
    size_t group_count;
    size_t rule_count;
    const struct across *across; /* see rules/across.h */
};

/* Receives what a fetcher found. */
struct rule_receiver {
    void (*file)(void *arg, struct str name, struct str text);
    void (*warn)(void *arg, struct err *problem);
    void *arg;
};

/* Gets rules that are no files of this machine; implemented over net by app. */
struct rule_fetcher {
    bool (*takes)(void *arg, struct str place);
    bool (*fetch)(void *arg, struct str place, const struct rule_receiver *to, struct err *e);
    void *arg;
};

/* What loading needs to know beside the files. */
struct rule_options {
    int64_t interval_ns;               /* for groups that name none; 0: a minute */
    int64_t query_offset_ns;           /* likewise */
    bool eval_alignment;               /* likewise */
    int64_t limit;                     /* of groups that say nothing; 0: none */
    int64_t update_entries_limit;      /* for rules that say nothing; 0: 20 */
    enum promql_dialect dialect;       /* what the datasource speaks when there are no <sources> */
    const struct rule_source *sources; /* the config's datasource, then those that have names */
    size_t source_count;
    bool any_source;                    /* no config says what there is: any name is right */
    const struct rule_fetcher *fetcher; /* for places elsewhere; NULL: there are only files */
    struct str built_in; /* rules that come with the program, as the text of a file */
    const char *(*lookup)(void *arg, const char *name); /* values of %{NAME}; NULL: none are set */
    void *lookup_arg;
    const struct str *templates; /* patterns of template files, which all rules may call */
    size_t template_count;
    bool check_only; /* collect all errors instead of stopping at the first */
};

/* Receives each problem found, in file order; a warning does not make loading fail. */
struct rule_problems {
    void (*report)(void *arg, bool is_warning, const struct err *problem);
    void *arg;
};

/*
 * Loads the files that <patterns> match: paths and globs (also **, any number of folders), relative
 * to <base_folder>. Strict. All problems go to <problems> (may be NULL); false when there was an
 * error, and then <e> is the first. A pattern that matches nothing is an error when it has no
 * wildcard, else a warning.
 */
MUST_USE bool rule_set_load(const struct str *patterns, size_t pattern_count,
                            struct str base_folder, const struct rule_options *options,
                            const struct rule_problems *problems, struct rule_set **ret_set,
                            struct err *e);

/* The same from one text, for tests and APIs; <file> is what problems and ids call it. */
MUST_USE bool rule_set_parse(struct str file, struct str text, const struct rule_options *options,
                             const struct rule_problems *problems, struct rule_set **ret_set,
                             struct err *e);

struct rule_set *rule_set_ref(struct rule_set *set);
void rule_set_unref(struct rule_set *set); /* NULL is fine */

#endif
