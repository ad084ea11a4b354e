/* Selectors: whatever comes is read or refused with a place, and what is read can be asked. */
#include "model/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(selector_autofree) struct selector *s = NULL;
    AUTO(labels_builder_release) struct labels_builder b;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("a"), STR("1"));
    if (selector_compile(str_make((const char *)data, size), &s, &e)) {
        (void)selector_matches(s, &b);
    } else {
        INVARIANT(e.code != ERR_NONE && e.pos.column <= size + 1);
    }
    return 0;
}
