/*
 * prom_text_int.h - what the reader of lines and the checker of OpenMetrics share. Included only inside
 * this folder.
 *
 * The checker sees every line of a text in order and says what is wrong with it, without a place; the
 * reader knows that. Ownership: the checker's memory is in its arena. Threads: confined. Limits: the
 * arena's.
 */
#ifndef TELEX_WIRE_PROM_TEXT_INT_H
#define TELEX_WIRE_PROM_TEXT_INT_H

#include "wire/prom_text.h"

struct om_check;

/* A checker in <a>. */
struct om_check *om_check_new(struct arena *a);
void om_check_free(struct om_check *c);

/* What is wrong with the line; NULL: nothing. */
const char *om_check_meta(struct om_check *c, const struct prom_meta *m);
const char *om_check_sample(struct om_check *c, const struct prom_sample *s);

/* The text has ended. */
const char *om_check_end(struct om_check *c);

/* The value of a label; empty when absent. */
struct str prom_sample_label(const struct prom_sample *s, struct str name);

#endif
