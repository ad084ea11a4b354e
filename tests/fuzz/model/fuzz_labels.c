/*
 * Packed label bytes from outside: whatever is accepted is canonical, so its own bytes make an equal
 * set, it prints, and a builder started from it builds it again.
 */
#include "model/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct labels *l)
{
    AUTO(labels_autounref) struct labels *again = NULL;
    AUTO(labels_autounref) struct labels *rebuilt = NULL;
    AUTO(labels_builder_release) struct labels_builder b;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_start(&b, l);
    INVARIANT(labels_from_bytes(labels_bytes(l), &again, &e) && labels_eq(l, again));
    INVARIANT(labels_build(&b, &rebuilt, &e) && labels_cmp(l, rebuilt) == 0);
    INVARIANT(b.sorted && b.pairs.len == l->count);
    labels_print(l, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    if (labels_from_bytes(str_make((const char *)data, size), &l, &e)) {
        check(l);
        labels_unref(l);
    }
    return 0;
}
