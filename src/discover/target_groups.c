/* [{"targets": [...], "labels": {...}}] as YAML or JSON. */
#include "discover/target_list.h"

#include "wire/json.h"

/* What both readers share: the labels of a group, then a set per target. */
struct groups {
    struct target_list *list;
    struct str source;
    const char *label;
    struct labels_builder own; /* of the group being read */
    struct labels_builder set;
};

static void groups_init(struct groups *g, struct target_list *l, struct str source,
                        const char *label)
{
    *g = (struct groups){.list = l, .source = source, .label = label};
    labels_builder_init(&g->own);
    labels_builder_init(&g->set);
}

static void groups_release(struct groups *g)
{
    labels_builder_release(&g->own);
    labels_builder_release(&g->set);
}

static bool add_target(struct groups *g, struct str address, struct err *e)
{
    if (address.len == 0) {
        return err_set(e, ERR_PARSE, "a target is empty; expected host:port");
    }
    labels_builder_clear(&g->set);
    for (size_t i = 0; i < g->own.pairs.len; i++) {
        const struct label *pair = &g->own.pairs.items[i];
        labels_builder_set(&g->set, pair->name, pair->value);
    }
    if (g->label != NULL) {
        labels_builder_set(&g->set, str_of(g->label), g->source);
    }
    labels_builder_set(&g->set, STR("__address__"), address);
    return target_list_add(g->list, &g->set, e);
}

/* ---- YAML ---- */

static bool read_yaml_labels(struct groups *g, const struct yaml_node *labels, struct err *e)
{
    labels_builder_clear(&g->own);
    if (labels == NULL || yaml_is_null(labels)) {
        return true;
    }
    if (labels->kind != YAML_MAPPING) {
        return yaml_err(labels, e, ERR_PARSE, "expected a mapping of labels");
    }
    for (const struct yaml_node *n = labels->first; n != NULL; n = n->next) {
        struct str value;
        if (!yaml_text(n, &value, e)) {
            return false;
        }
        labels_builder_set(&g->own, n->key, value);
    }
    return true;
}

static bool read_yaml_group(struct groups *g, const struct yaml_node *group, struct err *e)
{
    const struct yaml_node *targets = yaml_get(group, STR("targets"));

    if (group->kind != YAML_MAPPING || targets == NULL || targets->kind != YAML_SEQUENCE) {
        return yaml_err(group, e, ERR_PARSE,
                        "expected a group of targets, such as '{ targets: [\"host:9093\"] }'");
    }
    if (!read_yaml_labels(g, yaml_get(group, STR("labels")), e)) {
        return false;
    }
    for (const struct yaml_node *n = targets->first; n != NULL; n = n->next) {
        struct str address;
        if (!yaml_text(n, &address, e)) {
            return false;
        }
        if (!add_target(g, address, e)) {
            return yaml_err(n, e, e->code, "%s", e->message);
        }
    }
    return true;
}

bool target_groups_read_yaml(struct target_list *l, struct str text, struct str source,
                             const char *label, struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct yaml_source yaml = {source, text};
    const struct yaml_node *documents = NULL;
    AUTO(groups_release) struct groups g;

    groups_init(&g, l, source, label);
    arena_init(&a, ARENA_UNLIMITED);
    if (!yaml_parse(&a, &yaml, &documents, e)) {
        return false;
    }
    const struct yaml_node *root = documents->first;
    if (root == NULL || yaml_is_null(root)) {
        return true;
    }
    if (root->kind != YAML_SEQUENCE) {
        return yaml_err(root, e, ERR_PARSE, "expected a list of groups of targets");
    }
    for (const struct yaml_node *n = root->first; n != NULL; n = n->next) {
        if (!read_yaml_group(&g, n, e)) {
            return false;
        }
    }
    return true;
}

/* ---- JSON ---- */

static bool read_json_labels(struct groups *g, const struct json_node *labels, struct str text,
                             struct err *e)
{
    labels_builder_clear(&g->own);
    if (labels == NULL || labels->kind == JSON_NULL) {
        return true;
    }
    if (labels->kind != JSON_OBJECT) {
        return json_err_at(text, labels->offset, e, ERR_PARSE, "expected an object of labels");
    }
    for (const struct json_node *n = labels->first; n != NULL; n = n->next) {
        if (n->kind != JSON_STRING) {
            return json_err_at(text, n->offset, e, ERR_PARSE, "expected a text");
        }
        labels_builder_set(&g->own, n->key, n->text);
    }
    return true;
}

static bool read_json_group(struct groups *g, const struct json_node *group, struct str text,
                            struct err *e)
{
    const struct json_node *targets = json_get(group, STR("targets"));

    if (targets == NULL || targets->kind != JSON_ARRAY) {
        return json_err_at(text, group->offset, e, ERR_PARSE,
                           "expected a group of targets, such as {\"targets\": [\"host:9093\"]}");
    }
    if (!read_json_labels(g, json_get(group, STR("labels")), text, e)) {
        return false;
    }
    for (const struct json_node *n = targets->first; n != NULL; n = n->next) {
        if (n->kind != JSON_STRING) {
            return json_err_at(text, n->offset, e, ERR_PARSE, "expected a text: host:port");
        }
        if (!add_target(g, n->text, e)) {
            return json_err_at(text, n->offset, e, e->code, "%s", e->message);
        }
    }
    return true;
}

bool target_groups_read_json(struct target_list *l, struct str text, struct str source,
                             const char *label, struct err *e)
{
    AUTO(arena_release) struct arena a;
    AUTO(groups_release) struct groups g;
    struct json_node *root = NULL;

    groups_init(&g, l, source, label);
    arena_init(&a, ARENA_UNLIMITED);
    if (!json_parse(text, &a, &root, e)) {
        return false;
    }
    if (root->kind == JSON_NULL) {
        return true;
    }
    if (root->kind != JSON_ARRAY) {
        return json_err_at(text, root->offset, e, ERR_PARSE,
                           "expected an array of groups of targets");
    }
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        if (!read_json_group(&g, n, text, e)) {
            return false;
        }
    }
    return true;
}
