/*
 * regex.h - regular expressions as Prometheus means them: RE2 syntax, anchored or searching, in
 * bounded time.
 *
 * PCRE2 with JIT does the work, on a pattern that is read and written anew, so that everything
 * means what it means in RE2 (\s, $, \12, scripts). In REGEX_FULL mode . matches every character,
 * in REGEX_SEARCH every one but the newline, as Prometheus has it. Constructs that RE2 does not
 * have (backreferences, lookaround, atomic groups, recursion, possessive quantifiers) are refused
 * at compile time with their position; patterns that are a literal, a prefix, a suffix or an
 * alternation of literals never reach PCRE2. A match that passes the step limit is an error, not a
 * hang. Ownership: creator; immutable. Threads: any. Limits: REGEX_PATTERN_MAX bytes,
 * REGEX_STEPS_MAX steps, REGEX_GROUPS_MAX groups.
 */
#ifndef TELEX_BASE_REGEX_H
#define TELEX_BASE_REGEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { REGEX_PATTERN_MAX = 64 * 1024, REGEX_STEPS_MAX = 100000, REGEX_GROUPS_MAX = 64 };

enum regex_mode {
    REGEX_FULL,   /* the whole subject must match, as label matchers do */
    REGEX_SEARCH, /* a match anywhere, as templates' match and reReplaceAll do */
};

struct regex;

/* The error's position is the byte in <pattern>, as a column of line 1; 0 when it is all of it. */
MUST_USE bool regex_compile(struct str pattern, enum regex_mode mode, struct regex **ret_regex,
                            struct err *e);
void regex_free(struct regex *r);
DEFINE_AUTOFREE(regex)

struct str regex_pattern(const struct regex *r);

/* false with ERR_LIMIT when the step limit was hit; else *ret_matched tells. */
MUST_USE bool regex_match(const struct regex *r, struct str subject, bool *ret_matched,
                          struct err *e);

/*
 * Appends <subject> with matches replaced; $1, ${1}, ${name} and $$ work as in Go's
 * ReplaceAllString. In REGEX_FULL mode there is at most one match, the whole.
 */
MUST_USE bool regex_replace(const struct regex *r, struct str subject, struct str replacement,
                            struct buf *out, struct err *e);

/* Appends the expansion of <replacement> for a match of the whole subject; *ret_matched false
 * appends nothing (relabel). */
MUST_USE bool regex_expand(const struct regex *r, struct str subject, struct str replacement,
                           struct buf *out, bool *ret_matched, struct err *e);

#endif
