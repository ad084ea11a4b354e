/*
 * positions.h - how far a destination has our rows, as it says itself: what makes a batch land once.
 *
 * A database commits our position with the rows. A position says "all rows of this lane before row <row>
 * of frame <seq>", but for holes: rows that were refused and must become dead letters before they count as
 * done. A frame is known by its number and the time it was appended at, since a log that lost its end
 * gives numbers again: a position whose frame is not in the log is not believed, and covers nothing.
 *
 * Ownership: a list owns its holes. Threads: confined to a leaf. Limits: POSITION_HOLES_MAX ranges.
 */
#ifndef TELEX_EXPORT_POSITIONS_H
#define TELEX_EXPORT_POSITIONS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "export/exporter.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum { POSITION_HOLES_MAX = 100 * 1000 };

/* A row's place in the log; as a position: all rows before it. Frame 0: none. */
struct position {
    uint64_t seq;
    int64_t time_ns;
    uint32_t row;
};

/* Rows <from>..<end> - 1 of frame <seq>. */
struct hole {
    uint64_t seq;
    uint32_t from;
    uint32_t end;
};

struct holes {
    VEC(struct hole) list;
};

/* What the destination said of one lane of so many. */
struct lane_position {
    unsigned lanes;
    unsigned index;
    struct position at;
    struct holes holes;
    bool is_believed;
};

struct positions {
    VEC(struct lane_position) list;
};

int position_cmp(const struct position *a, const struct position *b);

/* Where row <row> of a batch stands; false when nobody knows. */
bool position_of_row(const struct batch *b, uint32_t row, struct position *ret);

/* Add a row, or those of <from> that stand at <at> or behind it; to be followed by holes_sort(). */
void holes_add(struct holes *h, const struct position *at);
void holes_add_behind(struct holes *h, const struct holes *from, const struct position *at);
void holes_sort(struct holes *h);
bool holes_have(const struct holes *h, const struct position *at);
void holes_release(struct holes *h);

/* "12:3-5,14:0-1": ranges of rows by frame; and back. */
void holes_print(const struct holes *h, struct buf *out);
MUST_USE bool holes_parse(struct str text, struct holes *ret_holes, struct err *e);

/* Which of the positions are of frames that the log holds. */
void positions_believe(struct positions *p, const struct lane_place *lane);

/* That of <lane>, made when there is none; valid until the list changes. */
struct lane_position *positions_own(struct positions *p, const struct lane_place *lane);

/* Does the destination have the row of <lane> that stands at <at>? What lanes of other numbers had is known by the
 * hash that the lanes shared rows by; NULL: it is not known any more. */
bool positions_cover(const struct positions *p, const struct lane_place *lane,
                     const struct position *at, const uint64_t *hash);

void positions_clear(struct positions *p);
void positions_release(struct positions *p);

#endif
