/*
 * fake/problems.h - what the loading of rules reports, as the text that a person would see.
 *
 * Ownership: the test's; release with problems_release(). Threads: confined. Limits: none.
 */
#ifndef TELEX_FAKE_PROBLEMS_H
#define TELEX_FAKE_PROBLEMS_H

#include "base/buf.h"
#include "rules/rule.h"

struct problems {
    struct rule_problems sink; /* what code under test gets */
    struct buf text; /* "error: ..." and "warning: ...", each as err_print() gives it, in lines */
    size_t errors;
    size_t warnings;
    struct err last;
};

void problems_init(struct problems *p);
void problems_release(struct problems *p);

/* Loads <text> as the file rules.yaml; NULL when it has errors. */
struct rule_set *problems_load(struct problems *p, struct str text,
                               const struct rule_options *options);

#endif
