/*
 * listing.h - all groups with their rules, or all alerts, as JSON that is made while it is sent.
 *
 * A listing is opened, which finds the groups that the filter and the page leave, and then asked for piece after
 * piece, each of them within a view of its own: a slow reader holds nothing up and costs no memory. When the rules are
 * replaced meanwhile the listing breaks off, and whoever reads it must see that it is incomplete.
 *
 * Ownership: the listing borrows the filter and holds the rule set. Threads: one at a time. Limits: a piece is not
 * much longer than LISTING_PIECE bytes, one rule with its texts apart.
 */
#ifndef TELEX_RULES_LISTING_H
#define TELEX_RULES_LISTING_H

#include "base/buf.h"
#include "rules/engine.h"

enum { LISTING_PIECE = 32 * 1024 };

enum listing_kind { LISTING_RULES, LISTING_ALERTS };

/* Which of the groups; all zero is all of them. */
struct listing_page {
    int64_t group_limit; /* 0: no end */
    int64_t number;      /* from 1, as vmalert counts pages; 0: the first */
    struct str token;    /* as Prometheus does: where the page before ended; or empty */
};

/* Of all pages. */
struct listing_totals {
    int64_t page;
    int64_t pages;
    int64_t groups;
    int64_t rules;
};

struct listing;

/* False when there is no such page. */
MUST_USE bool listing_open(struct engine *en, enum listing_kind kind,
                           const struct engine_filter *filter, const struct listing_page *page,
                           struct listing **ret_listing, struct err *e);
void listing_free(struct listing *l); /* NULL is fine */

struct listing_totals listing_totals(const struct listing *l);

enum listing_step { LISTING_MORE, LISTING_END, LISTING_BROKEN };

/* Appends the next piece of {"groups": [...]} or {"alerts": [...]}. */
enum listing_step listing_next(struct listing *l, struct engine *en, struct buf *out);

#endif
