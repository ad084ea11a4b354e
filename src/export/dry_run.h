/*
 * dry_run.h - deliveries that are shown instead of made.
 *
 * A leaf that is opened with a dry run in its place hands over each thing it would have sent: what stands in
 * front (the request line and headers, an address) as text, and the bytes. Rows are then delivered. Nothing is
 * connected to and no file is made. Secrets in what stands in front are replaced.
 *
 * Ownership: borrowed; text and bytes live for the call. Threads: confined to who delivers. Limits: none.
 */
#ifndef TELEX_EXPORT_DRY_RUN_H
#define TELEX_EXPORT_DRY_RUN_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct exporter_place;
struct file_exporter;
struct http_client_config;
struct http_request;
struct level_exporter;
struct sink;

struct dry_run {
    void (*take)(void *arg, struct str exporter, struct str head, struct str body);
    void *arg;
};

/* Hands over a request as the client of <config> would send it. */
void dry_run_request(const struct dry_run *dry, struct str exporter,
                     const struct http_client_config *config, const struct http_request *request);

/* A leaf of lines that would be appended to <path>. */
void dry_run_open_lines(const struct exporter_place *place, const struct file_exporter *exporter,
                        const void *config, struct str path, struct sink **ret_sink);

/* A leaf that shows alerts as the request that would tell of them; what is no firing or ended alert is shown
 * nowhere, since the destination is not told of it. */
MUST_USE bool dry_run_open_level(const struct exporter_place *place,
                                 const struct level_exporter *exporter, const void *config,
                                 struct sink **ret_sink, struct err *e);

/* A leaf of what cannot show its bytes (a database): it shows its records as JSON lines. */
void dry_run_open_records(const struct exporter_place *place, struct sink **ret_sink);

#endif
