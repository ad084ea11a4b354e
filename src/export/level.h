/*
 * level.h - outputs that want the level of alerts, not their edges (Alertmanager).
 *
 * Such an output keeps no queue. It walks the current alerts, compares with what it last confirmed
 * to each target and sends the difference and the resends that are due. A restart forgets what was
 * confirmed and sends everything once more, with the same startsAt, which the destination takes as
 * the same alert.
 *
 * Ownership: the source (rules) owns alert state; views are borrowed during a walk. Threads: one
 * thread per output walks; the source locks as it must. Limits: a batch of LEVEL_BATCH alerts per
 * request.
 */
#ifndef TELEX_EXPORT_LEVEL_H
#define TELEX_EXPORT_LEVEL_H

#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stdint.h>

enum { LEVEL_BATCH = 256 };

struct env;
struct export_request;
struct exporter_place;
struct relabel;
struct output_status;
struct status_rule;

/* One alert as it stands. */
struct level_alert {
    char rule_id[40];      /* the source's own mark */
    uint64_t key;          /* identity of (labels, episode), in every process */
    uint64_t old_key;      /* what it was in files of earlier versions; 0: nothing */
    struct labels *labels; /* borrowed: ref to keep */
    bool firing;           /* false: resolved */
    bool unwatched;  /* nobody knows whether it still fires: it is not told, and not forgotten */
    int64_t asks_ns; /* its texts may take a query, which may take so long; 0: they do not */
    int64_t starts_at_ns; /* when it fired */
    int64_t ends_at_ns;   /* when it resolved; for a firing one 0 */
    int64_t interval_ns;  /* of its group, for endsAt */
    int64_t slot_ns;      /* of the evaluation that it is as of; 0: not known */
    struct str rule;      /* borrowed, as the labels; for routes */
    struct str group;
    const struct label *headers; /* notifier_headers of the group: win over those of the config */
    size_t header_count;
};

/* Which alerts an output is told of: asked once in an episode. */
struct level_filter {
    bool (*wants)(void *arg, const struct level_alert *alert); /* NULL: all of them */
    void *arg;
};

/* Where alerts are found: implemented by rules, injected by app. */
struct level_source {
    /* Visits firing alerts and those resolved less than 15 minutes ago. <visit> must not block. */
    void (*walk)(void *arg, void (*visit)(void *visit_arg, const struct level_alert *alert),
                 void *visit_arg);
    /* Appends the annotations of an alert as a JSON object and its generator URL; false when it is
     * gone. A text that would take longer than <wait> says so in its place. */
    bool (*describe)(void *arg, const struct level_alert *alert, struct wait wait,
                     struct buf *annotations, struct buf *generator_url);
    void *arg;
};

/* An alert ready to be encoded: what the exporter's file sees. */
struct level_item {
    struct level_alert alert;
    int64_t ends_at_ns; /* for a firing one: when the destination may take it as resolved if nothing
                           comes */
    struct str annotations; /* JSON object */
    struct str generator_url;
};

/* What a level exporter's file provides: the body for some alerts and what answers mean. Pure. */
struct level_exporter {
    bool (*request)(const void *config, const struct level_item *items, size_t count,
                    struct export_request *ret, struct err *e);
    /* Does <body> decode to these alerts? For who debugs; says what differs. NULL: nothing can be said. */
    bool (*validate)(const struct level_item *items, size_t count, struct str body, struct err *e);
    const struct status_rule *statuses;
    /* What the URL ends with, and in its place the path of a cheap question whether it is there, which
     * answers GET; NULL: there is none. */
    const char *alerts_path;
    const char *health_path;
    size_t client_offset;  /* of struct http_client_config in the config */
    size_t options_offset; /* of struct level_options in the config */
    size_t
        targets_offset; /* of struct level_targets_config; 0: it has one URL, that of the client */
};

struct level_options {
    int64_t
        resend_delay_ns; /* between two tellings of an unchanged alert; 0: its group's interval */
    int64_t max_resolve_ns; /* how long a firing one may last at most without being told again; 0:
                                as long as it comes to */
    bool utf8_names;        /* send names of labels as they are */
};

/* One of several destinations. */
struct level_target {
    struct str url;                /* the whole of it */
    const struct relabel *relabel; /* what becomes of an alert's labels; NULL: nothing */
};

struct level_output;

/* Starts the thread; it does nothing until there is a source. */
MUST_USE bool level_output_open(const struct level_exporter *exporter,
                                const struct exporter_place *place, const void *config,
                                const struct level_filter *filter, struct level_output **ret_output,
                                struct err *e);

/* The same for one of several destinations; its URL and rules are borrowed like <config>. */
MUST_USE bool level_output_open_at(const struct level_exporter *exporter,
                                   const struct exporter_place *place, const void *config,
                                   const struct level_filter *filter,
                                   const struct level_target *target,
                                   struct level_output **ret_output, struct err *e);

/* What a destination was told: taken from an output that has stopped, for one that has no source yet and takes it
 * over. */
struct level_memory;
struct level_memory *level_output_take_memory(struct level_output *o);
const struct level_memory *level_output_memory(const struct level_output *o); /* NULL: taken */
void level_output_remember(struct level_output *o, struct level_memory *memory);
void level_memory_free(struct level_memory *m); /* NULL is fine */

/* Where alerts are found from now on; NULL: nowhere (while rules are replaced). Returns when no
 * walk uses the old one. */
void level_output_set_source(struct level_output *o, const struct level_source *source);

/* Something changed: walk soon. */
void level_output_wake(struct level_output *o);

/* Sets in <ret> what a level output knows (level_meter.h). */
void level_output_status(struct level_output *o, struct output_status *ret);

/* Asks the thread to tell what changed and to end; does not wait. */
void level_output_drain(struct level_output *o);

/* The same, and waits for it until <wait> is over, then cancels it. The thread has ended when this
 * returns; status can still be asked. */
void level_output_stop(struct level_output *o, struct wait wait);

/* Stops at once. NULL is fine. */
void level_output_close(struct level_output *o);

#endif
