/* Targets that the config names. */
#include "discover/discovery.h"

#include "base/env.h"

struct static_config {
    struct discovery_common common;
    struct option_list targets;
    struct option_map labels;
};

struct static_discovery {
    struct discovery super;
    const struct static_config *config;
};

static const struct option options[] = {
    {.name = "targets",
     .type = OPTION_LIST,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct static_config, targets),
     .help = "Their addresses: `host:port`, or a URL."},
    {.name = "labels",
     .type = OPTION_MAP,
     .offset = offsetof(struct static_config, labels),
     .help = "Labels of each of them; `__scheme__` and `__alerts_path__` mean what they say."},
};

const struct option_table discovery_static_options = {
    .name = "static_configs",
    .help = "Targets written here.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct static_config),
};

static bool add(const struct static_config *c, struct str address, struct target_list *list,
                struct err *e)
{
    struct labels_builder b;

    labels_builder_init(&b);
    for (size_t i = 0; i < c->labels.count; i++) {
        labels_builder_set(&b, c->labels.items[i].name, c->labels.items[i].value);
    }
    labels_builder_set(&b, STR("__address__"), address);
    bool ok = target_list_add(list, &b, e);
    labels_builder_release(&b);
    return ok;
}

static bool look(struct discovery *d, struct wait wait, struct target_list *ret_list,
                 bool *ret_same, struct err *e)
{
    const struct static_config *c = ((struct static_discovery *)d)->config;

    (void)wait;
    *ret_same = false;
    for (size_t i = 0; i < c->targets.count; i++) {
        if (!add(c, c->targets.items[i], ret_list, e)) {
            return false;
        }
    }
    return true;
}

static void close_it(struct discovery *d)
{
    mem_free(d);
}

static bool open(const struct env *env, const void *config, struct discovery **ret_discovery,
                 struct err *e)
{
    static const struct discovery_ops ops = {look, close_it};
    struct static_discovery *d = mem_new(struct static_discovery);

    (void)env;
    (void)e;
    *d = (struct static_discovery){{&ops}, config};
    *ret_discovery = &d->super;
    return true;
}

const struct discovery_kind discovery_static = {
    .key = "static_configs",
    .name = "static",
    .help = "Targets written in the config.",
    .options = &discovery_static_options,
    .open = open,
};
