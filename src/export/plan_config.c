/* `exporters` and `routes` of the config, read and compiled into a plan_config. */
#include "export/plan.h"

#include "export/compile.h"
#include "export/exporter.h"
#include "export/routes.h"

static bool agree(const struct exporter_config *x, const struct exporter_config *other,
                  struct err *e)
{
    struct err why = ERR_INIT;

    if (x->kind != other->kind || x->kind->agrees == NULL ||
        x->kind->agrees(x->config, other->config, &why)) {
        return true;
    }
    return (x->node->key.len > 0 ? yaml_key_err : yaml_err)(
        x->node, e, ERR_CONFIG, "exporters '%.*s' and '%.*s': %s", STR_FMT(other->name),
        STR_FMT(x->name), why.message);
}

/* Can all of them stand in one config? */
static bool all_agree(const struct plan_config *config, struct err *e)
{
    for (size_t i = 0; i < config->exporter_count; i++) {
        for (size_t before = 0; before < i; before++) {
            if (!agree(&config->exporters[i], &config->exporters[before], e)) {
                return false;
            }
        }
    }
    return true;
}

bool plan_parse_sections(const struct plan_sections *text, const struct option_source *source,
                         struct arena *a, struct plan_config *ret_config, struct err *e)
{
    struct plan_config config = {.tree = arena_new(a, struct tree)};

    config.tree->source = source;
    config.tree->arena = a;
    config.tree->built_in = text->built_in;
    config.tree->kinds = text->kinds;
    config.tree->named = text->named;
    if (!tree_read(config.tree, text->exporters, e) || !plan_compile(config.tree, &config, e) ||
        !all_agree(&config, e) || !plan_read_routes(text->routes, a, &config, e)) {
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
    const struct plan_sections text = {
        .exporters = exporters, .built_in = built_in, .routes = routes};

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
