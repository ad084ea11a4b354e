/*
 * slices.h - instants out of ranges: a datasource that answers from what it asked for ahead.
 *
 * Going through the past slot by slot, a rule asks the same query a thousand times; the slices' owner has the
 * datasource behind asked once for all steps of a slice, and what asks for an instant gets the rows of its
 * step. Any other query goes to the datasource behind.
 *
 * Ownership: borrows the datasource behind. Threads: one at a time. Limits: SLICE_POINTS_MAX points; more is
 * the error LIMIT, and a shorter slice may do.
 */
#ifndef TELEX_DATASOURCE_SLICES_H
#define TELEX_DATASOURCE_SLICES_H

#include "datasource/datasource.h"

enum { SLICE_POINTS_MAX = 20 * 1000 * 1000 };

struct datasource *slices_new(struct datasource *behind);

/*
 * Asks for <q>'s steps, which are answered from here from then on; what was there before is forgotten. On
 * failure nothing is there.
 */
MUST_USE bool slices_fetch(struct datasource *slices, const struct query *q, struct err *e);

#endif
