/*
 * discover.h - the targets of one config, kept up to date.
 *
 * Each entry of the config is a source with a thread of its own (static ones need none), so one that hangs holds
 * nobody up. A source that fails keeps its last good list, says so in the log and counts it, and is asked again:
 * after a second, then after twice as long, up to its refresh interval.
 *
 * Ownership: the lists of the config are borrowed and outlive this. Threads: any; <changed> is called by the
 * threads of sources, without a lock. Limits: those of the kinds.
 */
#ifndef TELEX_DISCOVER_DISCOVER_H
#define TELEX_DISCOVER_DISCOVER_H

#include "discover/discovery.h"

struct discover;

/* Called when targets may have changed. */
struct discover_listener {
    void (*changed)(void *arg);
    void *arg;
};

/* Looks at static targets at once and starts to look for the others. <name> is the owner's, for log and metrics. */
MUST_USE bool discover_open(const struct env *env, struct str name,
                            const struct discovery_lists *lists,
                            const struct discover_listener *listener,
                            struct discover **ret_discover, struct err *e);

/* Sources of <d> that have no answer yet begin with the targets that those of <before>, whose config says the same,
 * found last. */
void discover_follow(struct discover *d, struct discover *before);

/* Adds all targets known now, source by source, each one's sorted and without duplicates. */
void discover_targets(struct discover *d, struct target_list *ret_list);

/* The same one by one, with the kind that found it. <visit> must neither wait nor come back here. */
void discover_each(struct discover *d,
                   void (*visit)(void *arg, const struct discovery_kind *kind,
                                 struct labels *target),
                   void *arg);

/* Did every source answer once? */
bool discover_is_complete(struct discover *d);

/* Ends at once. NULL is fine. */
void discover_close(struct discover *d);

#endif
