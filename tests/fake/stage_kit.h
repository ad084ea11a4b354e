/*
 * stage_kit.h - a stage over scripted destinations, called by the test as a lane would.
 *
 * Rows are known by their values; what became of a view is read as text.
 *
 * Ownership: the test owns the kit. Threads: confined. Limits: STAGE_KIT_CHILDREN destinations.
 */
#ifndef TELEX_FAKE_STAGE_KIT_H
#define TELEX_FAKE_STAGE_KIT_H

#include "base/env.h"
#include "base/rand.h"
#include "export/stage.h"
#include "fake/clock.h"
#include "fake/destination.h"
#include "fake/export_kit.h"

enum { STAGE_KIT_CHILDREN = 3 };

struct stage_kit {
    struct export_kit config;
    struct fake_clock clock;
    struct rng rng;
    struct metrics *metrics;
    struct env env;
    struct destination *destinations; /* too large for the stack */
    struct sink *sink;
    struct outcome out; /* of the last delivery */
};

/* Opens the stage that <yaml> says, as <kind> or, when that is NULL, as its type says, around the
 * first <children> destinations; its consumer is called "out". */
void stage_kit_open(struct stage_kit *k, const char *yaml, const struct exporter_kind *kind,
                    size_t children);
void stage_kit_close(struct stage_kit *k);

/*
 * Delivers the view and says what became of it: "2 of 5, then retry; 0 rejected: too old". Rows are
 * numbered as in the view.
 */
const char *stage_kit_deliver(struct stage_kit *k, struct view view, struct buf *text);

/* Samples with the values 0, 1, ...: one per series in <series>, which NULL ends, as in kit_samples(). */
struct batch *stage_kit_samples(const char *const *series);

/* The same samples as a message that nobody has decoded yet. */
struct batch *stage_kit_message(struct batch *b);

/* The value of a metric line, such as "telex_x{exporter=\"out\"}"; -1 when there is none. */
double stage_kit_metric(struct stage_kit *k, const char *series);

/* Did destination <i> see these calls, and get these rows? NULL: any. Says what is different. */
bool stage_kit_saw(struct stage_kit *k, size_t i, const char *tried, const char *got);

#endif
