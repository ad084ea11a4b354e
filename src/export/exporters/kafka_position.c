/*
 * Invariants
 *   1. A position that was kept never passes a row that is neither there nor a dead letter.
 *   2. <to> has frame 0 unless a position is part of the open transaction.
 */
#include "export/exporters/kafka_position.h"

#include "base/number.h"

#include <inttypes.h>

enum { PARTS = 5 };

static const struct str version = STR_INIT("telex1");

void kafka_position_init(struct kafka_position *p, const struct lane_place *lane)
{
    *p = (struct kafka_position){.is_kept = lane != NULL};
    if (lane != NULL) {
        p->lane = *lane;
    }
    buf_init(&p->topic, BUF_SMALL);
}

void kafka_position_release(struct kafka_position *p)
{
    positions_release(&p->positions);
    buf_release(&p->topic);
}

void kafka_position_forget(struct kafka_position *p)
{
    positions_clear(&p->positions);
    p->is_loaded = false;
}

/* ---- as text: "telex1 FRAME TIME ROW CONSUMER" ---- */

static void print(const struct kafka_position *p, struct buf *out)
{
    buf_add_str(out, version);
    buf_addf(out, " %" PRIu64 " %" PRIi64 " %" PRIu32 " %.*s", p->to.seq, p->to.time_ns, p->to.row,
             STR_FMT(p->lane.consumer));
}

/* Something else, of another version or another consumer is none of ours. */
static bool parse(const struct kafka_position *p, struct str text, struct lane_position *ret)
{
    struct str part[PARTS] = {STR_NONE};
    uint64_t row = 0;
    struct str rest = text;
    size_t count = 0;

    while (count < PARTS - 1 && str_split(&rest, ' ', &part[count])) {
        count++;
    }
    part[PARTS - 1] = rest;
    *ret = (struct lane_position){.lanes = p->lane.lanes, .index = p->lane.index};
    bool ok = str_eq(part[0], version) && str_eq(part[4], p->lane.consumer) &&
              number_parse_u64(part[1], &ret->at.seq) &&
              number_parse_i64(part[2], &ret->at.time_ns) && number_parse_u64(part[3], &row) &&
              row <= UINT32_MAX;
    ret->at.row = ok ? (uint32_t)row : 0;
    return ok;
}

static void take(void *arg, struct str text)
{
    struct kafka_position *p = arg;
    struct lane_position found;

    if (!parse(p, text, &found)) {
        return;
    }
    struct lane_position *own = positions_own(&p->positions, &p->lane);
    if (position_cmp(&found.at, &own->at) > 0 &&
        p->lane.holds(p->lane.arg, found.at.seq, found.at.time_ns)) {
        *own = found;
    }
}

enum kafka_fate kafka_position_load(struct kafka_position *p, struct kafka_producer *producer,
                                    struct wait wait, struct err *e)
{
    if (!p->is_kept || p->is_loaded) {
        return KAFKA_SENT;
    }
    positions_clear(&p->positions);
    enum kafka_fate fate = kafka_kept(producer, wait, take, p, e);
    if (fate == KAFKA_REFUSED) {
        p->is_kept = false;
        return KAFKA_SENT;
    }
    p->is_loaded = fate == KAFKA_SENT;
    positions_believe(&p->positions, &p->lane);
    return fate;
}

/* ---- a transaction ---- */

static bool place_of(const struct kafka_position *p, struct view view, uint32_t i,
                     struct position *ret)
{
    return p->is_kept && position_of_row(view.batch, view_row(view, i), ret);
}

void kafka_position_begin(struct kafka_position *p)
{
    buf_clear(&p->topic);
    p->to = (struct position){0};
}

bool kafka_position_has(const struct kafka_position *p, struct view view, uint32_t i)
{
    struct position at;

    return place_of(p, view, i, &at) && positions_cover(&p->positions, &p->lane, &at, NULL);
}

void kafka_position_wrote(struct kafka_position *p, struct str topic)
{
    if (p->topic.len == 0) {
        buf_add_str(&p->topic, topic);
    }
}

enum kafka_fate kafka_position_keep(struct kafka_position *p, struct view view,
                                    struct kafka_producer *producer, struct wait wait,
                                    struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(KAFKA_KEPT_MAX);
    struct position to;

    if (p->topic.len == 0 || !place_of(p, view, view.n - 1, &to)) {
        return KAFKA_SENT;
    }
    const struct lane_position *own = positions_own(&p->positions, &p->lane);
    to.row++;
    p->to = own->is_believed && position_cmp(&own->at, &to) > 0 ? own->at : to;
    print(p, &text);
    if (!buf_ok(&text)) {
        p->to = (struct position){0};
        return KAFKA_SENT;
    }
    enum kafka_fate fate = kafka_keep(producer, buf_str(&p->topic), buf_str(&text), wait, e);
    p->is_kept = fate != KAFKA_REFUSED;
    return fate == KAFKA_REFUSED ? KAFKA_AGAIN : fate;
}

void kafka_position_kept(struct kafka_position *p)
{
    if (p->to.seq == 0) {
        return;
    }
    struct lane_position *own = positions_own(&p->positions, &p->lane);
    own->at = p->to;
    own->is_believed = true;
    p->to = (struct position){0};
}
