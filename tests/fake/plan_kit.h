/*
 * plan_kit.h - a delivery plan over fake destinations and real logs in a folder that goes away.
 *
 * Ownership: the test owns the struct; plan_kit_stop() closes the plan and removes the folder.
 * Threads: confined; plan_give() from any. Limits: KIT_OUTPUTS outputs, KIT_ROUTES routes.
 */
#ifndef TELEX_FAKE_PLAN_KIT_H
#define TELEX_FAKE_PLAN_KIT_H

#include "base/env.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "export/plan.h"
#include "fake/destination.h"

enum { KIT_OUTPUTS = 8, KIT_ROUTES = 8 };

struct plan_kit {
    struct env env;
    struct rng rng;
    struct metrics *metrics;
    char folder[64];
    struct destination destinations[KIT_OUTPUTS];
    struct fake_config configs[KIT_OUTPUTS];
    struct output_config outputs[KIT_OUTPUTS];
    struct stage_config stages[KIT_OUTPUTS];
    struct plan_expansion expansions[KIT_OUTPUTS];
    struct target_config targets[KIT_OUTPUTS];
    struct route_config routes[KIT_ROUTES];
    struct plan_config config;
    struct plan *plan;
    struct plan_left left; /* by the last drain */
};

void plan_kit_start(struct plan_kit *k);
void plan_kit_stop(struct plan_kit *k);

/* Removes a folder with all that is in it. */
void plan_kit_remove(const char *folder);

/* Adds an output called <name> that delivers to destination <i> of the kit, and a target of the same
 * name and number. */
void plan_kit_output(struct plan_kit *k, const char *name, const struct exporter_kind *kind,
                     size_t i);

/* Has the outputs say what their kinds and configs say now; opening does it too. */
void plan_kit_compile(struct plan_kit *k);

/* Adds a route; <match> NULL: everything. */
void plan_kit_route(struct plan_kit *k, const char *match, uint64_t to, bool also_next);

void plan_kit_open(struct plan_kit *k);
void plan_kit_close(struct plan_kit *k);

/* One sample per value from <first> on, each a series of its own: {__name__="m", n="VALUE"}. */
struct batch *sample_batch(double first, uint32_t rows);

/* One alert edge per value, named "a", with label n and rule "r". */
struct batch *alert_batch(double first, uint32_t rows);

/* Gives such a batch durably. */
bool plan_kit_samples(struct plan_kit *k, double first, uint32_t rows);
bool plan_kit_alerts(struct plan_kit *k, double first, uint32_t rows);

/* Gives <b> as <how> says and lets go of it. */
bool plan_kit_give(struct plan_kit *k, struct batch *b, struct give how, uint64_t *ret_seq);

/* Drains for at most <ms>; what is left. */
uint64_t plan_kit_drain(struct plan_kit *k, int64_t ms);

/* Visits what log <name> below the folder holds ("dead/NAME"); the plan must be closed. */
void plan_kit_read(struct plan_kit *k, const char *name,
                   void (*visit)(void *arg, uint16_t type, struct str payload), void *arg);

/* The dead letters of output <name>: "REASON: VALUE VALUE;..."; for mem_free(). The plan must be
 * closed. */
char *plan_kit_dead(struct plan_kit *k, const char *name);

#endif
