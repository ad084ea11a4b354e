/*
 * mongo_int.h - what the files of the MongoDB client share; for src/db only.
 *
 * Ownership: a client owns its stream. Threads: confined. Limits: as mongo.h.
 */
#ifndef TELEX_DB_MONGO_INT_H
#define TELEX_DB_MONGO_INT_H

#include "db/mongo.h"

#include "db/mongo_lib.h"

struct mongo {
    struct mongo_lib lib;
    char *text; /* the connection string, for what errors must not quote */
    mongoc_client_t *client;
    mongoc_database_t *database;
    mongoc_collection_t *collection;
    int64_t cursor; /* of a change stream, at <server>; 0: there is none (any more) */
    uint32_t server;
    bson_t *batch; /* the answer that <at> walks over; or NULL */
    bson_iter_t at;
    bool has_more;       /* <at> stands before a change */
    bson_t *token;       /* behind the batch; or NULL */
    bool is_invalidated; /* it is that of an invalidation */
};

/* What an error of libmongoc or the server means; says it. */
enum mongo_answer mongo_judge(const bson_error_t *error, const char *what, struct err *e);

/* The same, and hides what the error quotes of the password. */
enum mongo_answer mongo_fail(const struct mongo *m, const bson_error_t *error, const char *what,
                             struct err *e);

/* As text in <a>. */
struct str mongo_json(const bson_t *b, bool is_canonical, struct arena *a);
struct str mongo_id_text(const bson_iter_t *id, struct arena *a);

/* From what mongo_json() gave; NULL when it is not that. */
bson_t *mongo_bson(struct str json);

/* Ends a change stream, if there is one. */
void mongo_unwatch(struct mongo *m);

#endif
