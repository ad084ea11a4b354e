/*
 * selector.h - which label sets are meant: name{a="b", c=~"d.*" or e!="f"}.
 *
 * The selector of series that PromQL has, with MetricsQL's `or` between groups of matchers, for places that know
 * no queries. A label that is missing has the empty value; regular expressions match the whole value.
 *
 * Ownership: owns its texts. Threads: immutable. Limits: SELECTOR_MATCHERS_MAX matchers; a regular expression that
 * passes its step limit counts as not matching.
 */
#ifndef TELEX_MODEL_SELECTOR_H
#define TELEX_MODEL_SELECTOR_H

#include "model/labels.h"

enum { SELECTOR_MATCHERS_MAX = 256 };

struct selector;

/* The error's position is the byte in <text>, as a column of line 1. */
MUST_USE bool selector_compile(struct str text, struct selector **ret_selector, struct err *e);
void selector_free(struct selector *s); /* NULL is fine */
DEFINE_AUTOFREE(selector)

bool selector_matches(const struct selector *s, const struct labels_builder *labels);

#endif
