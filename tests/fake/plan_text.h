/*
 * plan_text.h - a plan_config from the text of a config.
 *
 * Ownership: the test owns the struct; plan_text_release() lets go of all of it. Threads: confined.
 * Limits: none.
 */
#ifndef TELEX_FAKE_PLAN_TEXT_H
#define TELEX_FAKE_PLAN_TEXT_H

#include "export/plan.h"

struct plan_text {
    struct arena arena;
    struct yaml_source source;
    struct plan_config config;
    struct err err;
};

/* Variables: HOST, and TELEX_EXPORTER_MY_HOOK_URL and others that plan_text.c lists. */
MUST_USE bool plan_text_parse(struct plan_text *t, const char *yaml);
void plan_text_release(struct plan_text *t);

#endif
