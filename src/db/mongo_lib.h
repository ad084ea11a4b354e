/*
 * mongo_lib.h - libmongoc, loaded when the first MongoDB is asked for; for src/db only.
 *
 * Linked in, it would set itself up in every program that has Telex in it before main() runs: counters in /dev/shm that a
 * kill leaves behind, a word on standard error where that fails, and the tables of ICU. libbson does none of that and is
 * linked.
 *
 * Ownership: the library stays loaded until the process ends; whoever asks gets a table of its own. Threads: any. Limits:
 * none.
 */
#ifndef TELEX_DB_MONGO_LIB_H
#define TELEX_DB_MONGO_LIB_H

#include "base/err.h"

#include <mongoc/mongoc.h>

#include <stdbool.h>

/* What is used of it, without the mongoc_ in front. */
#define MONGO_LIB(X)                        \
    X(client_command_simple)                \
    X(client_command_simple_with_server_id) \
    X(client_destroy)                       \
    X(client_get_collection)                \
    X(client_get_database)                  \
    X(client_get_read_prefs)                \
    X(client_new_from_uri_with_error)       \
    X(client_select_server)                 \
    X(client_set_appname)                   \
    X(client_set_error_api)                 \
    X(collection_count_documents)           \
    X(collection_destroy)                   \
    X(collection_find_with_opts)            \
    X(collection_get_name)                  \
    X(collection_set_read_concern)          \
    X(cursor_destroy)                       \
    X(cursor_error)                         \
    X(cursor_next)                          \
    X(database_destroy)                     \
    X(database_get_name)                    \
    X(init)                                 \
    X(log_set_handler)                      \
    X(read_concern_destroy)                 \
    X(read_concern_new)                     \
    X(read_concern_set_level)               \
    X(server_description_destroy)           \
    X(server_description_id)                \
    X(uri_destroy)                          \
    X(uri_get_database)                     \
    X(uri_has_option)                       \
    X(uri_new_with_error)                   \
    X(uri_set_option_as_int32)

struct mongo_lib {
#define MEMBER(name) __typeof__ (&mongoc_##name)(name);
    MONGO_LIB(MEMBER)
#undef MEMBER
};

/* Loads the library, or finds it loaded. Fails with ERR_CONFIG where it is not installed or not of our version. */
bool mongo_lib_load(struct mongo_lib *ret_lib, struct err *e);

#endif
