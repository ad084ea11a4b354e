#include "fake/plan_text.h"

#include <string.h>

static const char *const variables[][2] = {
    {"HOST", "127.0.0.1"},
    {"MY_KEY", "hidden"},
    {"TELEX_EXPORTER_MY_HOOK_URL", "http://from.env/hook"},
    {"TELEX_EXPORTER_ENV_EXPORTER_URL", "http://child.env/hook"},
    {"TELEX_EXPORTER_ENV_CIRCUIT_BREAKER_FAILURE_THRESHOLD", "7"},
    {"TELEX_EXPORTER_ENV_FALLBACK_EXPORTER_OUTPUT_DIRECTORY", "from-env"},
    {"TELEX_EXPORTER_MANY_FILE_2_OUTPUT_DIRECTORY", "two"},
};

static const char *lookup(void *arg, const char *name)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (strcmp(name, variables[i][0]) == 0) {
            return variables[i][1];
        }
    }
    return NULL;
}

bool plan_text_parse(struct plan_text *t, const char *yaml)
{
    const struct option_source source = {.lookup = lookup};
    const struct yaml_node *documents = NULL;

    *t = (struct plan_text){.source = {STR("t.yaml"), str_of(yaml)}};
    arena_init(&t->arena, ARENA_UNLIMITED);
    return yaml_parse(&t->arena, &t->source, &documents, &t->err) &&
           plan_parse(yaml_get(documents->first, STR("exporters")), NULL,
                      yaml_get(documents->first, STR("routes")), &source, &t->arena, &t->config,
                      &t->err);
}

void plan_text_release(struct plan_text *t)
{
    plan_config_release(&t->config);
    arena_release(&t->arena);
}
