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

/* Keeps bytes that are no batch, with a JSON object that says where they are from (empty: nothing is known). */
MUST_USE bool dead_letters_add_raw(struct dead_letters *d, struct str bytes, struct str note,
                                   struct str reason, struct wait wait, struct err *e);

/* Bytes on disk, those that earlier runs left too. */
int64_t dead_letters_bytes(struct dead_letters *d);

/* What is kept, of earlier runs too. The first to ask has the folder read. */
struct dead_letters_sum {
    uint64_t letters;
    uint64_t records; /* in them; bytes that are no batch count as one */
};
struct dead_letters_sum dead_letters_sum(struct dead_letters *d);

/* The same of the events of one stream. */
struct dead_letters_sum dead_letters_sum_of(struct dead_letters *d, struct str stream);

/* Where they lie; as long as <d>. */
struct str dead_letters_folder(const struct dead_letters *d);

/* A letter as it lies there; all texts are part of the frame. */
struct dead_letter {
    uint64_t number; /* its name as long as it is kept */
    int64_t time_ns; /* wall; when it became one */
    uint32_t records;
    struct str reason;
    struct str note;   /* JSON; or empty */
    struct str stream; /* whose events they are; empty: they are no stream's */
    struct str bytes;  /* of a batch's frame, or of no batch */
    bool is_batch;
};

/* Shows the letters from <from> on, oldest first, until <visit> says false. */
MUST_USE bool dead_letters_walk(struct dead_letters *d, uint64_t from,
                                bool (*visit)(void *arg, const struct dead_letter *letter),
                                void *arg, struct err *e);

/* A letter leaves: it was delivered after all, or nobody wants it. One that left by itself is fine; false when there never
 * was one of that number.
 * It is not back after a kill once dead_letters_settle() said true. */
MUST_USE bool dead_letters_remove(struct dead_letters *d, uint64_t number, struct wait wait,
                                  struct err *e);
MUST_USE bool dead_letters_settle(struct dead_letters *d, struct wait wait, struct err *e);

/* Who keeps the letters of a folder: its only consumer, whose cursor moves when letters are dropped or replayed. */
extern const char dead_letters_consumer[];

/* Adds the rows of <view> to an opened log of letters, for consumer <bit> there; durable when true. */
MUST_USE bool dead_letter_append(struct log *log, unsigned bit, struct view view, struct str reason,
                                 struct wait wait, struct err *e);

/* Takes a letter apart; its number and time are not looked at. False when it is no letter. */
MUST_USE bool dead_letter_parse(uint16_t type, struct str payload, struct dead_letter *ret,
                                struct err *e);

/*
 * A letter that leaves before older ones do cannot be passed by the cursor: a mark behind it says that it is gone. False
 * when the frame is none; else its number, and how many records were in it.
 */
bool dead_letter_parse_mark(uint16_t type, struct str payload, uint64_t *ret_number,
                            uint32_t *ret_records);

#endif
