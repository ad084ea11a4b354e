/* The registry of kinds, and what is asked of their lists together. */
#include "discover/discovery.h"

const struct discovery_kind *const discovery_kinds[DISCOVERY_KINDS] = {
    &discovery_static, &discovery_file, &discovery_dns, &discovery_http, &discovery_consul,
};

bool discovery_lists_any(const struct discovery_lists *lists)
{
    size_t count = 0;

    for (size_t k = 0; k < DISCOVERY_KINDS; k++) {
        count += lists->of[k].count;
    }
    return count > 0;
}

bool discovery_lists_check(const struct discovery_lists *lists, const struct yaml_node *node,
                           struct err *e)
{
    for (size_t k = 0; k < DISCOVERY_KINDS; k++) {
        const struct discovery_kind *kind = discovery_kinds[k];
        const struct yaml_node *list = yaml_get(node, str_of(kind->key));
        const struct yaml_node *item = list != NULL ? list->first : NULL;
        for (size_t i = 0; i < lists->of[k].count && kind->check != NULL; i++) {
            const void *config = options_table_at(&lists->of[k], kind->options, i);
            if (!kind->check(config, item != NULL ? item : node, e)) {
                return false;
            }
            item = item != NULL ? item->next : NULL;
        }
    }
    return true;
}
