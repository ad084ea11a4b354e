/*
 * mongo.h - MongoDB with our errors: who is there, a change stream, documents in the order of their _id.
 *
 * A thin layer over libmongoc. Documents come as relaxed extended JSON; resume tokens and values of _id as canonical
 * extended JSON, from which the server's own bytes can be made again. A stream's place is its token, or before there is one
 * the cluster's time.
 *
 * Ownership: whoever opens closes; texts that are given live in the caller's arena. Threads: a client is for one thread at a
 * time; libmongoc starts none of its own for it. Limits: calls are bounded by the timeouts of the connection string, ours
 * where it has none (MONGO_TIMEOUT_MS, waiting for changes MONGO_AWAIT_MS); nothing wakes them.
 */
#ifndef TELEX_DB_MONGO_H
#define TELEX_DB_MONGO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { MONGO_TIMEOUT_MS = 10000, MONGO_AWAIT_MS = 500, MONGO_DOCUMENT_MAX = 48 << 20 };

struct mongo;

enum mongo_answer {
    MONGO_OK,
    MONGO_NONE,        /* nothing came */
    MONGO_AWAY,        /* not to be reached, or without a primary: again later */
    MONGO_REFUSED,     /* credentials, rights, no replica set: a person must change something */
    MONGO_GONE,        /* what the token stands for is gone from the log */
    MONGO_INVALIDATED, /* the collection was dropped or renamed */
    MONGO_ANSWERS
};

/* Where a change stream stands. */
struct mongo_place {
    struct str token;    /* JSON; empty: none yet */
    uint32_t seconds;    /* the cluster's time; 0: not known */
    uint32_t ordinal;    /* within the second */
    bool is_invalidated; /* the token is that of an invalidation */
};

enum mongo_op { MONGO_INSERT, MONGO_UPDATE, MONGO_DELETE, MONGO_OPS };

struct mongo_change {
    enum mongo_op op;
    struct mongo_place place;
    struct str id;       /* as people write it: an ObjectId's hex, a string itself, else JSON */
    struct str document; /* relaxed JSON; of a deletion its key; without one "null" */
    struct str fault;    /* empty; or why there is no document */
    int64_t time_ns;     /* wall */
};

/* What a collection is asked for; texts are JSON. */
struct mongo_query {
    struct str after;      /* _id behind which to begin; empty: the first */
    struct str until;      /* the last _id; empty: none */
    struct str time_field; /* with from_ns: the field that says when; empty: the _id's own time */
    int64_t from_ns;       /* 0: none is too old */
    uint64_t skip;
    uint64_t limit; /* 0: all */
    bool backwards;
};

struct mongo_document {
    struct str id;
    struct str id_json; /* canonical: {"_id":...} */
    struct str document;
    struct str fault;
    int64_t time_ns; /* of an ObjectId; else 0 */
};

/* Was this program built with libmongoc? */
bool mongo_is_built_in(void);

/* Is <text> a connection string? *ret_database is the one it names, in <a>; perhaps none. The error never shows it. */
MUST_USE bool mongo_parse(const char *text, struct arena *a, struct str *ret_database,
                          struct err *e);

/* Does not talk to the server. */
MUST_USE bool mongo_open(const char *text, struct str database, struct str collection,
                         struct mongo **ret_mongo, struct err *e);
void mongo_close(struct mongo *m); /* NULL is fine */

/* Which replica set is it, in words that differ for another one; and what the time of the cluster is. */
enum mongo_answer mongo_look(struct mongo *m, struct arena *a, struct str *ret_name,
                             struct mongo_place *ret_now, struct err *e);

struct mongo_watch {
    struct mongo_place from;
    bool ops[MONGO_OPS];
};

/* Begins to watch; a watch before ends. */
enum mongo_answer mongo_watch(struct mongo *m, const struct mongo_watch *watch, struct err *e);

/* The next change, within MONGO_AWAIT_MS. */
enum mongo_answer mongo_next(struct mongo *m, struct arena *a, struct mongo_change *ret,
                             struct err *e);

/* Would mongo_next() give one without asking the server? */
bool mongo_has_more(const struct mongo *m);

/* Where there are no more: the token behind all that was given and what was passed over; false when none is known. */
bool mongo_token(struct mongo *m, struct arena *a, struct str *ret_token);

/* Visits documents; <visit> stops it with false. */
enum mongo_answer mongo_find(struct mongo *m, const struct mongo_query *q, struct arena *a,
                             bool (*visit)(void *arg, const struct mongo_document *d), void *arg,
                             struct err *e);

/* About how many a query would give; -1 when that cannot be said. */
int64_t mongo_count(struct mongo *m, const struct mongo_query *q);

#endif
