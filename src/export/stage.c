#include "export/stage.h"

#include "export/dry_run.h"

static bool open_combinator(const struct exporter_place *place, const struct stage_config *config,
                            struct sink **ret_sink, struct err *e)
{
    struct sink *children[EXPORTER_CHILDREN_MAX];
    struct exporter_place inside = *place;
    size_t opened = 0;

    if (config->child_count > 1) {
        inside.is_apart = true;
        inside.lane = NULL; /* each gets what another did not take, in any order */
    }
    if (config->kind->stage->inside != NULL) {
        config->kind->stage->inside(config->config, &inside);
    }
    while (opened < config->child_count) {
        if (!stage_open(&inside, config->children[opened], &children[opened], e)) {
            break;
        }
        opened++;
    }
    if (opened == config->child_count &&
        config->kind->stage->open(place, config, children, ret_sink, e)) {
        return true;
    }
    while (opened > 0) {
        sink_close(children[--opened]);
    }
    return false;
}

/* A leaf is called as in the config, wherever it stands. */
static bool open_leaf(const struct exporter_place *place, const struct stage_config *config,
                      struct sink **ret_sink, struct err *e)
{
    struct exporter_place own = *place;

    if (place->dry != NULL && config->kind->level != NULL) {
        own.name = config->name;
        return dry_run_open_level(&own, config->kind->level, config->config, ret_sink, e);
    }
    if (config->kind->open == NULL) {
        return err_set(e, ERR_CONFIG, "a %s cannot be run yet", config->kind->name);
    }
    own.name = config->name;
    own.kind = config->kind;
    if (place->dry != NULL && config->kind->http == NULL &&
        (config->kind->caps & EXPORTER_SHOWS) == 0) {
        dry_run_open_records(&own, ret_sink);
        return true;
    }
    return config->kind->open(&own, config->config, ret_sink, e);
}

bool stage_open(const struct exporter_place *place, const struct stage_config *config,
                struct sink **ret_sink, struct err *e)
{
    bool ok =
        (config->kind->stage != NULL ? open_combinator : open_leaf)(place, config, ret_sink, e);

    return ok || err_wrap(e, "exporter '%.*s'", STR_FMT(config->name));
}
