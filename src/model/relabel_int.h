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

/* What a rule's keys are, as bits: those that differ from their default. */
enum relabel_field {
    RELABEL_SOURCE = 1,
    RELABEL_SEPARATOR = 2,
    RELABEL_REGEX = 4,
    RELABEL_MODULUS = 8,
    RELABEL_TARGET = 16,
    RELABEL_REPLACEMENT = 32,
};

struct relabel_rule;

struct relabel_action {
    const char *name;
    unsigned needs;   /* fields */
    unsigned refuses; /* fields that would mean nothing here */
    const char *only; /* what it takes, for the error */
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
};

struct relabel {
    struct arena arena;
    struct relabel_rule *rules;
    size_t count;
};

#endif
