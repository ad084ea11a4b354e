/*
 * event_store.h - our own table of events, as the config has it: the file events.db of the state folder.
 *
 * Ownership: whoever opened closes. Threads: any. Limits: those of state/event_table.h and of the config.
 */
#ifndef TELEX_APP_EVENT_STORE_H
#define TELEX_APP_EVENT_STORE_H

#include "app/config.h"
#include "state/event_table.h"

extern const struct option_table event_store_options; /* of struct event_store_config */

/* Is there something in <c> that needs the table? */
bool event_store_is_wanted(const struct config *c);

/* Do streams of <c> deliver from it? */
bool event_store_has_readers(const struct config *c);

/* As a guest, beside a program that may have it open. */
MUST_USE bool event_store_open(const struct env *env, const struct config *c, bool is_guest,
                               struct event_table **ret_table, struct err *e);

/* What another config says of it. */
void event_store_use(struct event_table *table, const struct config *c);

#endif
