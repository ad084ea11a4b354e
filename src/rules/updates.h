/*
 * updates.h - the last evaluations of a rule, packed: about ten bytes each.
 *
 * A rule keeps as many as its update_entries_limit says, 20 as a rule. Numbers are kept as differences
 * in variable length, and the text of an error once for all rules that failed alike, so that a store
 * that is down fills no memory with what it did not answer.
 *
 * Ownership: updates hold references to texts of the table that they came from; the table outlives
 * them. Threads: updates are confined or under their owner's lock, the table has its own. Limits:
 * UPDATES_MAX entries, ERROR_TEXT_MAX bytes of an error.
 */
#ifndef TELEX_RULES_UPDATES_H
#define TELEX_RULES_UPDATES_H

#include "base/arena.h"
#include "base/map.h"
#include "base/thread.h"
#include "rules/engine.h"

#include <stdint.h>

enum { UPDATES_DEFAULT = 20, UPDATES_MAX = 10000, ERROR_TEXT_MAX = 512 };

/* Texts of errors, each kept once. */
struct error_texts {
    struct lock lock;
    struct map map GUARDED_BY(lock);
};

struct error_text {
    struct str text;
    uint32_t refs; /* under the table's lock */
};

void error_texts_init(struct error_texts *t);
void error_texts_release(struct error_texts *t);

/* The one with this text (cut at ERROR_TEXT_MAX bytes), with a reference. */
struct error_text *error_text_get(struct error_texts *t, struct str text);
struct error_text *error_text_ref(struct error_texts *t, struct error_text *e); /* NULL is fine */
void error_text_unref(struct error_texts *t, struct error_text *e);             /* likewise */

struct updates {
    char *bytes;
    uint32_t len;
    uint32_t cap;
    uint32_t count;
    uint32_t error_count;
    int64_t base_ms;            /* time of the oldest, before its own difference */
    int64_t last_ms;            /* time of the newest */
    struct error_text **errors; /* of those that failed, oldest first */
};

/* Adds <entry> (its <error> is <error> already), with the oldest going once there are <limit>. */
void updates_add(struct updates *u, struct error_texts *texts, size_t limit,
                 const struct rule_update *entry, struct error_text *error);

/* All of them into <a>, newest first. */
size_t updates_read(const struct updates *u, struct arena *a, const struct rule_update **ret);
void updates_release(struct updates *u, struct error_texts *texts);

#endif
