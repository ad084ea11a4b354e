/*
 * redelivery.h - dead letters of an exporter that runs, looked at and given again.
 *
 * What is given again goes through leaves of its own, with the exporter's stages and credentials, beside what is
 * delivered meanwhile: a letter that does not go holds up nothing.
 *
 * Ownership: uses the plan's graph of the moment, so it is closed before the plan changes or closes. Threads:
 * confined. Limits: what is given again goes to an exporter that comes to one consumer.
 */
#ifndef TELEX_EXPORT_REDELIVERY_H
#define TELEX_EXPORT_REDELIVERY_H

#include "export/dead_letters.h"
#include "export/plan.h"

struct redelivery;

/* Talks to nobody. */
MUST_USE bool redelivery_open(struct plan *p, struct str exporter, struct redelivery **ret,
                              struct err *e);
void redelivery_close(struct redelivery *r); /* NULL is fine */

/* Letters of the exporter; as long as <r> is open. NULL: it is several, each with letters of its own. */
struct dead_letters *redelivery_letters(struct redelivery *r);

/* The letters of each consumer that the exporter comes to. */
void redelivery_each_box(struct redelivery *r,
                         void (*visit)(void *arg, struct str exporter, struct dead_letters *box),
                         void *arg);

enum redelivered {
    REDELIVERED,       /* the destination has it, or a new letter has what it refuses of it */
    REDELIVERED_NOT,   /* it refuses all of it again */
    REDELIVERED_LATER, /* it is not to be had now, or refuses us */
};

/* <e> says why not; <ret_kept>: how many records are in a new letter. Of an exporter that is not several. */
enum redelivered redelivery_give(struct redelivery *r, struct batch *b, struct wait wait,
                                 uint32_t *ret_kept, struct err *e);

#endif
