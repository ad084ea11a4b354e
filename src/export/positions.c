/*
 * Invariants
 *   1. Holes that were sorted are in order, do not overlap, and are never empty.
 *   2. What is not believed covers nothing: in doubt a row is sent again.
 */
#include "export/positions.h"

#include "base/number.h"

#include <stdlib.h>

int position_cmp(const struct position *a, const struct position *b)
{
    if (a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }
    return a->row == b->row ? 0 : a->row < b->row ? -1 : 1;
}

/* The last of the parts that begins at <row> or before it. */
static const struct frame_part *part_of(const struct frame_parts *parts, uint32_t row)
{
    uint32_t low = 0;
    uint32_t high = parts->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (parts->items[middle].row <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &parts->items[low];
}

bool position_of_row(const struct batch *b, uint32_t row, struct position *ret)
{
    const struct frame_parts *parts = batch_parts(b);

    if (parts->count == 0) {
        return false;
    }
    uint32_t was = parts->rows != NULL ? parts->rows[row] : row;
    const struct frame_part *part = part_of(parts, was);
    *ret = (struct position){.seq = part->seq, .time_ns = part->time_ns, .row = was - part->row};
    return true;
}

/* ---- holes ---- */

static void add_range(struct holes *h, struct hole range)
{
    struct hole *last = h->list.len > 0 ? vec_last(&h->list) : NULL;

    if (last != NULL && last->seq == range.seq && range.from >= last->from &&
        range.from <= last->end) {
        last->end = range.end > last->end ? range.end : last->end;
    } else {
        vec_push(&h->list, range);
    }
}

void holes_add(struct holes *h, const struct position *at)
{
    add_range(h, (struct hole){at->seq, at->row, at->row + 1});
}

void holes_add_behind(struct holes *h, const struct holes *from, const struct position *at)
{
    for (size_t i = 0; i < from->list.len; i++) {
        struct hole one = from->list.items[i];
        if (one.seq == at->seq && one.from < at->row) {
            one.from = at->row;
        }
        if (one.seq >= at->seq && one.from < one.end) {
            add_range(h, one);
        }
    }
}

static int by_place(const void *a, const void *b)
{
    const struct hole *x = a;
    const struct hole *y = b;

    if (x->seq != y->seq) {
        return x->seq < y->seq ? -1 : 1;
    }
    return (x->from > y->from) - (x->from < y->from);
}

void holes_sort(struct holes *h)
{
    size_t count = h->list.len;

    if (count > 1) {
        qsort(h->list.items, count, sizeof(h->list.items[0]), by_place);
    }
    h->list.len = 0;
    for (size_t i = 0; i < count; i++) {
        add_range(h, h->list.items[i]);
    }
}

bool holes_have(const struct holes *h, const struct position *at)
{
    size_t low = 0;
    size_t high = h->list.len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct hole *one = &h->list.items[middle];
        if (one->seq < at->seq || (one->seq == at->seq && one->end <= at->row)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const struct hole *one = low < h->list.len ? &h->list.items[low] : NULL;
    return one != NULL && one->seq == at->seq && one->from <= at->row;
}

void holes_release(struct holes *h)
{
    vec_release(&h->list);
}

void holes_print(const struct holes *h, struct buf *out)
{
    for (size_t i = 0; i < h->list.len; i++) {
        const struct hole *one = &h->list.items[i];
        buf_addf(out, "%s%llu:%u-%u", i > 0 ? "," : "", (unsigned long long)one->seq, one->from,
                 one->end);
    }
}

static bool parse_u32(struct str text, uint32_t *ret)
{
    uint64_t value = 0;

    if (!number_parse_u64(text, &value) || value > UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)value;
    return true;
}

static bool parse_hole(struct str text, struct hole *ret)
{
    size_t colon = str_find_byte(text, ':');
    size_t dash = str_find_byte(text, '-');

    return colon < dash && dash < text.len &&
           number_parse_u64(str_slice(text, 0, colon), &ret->seq) &&
           parse_u32(str_slice(text, colon + 1, dash - colon - 1), &ret->from) &&
           parse_u32(str_slice(text, dash + 1, text.len), &ret->end) && ret->from < ret->end;
}

bool holes_parse(struct str text, struct holes *ret_holes, struct err *e)
{
    struct holes holes = {0};
    struct str part;

    while (text.len > 0 && str_split(&text, ',', &part)) {
        struct hole one;
        if (!parse_hole(part, &one) || holes.list.len == POSITION_HOLES_MAX) {
            holes_release(&holes);
            return err_set(e, ERR_PARSE, "'%.*s' is not a range of rows such as 12:3-5",
                           STR_FMT(part));
        }
        add_range(&holes, one);
    }
    holes_sort(&holes);
    *ret_holes = holes;
    return true;
}

/* ---- positions ---- */

void positions_believe(struct positions *p, const struct lane_place *lane)
{
    for (size_t i = 0; i < p->list.len; i++) {
        struct lane_position *one = &p->list.items[i];
        one->is_believed = one->at.seq > 0 && lane->holds(lane->arg, one->at.seq, one->at.time_ns);
    }
}

struct lane_position *positions_own(struct positions *p, const struct lane_place *lane)
{
    for (size_t i = 0; i < p->list.len; i++) {
        struct lane_position *one = &p->list.items[i];
        if (one->lanes == lane->lanes && one->index == lane->index) {
            return one;
        }
    }
    struct lane_position *own = vec_add(&p->list);
    own->lanes = lane->lanes;
    own->index = lane->index;
    return own;
}

/* Is it about rows of this lane, or of this hash? */
static bool concerns(const struct lane_position *one, const struct lane_place *lane,
                     const uint64_t *hash)
{
    if (one->lanes == lane->lanes) {
        return one->index == lane->index;
    }
    return one->lanes == 1 || (one->lanes > 0 && hash != NULL && *hash % one->lanes == one->index);
}

bool positions_cover(const struct positions *p, const struct lane_place *lane,
                     const struct position *at, const uint64_t *hash)
{
    for (size_t i = 0; i < p->list.len; i++) {
        const struct lane_position *one = &p->list.items[i];
        if (one->is_believed && position_cmp(at, &one->at) < 0 && concerns(one, lane, hash) &&
            !holes_have(&one->holes, at)) {
            return true;
        }
    }
    return false;
}

void positions_clear(struct positions *p)
{
    for (size_t i = 0; i < p->list.len; i++) {
        holes_release(&p->list.items[i].holes);
    }
    vec_clear(&p->list);
}

void positions_release(struct positions *p)
{
    positions_clear(p);
    vec_release(&p->list);
}
