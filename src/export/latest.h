/*
 * latest.h - the last value of each series, for destinations that know no more: a page that is scraped, a
 * Pushgateway.
 *
 * A series is known by its labels. An older value never takes the place of a newer one; a staleness marker
 * takes the series away, and so does hearing nothing of it for <stale_after>. A table may pass
 * over samples that were that old already when they came, counted as dropped: a page shows them as if they
 * were new.
 *
 * Ownership: a table owns its sets and texts. Threads: any. Limits: <max_series> series; more are rejected.
 */
#ifndef TELEX_EXPORT_LATEST_H
#define TELEX_EXPORT_LATEST_H

#include "base/buf.h"
#include "base/env.h"
#include "base/options.h"
#include "export/sink.h"
#include "wire/prom_text.h"

struct latest_limits {
    int64_t stale_after_ns; /* 0: series stay */
    int64_t max_series;
    bool passes_over_old; /* samples that are older than <stale_after> when they come */
};

struct latest;

struct latest *latest_new(const struct env *env, const struct latest_limits *limits);
void latest_free(struct latest *t); /* NULL is fine */

/* From now on. Series beyond a smaller number stay until they leave by themselves. */
void latest_limit(struct latest *t, const struct latest_limits *limits);

/* Takes the samples of <view>; says in <ret> which were refused, and settles all of them. */
void latest_note(struct latest *t, struct view view, struct outcome *ret);

/* What a push is made of. */
struct latest_push {
    const struct option_list *by; /* labels whose values make a group */
    bool whole_groups;            /* all metrics of a group; otherwise those that are told of */
};

/*
 * The same, and makes a batch of what a Pushgateway must then be told, one row for each series: those of
 * all metrics that <view> has anything of, since a push replaces the metrics of a name. Rows of a group
 * stand together; groups that <view> has nothing of are left out.
 * ret_row_of[i] is the row that stands for row i of the view, UINT32_MAX where there is none; the array is
 * the caller's to mem_free(). NULL in *ret_batch: there is nothing to tell.
 */
MUST_USE bool latest_note_for_push(struct latest *t, struct view view,
                                   const struct latest_push *push, struct outcome *ret,
                                   struct batch **ret_batch, uint32_t **ret_row_of, struct err *e);

/* Appends all of it as a page. Made anew only when something changed. */
void latest_render(struct latest *t, enum prom_text_form form, struct buf *out);

size_t latest_count(struct latest *t);

#endif
