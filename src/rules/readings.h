/*
 * readings.h - what groups and rules count, for whoever shows it under names of its own.
 *
 * Ownership: readings live for the call that gives them. Threads: any; rules are read under their own lock, so readings
 * are not all of one moment. Limits: none; it takes time with the number of alerts.
 */
#ifndef TELEX_RULES_READINGS_H
#define TELEX_RULES_READINGS_H

#include "rules/engine.h"

struct group_reading {
    const struct rule_group *group;
    double iterations;
    double missed;
    double seconds; /* of all iterations */
};

struct rule_reading {
    const struct rule *rule;
    uint64_t pending;
    uint64_t firing;
    uint64_t failures;
    int64_t samples;
    int64_t series_fetched; /* -1: the datasource does not say */
};

struct engine_readings {
    const struct group_reading *groups;
    size_t group_count;
    const struct rule_reading *rules;
    size_t rule_count;
};

/* Calls <use> once. */
void engine_read(struct engine *en, void (*use)(void *arg, const struct engine_readings *r),
                 void *arg);

#endif
