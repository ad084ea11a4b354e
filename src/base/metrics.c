/*
 * Invariants
 *   1. A child is in its family's map under its key as long as somebody holds it, unless it is
 * hidden or shadowed by a newer watch of the same key.
 *   2. Counting touches only the child's atomics; the maps are only touched under the registry's
 * lock.
 *   3. A family has at most METRIC_CHILDREN_MAX children and one more, the overflow child.
 */
#include "base/metrics.h"

#include "base/mem.h"
#include "base/metrics_int.h"
#include "base/number.h"

const double metric_seconds_buckets[METRIC_SECONDS_BUCKETS] = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60};

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_new(struct metrics);

    lock_init(&m->lock);
    map_init(&m->families, 0);
    return m;
}

static void family_free(struct family *f)
{
    uint32_t at = 0;
    void *child;

    while (map_next(&f->children, &at, NULL, &child)) {
        for (struct metric *c = child; c != NULL;) {
            struct metric *older = c->shadowed;
            mem_free(c->key.ptr);
            mem_free(c);
            c = older;
        }
    }
    map_release(&f->children);
    mem_free(f);
}

void metrics_free(struct metrics *m)
{
    uint32_t at = 0;
    void *family;

    if (m == NULL) {
        return;
    }
    while (map_next(&m->families, &at, NULL, &family)) {
        family_free(family);
    }
    map_release(&m->families);
    lock_release(&m->lock);
    mem_free(m);
}

size_t metric_label_count(const struct metric_desc *desc)
{
    size_t n = 0;

    while (n < METRIC_LABELS_MAX && desc->labels[n] != NULL) {
        n++;
    }
    return n;
}

/* The same family may be declared in two places if it says the same. */
static bool same_shape(const struct metric_desc *a, const struct metric_desc *b)
{
    size_t labels = metric_label_count(a);
    bool same =
        a->type == b->type && labels == metric_label_count(b) && a->bucket_count == b->bucket_count;

    for (size_t i = 0; same && i < labels; i++) {
        same = strcmp(a->labels[i], b->labels[i]) == 0;
    }
    return same;
}

static struct family *family_of(struct metrics *m, const struct metric_desc *desc)
    REQUIRES(&m->lock)
{
    struct family *f = map_get(&m->families, str_of(desc->name));

    if (f == NULL) {
        INVARIANT(desc->bucket_count <= METRIC_BUCKETS_MAX);
        f = mem_new(struct family);
        f->desc = desc;
        f->label_count = metric_label_count(desc);
        map_init(&f->children, 0);
        (void)map_put(&m->families, str_of(desc->name), f);
    }
    INVARIANT(f->desc == desc || same_shape(f->desc, desc));
    return f;
}

/* The label values, each after its length, as one owned text. */
static struct str make_key(const struct str *values, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += sizeof(size_t) + values[i].len;
    }
    char *key = mem_alloc(len);
    char *at = key;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, &values[i].len, sizeof(size_t));
        at += sizeof(size_t);
        if (values[i].len > 0) {
            memcpy(at, values[i].ptr, values[i].len);
        }
        at += values[i].len;
    }
    return str_make(key, len);
}

static void read_key(struct metric *c)
{
    const char *at = c->key.ptr;

    for (size_t i = 0; i < c->family->label_count; i++) {
        size_t len;
        memcpy(&len, at, sizeof(len));
        at += sizeof(len);
        c->values[i] = str_make(at, len);
        at += len;
    }
}

/* A child that holds <key> from now on and is in no map. */
static struct metric *child_new(struct metrics *m, struct family *f, struct str key)
{
    size_t buckets = f->desc->type == METRIC_HISTOGRAM ? f->desc->bucket_count + 1 : 0;
    struct metric *c = mem_alloc0(1, sizeof(*c) + buckets * sizeof(c->buckets[0]));

    c->registry = m;
    c->family = f;
    c->key = key;
    c->refs = 1;
    read_key(c);
    return c;
}

/* The child of <key> (taken over), or the one that takes what is too many. */
static struct metric *child_get(struct metrics *m, struct family *f, struct str key)
    REQUIRES(&m->lock)
{
    struct metric *c = map_get(&f->children, key);

    if (c == NULL && f->children.len >= METRIC_CHILDREN_MAX) {
        static const struct str overflow[METRIC_LABELS_MAX] = {
            STR_INIT("overflow"), STR_INIT("overflow"), STR_INIT("overflow"), STR_INIT("overflow")};
        mem_free(key.ptr);
        key = make_key(overflow, f->label_count);
        c = map_get(&f->children, key);
    }
    if (c != NULL) {
        INVARIANT(c->read == NULL);
        mem_free(key.ptr);
        c->refs++;
        return c;
    }
    c = child_new(m, f, key);
    (void)map_put(&f->children, c->key, c);
    return c;
}

