/*
 * engine_filter.h - which groups, rules and alerts somebody wants to see, as Prometheus and vmalert let one ask.
 *
 * A filter that is all zero lets everything through. Lists hold if any of their members does; selectors are those of
 * PromQL, over the labels that a rule is given, or over an alert's own.
 *
 * Ownership: what is added is copied or compiled into the filter; engine_filter_release() lets go of it. Threads:
 * confined while it is made, then any. Limits: FILTER_NAMES_MAX members of a list, FILTER_SELECTORS_MAX selectors.
 */
#ifndef TELEX_RULES_ENGINE_FILTER_H
#define TELEX_RULES_ENGINE_FILTER_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "model/labels.h"

#include <stdbool.h>

struct rule;

enum { FILTER_NAMES_MAX = 1000, FILTER_SELECTORS_MAX = 100, FILTER_BYTES_MAX = 1 << 20 };

/* How a rule is, as vmalert puts it. */
enum rule_condition {
    CONDITION_INACTIVE,
    CONDITION_PENDING,
    CONDITION_FIRING,
    CONDITION_OK,        /* a recording rule that works */
    CONDITION_NOMATCH,   /* its selectors found no series at all */
    CONDITION_UNHEALTHY, /* its last evaluation failed */
    CONDITION_COUNT
};

const char *rule_condition_name(enum rule_condition condition);

struct filter_names {
    VEC(struct str) items;
};

struct filter_selector;

struct engine_filter {
    struct str type;     /* "alert", "record" or empty */
    struct str language; /* "prometheus", "graphite" or empty */
    struct str search;   /* in names of groups and rules, in any case */
    unsigned conditions; /* bits of enum rule_condition; 0: all */
    bool exclude_alerts;
    bool extended_states; /* say so of all rules, and count them per group */
    bool plain_alerts;    /* without annotations */
    struct filter_names rules;
    struct filter_names groups;
    struct filter_names files;
    VEC(struct filter_selector *) selectors;
    struct arena arena;
    bool has_arena;
};

void engine_filter_release(struct engine_filter *f);

/* Adds a member to one of the filter's lists; false beyond the limit. */
MUST_USE bool engine_filter_name(struct engine_filter *f, struct filter_names *list,
                                 struct str name, struct err *e);

/* A copy of <text> that lives as long as the filter. */
struct str engine_filter_text(struct engine_filter *f, struct str text);

/* Adds a selector, such as {severity="page"}. */
MUST_USE bool engine_filter_match(struct engine_filter *f, struct str selector, struct err *e);

/* Adds a condition, or several with commas between, by the names above or Grafana's. */
MUST_USE bool engine_filter_conditions(struct engine_filter *f, struct str names, struct err *e);

/* Does the filter leave anything out? */
bool engine_filter_is_narrow(const struct engine_filter *f);

/* Is the rule wanted, as far as what was loaded tells? Its labels are not looked at. */
bool engine_filter_rule(const struct engine_filter *f, const struct rule *rule);

/* Do the selectors take the labels that the rule is given? */
bool engine_filter_rule_labels(const struct engine_filter *f, const struct rule *rule);

/* Do they take those of an alert? */
bool engine_filter_labels(const struct engine_filter *f, const struct labels *labels);

/* Is a rule wanted that is in this condition? */
bool engine_filter_condition(const struct engine_filter *f, enum rule_condition condition);

#endif
