/*
 * level_set.h - a level output with all its targets.
 *
 * An exporter whose table has targets_offset has a target per URL that its config or discovery names; each is a
 * level output of its own (level.h) with a thread, a memory of what it confirmed and a backoff, so one that is
 * dead delays nobody. A target that appears is told all that fires, one that disappears is forgotten. Other
 * exporters have one target, the URL of their config.
 *
 * Ownership: config and filter are borrowed; the set owns outputs and discovery. Threads: any; follow, stop and
 * close by whoever changes graphs. Limits: LEVEL_SET_TARGETS_MAX targets, more are left out and told of.
 */
#ifndef TELEX_EXPORT_LEVEL_SET_H
#define TELEX_EXPORT_LEVEL_SET_H

#include "export/level.h"

enum { LEVEL_SET_TARGETS_MAX = 1000 };

struct exporter_kind;
struct level_set;

MUST_USE bool level_set_open(const struct exporter_kind *kind, const struct exporter_place *place,
                             const void *config, const struct level_filter *filter,
                             struct level_set **ret_set, struct err *e);

/* What the targets of <before>, which has stopped, were confirmed need not be told to them again, unless labels of
 * alerts are made in another way now. With <is_same>, which says that the config is, targets that it found are known
 * to <s> too. <s> has no source yet. */
void level_set_follow(struct level_set *s, struct level_set *before, bool is_same);

/* As those of level.h. */
void level_set_source(struct level_set *s, const struct level_source *source);
void level_set_wake(struct level_set *s);
void level_set_drain(struct level_set *s);
void level_set_stop(struct level_set *s, struct wait wait);
void level_set_close(struct level_set *s);

/* That of the target in the worst state, with the sums of all. */
void level_set_status(struct level_set *s, struct output_status *ret);

/* A target, as the API shows it; texts are borrowed for the visit. */
struct level_set_target {
    struct str exporter;
    const char *kind;            /* of discovery: "static", "dns"; "url" for that of the config */
    struct str url;              /* empty for one that rules dropped */
    const struct labels *labels; /* with those that begin with "__" */
    bool is_dropped;
    const struct output_status
        *status; /* its last_error is that of the last request, if that failed */
};
void level_set_targets(struct level_set *s,
                       void (*visit)(void *arg, const struct level_set_target *target), void *arg);

#endif
