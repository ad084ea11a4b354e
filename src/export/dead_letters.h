/*
 * dead_letters.h - what a destination will never take, kept on disk with the reason.
 *
 * One folder per output below the state folder, a log of its own; a frame is the reason and the
 * record's batch. Ownership: the output's lanes share one. Threads: any. Limits: the quota, beyond
 * which the oldest letters are dropped, counted by reason, or none are taken.
 */
#ifndef TELEX_EXPORT_DEAD_LETTERS_H
#define TELEX_EXPORT_DEAD_LETTERS_H

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

struct drops;
struct env;
struct exporter_dead_letters;
struct fs;
struct log;
struct dead_letters;

/* Nothing is opened until the first letter; <folder> and <name> are copied, the rest outlives it; <fs> NULL
 * is the system's. */
struct dead_letters *dead_letters_new(const struct env *env, struct str folder, struct str name,
                                      const struct exporter_dead_letters *quota,
                                      struct drops *drops, const struct fs *fs);
void dead_letters_free(struct dead_letters *d);

/* Keeps the rows of <view>; durable when true. */
MUST_USE bool dead_letters_add(struct dead_letters *d, struct view view, struct str reason,
                               struct wait wait, struct err *e);

/* Keeps bytes that are no batch. */
MUST_USE bool dead_letters_add_raw(struct dead_letters *d, struct str bytes, struct str reason,
                                   struct wait wait, struct err *e);

/* Bytes on disk, those that earlier runs left too. */
int64_t dead_letters_bytes(struct dead_letters *d);

/* Who keeps the letters of a folder: its only consumer, whose cursor moves when letters are dropped or replayed. */
extern const char dead_letters_consumer[];

/* Adds the rows of <view> to an opened log of letters, for consumer <bit> there; durable when true. */
MUST_USE bool dead_letter_append(struct log *log, unsigned bit, struct view view, struct str reason,
                                 struct wait wait, struct err *e);

/*
 * Takes a letter apart: why it is one, and the bytes of a batch's frame (or of no batch). All are part of
 * <payload>. False when it is no letter.
 */
MUST_USE bool dead_letter_parse(uint16_t type, struct str payload, struct str *ret_reason,
                                struct str *ret_bytes, bool *ret_is_batch, struct err *e);

#endif
