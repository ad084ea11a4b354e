/*
 * compiled.h - a config read whole: settings of the hub and the delivery plan, complete and right.
 *
 * Ownership: counted, since who looks at a hub may still see the plan of before. Threads: immutable; counting
 * from any. Limits: config.h's and those of the plan.
 */
#ifndef TELEX_LIB_COMPILED_H
#define TELEX_LIB_COMPILED_H

#include "export/plan.h"
#include "lib/config.h"

#include <stdatomic.h>

struct lib_log_settings {
    int level;  /* enum trace_level */
    int format; /* enum trace_format */
};

struct lib_place_settings {
    struct str path;
};

struct lib_limits {
    int64_t ring_bytes;
    int64_t memory_bytes; /* of the log, where there is no state folder */
    int64_t budget_bytes; /* for what others decide the size of */
};

/* The sections of the text. */
struct lib_settings {
    struct lib_place_settings state;
    struct lib_place_settings secrets;
    struct lib_log_settings log;
    struct lib_limits limits;
    const struct yaml_node *exporters;
    const struct yaml_node *routes;
};

extern const struct option_table lib_options;

struct compiled {
    _Atomic uint32_t refs;
    struct arena arena;
    struct telex_config *config; /* a copy: of what this was made */
    struct lib_settings settings;
    struct plan_config plan;
};

/* Reads <config>; NULL is an empty one. */
MUST_USE bool compiled_new(const struct telex_config *config, struct compiled **ret_compiled,
                           struct err *e);
struct compiled *compiled_ref(struct compiled *c);
void compiled_unref(struct compiled *c); /* NULL is fine */
static inline void compiled_autounref(struct compiled **c)
{
    compiled_unref(*c);
}

#endif
