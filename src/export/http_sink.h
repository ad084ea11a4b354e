/*
 * http_sink.h - the one leaf over HTTP; an HTTP exporter is two pure functions and a table of
 * statuses.
 *
 * The sink owns URL, auth, TLS, proxy, compression, connections (net/http_client.h) and the labels
 * of the config, which begins with struct exporter_common. The exporter says what the next request is, taking as many rows as fit the destination's limits, and
 * what an answer means. No thread, no lock, no socket in the exporter's file.
 *
 * Ownership: request parts are borrowed until the next call of next_request or the end of deliver.
 * Threads: as sink.h. Limits: the destination's, in http_limits.
 */
#ifndef TELEX_EXPORT_HTTP_SINK_H
#define TELEX_EXPORT_HTTP_SINK_H

#include "base/arena.h"
#include "base/buf.h"
#include "export/exporter.h"
#include "export/grpc_call.h"
#include "export/sink.h"
#include "export/validate.h"

struct http_response;

enum { HTTP_EXPORT_HEADERS_MAX = 48 };

enum body_encoding { BODY_PLAIN, BODY_GZIP, BODY_ZSTD, BODY_SNAPPY, BODY_DEFLATE, BODY_ZSTD1 };

struct export_header {
    struct str name;
    struct str value;
};

/* One request. The sink clears it and gives it an arena and an empty body before next_request fills
 * it. */
struct export_request {
    const char *method;
    struct str url;  /* instead of the exporter's URL, when set */
    struct str path; /* appended to the exporter's URL; with query; empty: the URL itself */
    struct export_header headers[HTTP_EXPORT_HEADERS_MAX];
    size_t header_count;
    enum body_encoding encoding; /* what the sink does to the body before it is sent */
    bool body_is_encoded;        /* the bytes are in that encoding already */
    bool is_grpc;                /* the body is the one message of a call, over HTTP/2 */
    struct str whole_body; /* used instead of <body> when ptr is set: bytes that travel untouched */
    struct buf body;
    struct arena *arena;
    int64_t now_ns;     /* wall, for destinations that take only what is new enough; 0: not known */
    size_t encoded_max; /* a body of more bytes on the wire is not sent, but halved; 0: no limit */
    /*
     * For rows that make several requests: which of them this is, from 0. When another one of *row is
     * to come, next_request leaves *row where it is and adds one.
     */
    uint32_t part;
};

struct export_answer {
    int status;      /* of a call of gRPC the one of HTTP that says the same */
    struct str body; /* cut at 64 KiB; of a call of gRPC the message */
    int64_t retry_after_ms;
    const struct grpc_answer *grpc;       /* of a call of gRPC; else NULL */
    const struct http_response *response; /* for its headers; NULL where mend() is asked */
};

/* first..last (inclusive) -> verdict; the first row that fits wins; the last row of a table covers
 * everything. */
struct status_rule {
    int first;
    int last;
    enum verdict verdict;
};

struct http_exporter {
    /*
     * Fills <ret> with the request for rows from *row on and moves *row past them. Rows that cannot
     * be sent are excepted in <out> (index into the view); rows that mean nothing to the destination
     * are passed over. With nothing to send of the rows that it moved *row past, or of all when it did not
     * move, it leaves ret->method NULL. With false all rows up to *row are rejected, or all there are when it
     * did not move.
     */
    bool (*next_request)(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e);
    const struct status_rule *statuses;
    /*
     * For answers that say more than their status (a partial write): may change the verdict of rows
     * first..end-1; NULL when statuses say all.
     */
    void (*judge)(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out);
    /*
     * For answers that another request can mend (a database that is not there yet): fills it and
     * says true. It is sent at most once per view; when it is taken, the request that was answered is
     * sent again. NULL: nothing can be mended.
     */
    bool (*mend)(const void *config, struct view view, const struct export_answer *answer,
                 struct export_request *ret);
    /*
     * Does <body>, as it was before compression, decode to the rows that it was made of? For who debugs
     * (debug.validate_schemas); says what differs. Pure. NULL: nothing can be said.
     */
    bool (*validate)(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e);
    /*
     * The address, made in <a>, of a question that costs the destination next to nothing and is
     * answered to GET when it is there; empty: there is none. NULL: never.
     */
    struct str (*probe_url)(const void *config, struct arena *a);
    /* The same as a request of its own, which is judged by its status. NULL: never. */
    void (*probe)(const void *config, struct export_request *ret);
    /* Records of one request at most, of those that take most; NULL: one. */
    uint32_t (*rows_max)(const void *config);
    size_t client_offset; /* of struct http_client_config in the config struct */
};

/* A leaf for <exporter>; <config> is borrowed. */
MUST_USE bool http_sink_open(const struct http_exporter *exporter,
                             const struct exporter_place *place, const void *config,
                             struct sink **ret_sink, struct err *e);

/* The configured URL with its path cut at <suffix>, where it ends so, and <path> behind it. */
struct str http_probe_url(const struct http_client_config *client, const char *suffix,
                          const char *path, struct arena *a);

/* The configured server with <path> instead of its own; empty where there is none. For an option health_path,
 * which the other checks. */
struct str http_health_url(const struct http_client_config *client, struct str path,
                           struct arena *a);
MUST_USE bool http_health_path_check(struct str path, const struct yaml_node *node, struct err *e);

/* Asks that address with GET: see struct sink_ops. <answer> is the caller's, for the body. */
enum probed http_probe(struct http_client *client, struct str url, struct buf *answer,
                       struct wait wait, struct err *e);

/* The usual table: 2xx DELIVERED, 401 403 410 415 HALT, 408 425 429 5xx RETRY, 3xx HALT, other 4xx
 * REJECTED. */
extern const struct status_rule http_statuses_usual[];

enum verdict status_verdict(const struct status_rule *rules, int status);

#endif
