/*
 * pick.h - a batch of some rows of another.
 *
 * Ownership: the caller unrefs the batch that it gets; label sets are shared. Threads: any. Limits:
 * as batches.
 */
#ifndef TELEX_EXPORT_PICK_H
#define TELEX_EXPORT_PICK_H

#include "model/batch.h"

/* The rows of <view> as a batch of their own, with the same info and codec; the batch itself when
 * the view is whole. */
MUST_USE bool batch_pick(struct view view, struct batch **ret_batch, struct err *e);

#endif
