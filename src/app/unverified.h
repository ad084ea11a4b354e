/*
 * unverified.h - says where a config turns the verification of certificates off.
 *
 * Ownership: the tree is borrowed. Threads: confined. Limits: those of the tree; what the environment or an
 * override says is not in it, and is told when its client is made.
 */
#ifndef TELEX_APP_UNVERIFIED_H
#define TELEX_APP_UNVERIFIED_H

#include "app/problems.h"
#include "base/yaml.h"

/* Warns of each `insecure_skip_verify: true` in <node> (or NULL), wherever it stands. */
void check_unverified(const struct yaml_node *node, struct problems *problems);

#endif
