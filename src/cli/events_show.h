/*
 * events_show.h - what the API says of change streams, printed for a person.
 *
 * One line for each stream of a list, all of a single one. Ownership: borrows the nodes. Threads: the main thread.
 * Limits: a reason is cut in a list.
 */
#ifndef TELEX_CLI_EVENTS_SHOW_H
#define TELEX_CLI_EVENTS_SHOW_H

#include "wire/json.h"

/* Prints the list or the stream that <data> is, or nothing if <quietly>. False when one of them is not ready. */
bool events_show(const struct json_node *data, bool quietly);

/* Prints what the last change of the stream came to, when it is done and there is something to say. */
void events_show_outcome(const struct json_node *data);

#endif
