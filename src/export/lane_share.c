/*
 * Invariants
 *   1. The log's cursor is never beyond any lane's place.
 *   2. A lane's place only grows.
 */
#include "export/lane_share.h"

#include "base/mem.h"
#include "log/log.h"

void progress_init(struct progress *p, struct log *log, unsigned bit, unsigned lanes)
{
    p->log = log;
    p->bit = bit;
    p->lanes = lanes;
    lock_init(&p->lock);
}

void progress_begin(struct progress *p, struct progress *from)
{
    uint64_t seq = log_cursor_get(p->log, p->bit);
    bool goes_on =
        from != NULL && from->lanes == p->lanes && from->log == p->log && from->bit == p->bit;

    for (unsigned i = 0; i < p->lanes; i++) {
        uint64_t was = goes_on ? progress_get(from, i) : 0;
        lock_take(&p->lock);
        p->done[i] = was > seq ? was : seq;
        lock_give(&p->lock);
    }
}

void progress_release(struct progress *p)
{
    lock_release(&p->lock);
}

static uint64_t slowest(const struct progress *p) REQUIRES(&p->lock)
{
    uint64_t seq = p->done[0];

    for (unsigned i = 1; i < p->lanes; i++) {
        seq = p->done[i] < seq ? p->done[i] : seq;
    }
    return seq;
}

void progress_set(struct progress *p, unsigned lane, uint64_t seq)
{
    lock_take(&p->lock);
    if (seq > p->done[lane]) {
        p->done[lane] = seq;
    }
    uint64_t all = slowest(p);
    lock_give(&p->lock);
    log_cursor_set(p->log, p->bit, all); /* monotonic, so the order of two lanes is no matter */
}

uint64_t progress_get(struct progress *p, unsigned lane)
{
    lock_take(&p->lock);
    uint64_t seq = p->done[lane];
    lock_give(&p->lock);
    return seq;
}

int64_t progress_owed_bytes(struct progress *p, bool at_least)
{
    int64_t owed = log_owed_bytes(p->log, p->bit);
    int64_t slack = at_least ? log_owed_slack_bytes(p->log, p->bit) : 0;

    return owed > slack ? owed - slack : 0;
}

bool progress_is_last(struct progress *p, unsigned lane)
{
    lock_take(&p->lock);
    bool last = p->done[lane] == slowest(p);
    lock_give(&p->lock);
    return last;
}

/* ---- rows ---- */

struct picker {
    unsigned lane;
    unsigned lanes;
    uint32_t *rows;
    uint32_t count;
};

static void pick_hash(struct picker *p, uint64_t hash, uint32_t row)
{
    if (hash % p->lanes == p->lane) {
        p->rows[p->count++] = row;
    }
}

static void pick_row(struct picker *p, const struct labels *key, uint32_t row)
{
    pick_hash(p, key->hash, row);
}

static bool pick_samples(struct picker *p, struct batch *b, struct err *e)
{
    const struct samples *s = NULL;

    if (!batch_samples(b, &s, e)) {
        return false;
    }
    for (uint32_t i = 0; i < s->count; i++) {
        pick_row(p, s->series[s->series_of[i]], i);
    }
    return true;
}

static bool pick_alerts(struct picker *p, struct batch *b, struct err *e)
{
    const struct alerts *alerts = NULL;

    if (!batch_alerts(b, &alerts, e)) {
        return false;
    }
    for (uint32_t i = 0; i < alerts->count; i++) {
        pick_row(p, alerts->rows[i].labels, i);
    }
    return true;
}

static bool pick_notes(struct picker *p, struct batch *b, struct err *e)
{
    const struct notes *notes = NULL;

    if (!batch_notes(b, &notes, e)) {
        return false;
    }
    for (uint32_t i = 0; i < notes->count; i++) {
        pick_row(p, notes->rows[i].labels, i);
    }
    return true;
}

static bool pick_events(struct picker *p, struct batch *b, struct err *e)
{
    const struct events *events = NULL;

    if (!batch_events(b, &events, e)) {
        return false;
    }
    for (uint32_t i = 0; i < events->count; i++) {
        pick_hash(p, str_hash(event_key(&events->rows[i]), 0), i);
    }
    return true;
}

static bool (*const pickers[RECORD_KINDS])(struct picker *, struct batch *, struct err *) = {
    [RECORD_SAMPLE] = pick_samples, [RECORD_ALERT] = pick_alerts,  [RECORD_EVENT] = pick_events,
    [RECORD_SPAN] = pick_notes,     [RECORD_PROFILE] = pick_notes,
};

bool lane_share_rows(struct batch *b, unsigned lane, unsigned lanes, uint32_t **ret_rows,
                     uint32_t *ret_count, struct err *e)
{
    struct picker p = {.lane = lane, .lanes = lanes};

    p.rows = mem_alloc(((size_t)batch_rows(b) + 1) * sizeof(uint32_t));
    if (!pickers[batch_info(b)->kind](&p, b, e)) {
        mem_free(p.rows);
        return false;
    }
    *ret_rows = p.rows;
    *ret_count = p.count;
    return true;
}
