/*
 * config_sources.h - the datasources of a config: the one without a name, and those by name.
 *
 * Ownership: all lives in the config's arena but secrets, which datasource_config_release() frees.
 * Threads: confined while reading, immutable after. Limits: DATASOURCES_MAX of them.
 */
#ifndef TELEX_APP_CONFIG_SOURCES_H
#define TELEX_APP_CONFIG_SOURCES_H

#include "base/options.h"
#include "datasource/datasource.h"
#include "datasource/datasource_options.h"
#include "rules/rule.h"

enum { DATASOURCES_MAX = 256 };

struct datasource_config {
    struct str name; /* empty: the one that rules ask when they name none */
    const struct datasource_kind *kind;
    struct datasource_common *common; /* of the kind's options */
    const struct yaml_node *node;
};

/* Reads one; <variables> is the prefix of its variables in the environment. */
MUST_USE bool datasource_config_read(const struct yaml_node *node,
                                     const struct option_source *source, const char *variables,
                                     struct arena *a, struct datasource_config *ret, struct err *e);
void datasource_config_release(const struct datasource_config *d);

/* Checks the name that <node> has in `datasources`. */
MUST_USE bool datasource_name_check(const struct yaml_node *node, struct err *e);

/* What rules need to know of it; <d> may be NULL. */
struct rule_source datasource_rule_source(const struct datasource_config *d);

#endif
