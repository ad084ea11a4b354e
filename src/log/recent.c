#include "log/recent.h"

#include "base/mem.h"

struct held *held_new(size_t length)
{
    size_t in_file = (size_t)frame_bytes((uint32_t)length) - FRAME_HEADER_BYTES;
    struct held *h = mem_try_alloc(sizeof(*h) + in_file);

    if (h == NULL) {
        return NULL;
    }
    memset(h, 0, sizeof(*h));
    memset(h->payload + length, 0, in_file - length);
    atomic_init(&h->refs, 1);
    h->length = (uint32_t)length;
    h->frame.payload = str_make((const char *)h->payload, length);
    return h;
}

int64_t held_bytes(size_t length)
{
    return (int64_t)sizeof(struct held) + frame_bytes((uint32_t)length) - FRAME_HEADER_BYTES;
}

struct held *held_of(const struct log_frame *f)
{
    return container_of((struct log_frame *)(uintptr_t)f, struct held, frame);
}

void held_drop(struct held *h)
{
    if (atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1) {
        mem_free(h);
    }
}

const struct log_frame *log_frame_ref(const struct log_frame *f)
{
    atomic_fetch_add_explicit(&held_of(f)->refs, 1, memory_order_relaxed);
    return f;
}

void log_frame_drop(const struct log_frame *f)
{
    if (f != NULL) {
        held_drop(held_of(f));
    }
}

void recent_release(struct recent *r)
{
    while (r->len > 0) {
        recent_shift(r);
    }
    mem_free(r->items);
    *r = (struct recent){0};
}

static void grow(struct recent *r)
{
    size_t cap = r->cap == 0 ? 64 : r->cap * 2;
    struct held **items = mem_alloc0(cap, sizeof(struct held *));

    for (size_t i = 0; i < r->len; i++) {
        items[i] = recent_at(r, i);
    }
    mem_free(r->items);
    r->items = items;
    r->first = 0;
    r->cap = cap;
}

void recent_push(struct recent *r, struct held *h)
{
    if (r->len == r->cap) {
        grow(r);
    }
    r->items[(r->first + r->len) & (r->cap - 1)] = h;
    r->len++;
    r->bytes += held_bytes(h->length);
}

void recent_shift(struct recent *r)
{
    struct held *h = recent_at(r, 0);

    r->bytes -= held_bytes(h->length);
    r->first = (r->first + 1) & (r->cap - 1);
    r->len--;
    held_drop(h);
}

size_t recent_find(const struct recent *r, uint64_t seq)
{
    size_t low = 0;
    size_t high = r->len;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (recent_at(r, middle)->frame.seq < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
