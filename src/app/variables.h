/*
 * variables.h - which variables of the environment a config was asked for, and those that look like ours and were not.
 *
 * While a config and its rules are read, every name that is looked up is noted, whoever asks: options, ${NAME} in texts,
 * names of secrets. So there is no list of known variables that could be forgotten when an option is added. What Kubernetes
 * and Docker set for a service of that name is passed over.
 *
 * Ownership: the environment that it watches outlives it; who got variables_watch() asks no more after the release. Threads:
 * confined. Limits: none.
 */
#ifndef TELEX_APP_VARIABLES_H
#define TELEX_APP_VARIABLES_H

#include "app/config.h"
#include "base/map.h"

struct variables {
    const struct config_environment *environment;
    struct arena arena;
    struct map asked;
    VEC(char *) names; /* the same, in the order of asking */
};

void variables_init(struct variables *v, const struct config_environment *environment);
void variables_release(struct variables *v);

/* Has lookups of <environment> noted. */
void variables_watch(struct variables *v, struct config_environment *environment);

/* Warns of each variable with a prefix of ours that nobody asked for; never shows its value. */
void variables_tell(const struct variables *v, struct problems *problems);

#endif
