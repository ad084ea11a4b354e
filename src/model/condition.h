/*
 * condition.h - a small language over one record: severity == "critical" and avg_latency_ms > 100.
 *
 * Operands are fields of the record, strings and numbers (durations and % are not special). Operators,
 * loosest first: or; and, unless (a unless b is a and not b); not; comparison (== != < <= > >= =~ !~);
 * parentheses; true and false are conditions. Tokens are PromQL's; words may be in any case. A field is a
 * name: kind, then labels, annotations and record fields by their name; labels.NAME and annotations.NAME
 * (or labels["any name"]) say which; a field that a record lacks is the empty string. Two texts compare
 * byte by byte. Comparing text with a number reads the text as a number; when it is none, every comparison
 * but != is false. Types that can never compare are compile errors with position. A flag is the text "true" or
 * "false", and `isFatal == true` compares with that text.
 *
 * Ownership: compiled once into its own memory; immutable. Threads: any may evaluate. Limits:
 * CONDITION_TEXT_MAX bytes, depth CONDITION_DEPTH_MAX; regular expressions match whole values and are
 * bounded as base/regex.h says (a match past its limit is false).
 */
#ifndef TELEX_MODEL_CONDITION_H
#define TELEX_MODEL_CONDITION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum { CONDITION_TEXT_MAX = 64 * 1024, CONDITION_DEPTH_MAX = 64 };

enum field_scope { FIELD_ANY, FIELD_LABEL, FIELD_ANNOTATION };

/* A field's value: text, or a number when is_number. */
struct field_value {
    bool is_number;
    double number;
    struct str text;
};

/* One record as conditions and templates see it. */
struct record_view {
    /* Fills *ret_value and returns true when the record has the field. */
    bool (*field)(const void *record, enum field_scope scope, struct str name,
                  struct field_value *ret_value);
    const void *record;
};

struct condition;

/* Errors point into <text>. */
MUST_USE bool condition_compile(struct str text, struct condition **ret_condition, struct err *e);
void condition_free(struct condition *c);

/* Does the record meet it? */
bool condition_holds(const struct condition *c, const struct record_view *record);

/*
 * Does the outcome depend only on fields for which <is_static> says true? Then one evaluation
 * serves a whole batch.
 */
bool condition_only_uses(const struct condition *c,
                         bool (*is_static)(const void *arg, enum field_scope scope,
                                           struct str name),
                         const void *arg);

/* Tells of each field that it looks at, as often as it stands there, and at which byte of the text. */
void condition_each_field(const struct condition *c,
                          void (*tell)(void *arg, enum field_scope scope, struct str name,
                                       size_t at),
                          void *arg);

/*
 * Does every comparison of the field <name> with a constant depend on which of <values> (NULL-terminated) the
 * field has? False, with its place in the text, when one is the same for all of them: nobody means that.
 */
MUST_USE bool condition_check_field(const struct condition *c, struct str name,
                                    const char *const *values, struct err *e);

#endif
