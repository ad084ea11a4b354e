/*
 * http_asker.h - what datasources over HTTP share: a client, a place for each query, metrics.
 *
 * At most max_concurrent queries are in flight; the others wait for a place within their own
 * deadline, so that a slow store holds its own rules and nobody else's. An answer is read whole under
 * the process budget, then given to the kind's reader while the place is still held.
 *
 * Ownership: init and release by the datasource; the client's config is borrowed. Threads: any number
 * may ask at once. Limits: those of the config.
 */
#ifndef TELEX_DATASOURCE_HTTP_ASKER_H
#define TELEX_DATASOURCE_HTTP_ASKER_H

#include "base/thread.h"
#include "datasource/datasource.h"
#include "net/http_client.h"

struct metric;

struct http_asker {
    const struct env *env;
    struct http_client *client;
    int64_t max_concurrent;
    struct lock lock;
    struct cond place_free;
    int64_t in_flight GUARDED_BY(lock);
    struct metric *queries;
    struct metric *failures;
    struct metric *seconds;
    struct metric *bytes;
};

/* A datasource called <name>, in metrics. */
MUST_USE bool http_asker_init(struct http_asker *a, const struct env *env,
                              const struct http_client_config *client, int64_t max_concurrent,
                              struct str name, struct err *e);
void http_asker_release(struct http_asker *a);

/*
 * Appends <base> with <path> behind its own; of the parameters in <base> those that the group of the
 * query sets too are left out.
 */
void http_asker_add_url(struct buf *out, struct str base, struct str path, const struct query *q);

/* What becomes of an answer. */
struct http_answer_reader {
    bool (*read)(void *arg, int status, struct str body, struct err *e);
    void *arg;
};

/* Asks, with the headers of the query beside those of <request>. */
MUST_USE bool http_asker_ask(struct http_asker *a, const struct http_request *request,
                             const struct query *q, const struct http_answer_reader *reader,
                             struct err *e);

/* The error of an answer that is no success and says no more than its text; always false. */
bool http_asker_fail(int status, struct str body, struct err *e);

#endif
