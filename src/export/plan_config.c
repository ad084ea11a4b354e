/* `exporters` and `routes` of the config, read and compiled into a plan_config. */
#include "export/plan.h"

#include "export/compile.h"
#include "export/routes.h"

bool plan_parse_sections(const struct plan_sections *text, const struct option_source *source,
                         struct arena *a, struct plan_config *ret_config, struct err *e)
{
    struct plan_config config = {.tree = arena_new(a, struct tree)};

    config.tree->source = source;
    config.tree->arena = a;
    config.tree->built_in = text->built_in;
    config.tree->kinds = text->kinds;
    if (!tree_read(config.tree, text->exporters, e) || !plan_compile(config.tree, &config, e) ||
        !plan_read_routes(text->routes, a, &config, e)) {
        plan_config_release(&config);
        return false;
    }
    config.tree->source = NULL; /* the caller's, who may not keep it */
    *ret_config = config;
    return true;
}

bool plan_parse(const struct yaml_node *exporters, const struct yaml_node *built_in,
                const struct yaml_node *routes, const struct option_source *source, struct arena *a,
                struct plan_config *ret_config, struct err *e)
{
    const struct plan_sections text = {exporters, built_in, routes, NULL};

    return plan_parse_sections(&text, source, a, ret_config, e);
}

void plan_config_release(struct plan_config *config)
{
    if (config->tree != NULL) {
        tree_release(config->tree);
    }
    for (size_t i = 0; i < config->route_count; i++) {
        condition_free(config->routes[i].match);
    }
    *config = (struct plan_config){0};
}

bool plan_has_exporter(const struct plan_config *config, struct str path)
{
    for (size_t i = 0; config->tree != NULL && i < config->tree->count; i++) {
        if (str_eq(config->tree->exporters[i]->path, path)) {
            return true;
        }
    }
    return false;
}
