/*
 * datasource.h - "answer this query": what rules ask, whoever answers.
 *
 * A datasource kind is one const table (here: prometheus, graphite, self; later embedded). An
 * instance answers instant queries by calling a row function per series, straight from the answer's
 * bytes, so that a caller who remembers the raw bytes of a series' labels never parses them again.
 *
 * Ownership: datasource_open()'s caller closes it; raw label bytes are borrowed for the row call.
 * Threads: any number of threads may query one instance at once. Limits: max_concurrent queries in
 * flight (others wait their turn within their deadline), max_response_bytes per answer, taken from
 * the process budget while it is read.
 */
#ifndef TELEX_DATASOURCE_DATASOURCE_H
#define TELEX_DATASOURCE_DATASOURCE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/options.h"
#include "base/str.h"
#include "base/thread.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct datasource;

/* A name and value sent with every query of a group (vmalert's params and headers). */
struct query_param {
    struct str name;
    struct str value;
};

struct query {
    struct str expr;
    int64_t time_ns;   /* evaluation time */
    int64_t end_ns;    /* with step_ns: a row per series for each step from time_ns to here */
    int64_t step_ns;   /* 0: an instant */
    struct str tenant; /* of a cluster: ACCOUNT or ACCOUNT:PROJECT; empty: the datasource's own */
    const struct query_param *params;
    size_t param_count;
    const struct query_param *headers;
    size_t header_count;
    struct wait wait;
};

/* Receives the series of an answer. Returning false ends the query with the error that row set. */
struct answer_sink {
    bool (*row)(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e);
    void *arg;
};

struct answer_info {
    bool is_scalar;         /* one row, without labels */
    bool is_partial;        /* the store says that it did not see everything */
    bool has_histograms;    /* native histograms were there and passed over */
    int64_t series_fetched; /* -1 when the store does not say */
    uint32_t warnings;      /* that came with it */
    uint32_t rows;
    size_t bytes;
};

/* What a kind understands. */
enum datasource_language { DATASOURCE_PROMQL, DATASOURCE_GRAPHITEQL };

struct datasource_kind {
    const char *name;
    enum datasource_language language;
    const char *help;
    const struct option_table *options;
    bool (*open)(const struct env *env, const void *config, struct str name,
                 struct datasource **ret_datasource, struct err *e);
    bool has_ranges; /* queries may have steps; rows of one series then come behind each other */
};

struct datasource_ops {
    bool (*query)(struct datasource *d, const struct query *q, const struct answer_sink *sink,
                  struct answer_info *ret_info, struct err *e);
    /* Pushes the pairs that <raw_labels> of a row stand for; texts live in <raw_labels> or <a>. */
    bool (*parse_labels)(struct datasource *d, struct str raw_labels, struct arena *a,
                         struct labels_builder *b, struct err *e);
    bool (*probe)(struct datasource *d, struct wait wait, struct err *e);
    /* Appends the request of a query as a curl command, without credentials; NULL: there is none. */
    void (*print_request)(struct datasource *d, const struct query *q, struct buf *out);
    void (*close)(struct datasource *d);
};

/* Instances embed this first. */
struct datasource {
    const struct datasource_ops *ops;
    const struct datasource_kind *kind;
    int64_t query_timeout_ns; /* as configured; 0: the kind has none */
    bool takes_batches;       /* speaks PromQL, and may be asked for many rules at once */
};

/* The kinds, each in a file of its own. */
extern const struct datasource_kind datasource_prometheus;
extern const struct datasource_kind datasource_graphite;
extern const struct datasource_kind datasource_self;

/* All kinds, NULL-terminated. */
extern const struct datasource_kind *const datasource_kinds[];

const struct datasource_kind *datasource_kind_find(struct str name);

/* As the ops say. Errors of a query keep their class: NET, TIMEOUT, AUTH, LIMIT, PARSE (its message
 * is the store's). */
MUST_USE bool datasource_query(struct datasource *d, const struct query *q,
                               const struct answer_sink *sink, struct answer_info *ret_info,
                               struct err *e);
MUST_USE bool datasource_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                                      struct labels_builder *b, struct err *e);
/* False when it asks nobody over a network; nothing is appended then. */
bool datasource_print_request(struct datasource *d, const struct query *q, struct buf *out);
MUST_USE bool datasource_probe(struct datasource *d, struct wait wait, struct err *e);
void datasource_close(struct datasource *d); /* NULL is fine */

#endif
