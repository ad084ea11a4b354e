/*
 * discovery.h - a kind of discovery: one const table per way to find targets, and the registry of them.
 *
 * A kind says its key in a config, its options and how to look. A look asks once and gives the whole
 * list; when to look again, what to keep when a look fails and whom to tell is the runner's business
 * (discover.h), so a kind has no thread and no memory of targets.
 *
 * Ownership: tables are static; an opened discovery borrows its config. Threads: one discovery is used by
 * one thread at a time; looks end when their wait is over. Limits: as target_list.h.
 */
#ifndef TELEX_DISCOVER_DISCOVERY_H
#define TELEX_DISCOVER_DISCOVERY_H

#include "base/options.h"
#include "base/thread.h"
#include "discover/target_list.h"

struct env;
struct discovery;

/* What the config struct of each kind begins with. */
struct discovery_common {
    int64_t refresh_ns; /* between two looks; 0: one look is enough */
};

struct discovery_kind {
    const char *key;  /* in a config: "dns_sd_configs" */
    const char *name; /* "dns" */
    const char *help;
    const struct option_table *options; /* of one item of the list */
    /* Checks what the table cannot say; NULL when it says all. */
    bool (*check)(const void *config, const struct yaml_node *node, struct err *e);
    /* Does not talk to anyone. */
    bool (*open)(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e);
};

struct discovery_ops {
    /* All targets there are now; or *ret_same, when they are known to be those of the last look. */
    bool (*look)(struct discovery *d, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e);
    void (*close)(struct discovery *d);
};

/* What an opened discovery begins with. */
struct discovery {
    const struct discovery_ops *ops;
};

enum { DISCOVERY_KINDS = 5 };

/* All kinds, in the order of the docs. */
extern const struct discovery_kind *const discovery_kinds[DISCOVERY_KINDS];

extern const struct discovery_kind discovery_static;
extern const struct discovery_kind discovery_file;
extern const struct discovery_kind discovery_dns;
extern const struct discovery_kind discovery_http;
extern const struct discovery_kind discovery_consul;

extern const struct option_table discovery_static_options;
extern const struct option_table discovery_file_options;
extern const struct option_table discovery_dns_options;
extern const struct option_table discovery_http_options;
extern const struct option_table discovery_consul_options;

/* Rows of a config that finds targets: a struct option_tables per kind, in the order of the registry. */
struct discovery_lists {
    struct option_tables of[DISCOVERY_KINDS];
};

#define DISCOVERY_AT(base, i) \
    ((base) + offsetof(struct discovery_lists, of) + (i) * sizeof(struct option_tables))

#define DISCOVERY_ROWS(base)                                                                     \
    {.name = "static_configs",                                                                   \
     .type = OPTION_TABLES,                                                                      \
     .offset = DISCOVERY_AT(base, 0),                                                            \
     .table = &discovery_static_options,                                                         \
     .help = "Targets written here."},                                                           \
        {.name = "file_sd_configs",                                                              \
         .type = OPTION_TABLES,                                                                  \
         .offset = DISCOVERY_AT(base, 1),                                                        \
         .table = &discovery_file_options,                                                       \
         .help = "Targets from files, in JSON or YAML: lists of `{targets: [], labels: {}}`."},  \
        {.name = "dns_sd_configs",                                                               \
         .type = OPTION_TABLES,                                                                  \
         .offset = DISCOVERY_AT(base, 2),                                                        \
         .table = &discovery_dns_options,                                                        \
         .help = "Targets from DNS: SRV, A, AAAA or MX records."},                               \
        {.name = "http_sd_configs",                                                              \
         .type = OPTION_TABLES,                                                                  \
         .offset = DISCOVERY_AT(base, 3),                                                        \
         .table = &discovery_http_options,                                                       \
         .help = "Targets from a URL that answers with such a list in JSON."},                   \
    {                                                                                            \
        .name = "consul_sd_configs", .type = OPTION_TABLES, .offset = DISCOVERY_AT(base, 4),     \
        .table = &discovery_consul_options, .help = "Targets from Consul's catalog of services." \
    }

/* Has a config any of them? */
bool discovery_lists_any(const struct discovery_lists *lists);

/* Checks what tables cannot say; points errors into <node>, the mapping that the lists stand in. */
MUST_USE bool discovery_lists_check(const struct discovery_lists *lists,
                                    const struct yaml_node *node, struct err *e);

/* "30s" by default: the row of refresh_ns, which stands first. */
#define DISCOVERY_REFRESH_ROW(default_text)                                                  \
    {                                                                                        \
        .name = "refresh_interval", .type = OPTION_DURATION,                                 \
        .offset = offsetof(struct discovery_common, refresh_ns), .fallback = (default_text), \
        .min = 0.1, .max = 86400.0 * 365, .unit = "s", .help = "Time between two looks."     \
    }

#endif
