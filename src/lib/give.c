/* What runs on the application's threads: no memory, no lock, no wait. */
#include "lib/hub.h"
#include "lib/record.h"

#include <string.h>

static int drop(struct telex_hub *hub, int code)
{
    static const enum drop_cause causes[] = {[TELEX_FULL] = DROPPED_FULL,
                                             [TELEX_INVALID] = DROPPED_INVALID,
                                             [TELEX_TOO_LARGE] = DROPPED_TOO_LARGE};

    atomic_fetch_add_explicit(&hub->writer.dropped[causes[code]], 1, memory_order_relaxed);
    return code;
}

static int put(struct telex_hub *hub, const struct record *r, uint32_t len, enum ring_what what)
{
    struct ring_place place;

    if (!ring_put(&hub->ring, len, &place)) {
        return drop(hub, TELEX_FULL);
    }
    record_write(r, place.bytes);
    ring_done(&place, what);
    if (unlikely(writer_sleeps(&hub->writer))) {
        writer_wake(&hub->writer);
    }
    return TELEX_OK;
}

int telex_metrics(struct telex_hub *hub, const struct telex_metrics *metrics)
{
    struct record r;
    uint32_t len = 0;

    if (unlikely(!hub_is_own(hub))) {
        return hub == NULL ? TELEX_INVALID : TELEX_FORKED;
    }
    int code = record_of_metrics(&r, metrics, clock_wall_ns(hub->env.clock), &len);
    return code == TELEX_OK ? put(hub, &r, len, RING_METRICS) : drop(hub, code);
}

static void fill_id(struct telex_hub *hub, uint8_t *id, size_t len)
{
    for (size_t i = 0; i < len; i += sizeof(uint64_t)) {
        uint64_t bits = rng_u64(&hub->rng);
        memcpy(id + i, &bits, sizeof(bits));
    }
    id[0] |= 1; /* never none */
}

static void make_ids(struct telex_hub *hub, struct telex_span_ids *ids)
{
    fill_id(hub, ids->trace_id, TELEX_TRACE_ID_BYTES);
    fill_id(hub, ids->span_id, TELEX_SPAN_ID_BYTES);
}

int telex_trace(struct telex_hub *hub, const struct telex_span *span)
{
    struct telex_span_ids ids = {0};
    struct record r;
    uint32_t len = 0;

    if (unlikely(!hub_is_own(hub))) {
        return hub == NULL ? TELEX_INVALID : TELEX_FORKED;
    }
    make_ids(hub, &ids);
    int code = record_of_span(&r, span, clock_wall_ns(hub->env.clock), &ids, &len);
    return code == TELEX_OK ? put(hub, &r, len, RING_SPAN) : drop(hub, code);
}

int telex_span_ids(struct telex_hub *hub, const struct telex_span_ids *parent,
                   struct telex_span_ids *ret_ids)
{
    struct telex_span_ids ids = {0};

    if (!hub_is_own(hub) || ret_ids == NULL) {
        return hub == NULL || ret_ids == NULL ? TELEX_INVALID : TELEX_FORKED;
    }
    make_ids(hub, &ids);
    if (parent != NULL) {
        memcpy(ids.trace_id, parent->trace_id, TELEX_TRACE_ID_BYTES);
        memcpy(ids.parent_id, parent->span_id, TELEX_SPAN_ID_BYTES);
    }
    *ret_ids = ids;
    return TELEX_OK;
}
