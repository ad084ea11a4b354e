/*
 * around.h - what stages around one exporter share: passing on, and leaving rows out.
 *
 * A stage sees the outer view; the exporter inside perhaps gets fewer rows. What became of those is
 * worded for the outer view again: rows that were left out are settled like delivered ones, as far as
 * the rows around them are, and are counted by the stage only then, so that a view that is tried again
 * counts once.
 *
 * Ownership: a stage embeds struct around first and owns what is inside. Threads: the lane's. Limits:
 * those of views.
 */
#ifndef TELEX_EXPORT_STAGES_AROUND_H
#define TELEX_EXPORT_STAGES_AROUND_H

#include "base/vec.h"
#include "export/stage.h"

struct metric;

struct around {
    struct sink sink;
    struct sink *inner;
};

/* probe and flush of what is inside; nothing to complete counts as done. */
enum probed around_probe(struct sink *s, struct wait wait, struct err *e);
bool around_flush(struct sink *s, struct err *e);
int64_t around_tend(struct sink *s, struct wait wait);

/* The rows of a view that go on: their numbers in the view, and in the batch. */
struct kept_rows {
    VEC(uint32_t) index;
    VEC(uint32_t) rows;
};

void kept_rows_release(struct kept_rows *kept);
void kept_rows_clear(struct kept_rows *kept);
void kept_rows_add(struct kept_rows *kept, struct view view, uint32_t index);

/* Row <index> of the view goes on as <row> of another batch. */
void kept_rows_add_as(struct kept_rows *kept, uint32_t index, uint32_t row);

/*
 * Delivers the kept rows of <view>, as rows of <batch> (the view's own, or one made of it), and words the outcome for all of <view>. Gives how many rows that were left out have
 * ended.
 */
uint32_t around_deliver(struct around *a, struct view view, struct batch *batch,
                        const struct kept_rows *kept, struct wait wait, struct outcome *ret);

/* telex_exporter_filtered_total{exporter,reason}; dropped by the caller. */
struct metric *around_filtered_metric(const struct exporter_place *place, const char *reason);

#endif
