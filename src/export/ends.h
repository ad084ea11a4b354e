/*
 * ends.h - how alerts end at each exporter, for one who keeps a history: delivered, with the fallback, among
 * the dead letters.
 *
 * Ownership: the plan owns it; the listener outlives the plan or is taken back. Threads: lanes tell, any thread
 * may exchange the listener and returns when nobody is told through the old one. Limits: a listener must not
 * wait. Samples are nobody's history: of them nothing is told.
 */
#ifndef TELEX_EXPORT_ENDS_H
#define TELEX_EXPORT_ENDS_H

#include "base/str.h"
#include "model/batch.h"

#include <stdbool.h>

struct end_listener {
    /* The rows of <view> ended at <exporter>: "delivered", "fallback" or "dead_letter". */
    void (*ended)(void *arg, struct str exporter, struct view view, const char *result,
                  struct str reason);
    void *arg;
};

struct ends;

struct ends *ends_new(void);
void ends_free(struct ends *ends); /* NULL is fine */

/* NULL: nobody listens. Copied. */
void ends_listen(struct ends *ends, const struct end_listener *listener);

/* Would it be told of these? */
bool ends_wants(struct ends *ends, struct view view);
void ends_tell(struct ends *ends, struct str exporter, struct view view, const char *result,
               struct str reason);

#endif
