/*
 * debug.h - what a leaf does for who debugs it: the options `debug:` of an exporter.
 *
 * Lines in the log for calls and payloads, the time that each step takes, and a look at what was encoded.
 * All is off by default and costs nothing then. Ownership: the leaf's. Threads: the leaf's. Limits: a
 * payload's line is cut as every line of the log.
 */
#ifndef TELEX_EXPORT_DEBUG_H
#define TELEX_EXPORT_DEBUG_H

#include "base/trace.h"
#include "export/exporter.h"
#include "export/exporter_options.h"

struct metric;

enum debug_stage { DEBUG_ENCODE, DEBUG_COMPRESS, DEBUG_SEND, DEBUG_JUDGE, DEBUG_STAGES };

/* "encode", "compress", "send", "judge": a label of telex_exporter_stage_seconds_total. */
const char *debug_stage_name(enum debug_stage stage);

struct debug {
    const struct exporter_debug *options;
    const struct env *env;
    struct str name;
    struct trace trace;
    struct metric *seconds[DEBUG_STAGES]; /* NULL: not measured */
    struct metric *requests;
    struct metric *schema_errors; /* NULL: nobody looks */
};

void debug_open(struct debug *d, const struct exporter_place *place,
                const struct exporter_common *common);
void debug_close(struct debug *d);

/* The time now, to be given to debug_measure(); 0 when nothing is measured. */
int64_t debug_now_ns(const struct debug *d);

/* A step ended that began at <since_ns>. */
void debug_measure(struct debug *d, enum debug_stage stage, int64_t since_ns);

/* A delivery ended: lines about it, where they are wanted. */
void debug_tell(struct debug *d, struct view view, const struct outcome *out, int64_t took_ns);

/* The same for what is no view: a request with <records>. */
void debug_tell_request(struct debug *d, size_t records, struct str body, const struct outcome *out,
                        int64_t took_ns);

static inline bool debug_wants_validation(const struct debug *d)
{
    return d->options->validate_schemas;
}

/* What was encoded is not what was meant: counts and says it. True when it is not to be sent. */
bool debug_refuses(struct debug *d, const struct err *e);

#endif
