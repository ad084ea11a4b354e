/*
 * relabel.h - Prometheus' relabel config: rules that change a label set, or drop it.
 *
 * Rules run in order; each has an action (replace, keep, drop, hashmod, labelmap, labeldrop, labelkeep,
 * lowercase, uppercase, keepequal, dropequal), whose meaning and defaults are those of Prometheus, or one that
 * vmalert has besides (replace_all, labelmap_all, keep_if_equal, drop_if_equal, keep_if_contains,
 * drop_if_contains, graphite); and perhaps an `if`, the selector of the sets that it is for (a `keep` drops the
 * others).
 * lowercase and uppercase change ASCII letters. A regular expression that passes its step limit counts
 * as not matching; a set that grows past what a set can hold stays as it was. A set that ends without
 * labels is dropped.
 *
 * Ownership: compiled rules own their texts; a work belongs to whoever calls and is used again and
 * again. Threads: rules are immutable and for any thread, a work for one. Limits: RELABEL_RULES_MAX
 * rules, RELABEL_TEXT_MAX bytes of a joined or made value.
 */
#ifndef TELEX_MODEL_RELABEL_H
#define TELEX_MODEL_RELABEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/yaml.h"
#include "model/labels.h"

enum { RELABEL_RULES_MAX = 1024, RELABEL_TEXT_MAX = 1 << 20 };

struct relabel;

/* Compiles a sequence of rules; what is wrong is pointed at in the file. */
MUST_USE bool relabel_compile(const struct yaml_node *rules, struct relabel **ret_relabel,
                              struct err *e);
void relabel_free(struct relabel *r); /* NULL is fine */
DEFINE_AUTOFREE(relabel)

/* Memory that applying needs. */
struct relabel_work {
    struct labels_builder builder;
    struct arena arena;
    struct buf joined;
    struct buf made;
    bool changed;
};

void relabel_work_init(struct relabel_work *w);
void relabel_work_release(struct relabel_work *w);

/* A reference to what the rules make of <labels>: to the same set when they change nothing; NULL when
 * they drop it. */
struct labels *relabel_apply(const struct relabel *r, struct relabel_work *w,
                             struct labels *labels);

#endif
