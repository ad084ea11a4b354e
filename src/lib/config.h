/*
 * config.h - what an application says about its hub, kept as it was said; compiled.h makes a plan of it.
 *
 * Ownership: owns copies of all texts, and holds its kinds of exporters. Threads: confined. Limits: LIB_CONFIG_MAX
 * bytes of text, LIB_SETTINGS_MAX options, LIB_KINDS_MAX kinds.
 */
#ifndef TELEX_LIB_CONFIG_H
#define TELEX_LIB_CONFIG_H

#include "base/str.h"
#include "base/vec.h"
#include <telex/telex.h>

#include <stdbool.h>

enum { LIB_CONFIG_MAX = 16 << 20, LIB_SETTINGS_MAX = 10000, LIB_KINDS_MAX = 64 };

/* An option that was set: its path, and a text or a piece of YAML. */
struct lib_setting {
    char *path;
    char *value;
    bool is_yaml;
};

/* What stands for a variable of the environment. */
struct lib_variable {
    char *name;
    char *value;
};

struct custom_kind;

struct telex_config {
    char *file; /* of the text, for errors; or NULL */
    char *text; /* or NULL */
    size_t text_len;
    VEC(struct lib_setting) settings;
    VEC(struct lib_variable) variables;
    VEC(struct custom_kind *) kinds;
    unsigned debug; /* enum telex_debug, for all exporters */
    bool has_debug; /* it was said */
};

/* The variable as the config has it, else the environment's; NULL when unset. <arg> is the config. */
const char *lib_config_lookup(void *arg, const char *name);

#endif