struct metric *metrics_get(struct metrics *m, const struct metric_desc *desc,
                           const struct str *values)
{
    struct str key = make_key(values, metric_label_count(desc));

    lock_take(&m->lock);
    struct metric *c = child_get(m, family_of(m, desc), key);
    lock_give(&m->lock);
    return c;
}

struct metric *metrics_get0(struct metrics *m, const struct metric_desc *desc)
{
    const struct str none = STR_NONE;

    INVARIANT(metric_label_count(desc) == 0);
    return metrics_get(m, desc, &none);
}

struct metric *metrics_get1(struct metrics *m, const struct metric_desc *desc, struct str value)
{
    INVARIANT(metric_label_count(desc) == 1);
    return metrics_get(m, desc, &value);
}

struct metric *metrics_get2(struct metrics *m, const struct metric_desc *desc, struct str first,
                            struct str second)
{
    const struct str values[] = {first, second};

    INVARIANT(metric_label_count(desc) == 2);
    return metrics_get(m, desc, values);
}

struct metric *metrics_watch(struct metrics *m, const struct metric_desc *desc,
                             const struct str *values, double (*read)(void *arg), void *arg)
{
    struct str key = make_key(values, metric_label_count(desc));

    INVARIANT(desc->type != METRIC_HISTOGRAM);
    lock_take(&m->lock);
    struct family *f = family_of(m, desc);
    struct metric *c = child_new(m, f, key);
    c->read = read;
    c->arg = arg;
    c->hidden = f->children.len >= METRIC_CHILDREN_MAX;
    if (!c->hidden) {
        c->shadowed = map_put(&f->children, c->key, c);
        INVARIANT(c->shadowed == NULL || c->shadowed->read != NULL);
    }
    lock_give(&m->lock);
    return c;
}

/* Takes <c> out of its family: what it shadowed comes back, what shadows it forgets it. */
static void child_remove(struct metric *c)
{
    struct metric *newest = map_get(&c->family->children, c->key);

    if (newest == c) {
        (void)map_del(&c->family->children, c->key);
        if (c->shadowed != NULL) {
            (void)map_put(&c->family->children, c->shadowed->key, c->shadowed);
        }
        return;
    }
    while (newest->shadowed != c) {
        newest = newest->shadowed;
    }
    newest->shadowed = c->shadowed;
}

void metric_drop(struct metric *c)
{
    if (c == NULL) {
        return;
    }
    struct metrics *m = c->registry;
    lock_take(&m->lock);
    bool last = --c->refs == 0;
    if (last && !c->hidden) {
        child_remove(c);
    }
    lock_give(&m->lock);
    if (last) {
        mem_free(c->key.ptr);
        mem_free(c);
    }
}

void metric_add(struct metric *c, uint64_t n)
{
    atomic_fetch_add_explicit(&c->bits, n, memory_order_relaxed);
}

void metric_add_seconds(struct metric *c, int64_t ns)
{
    if (!atomic_load_explicit(&c->in_ns, memory_order_relaxed)) {
        atomic_store_explicit(&c->in_ns, true, memory_order_relaxed);
    }
    metric_add(c, ns > 0 ? (uint64_t)ns : 0);
}

void metric_set(struct metric *c, double value)
{
    atomic_store_explicit(&c->bits, number_bits(value), memory_order_relaxed);
}

void metric_shift(struct metric *c, double delta)
{
    uint64_t bits = atomic_load_explicit(&c->bits, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&c->bits, &bits,
                                                  number_bits(number_from_bits(bits) + delta),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void metric_observe(struct metric *c, double value)
{
    const struct metric_desc *desc = c->family->desc;
    size_t i = 0;

    while (i < desc->bucket_count && !(value <= desc->buckets[i])) {
        i++;
    }
    atomic_fetch_add_explicit(&c->buckets[i], 1, memory_order_relaxed);
    metric_shift(c, value);
}

double metric_value(const struct metric *c)
{
    if (c->read != NULL) {
        return c->read(c->arg);
    }
    uint64_t bits = atomic_load_explicit(&c->bits, memory_order_relaxed);
    if (c->family->desc->type != METRIC_COUNTER) {
        return number_from_bits(bits);
    }
    bool in_ns = atomic_load_explicit(&c->in_ns, memory_order_relaxed);
    return in_ns ? (double)bits / (double)NS_PER_S : (double)bits;
}
