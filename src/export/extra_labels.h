/*
 * extra_labels.h - the `labels` of an exporter's config, put onto records that have none of that name.
 *
 * Leaves know nothing of them: what calls a leaf's encoder hands it a view of a batch that has them.
 *
 * Ownership: the batch that is made borrows columns and texts of the one it was made from and of the
 * config, and must go before both. Threads: any. Limits: a record whose label set has no room for more
 * (labels.h) stays as it is.
 */
#ifndef TELEX_EXPORT_EXTRA_LABELS_H
#define TELEX_EXPORT_EXTRA_LABELS_H

#include "base/err.h"
#include "base/options.h"
#include "model/batch.h"

/* Are the names fit for labels? An error points at the first that is not. */
MUST_USE bool extra_labels_check(const struct option_map *extra, struct err *e);

/* <labels> with <extra>: a new reference to the same set when it lacks none of them. */
struct labels *extra_labels_merge(const struct option_map *extra, struct labels *labels);

/*
 * Makes <view> show the same rows of a batch that has <extra>: *ret_batch, which the caller unrefs
 * after the last use of the view; NULL when there is nothing to add. false when the batch does not
 * decode.
 */
MUST_USE bool extra_labels_view(const struct option_map *extra, struct view *view,
                                struct batch **ret_batch, struct err *e);

#endif
