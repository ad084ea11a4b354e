/*
 * Invariants
 *   1. Bytes from head to tail of a shard belong to writers until their header says what they are, then to
 *      the reader; all others are zero.
 *   2. A place begins with a header of HEADER bytes, is a multiple of HEADER long and never goes over the
 *      end of the circle.
 */
#include "lib/ring.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADER = 8, WHAT_BITS = 8 };

/* ---- opening ---- */

bool ring_open(struct ring *r, int64_t bytes, struct err *e)
{
    uint64_t shard_bytes = RING_LEAST;

    while (shard_bytes * RING_SHARDS < (uint64_t)bytes) {
        shard_bytes *= 2;
    }
    size_t table = RING_SHARDS * sizeof(struct ring_shard);
    size_t total = table + RING_SHARDS * shard_bytes;
    void *mapping = mmap(NULL, total, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (mapping == MAP_FAILED) {
        return err_set(e, ERR_FULL, "no memory for a ring of %zu bytes; see library.ring_bytes",
                       total);
    }
    *r = (struct ring){
        .shards = mapping, .shard_bytes = shard_bytes, .mapping = mapping, .mapping_bytes = total};
    for (size_t i = 0; i < RING_SHARDS; i++) {
        r->shards[i].bytes = (char *)mapping + table + i * shard_bytes;
    }
    return true;
}

void ring_close(struct ring *r)
{
    if (r->mapping != NULL) {
        (void)munmap(r->mapping, r->mapping_bytes);
    }
    *r = (struct ring){0};
}

/* ---- writers ---- */

/* A thread's own, by where its stack is. */
static struct ring_shard *own_shard(struct ring *r)
{
    uint64_t spread = (uint64_t)(uintptr_t)pthread_self() * UINT64_C(0x9E3779B97F4A7C15);

    return &r->shards[spread >> 62];
}
_Static_assert(RING_SHARDS == 4, "two bits choose a shard");

static _Atomic uint64_t *header_at(char *bytes)
{
    return (_Atomic uint64_t *)(void *)bytes;
}

static uint64_t header_of(uint64_t len, enum ring_what what)
{
    return len << WHAT_BITS | (uint64_t)what;
}

bool ring_put(struct ring *r, uint32_t len, struct ring_place *ret_place)
{
    struct ring_shard *s = own_shard(r);
    uint64_t need = HEADER + (((uint64_t)len + HEADER - 1) & ~(uint64_t)(HEADER - 1));
    uint64_t tail = atomic_load_explicit(&s->tail, memory_order_relaxed);
    uint64_t rest;
    uint64_t place;

    do {
        uint64_t head = atomic_load_explicit(&s->head, memory_order_acquire);
        rest = r->shard_bytes - (tail & (r->shard_bytes - 1));
        place = tail + (need > rest ? rest : 0);
        /* Below zero where others moved both since the tail was read; the exchange fails then. */
        if (unlikely((int64_t)(place + need - head) > (int64_t)r->shard_bytes)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&s->tail, &tail, place + need,
                                                    memory_order_seq_cst, memory_order_relaxed));
    if (place != tail) {
        atomic_store_explicit(header_at(s->bytes + (tail & (r->shard_bytes - 1))),
                              header_of(rest - HEADER, RING_PADDING), memory_order_release);
    }
    char *at = s->bytes + (place & (r->shard_bytes - 1));
    *ret_place = (struct ring_place){s, at, len};
    ret_place->bytes = at + HEADER;
    return true;
}

void ring_done(const struct ring_place *place, enum ring_what what)
{
    atomic_store_explicit(header_at(place->bytes - HEADER), header_of(place->len, what),
                          memory_order_release);
    atomic_fetch_add_explicit(&place->shard->taken, 1, memory_order_relaxed);
}

/* ---- the reader ---- */

void ring_walk_begin(struct ring_walk *w, struct ring *r, size_t shard)
{
    *w = (struct ring_walk){.ring = r, .shard = &r->shards[shard]};
    w->at = atomic_load_explicit(&w->shard->head, memory_order_relaxed);
}

static uint64_t place_size(uint64_t len)
{
    return HEADER + ((len + HEADER - 1) & ~(uint64_t)(HEADER - 1));
}

/* At the tail a whole circle may be full: what lies there is not new then. */
static bool next_place(struct ring_walk *w, struct ring_record *ret_record)
{
    char *at = w->shard->bytes + (w->at & (w->ring->shard_bytes - 1));

    if (w->at == atomic_load_explicit(&w->shard->tail, memory_order_acquire)) {
        return false;
    }
    uint64_t header = atomic_load_explicit(header_at(at), memory_order_acquire);
    *ret_record = (struct ring_record){(enum ring_what)(header & ((1U << WHAT_BITS) - 1)),
                                       at + HEADER, (uint32_t)(header >> WHAT_BITS)};
    if (ret_record->what == RING_EMPTY) {
        return false;
    }
    w->at += place_size(ret_record->len);
    return true;
}

bool ring_walk_next(struct ring_walk *w, struct ring_record *ret_record)
{
    while (next_place(w, ret_record)) {
        if (ret_record->what != RING_PADDING) {
            return true;
        }
    }
    return false;
}

void ring_walk_back(struct ring_walk *w, const struct ring_record *record)
{
    w->at -= place_size(record->len);
}

void ring_walk_end(struct ring_walk *w)
{
    struct ring_shard *s = w->shard;
    uint64_t size = w->ring->shard_bytes;
    uint64_t head = atomic_load_explicit(&s->head, memory_order_relaxed);
    uint64_t from = head & (size - 1);
    uint64_t count = w->at - head;
    uint64_t first = count < size - from ? count : size - from;

    memset(s->bytes + from, 0, first);
    memset(s->bytes, 0, count - first);
    atomic_store_explicit(&s->head, w->at, memory_order_release);
}

/* ---- for who looks ---- */

static uint64_t used_of(const struct ring_shard *shard)
{
    uint64_t head = atomic_load(&shard->head); /* first: it never passes the tail */

    return atomic_load(&shard->tail) - head;
}

uint64_t ring_used(const struct ring *r)
{
    uint64_t used = 0;

    for (size_t i = 0; i < RING_SHARDS; i++) {
        used += used_of(&r->shards[i]);
    }
    return used;
}

double ring_usage(const struct ring *r)
{
    uint64_t fullest = 0;

    for (size_t i = 0; i < RING_SHARDS; i++) {
        uint64_t used = used_of(&r->shards[i]);
        fullest = used > fullest ? used : fullest;
    }
    return (double)fullest / (double)r->shard_bytes;
}

bool ring_is_empty(const struct ring *r)
{
    return ring_used(r) == 0;
}

uint64_t ring_taken(const struct ring *r)
{
    uint64_t taken = 0;

    for (size_t i = 0; i < RING_SHARDS; i++) {
        taken += atomic_load_explicit(&r->shards[i].taken, memory_order_relaxed);
    }
    return taken;
}
