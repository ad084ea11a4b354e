/*
 * json_labels.h - label sets and lists of pairs as JSON objects.
 *
 * Ownership: borrowed. Threads: confined, as the writer. Limits: the writer's.
 */
#ifndef TELEX_WIRE_JSON_LABELS_H
#define TELEX_WIRE_JSON_LABELS_H

#include "model/labels.h"
#include "wire/json.h"

/* Adds a set as an object; without __name__ when <nameless>. */
void json_add_labels(struct json_writer *w, const struct labels *l, bool nameless);

/*
 * For who writes many lines: the object at <to> of a set that is not empty and whose texts need no escapes;
 * gives what stands behind it, or NULL for other sets. There are json_plain_labels_room() bytes.
 */
size_t json_plain_labels_room(const struct labels *l);
char *json_put_plain_labels(char *to, const struct labels *l, bool nameless);

/* Adds pairs as an object, in the order given. */
void json_add_pairs(struct json_writer *w, const struct label *pairs, size_t count);

#endif
