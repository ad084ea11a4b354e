/*
 * rule_sources_int.h - what the jobs of a watch ask of the sources; for src/app only.
 *
 * Ownership: the bundle is the caller's. Threads: any. Limits: those of rule_sources.h.
 */
#ifndef TELEX_APP_RULE_SOURCES_INT_H
#define TELEX_APP_RULE_SOURCES_INT_H

#include "app/rule_bundle.h"
#include "app/rule_sources.h"

/* What is kept of a place into <ret>, an empty bundle, which stays empty when nothing is. */
void rule_sources_load_kept(const struct rule_sources *s, const struct config *c, struct str place,
                            struct rule_bundle *ret);

/*
 * Are these other rules than those that run? A reload may be refused for what is no fault of theirs, so who is
 * told is told again while they do not run, after <again_ns>.
 */
bool rule_sources_is_news(struct rule_sources *s, struct str place, uint64_t hash,
                          int64_t again_ns);

#endif
