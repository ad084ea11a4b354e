/* Any bytes as the label object of a row that many rules share. */
#include "rules/rule_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    struct str raw = str_make((const char *)data, size);
    struct str rest = STR_NONE;
    uint32_t number = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (rule_batch_split(raw, &a, &number, &rest)) {
        INVARIANT(rest.len < raw.len && number < 1000 * 1000);
        INVARIANT(rest.ptr[0] == raw.ptr[0]);
    }
    return 0;
}
