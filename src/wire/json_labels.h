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

/* Adds pairs as an object, in the order given. */
void json_add_pairs(struct json_writer *w, const struct label *pairs, size_t count);

#endif
