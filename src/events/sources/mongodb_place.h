/*
 * mongodb_place.h - where a change stream stands as text: "1700000000.3 {"_data":"8265..."}".
 *
 * The cluster's time stands first, for people and for a first start that has no token yet; then the token as JSON, which
 * behind "!" is that of an invalidation, past which only startAfter leads.
 *
 * Ownership: the token is a view of the text. Threads: any. Limits: none.
 */
#ifndef TELEX_EVENTS_SOURCES_MONGODB_PLACE_H
#define TELEX_EVENTS_SOURCES_MONGODB_PLACE_H

#include "base/buf.h"
#include "db/mongo.h"

void mongodb_place_add(struct buf *out, const struct mongo_place *p);
MUST_USE bool mongodb_place_parse(struct str text, struct mongo_place *ret);

#endif
