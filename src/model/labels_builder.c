/*
 * Invariant: while <sorted>, the names of pairs rise strictly. A pair with an empty value may stand
 * among them; it is left out when the set is built.
 */
#include "base/varint.h"
#include "model/labels.h"
#include "model/labels_int.h"

#include <stdlib.h>

enum { SORT_BY_INSERTION_MAX = 24 };

void labels_builder_init(struct labels_builder *b)
{
    *b = (struct labels_builder){.sorted = true};
}

void labels_builder_release(struct labels_builder *b)
{
    vec_release(&b->pairs);
    labels_builder_init(b);
}

void labels_builder_clear(struct labels_builder *b)
{
    vec_clear(&b->pairs);
    b->sorted = true;
    b->over = false;
}

void labels_builder_start(struct labels_builder *b, const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    labels_builder_clear(b);
    while (labels_next(l, &at, &pair)) {
        vec_push(&b->pairs, pair);
    }
}

void labels_builder_push(struct labels_builder *b, struct str name, struct str value)
{
    if (b->pairs.len >= LABELS_MAX) {
        b->over = true;
        return;
    }
    b->sorted = b->sorted && (b->pairs.len == 0 || str_cmp(vec_last(&b->pairs)->name, name) < 0);
    vec_push(&b->pairs, ((struct label){name, value}));
}

/* The first index whose name is not below <name>; sets are small, so from the front. */
static size_t builder_find(const struct labels_builder *b, struct str name, bool *ret_found)
{
    for (size_t i = 0; i < b->pairs.len; i++) {
        int order = str_cmp(b->pairs.items[i].name, name);
        if (order == 0 || (order > 0 && b->sorted)) {
            *ret_found = order == 0;
            return i;
        }
    }
    *ret_found = false;
    return b->pairs.len;
}

static void builder_insert(struct labels_builder *b, size_t at, struct label pair)
{
    if (at == b->pairs.len || b->pairs.len >= LABELS_MAX) {
        labels_builder_push(b, pair.name, pair.value);
        return;
    }
    vec_push(&b->pairs, pair);
    memmove(&b->pairs.items[at + 1], &b->pairs.items[at],
            (b->pairs.len - 1 - at) * sizeof(struct label));
    b->pairs.items[at] = pair;
}

void labels_builder_set(struct labels_builder *b, struct str name, struct str value)
{
    bool found;
    size_t at = builder_find(b, name, &found);

    if (value.len == 0) {
        labels_builder_del(b, name);
    } else if (found) {
        b->pairs.items[at].value = value;
    } else {
        builder_insert(b, at, (struct label){name, value});
    }
}

void labels_builder_del(struct labels_builder *b, struct str name)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->pairs.len; i++) {
        if (!str_eq(b->pairs.items[i].name, name)) {
            b->pairs.items[kept++] = b->pairs.items[i];
        }
    }
    b->pairs.len = kept;
}

struct str labels_builder_get(const struct labels_builder *b, struct str name)
{
    bool found;
    size_t at = builder_find(b, name, &found);

    return found ? b->pairs.items[at].value : STR("");
}

static int pair_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static void sort_by_insertion(struct label *pairs, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        struct label moving = pairs[i];
        size_t at = i;
        for (; at > 0 && str_cmp(pairs[at - 1].name, moving.name) > 0; at--) {
            pairs[at] = pairs[at - 1];
        }
        pairs[at] = moving;
    }
}

static void builder_sort(struct labels_builder *b)
{
    if (b->pairs.len <= SORT_BY_INSERTION_MAX) {
        sort_by_insertion(b->pairs.items, b->pairs.len);
    } else {
        qsort(b->pairs.items, b->pairs.len, sizeof(struct label), pair_cmp);
    }
}

/* Sorts, and refuses a name that stands twice. */
static bool builder_order(struct labels_builder *b, struct err *e)
{
    if (b->sorted) {
        return true;
    }
    builder_sort(b);
    for (size_t i = 1; i < b->pairs.len; i++) {
        struct str name = b->pairs.items[i].name;
        if (str_eq(name, b->pairs.items[i - 1].name)) {
            return err_set(e, ERR_PARSE, "label \"%.*s\" stands twice in one set", STR_FMT(name));
        }
    }
    b->sorted = true;
    return true;
}

static size_t text_size(struct str s)
{
    return 1 + varint_size(s.len) + s.len;
}

/* Bytes of all pairs that have a value, and their number; false with LIMIT when too many. */
static bool builder_measure(const struct labels_builder *b, size_t *ret_len, uint32_t *ret_count,
                            struct err *e)
{
    size_t len = 0;
    uint32_t count = 0;

    for (size_t i = 0; i < b->pairs.len && len <= LABELS_BYTES_MAX; i++) {
        const struct label *pair = &b->pairs.items[i];
        if (pair->value.len > LABELS_BYTES_MAX || pair->name.len > LABELS_BYTES_MAX) {
            len = SIZE_MAX;
        } else if (pair->value.len != 0) {
            size_t inner = text_size(pair->name) + text_size(pair->value);
            len += 1 + varint_size(inner) + inner;
            count++;
        }
    }
    if (b->over || len > LABELS_BYTES_MAX) {
        return err_set(e, ERR_LIMIT, "label set with more than %d labels or %d bytes", LABELS_MAX,
                       LABELS_BYTES_MAX);
    }
    *ret_len = len;
    *ret_count = count;
    return true;
}

static char *put_text(char *out, char tag, struct str s)
{
    *out++ = tag;
    out = varint_put(out, s.len);
    memcpy(out, s.ptr, s.len);
    return out + s.len;
}

static void builder_pack(const struct labels_builder *b, char *out)
{
    for (size_t i = 0; i < b->pairs.len; i++) {
        const struct label *pair = &b->pairs.items[i];
        if (pair->value.len != 0) {
            *out++ = LABEL_TAG_PAIR;
            out = varint_put(out, text_size(pair->name) + text_size(pair->value));
            out = put_text(out, LABEL_TAG_NAME, pair->name);
            out = put_text(out, LABEL_TAG_VALUE, pair->value);
        }
    }
}

bool labels_build(struct labels_builder *b, struct labels **ret_labels, struct err *e)
{
    size_t len = 0;
    uint32_t count = 0;

    if (!builder_measure(b, &len, &count, e) || !builder_order(b, e)) {
        return false;
    }
    if (b->pairs.len > 0 && b->pairs.items[0].name.len == 0) {
        return err_set(e, ERR_PARSE, "label with an empty name");
    }
    if (count == 0) {
        *ret_labels = labels_empty();
        return true;
    }
    struct labels *l = labels_alloc(len, count);
    builder_pack(b, l->bytes);
    *ret_labels = labels_seal(l);
    return true;
}
