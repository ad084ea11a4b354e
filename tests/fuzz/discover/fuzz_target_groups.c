/* Groups of targets as YAML and as JSON: whatever comes is read or refused, and a target has an address. */
#include "discover/target_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(target_list_release) struct target_list json = {0};
    AUTO(target_list_release) struct target_list yaml = {0};
    struct str text = str_make((const char *)data, size);
    struct err e = ERR_INIT;

    bool is_json = target_groups_read_json(&json, text, STR("f.json"), "__meta_filepath", &e);
    e = ERR_INIT;
    bool is_yaml = target_groups_read_yaml(&yaml, text, STR("f.yml"), NULL, &e);
    INVARIANT(is_yaml || e.code != ERR_NONE);
    INVARIANT(is_json || json.sets.len < TARGETS_MAX);
    for (size_t i = 0; i < json.sets.len; i++) {
        INVARIANT(labels_get(json.sets.items[i], STR("__address__")).len > 0);
    }
    return 0;
}
