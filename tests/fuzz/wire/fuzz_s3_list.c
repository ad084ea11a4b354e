/* Any bytes as a listing or an error of S3. */
#include "wire/s3_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, struct str key)
{
    *(size_t *)arg += key.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(arena_release) struct arena a;
    size_t bytes = 0;
    const struct s3_keys keys = {take, &bytes};
    struct str next = STR("");
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = s3_list_decode(str_make((const char *)data, size), &a, &keys, &next, &e);
    INVARIANT(ok == (e.code == ERR_NONE) && bytes <= size);
    INVARIANT(s3_error_text(str_make((const char *)data, size), &a).len <= size + 2);
    return 0;
}
