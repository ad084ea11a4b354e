/*
 * kept_letters.h - which letters of a folder are still kept, in memory: how many, and which left before older ones.
 *
 * Those that left keep their room on disk until the cursor has passed them; how much that is, is known.
 *
 * Ownership: whoever embeds it releases it. Threads: confined, or under the owner's lock. Limits: a number
 * per letter that left out of turn, until the cursor passed it; a name and two counts per stream that had one.
 */
#ifndef TELEX_EXPORT_KEPT_LETTERS_H
#define TELEX_EXPORT_KEPT_LETTERS_H

#include "base/fs.h"
#include "base/vec.h"
#include "export/dead_letters.h"

/* Of a stream whose events are among them. */
struct kept_share {
    struct str stream; /* owned */
    struct dead_letters_sum sum;
};

struct gone_letter {
    uint64_t number;
    int64_t bytes; /* of its frame, without what the log adds */
};

struct kept_letters {
    struct dead_letters_sum sum;
    VEC(struct kept_share) shares;
    VEC(struct gone_letter) gone; /* ascending */
    int64_t gone_bytes;           /* of all of them */
};

/* Counts what the folder of a log holds; nothing where there is none. */
void kept_letters_read(struct kept_letters *k, const struct fs *fs, struct str folder);
void kept_letters_release(struct kept_letters *k);

bool kept_letters_is_gone(const struct kept_letters *k, uint64_t number);

/* <stream>: whose events; or empty. */
void kept_letters_add(struct kept_letters *k, struct str stream, uint32_t records);
struct dead_letters_sum kept_letters_sum_of(const struct kept_letters *k, struct str stream);

/* A letter of a frame of so many bytes left out of turn. */
void kept_letters_note_gone(struct kept_letters *k, const struct dead_letter *letter,
                            int64_t bytes);

/* The cursor passes a frame: gives the records of a letter that was kept until now, 0 for anything else. */
uint32_t kept_letters_pass(struct kept_letters *k, uint64_t number, uint16_t type,
                           struct str payload);

#endif
