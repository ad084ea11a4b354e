/*
 * target_list.h - targets as label sets, and groups of them as outsiders write them.
 *
 * A target is a label set: __address__ (host:port), perhaps __scheme__, __alerts_path__ or __metrics_path__,
 * what discovery knows (__meta_*), and labels of its own. Groups are Prometheus' shape for files and HTTP:
 * [{"targets": ["a:1"], "labels": {"k": "v"}}].
 *
 * Ownership: a list holds a reference to each set. Threads: confined. Limits: TARGETS_MAX targets of one
 * look, TARGET_TEXT_MAX bytes of a source.
 */
#ifndef TELEX_DISCOVER_TARGET_LIST_H
#define TELEX_DISCOVER_TARGET_LIST_H

#include "base/yaml.h"
#include "model/labels.h"

enum { TARGETS_MAX = 100 * 1000, TARGET_TEXT_MAX = 16 << 20 };

struct target_list {
    VEC(struct labels *) sets;
};

void target_list_release(struct target_list *l); /* for AUTO too */
void target_list_clear(struct target_list *l);

/* Adds references to all of <from>. */
void target_list_add_all(struct target_list *l, const struct target_list *from);

/* The same sets in the same order? */
bool target_list_eq(const struct target_list *a, const struct target_list *b);

/* Adds a set made of what <b> has; false past the limit, or when a label stands twice. */
MUST_USE bool target_list_add(struct target_list *l, struct labels_builder *b, struct err *e);

/* Reads groups from YAML or JSON; <source> names the place in errors and, with <label> (or NULL), becomes
 * that label of each target. What was read before a mistake stays in <l>. */
MUST_USE bool target_groups_read_yaml(struct target_list *l, struct str text, struct str source,
                                      const char *label, struct err *e);
MUST_USE bool target_groups_read_json(struct target_list *l, struct str text, struct str source,
                                      const char *label, struct err *e);

#endif
