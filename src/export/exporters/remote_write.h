/*
 * remote_write.h - what the two versions of remote write share: the config, the address, and the sink that
 * tries 2.0 and falls back to 1.0.
 *
 * Who is sent 2.0 says how much was written; who does not say it does not know 2.0, whatever the status is.
 * Then, and when it refuses the type (415), the rest goes as 1.0, and all that comes later.
 *
 * Ownership: a config is the graph's; a sink owns those inside. Threads: as sink.h. Limits: in remote_write.c.
 */
#ifndef TELEX_EXPORT_EXPORTERS_REMOTE_WRITE_H
#define TELEX_EXPORT_EXPORTERS_REMOTE_WRITE_H

#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/measures.h"
#include "net/http_client.h"

enum {
    REMOTE_WRITE_ROWS_MAX = 10 * 1000, /* in a request that we make */
    REMOTE_WRITE_MESSAGE_MAX =
        16 * 1024 * 1024, /* before compression; receivers refuse from 32 MiB on */
};

struct remote_write_config {
    struct exporter_common common;
    struct http_client_config client;
    bool is_cluster;
    struct str tenant;
    int version; /* index into its choices: odd ones are 2.0 */
    struct measure_options measures;
};

/* What the URL lacks for rows of <b>, made in <a>. */
struct str remote_write_path(const struct remote_write_config *c, const struct batch *b,
                             struct arena *a);

extern const struct http_exporter remote_write_1;
extern const struct http_exporter remote_write_2;

/* A sink around one of each version, which it owns from now on. */
struct sink *remote_write_versions(const struct exporter_place *place, struct sink *v1,
                                   struct sink *v2);

#endif
