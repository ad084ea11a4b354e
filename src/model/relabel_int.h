/*
 * relabel_int.h - a compiled rule, for the files that read and run it. Included only inside this folder.
 *
 * Ownership: texts live in the rules' arena, the regex is the rule's. Threads: immutable. Limits: as
 * relabel.h.
 */
#ifndef TELEX_MODEL_RELABEL_INT_H
#define TELEX_MODEL_RELABEL_INT_H

#include "base/regex.h"
#include "model/relabel.h"
#include "model/selector.h"

/* What a rule's keys are, as bits: those that differ from their default. */
enum relabel_field {
    RELABEL_SOURCE = 1,
    RELABEL_SEPARATOR = 2,
    RELABEL_REGEX = 4,
    RELABEL_MODULUS = 8,
    RELABEL_TARGET = 16,
    RELABEL_REPLACEMENT = 32,
    RELABEL_MATCH = 64,
    RELABEL_LABELS = 128,
};

struct relabel_rule;

enum relabel_action_flags {
    RELABEL_SEARCHES = 1,  /* the regex matches anywhere in the value */
    RELABEL_DROPS_REST = 2 /* drops what `if` does not match */
};

struct relabel_action {
    const char *name;
    unsigned needs;   /* fields */
    unsigned refuses; /* fields that would mean nothing here */
    const char *only; /* what it takes, for the error */
    unsigned flags;   /* of enum relabel_action_flags */
    /* false: the set is dropped. */
    bool (*run)(const struct relabel_rule *rule, struct relabel_work *w);
};

/* NULL-terminated by name. */
extern const struct relabel_action relabel_actions[];

struct relabel_rule {
    const struct relabel_action *action;
    unsigned fields;
    const struct str *sources;
    size_t source_count;
    struct str separator;
    struct str target;
    struct str replacement;
    bool target_is_template; /* has a $ */
    bool takes_all;          /* the regex is the default, (.*) */
    bool gives_all;          /* and the replacement is $1 */
    uint64_t modulus;
    struct regex *regex;
    struct str match;           /* of graphite: foo.*.bar */
    const struct label *labels; /* of graphite: what the stars become */
    size_t label_count;
    struct selector **selectors; /* of `if`: one of them must match; none: always */
    size_t selector_count;
};

/* What actions share: the joined source, borrowed until the next rule; to set a label to a copy of <value>, or
 * remove it where that is empty; all pairs as they are. */
struct str relabel_source(const struct relabel_rule *rule, struct relabel_work *w);
void relabel_put(struct relabel_work *w, struct str name, struct str value);
struct label *relabel_pairs(struct relabel_work *w, size_t *ret_count);

bool relabel_run_replace_all(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_labelmap_all(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_keep_if_equal(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_drop_if_equal(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_keep_if_contains(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_drop_if_contains(const struct relabel_rule *rule, struct relabel_work *w);
bool relabel_run_graphite(const struct relabel_rule *rule, struct relabel_work *w);

struct relabel {
    struct arena arena;
    struct relabel_rule *rules;
    size_t count;
};

#endif
