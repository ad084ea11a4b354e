/*
 * Invariants
 *   1. bytes holds <count> pairs in canonical form: tag 0x0A, length, tag 0x0A, name, tag 0x12,
 *      value, every length in its shortest form, nothing else. Whoever makes a set checked that, so
 *      readers here do not.
 *   2. Names are unique, not empty and in byte order; values are not empty.
 *   3. refs is 0 only in the empty set, which lives for ever and is not counted.
 */
#include "model/labels.h"

#include "base/mem.h"
#include "base/varint.h"
#include "model/labels_int.h"

/* XXH3 of no bytes. */
static const struct labels empty_set = {.hash = 0x2D06800538D394C2};

struct labels *labels_empty(void)
{
    return (struct labels *)(uintptr_t)&empty_set;
}

struct labels *labels_ref(struct labels *l)
{
    if (l != &empty_set) {
        atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    }
    return l;
}

void labels_unref(struct labels *l)
{
    if (l == NULL || l == &empty_set) {
        return;
    }
    uint32_t before = atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel);
    INVARIANT(before != 0);
    if (before == 1) {
        mem_free(l);
    }
}

struct labels *labels_alloc(size_t len, uint32_t count)
{
    struct labels *l = mem_alloc(offsetof(struct labels, bytes) + len);

    atomic_init(&l->refs, 1);
    l->count = count;
    l->len = (uint32_t)len;
    return l;
}

struct labels *labels_seal(struct labels *l)
{
    l->hash = str_hash(labels_bytes(l), 0);
    return l;
}

bool labels_eq(const struct labels *a, const struct labels *b)
{
    return a == b ||
           (a->hash == b->hash && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0);
}

int labels_cmp(const struct labels *a, const struct labels *b)
{
    uint32_t at_a = 0;
    uint32_t at_b = 0;
    struct label x;
    struct label y;

    while (labels_next(a, &at_a, &x)) {
        if (!labels_next(b, &at_b, &y)) {
            return 1;
        }
        int order = str_cmp(x.name, y.name);
        order = order != 0 ? order : str_cmp(x.value, y.value);
        if (order != 0) {
            return order;
        }
    }
    return at_b < b->len ? -1 : 0;
}

const char *labels_length_long(const char *p, size_t *ret_length)
{
    uint64_t length = 0;

    (void)varint_get(&p, p + VARINT_MAX, &length);
    *ret_length = (size_t)length;
    return p;
}

struct str labels_get(const struct labels *l, struct str name)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        if (str_eq(pair.name, name)) {
            return pair.value;
        }
    }
    return STR("");
}

const struct label *label_pairs_dup(struct arena *a, const struct label *pairs, size_t count)
{
    struct label *copy = arena_array(a, struct label, count);

    for (size_t i = 0; i < count; i++) {
        copy[i].name = arena_dup(a, pairs[i].name);
        copy[i].value = arena_dup(a, pairs[i].value);
    }
    return copy;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_legacy(struct str name, bool with_colon)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool digit = c >= '0' && c <= '9' && i > 0;
        if (!is_letter(c) && !digit && !(with_colon && c == ':')) {
            return false;
        }
    }
    return name.len > 0;
}

bool label_name_is_legacy(struct str name)
{
    return is_legacy(name, false);
}

bool metric_name_is_legacy(struct str name)
{
    return is_legacy(name, true);
}
