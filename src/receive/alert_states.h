/*
 * alert_states.h - what is known of alerts that others push: firing or resolved, since when.
 *
 * Senders repeat what fires, every minute or so; only a change is a record. An alert is known by its labels. A
 * firing one stays in its episode whatever start later posts say (two Prometheis side by side say two); after
 * it, only a later start begins another. A start behind the latest end that posts of the episode said is another
 * one too: whoever was to say that it ended did not. The table is in memory, in a file of the state folder now and
 * then, and in the ledger behind that file, which is replayed at the start: so what was acknowledged is known
 * after a kill too. What is in no durable frame yet is not in the file.
 *
 * Ownership: the app owns it, receivers borrow. Threads: any; who compares and gives holds the table meanwhile,
 * so that what is said twice at once is given once. Limits: <max> alerts of some 100 bytes; beyond, the
 * longest unheard of are forgotten, resolved ones first, and would be told again.
 */
#ifndef TELEX_RECEIVE_ALERT_STATES_H
#define TELEX_RECEIVE_ALERT_STATES_H

#include "base/env.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

struct alert_states;

struct alert_states *alert_states_new(const struct env *env);
void alert_states_free(struct alert_states *s); /* NULL is fine */

/* How many alerts are remembered from now on. */
void alert_states_limit(struct alert_states *s, size_t max);

/* Holds the table: begin and end stand around all of compare, held, and revert. */
void alert_states_begin(struct alert_states *s);
void alert_states_end(struct alert_states *s);

/* What is known of one alert. */
struct alert_known {
    int64_t episode_ns; /* the start that began it */
    int64_t ended_ns;   /* wall clock; of one that is resolved */
    int64_t seen_ns;    /* wall clock: when it was posted last */
    int64_t
        until_ns; /* of a firing one: the latest end that was said; 0: none, or not known any more */
    uint64_t seq; /* of the ledger's frame; 0: long on disk */
    bool is_firing;
};

/* What a post says. */
struct alert_said {
    const struct labels *labels;
    bool is_firing;
    int64_t starts_ns; /* 0: not said */
    int64_t ends_ns;   /* of a firing one: when it is over if nobody says more; 0: not said */
};

/* What comes of it. */
struct alert_news {
    bool is_news;       /* an edge, to be given; the table has it already */
    bool was_known;     /* <before> holds what stood there */
    int64_t episode_ns; /* of the edge */
    uint64_t seq;       /* no news: the frame that holds what is known */
    struct alert_known before;
    bool is_another; /* <ended> was firing, and is to be given as ended at its until_ns first */
    struct alert_known ended; /* <before> is what it is after that */
};

void alert_states_compare(struct alert_states *s, const struct alert_said *said, int64_t now_ns,
                          struct alert_news *ret_news);

/* The edge of <labels> is in frame <seq>. */
void alert_states_given(struct alert_states *s, const struct labels *labels, uint64_t seq);

/* It is in none: what stood there before stands again. */
void alert_states_revert(struct alert_states *s, const struct labels *labels,
                         const struct alert_news *news);

/* Frames from <first> to <last> were not held: what they say is forgotten, to be told again. Takes the table. */
void alert_states_lost(struct alert_states *s, uint64_t first, uint64_t last);

/* How many alerts are known, and a number that grows with each change. Take the table. */
size_t alert_states_count(struct alert_states *s);
uint64_t alert_states_changes(struct alert_states *s);

/* The frames up to <seq> are durable. Takes the table. */
void alert_states_held(struct alert_states *s, uint64_t seq);

/* The newest durable frame that edges are in; takes the table. */
uint64_t alert_states_seq(struct alert_states *s);

/* A seed for tables whose keys outsiders choose. */
uint64_t alert_states_seed(const struct alert_states *s);

/* Was <b> given by a receiver? Such edges are not for the rules' engine. */
bool alert_states_own(const struct batch *b);

/* Notes the edges of a frame of the ledger; at the start, in order. */
MUST_USE bool alert_states_replay(struct alert_states *s, struct batch *b, struct err *e);

/* Writes the table to a file, atomically; and reads it into an empty one. */
MUST_USE bool alert_states_save(struct alert_states *s, struct str path, struct err *e);
MUST_USE bool alert_states_load(struct alert_states *s, struct str path, struct err *e);

#endif
