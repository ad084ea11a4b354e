/*
 * alert_edges.h - what a push of alerts comes to: edges for those that are news, given to the plan.
 *
 * Edges that share what a batch shares (name, generator, where to) make one batch. An alert that says
 * export_to_datastore "true" and names an export_datastore goes to that exporter when it fires, as one of a rule
 * does; all else follows the routes. Ids come from what the alert says, so a push that comes twice gives the same
 * ids. Ownership: borrows the push. Threads: confined; the table is held meanwhile. Limits: the push's.
 */
#ifndef TELEX_RECEIVE_ALERT_EDGES_H
#define TELEX_RECEIVE_ALERT_EDGES_H

#include "export/plan.h"
#include "receive/alert_states.h"
#include "wire/alert_push.h"

struct history;

/* Who gives what. */
struct alert_giver {
    struct plan *plan;
    struct alert_states *states;
    struct history *history; /* or NULL */
    int64_t now_ns;          /* wall clock */
};

/* What became of a push. */
struct alerts_given {
    uint64_t first_seq; /* frames that hold what it says, this or an earlier push; 0: none */
    uint64_t last_seq;
    uint32_t firing; /* edges */
    uint32_t resolved;
    uint32_t unchanged;
    uint64_t unrouted;      /* edges that no output was chosen for */
    uint64_t unknown_names; /* edges that name an exporter which is not there */
};

/*
 * Gives what is news in <push>. False when not all of it was taken: what was is known then, and the rest will
 * be news again.
 */
MUST_USE bool alerts_give(const struct alert_giver *giver, const struct alert_push *push,
                          struct alerts_given *ret_given, struct err *e);

#endif
