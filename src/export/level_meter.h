/*
 * level_meter.h - what a level output says of itself: the same metrics, last result and health that an
 * output with a queue has.
 *
 * Whoever sends (one target or many) notes each call here with its outcome; the plan asks for the
 * status.
 *
 * Ownership: the level output owns its meter; <place> and <health> are borrowed for its life. Threads:
 * any. Limits: none.
 */
#ifndef TELEX_EXPORT_LEVEL_METER_H
#define TELEX_EXPORT_LEVEL_METER_H

#include "export/exporter.h"

struct exporter_health;
struct level_meter;
struct output_status;

/* From good to bad. */
enum level_state { LEVEL_IDLE, LEVEL_OK, LEVEL_RETRYING, LEVEL_HALTED, LEVEL_STATES };

struct level_meter *level_meter_new(const struct exporter_place *place,
                                    const struct exporter_health *health);

/*
 * A request ended after <took_ns>, and with it <alerts> did (0 when it is to be sent in parts). <out> says how in rest (DELIVERED, REJECTED: refused
 * for good, others are told again), status, bytes and err. One that we cut short is not to be noted.
 */
void level_meter_note(struct level_meter *m, const struct outcome *out, size_t alerts,
                      int64_t took_ns);

/* Alerts that are over for so long that nobody shows them any more. */
struct level_forgotten {
    uint64_t never_told;   /* the destination heard nothing of them */
    uint64_t end_not_told; /* it heard that they fire, and not that they ended */
};
void level_meter_forgot(struct level_meter *m, const struct level_forgotten *f);

/* A health check was answered, or not, for the reason in <e>. */
void level_meter_probed(struct level_meter *m, bool is_there, const struct err *e);

/* Sets what a level output knows; the rest of <ret> stays. */
void level_meter_status(struct level_meter *m, struct output_status *ret);

/* NULL is fine. */
void level_meter_free(struct level_meter *m);

#endif
