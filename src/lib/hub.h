/*
 * hub.h - a hub as the library's files see it.
 *
 * Ownership: telex_open() makes it, telex_close() frees it. Threads: any; <changing> is held by the one who
 * changes the config, <lock> for moments. Limits: telex.h's.
 */
#ifndef TELEX_LIB_HUB_H
#define TELEX_LIB_HUB_H

#include "base/budget.h"
#include "base/env.h"
#include "base/fs_memory.h"
#include "base/rand.h"
#include "lib/compiled.h"
#include "lib/ring.h"
#include "lib/writer.h"
#include "net/net.h"

/* A page that a child of fork() sees zeroed. */
struct hub_mark {
    _Atomic uint32_t is_own;
};

struct telex_hub {
    struct hub_mark *mark;
    struct ring ring;
    struct writer writer;
    struct env env;
    struct rng rng;
    struct budget budget;
    struct net net;
    struct fs_memory *memory; /* NULL: there is a state folder */
    struct plan *plan;
    struct lock changing;
    struct lock lock;
    struct compiled *now GUARDED_BY(lock);
    struct compiled *next GUARDED_BY(lock); /* while it is being put in place; else NULL */
};

/* Is the hub this process's? */
static inline bool hub_is_own(const struct telex_hub *hub)
{
    return hub != NULL && atomic_load_explicit(&hub->mark->is_own, memory_order_relaxed) != 0;
}

/* TELEX_OK where it is; TELEX_FORKED, or TELEX_INVALID for none, told in <error>. */
int hub_check(const struct telex_hub *hub, struct telex_error *error);

/* What names of outputs may point into; held while one is looked at. */
struct hub_view {
    struct compiled *now;
    struct compiled *next;
};
struct hub_view hub_view_begin(struct telex_hub *hub);
void hub_view_end(struct hub_view *v);

#endif
