/* `routes` of the config: conditions, and the targets that they choose. */
#include "export/routes.h"

#include "export/tree.h"

struct reader {
    struct plan_config *config;
    struct route_config *routes;
};

static bool add_target(struct reader *r, struct route_config *route, const struct yaml_node *node,
                       struct err *e)
{
    struct str name;

    if (!yaml_text(node, &name, e)) {
        return false;
    }
    for (size_t i = 0; i < r->config->target_count; i++) {
        if (str_eq(r->config->targets[i].name, name)) {
            route->to |= UINT64_C(1) << i;
            return true;
        }
    }
    return tree_err_unknown(r->config->tree, name, node, e);
}

static bool read_to(struct reader *r, struct route_config *route, const struct yaml_node *node,
                    struct err *e)
{
    if (node->kind == YAML_SCALAR) {
        return add_target(r, route, node, e);
    }
    if (node->kind == YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected the names of exporters, such as 'to: [archive]'");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!add_target(r, route, n, e)) {
            return false;
        }
    }
    return true;
}

static bool read_match(struct reader *r, struct route_config *route, const struct yaml_node *node,
                       struct err *e)
{
    (void)r;
    if (!yaml_text(node, &route->text, e)) {
        return false;
    }
    if (!condition_compile(route->text, &route->match, e)) {
        yaml_err_inside(node, e);
        return false;
    }
    return true;
}

static bool read_continue(struct reader *r, struct route_config *route,
                          const struct yaml_node *node, struct err *e)
{
    (void)r;
    return yaml_bool(node, &route->also_next, e);
}

static const struct {
    const char *name;
    bool (*read)(struct reader *, struct route_config *, const struct yaml_node *, struct err *);
} route_keys[] = {{"match", read_match}, {"to", read_to}, {"continue", read_continue}};

static bool read_route_key(struct reader *r, struct route_config *route, const struct yaml_node *n,
                           struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(route_keys); i++) {
        if (str_eq(n->key, str_of(route_keys[i].name))) {
            return route_keys[i].read(r, route, n, e);
        }
    }
    return yaml_key_err(n, e, ERR_CONFIG, "unknown key '%.*s'; expected match, to or continue",
                        STR_FMT(n->key));
}

static bool read_route(struct reader *r, const struct yaml_node *node, struct err *e)
{
    struct route_config *route = &r->routes[r->config->route_count++];

    route->node = node;
    if (node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected a route, such as '{ match: ..., to: [archive] }'");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_route_key(r, route, n, e)) {
            return err_wrap(e, "in a route");
        }
    }
    if (route->to == 0) {
        return yaml_err(node, e, ERR_CONFIG, "this route goes nowhere; expected 'to: [NAME]'");
    }
    return true;
}

bool plan_read_routes(const struct yaml_node *node, struct arena *a, struct plan_config *config,
                      struct err *e)
{
    struct reader reader = {.config = config};
    struct reader *r = &reader;

    if (node == NULL || yaml_is_null(node)) {
        return true;
    }
    if (node->kind != YAML_SEQUENCE) {
        return yaml_err(node, e, ERR_CONFIG, "expected a list of routes");
    }
    r->routes = arena_array(a, struct route_config, node->count);
    config->routes = r->routes;
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_route(r, n, e)) {
            return false;
        }
    }
    return true;
}
