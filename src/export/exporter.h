/*
 * exporter.h - an exporter kind: one const table per destination, and the registry of them.
 *
 * A kind says its name, which records it takes, its options and how to open a leaf. Parsing,
 * validation, environment overrides, help and the reference page all come from the options table.
 * Adding a destination is adding one file with one table and one line in registry.c
 * (CONTRIBUTING.md shows it).
 *
 * Ownership: tables are static; a config struct belongs to the graph that parsed it and outlives
 * its sinks. Threads: tables are const. Limits: per kind, in its table.
 */
#ifndef TELEX_EXPORT_EXPORTER_H
#define TELEX_EXPORT_EXPORTER_H

#include "base/err.h"
#include "base/options.h"
#include "base/str.h"
#include "export/sink.h"
#include "model/batch.h"

#include <stdbool.h>

struct env;
struct http_exporter;
struct level_exporter;
struct taps;
struct call_meters;
struct dry_run;
struct gates;
struct attempts;
struct oauth2_pool;
struct pages;

#define TAKES(kind) (1U << (kind))

enum exporter_caps {
    EXPORTER_SERIES = 1, /* a time series store: gets ALERTS and ALERTS_FOR_STATE too */
    EXPORTER_LEVEL = 2,  /* wants the level of alerts, not their edges: export/level.h */
    EXPORTER_NAMED = 8,  /* gets only what names it, nothing by default */
    EXPORTER_TELLS = 16, /* tells people, and is no place for data */
    EXPORTER_SHOWS = 32, /* its leaf looks at a dry run in its place; those over HTTP all do */
    EXPORTER_STALE = 4,  /* takes staleness markers; the leaves of others pass over them */
    EXPORTER_ONCE = 128, /* what it writes and our place in a log are one transaction */
    EXPORTER_SPANS_APART = 64, /* spans have an address of their own: they are owed by themselves */
};

/* Which lane of which log a leaf delivers for, in order: what rows are called in a position that a
 * destination keeps for us (positions.h). */
struct lane_place {
    struct str consumer; /* by its way through the config */
    struct str log;      /* "ledger", "bulk" */
    unsigned index;      /* of <lanes> */
    unsigned lanes;
    /* Is frame <seq> still held for the consumer, and is it the one that was appended then? */
    bool (*holds)(void *arg, uint64_t seq, int64_t time_ns);
    void *arg;
};

/* Where a leaf stands: what it may keep and how it is called. */
struct exporter_place {
    const struct env *env;
    const struct exporter_kind *kind;   /* of the leaf that is opened */
    struct str name;                    /* the exporter's name in the config */
    struct str data_folder;             /* its own, below state.path */
    const struct option_ints *retry_on; /* statuses that are tried again; NULL or none: as the
                                           exporter's table says */
    unsigned shares;     /* sinks of this exporter side by side (lanes, logs); 0 is one */
    struct taps *taps;   /* who looks at what is sent (tap.h); or NULL */
    struct gates *gates; /* of the parallel multis of the config (gate.h); or NULL: no limits */
    struct call_meters *meters; /* what calls came to, by name (call_meter.h); or NULL */
    struct attempts *attempts;  /* what requests came to (attempts.h); or NULL */
    struct oauth2_pool *tokens; /* shared by sinks of equal settings; NULL: each has its own */
    struct pages *pages;        /* what is served (pages.h); or NULL: nothing is */
    bool halts;        /* nothing behind a row that is refused is to be delivered before it */
    bool is_apart;     /* one of several that this consumer calls: its figures have the name
                                   of the stage, not the consumer's */
    struct ends *ends; /* who is told how records end (ends.h); or NULL */
    const struct dry_run *dry;     /* what is sent is shown to it instead; or NULL */
    const struct lane_place *lane; /* NULL: rows may come in any order, or from elsewhere */
};

struct stage_config;

enum { EXPORTER_CHILDREN_MAX = 32 };

/* What becomes of a kind in the delivery plan: export/compile.h. */
enum combinator {
    COMBINATOR_NONE,   /* a leaf, or with .stage: a sink around its one child's */
    COMBINATOR_BUFFER, /* options of the consumer */
    COMBINATOR_RESILIENT,
    COMBINATOR_MULTI,
    COMBINATOR_CONDITIONAL,
};

/* How a combinator that works below the log is opened: export/stage.h. */
struct stage_kind {
    /* What the sinks inside are told in place of what stands outside; NULL: the same. */
    void (*inside)(const void *config, struct exporter_place *place);
    /* A sink around <children>, which it owns from now on; on failure they stay the caller's. */
    bool (*open)(const struct exporter_place *place, const struct stage_config *config,
                 struct sink **children, struct sink **ret_sink, struct err *e);
};

struct exporter_kind {
    const char *name;
    const char *const *aliases;       /* NULL-terminated other names of it, or NULL */
    const struct option_usual *usual; /* of struct option_source; or NULL */
    const char *help;                 /* one sentence */
    const char *example; /* YAML of one exporter, for the docs; a test runs check on it */
    unsigned takes;      /* TAKES(RECORD_SAMPLE) | ... */
    unsigned caps;
    enum combinator combinator;
    /* A stage that cannot stand above a conditional says why; NULL: it can. */
    const char *not_above_conditional;
    const char *not_above_parallel; /* the same of exporters side by side */
    const struct option_table *options;
    /* Checks what the table cannot say; NULL when it says all. Points errors at <node>. */
    bool (*check)(const void *config, const struct yaml_node *node, struct err *e);
    /* Is there something about a config that works and that is perhaps not what was meant? Says it, with the
     * position of the option where it is about one. */
    bool (*advise)(const void *config, const struct yaml_node *node, struct err *e);
    /* For a kind with EXPORTER_LEVEL: what the level runner sends; then open is NULL. */
    const struct level_exporter *level;
    /* For a combinator that becomes a stage; then open is NULL. */
    const struct stage_kind *stage;
    /* For a kind that speaks HTTP: what its open() gives to http_sink_open(). */
    const struct http_exporter *http;
    /* Does it say what samples are (type, help, unit), so that it is worth knowing? NULL: no. */
    bool (*says_types)(const void *config);
    /* Appends what it writes to, of which no other should think that it is its own; NULL: nothing like that. */
    void (*add_own_place)(const void *config, struct str name, struct buf *out);
    /* Appends what the names of what it makes there are made from; two that are the same are mixed up by who collects. */
    void (*add_own_names)(const void *config, struct str name, struct buf *out);
    /* Appends the address and port that it listens on; NULL: none. */
    void (*add_listen)(const void *config, struct buf *out);
    /* Can two of the kind stand in one config? False with the reason; NULL: they always can. */
    bool (*agrees)(const void *config, const void *other, struct err *e);
    /* Opens a leaf; does not talk to the destination. */
    bool (*open)(const struct exporter_place *place, const void *config, struct sink **ret_sink,
                 struct err *e);
};

/* All kinds, NULL-terminated, in the order of the docs. */
extern const struct exporter_kind *const exporter_kinds[];

/* For says_types: it does, whatever the config. */
bool exporter_says_types(const void *config);

/* By its name or an alias of it; NULL without. */
const struct exporter_kind *exporter_kind_find(struct str name);

/* The same among <kinds>, NULL-terminated, or NULL for none. */
const struct exporter_kind *exporter_kind_among(const struct exporter_kind *const *kinds,
                                                struct str name);

/* The name of the kind that was perhaps meant; NULL when none is near. */
const char *exporter_kind_nearest(struct str name);

#endif
