/*
 * exporters: where all that a group or rule finds goes, instead of by the routes. Whether there are such
 * exporters is not known here; each name has its place for whoever looks.
 */
#include "rules/rule_int.h"

enum { TARGETS_MAX = 63 };

static bool read_target(struct rule_loader *l, const struct yaml_node *node,
                        struct rule_target *ret)
{
    struct err e = ERR_INIT;
    struct str name = STR_NONE;

    if (!yaml_text(node, &name, &e)) {
        loader_error(l, &e);
        return false;
    }
    if (name.len == 0) {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected the name of an exporter, found nothing");
        loader_error(l, &e);
        return false;
    }
    *ret = (struct rule_target){arena_dup(l->arena, name), node->pos};
    return true;
}

void targets_read(struct rule_loader *l, const struct yaml_node *node,
                  const struct rule_target **ret_targets, size_t *ret_count)
{
    bool is_list = node != NULL && node->kind == YAML_SEQUENCE;
    size_t count = is_list ? node->count : 1;
    struct err e = ERR_INIT;

    if (node == NULL || loader_is_done(l)) {
        return;
    }
    if (count == 0 || count > TARGETS_MAX) {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected the names of 1 to %d exporters, found %zu",
                       TARGETS_MAX, count);
        loader_error(l, &e);
        return;
    }
    struct rule_target *targets = arena_array(l->arena, struct rule_target, count);
    const struct yaml_node *n = is_list ? node->first : node;
    for (size_t i = 0; i < count; i++, n = n->next) {
        if (!read_target(l, n, &targets[i])) {
            return;
        }
    }
    *ret_targets = targets;
    *ret_count = count;
}
