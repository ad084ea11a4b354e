/*
 * A ring of pointers.
 *
 * Invariants
 *   1. len <= capacity; the items are at (first + i) % capacity, i < len.
 *   2. closed never goes back to false.
 *   3. A waiter is on the cancel token's list only while it does not hold the lock at the time it is put there or taken
 *      off, since a token that fires calls back and takes the lock.
 */
#include "base/mem.h"
#include "base/thread.h"

struct queue {
    struct lock lock;
    struct cond changed; /* became less full, less empty, or closed */
    size_t capacity;
    size_t first;
    size_t len;
    bool closed;
    void *items[];
};

struct queue *queue_new(size_t capacity)
{
    INVARIANT(capacity > 0 && capacity < SIZE_MAX / sizeof(void *) / 2);
    struct queue *q = mem_alloc0(1, sizeof(*q) + capacity * sizeof(void *));

    lock_init(&q->lock);
    cond_init(&q->changed);
    q->capacity = capacity;
    return q;
}

void queue_free(struct queue *q)
{
    if (q == NULL) {
        return;
    }
    cond_release(&q->changed);
    lock_release(&q->lock);
    mem_free(q);
}

/* One attempt of a push (item set) or a pop (item NULL); false when it has to wait. */
static bool attempt(struct queue *q, void *item, void **ret_item) REQUIRES(&q->lock)
{
    if (item != NULL) {
        if (q->closed || q->len == q->capacity) {
            return false;
        }
        q->items[(q->first + q->len) % q->capacity] = item;
        q->len++;
    } else {
        if (q->len == 0) {
            return false;
        }
        *ret_item = q->items[q->first];
        q->first = (q->first + 1) % q->capacity;
        q->len--;
    }
    cond_broadcast(&q->changed);
    return true;
}

static bool attempt_locked(struct queue *q, void *item, void **ret_item, bool *ret_hopeless)
{
    lock_take(&q->lock);
    bool done = attempt(q, item, ret_item);
    *ret_hopeless = !done && q->closed;
    lock_give(&q->lock);
    return done;
}

static bool transfer(struct queue *q, void *item, void **ret_item, struct wait w)
{
    struct waiter waiter;
    bool hopeless = false;
    bool done = attempt_locked(q, item, ret_item, &hopeless);

    if (done || hopeless || w.deadline_mono_ns == 0) {
        return done;
    }
    waiter_begin(&waiter, w, &q->lock, &q->changed);
    lock_take(&q->lock);
    done = attempt(q, item, ret_item);
    for (bool waiting = true; waiting && !done && !q->closed;) {
        waiting = waiter_pause(&waiter);
        done = attempt(q, item, ret_item);
    }
    lock_give(&q->lock);
    waiter_end(&waiter);
    return done;
}

bool queue_push(struct queue *q, void *item, struct wait w)
{
    INVARIANT(item != NULL);
    return transfer(q, item, NULL, w);
}

void *queue_pop(struct queue *q, struct wait w)
{
    void *item = NULL;

    (void)transfer(q, NULL, &item, w);
    return item;
}

void queue_close(struct queue *q)
{
    lock_take(&q->lock);
    q->closed = true;
    cond_broadcast(&q->changed);
    lock_give(&q->lock);
}

size_t queue_len(struct queue *q)
{
    lock_take(&q->lock);
    size_t len = q->len;
    lock_give(&q->lock);
    return len;
}
