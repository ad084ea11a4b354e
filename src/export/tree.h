/*
 * tree.h - the config's exporters as they were written: entries, what stands on the spot in them,
 * and who names whom.
 *
 * Exporters come as a map of name to options, or as a list whose items have `name`, `type` and their
 * options either beside these or below `config`. A combinator's child is the name of an entry or an
 * exporter on the spot, in either form.
 *
 * Ownership: all of it lives in the caller's arena, save the secrets and conditions that
 * tree_release() frees. Threads: confined. Limits: PLAN_OUTPUTS_MAX entries, TREE_EXPORTERS_MAX
 * exporters, STAGE_DEPTH_MAX deep.
 */
#ifndef TELEX_EXPORT_TREE_H
#define TELEX_EXPORT_TREE_H

#include "export/plan.h"

enum { TREE_EXPORTERS_MAX = 256, TREE_UNMADE_MAX = 64 };

/* What one exporter is to another. */
enum tree_role {
    ROLE_CHILD,
    ROLE_CHILDREN,
    ROLE_CONDITION,
    ROLE_DEFAULT,
    ROLE_FALLBACK,
    ROLE_DLQ,
    ROLE_SELF_METRICS,
};

struct tree_exporter;

struct tree_link {
    enum tree_role role;
    struct str name; /* of an entry; empty: <to> stands on the spot */
    struct tree_exporter *to;
    const struct yaml_node *node;
    struct condition *when; /* ROLE_CONDITION */
    struct str when_text;
    struct str description;
};

struct tree_exporter {
    struct str name;   /* an entry's name; on the spot: its place, "both/file" */
    struct str simple; /* the last part of it */
    struct str path;   /* as <name>, but an only child without a name is PARENT/exporter: what
                          overrides call it */
    const char *env_prefix;
    const struct exporter_kind *kind;
    void *config;
    const struct yaml_node *node;      /* as it was written */
    const struct yaml_node *name_node; /* of an item of a list; NULL: the key of <node> */
    const struct yaml_node *options;
    const struct yaml_node *overrides; /* of single options, or NULL */
    bool is_entry;
    bool is_named; /* gets only what names it */
    bool is_referred;
    uint8_t visit; /* of tree_check() */
    unsigned depth;
    struct tree_link *links;
    size_t link_count;
    struct plan_expansion *expansion; /* the compiler's, once it is known */
};

struct tree {
    const struct option_source *source;
    struct arena *arena;
    const struct yaml_node *built_in;         /* entries beside those of the config, or NULL */
    const struct yaml_node *named;            /* as plan_sections has them, or NULL */
    const struct exporter_kind *const *kinds; /* beside those of the registry, or NULL */
    struct tree_exporter *exporters[TREE_EXPORTERS_MAX]; /* entries first come, first kept */
    size_t count;
    size_t entry_count;
    const struct yaml_node
        *unmade[TREE_UNMADE_MAX]; /* what variables without a value would have made */
    size_t unmade_count;
};

/* Reads `exporters`; what was read before a failure is the caller's to release all the same. */
MUST_USE bool tree_read(struct tree *t, const struct yaml_node *exporters, struct err *e);
void tree_release(struct tree *t);

/* The entry of that name, or NULL. */
struct tree_exporter *tree_find(const struct tree *t, struct str name);

/* Says that <name>, which stands at <node>, is no entry's, and which one was perhaps meant:
 * ERR_CONFLICT, since the entry may have been left out. */
bool tree_err_unknown(const struct tree *t, struct str name, const struct yaml_node *node,
                      struct err *e);

/* What was written for an option, or what overrides that; NULL when neither says anything. */
const struct yaml_node *tree_option(const struct tree_exporter *x, struct str key);

/* A hash of all that was said of <x> and of those that it stands around or names; <seed> goes into it. */
uint64_t tree_hash(const struct tree_exporter *x, uint64_t seed);

/* An error at the exporter's name. Always false. */
bool tree_err(const struct tree_exporter *x, struct err *e, enum err_code code, const char *fmt,
              ...) PRINTF_LIKE(4, 5) COLD;

/* The first link of that role, or NULL. */
struct tree_link *tree_link_of(const struct tree_exporter *x, enum tree_role role);

/* Is it a leaf: not an exporter around others? */
bool tree_is_leaf(const struct tree_exporter *x);

#endif
