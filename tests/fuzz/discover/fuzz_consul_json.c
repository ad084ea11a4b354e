/* Consul's answers: whatever comes is read or refused. */
#include "discover/consul_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(target_list_release) struct target_list list = {0};
    AUTO(arena_release) struct arena a;
    struct str text = str_make((const char *)data, size);
    struct err e = ERR_INIT;
    struct str *names = NULL;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    INVARIANT(consul_read_services(text, &a, &names, &count, &e) || e.code != ERR_NONE);
    e = ERR_INIT;
    INVARIANT(consul_read_health(text, STR(","), &list, &e) || e.code != ERR_NONE);
    for (size_t i = 0; i < list.sets.len; i++) {
        INVARIANT(labels_get(list.sets.items[i], STR("__address__")).len > 0);
    }
    return 0;
}
