/*
 * print.h - groups, rules and alerts as JSON, piece by piece; for src/rules only.
 *
 * The fields are those of Prometheus and those of vmalert, both spellings where they differ: who reads one of them
 * finds what it looks for. The last list of an object stays open, for the caller to fill and to end.
 *
 * Ownership: nothing is kept. Threads: within a view; rules are looked at under their own lock. Limits: none.
 */
#ifndef TELEX_RULES_PRINT_H
#define TELEX_RULES_PRINT_H

#include "rules/engine_filter.h"
#include "rules/engine_int.h"
#include "wire/json.h"

/* What changes of a rule, all of one moment. */
struct rule_look {
    struct rule_outcome outcome; /* without its error */
    struct error_text *error;
    enum alert_state worst; /* of its alerts; READY: none is active */
    enum rule_condition condition;
};

void rule_look_begin(struct rule_run *run, struct rule_look *ret_look);
void rule_look_end(struct rule_run *run, struct rule_look *look);

/* A group up to its open list of rules. */
void show_group_begin(struct json_writer *w, struct group_run *g);

/* How many of its rules are in which condition, then its end. */
void show_group_end(struct json_writer *w, const uint32_t *counts);

/* A rule up to its open list of alerts, or its open object when it is none that alerts. */
void show_rule_begin(struct json_writer *w, struct rule_run *run, const struct rule_look *look,
                     const struct engine_filter *filter);
void show_rule_end(struct json_writer *w, const struct rule_run *run);

/*
 * Adds active alerts of the rule to the current array, <max> at most, from place *at of its table on, which moves
 * behind them. False when there are no more.
 */
bool show_alerts(struct json_writer *w, struct rule_run *run, const struct engine_filter *filter,
                 uint32_t *at, uint32_t max);

/* Adds the one with this id; false when no active alert has it. */
bool show_alert_by_id(struct json_writer *w, struct rule_run *run, uint64_t id);

bool alert_state_is_active(enum alert_state state);

/* Keys with values, as they are needed in all of these. */
void show_text(struct json_writer *w, const char *key, struct str value);
void show_seconds(struct json_writer *w, const char *key, int64_t ns);
void show_time(struct json_writer *w, const char *key, int64_t ns);
void show_number(struct json_writer *w, const char *key, int64_t value);
void show_bool(struct json_writer *w, const char *key, bool value);

#endif
