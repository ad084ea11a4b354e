/*
 * left_letters.h - dead letters of streams that do not run, in the folders that they had.
 *
 * A stream that is off, or taken out of the config, leaves its boxes below the state folder: changes that it could not read, and events
 * that a sink of its own refused. They are told until somebody throws them away.
 *
 * Ownership: borrows all, but for what is opened. Threads: any, while no stream of that name runs. Limits: none of its own.
 */
#ifndef TELEX_EVENTS_LEFT_LETTERS_H
#define TELEX_EVENTS_LEFT_LETTERS_H

#include "base/arena.h"
#include "events/stream_letters.h"

struct left_letters {
    struct dead_letters_sum sums[LETTER_BOXES];
};

/* Looked at without opening them. */
struct left_letters left_letters_count(struct str state_path, struct str name);
bool left_letters_is_any(const struct left_letters *l);

/* How many they are, where, and what a person can do; nothing when there are none. */
void left_letters_say(const struct left_letters *l, struct str state_path, struct str name,
                      struct buf *out);

/* Names of those streams that <config> does not run and that have letters. */
struct streams_config;
size_t left_letters_find(struct str state_path, const struct streams_config *config,
                         struct arena *a, struct str **ret_names);

/* To be freed. */
struct dead_letters *left_letters_open(const struct env *env, struct str state_path,
                                       struct str name, enum letter_box box);

#endif
