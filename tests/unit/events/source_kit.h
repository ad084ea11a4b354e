/*
 * source_kit.h - a source of a kind, opened from YAML, for tests of sources.
 *
 * Ownership: the kit owns all of it. Threads: one. Limits: a folder in /tmp of its own.
 */
#ifndef TELEX_TESTS_SOURCE_KIT_H
#define TELEX_TESTS_SOURCE_KIT_H

#include "base/env.h"
#include "events/source.h"
#include "state/event_table.h"

struct source_kit {
    char folder[64];
    struct env env;
    struct arena arena;
    const struct source_kind *kind;
    void *config;
    struct event_table *table;
    struct source *source;
    struct source_begun begun;
    struct changes changes;
    struct err err;
    char position[256]; /* of the last change that was given, or of the start */
    char identity[256];
};

/* A folder, and a table in it where <has_table>. */
void source_kit_init(struct source_kit *k, bool has_table);
void source_kit_release(struct source_kit *k);

/* Parses <yaml> for <kind> and opens the source; ends an earlier one. */
void source_kit_open(struct source_kit *k, const struct source_kind *kind, const char *yaml);

/* As the last run left it; or for the first time. */
enum sourced source_kit_start(struct source_kit *k);
enum sourced source_kit_start_first(struct source_kit *k);

/* Up to <max> changes, waiting <ms>; <k->position> moves. */
enum sourced source_kit_next(struct source_kit *k, size_t max, int64_t ms);

/* Changes as text: "id@position:document" or columns or event data, with spaces between. */
void source_kit_print(const struct changes *c, struct buf *out);
void source_kit_expect(struct source_kit *k, const char *expected);

#endif
