/* Types of many values, and the table of all types. */
#include "base/options_int.h"

/* Reads the items of a list with <set_item>; one scalar is a list of one. */
static bool set_items(const struct options_run *r, const struct option *o, struct option_value v,
                      bool (*set_item)(const struct options_run *, const struct option *,
                                       struct option_value, void *),
                      char *items, size_t item_size)
{
    if (v.node->kind == YAML_SCALAR) {
        return set_item(r, o, v, items);
    }
    for (const struct yaml_node *item = v.node->first; item != NULL; item = item->next) {
        struct option_value value = {item, v.name, v.loose};
        if (!set_item(r, o, value, items)) {
            return false;
        }
        items += item_size;
    }
    return true;
}

static size_t item_count(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR ? 1 : node->count;
}

static bool set_list(const struct options_run *r, const struct option *o, struct option_value v,
                     void *field)
{
    if (v.node->kind == YAML_MAPPING) {
        return options_err_expected(r, v, "a list of texts");
    }
    size_t count = item_count(v.node);
    struct str *items = arena_array(r->arena, struct str, count);
    if (!set_items(r, o, v, options_set_text, (char *)items, sizeof(*items))) {
        return false;
    }
    *(struct option_list *)field = (struct option_list){items, count};
    return true;
}

static bool set_int_list(const struct options_run *r, const struct option *o, struct option_value v,
                         void *field)
{
    if (v.node->kind == YAML_MAPPING) {
        return options_err_expected(r, v, "a list of whole numbers");
    }
    size_t count = item_count(v.node);
    int64_t *items = arena_array(r->arena, int64_t, count);
    if (!set_items(r, o, v, options_set_int, (char *)items, sizeof(*items))) {
        return false;
    }
    *(struct option_ints *)field = (struct option_ints){items, count};
    return true;
}

static bool set_map(const struct options_run *r, const struct option *o, struct option_value v,
                    void *field)
{
    if (v.node->kind != YAML_MAPPING) {
        return options_err_expected(r, v, "a mapping of names to texts");
    }
    struct option_pair *pairs = arena_array(r->arena, struct option_pair, v.node->count);
    size_t count = 0;
    for (const struct yaml_node *item = v.node->first; item != NULL; item = item->next) {
        struct option_value value = {item, v.name, v.loose};
        struct option_pair *pair = &pairs[count++];
        pair->name = item->key;
        pair->node = v.loose ? NULL : item;
        if (!options_set_text(r, o, value, &pair->value)) {
            return false;
        }
    }
    *(struct option_map *)field = (struct option_map){pairs, count};
    return true;
}

static bool set_node(const struct options_run *r, const struct option *o, struct option_value v,
                     void *field)
{
    (void)r;
    (void)o;
    *(const struct yaml_node **)field = v.node;
    return true;
}

#define SCHEMA_NUMBER "\"type\":[\"number\",\"string\"]"

const struct option_type_info option_types[] = {
    [OPTION_TEXT] = {"text", "\"type\":[\"string\",\"number\",\"boolean\"]", false,
                     options_set_text},
    [OPTION_BOOL] = {"true or false", "\"type\":[\"boolean\",\"string\"]", false, options_set_bool},
    [OPTION_INT] = {"whole number", "\"type\":[\"integer\",\"string\"]", false, options_set_int},
    [OPTION_DOUBLE] = {"number", SCHEMA_NUMBER, false, options_set_double},
    [OPTION_DURATION] = {"duration", SCHEMA_NUMBER, false, options_set_duration},
    [OPTION_BYTES] = {"size", SCHEMA_NUMBER, false, options_set_bytes},
    [OPTION_ENUM] = {"choice", "\"type\":\"string\"", false, options_set_enum},
    [OPTION_SECRET] = {"secret", "\"type\":[\"string\",\"object\"]", false, options_set_secret},
    [OPTION_URL] = {"URL", "\"type\":\"string\",\"format\":\"uri\"", false, options_set_url},
    [OPTION_LIST] = {"list of texts",
                     "\"type\":[\"array\",\"string\"],\"items\":{\"type\":[\"string\",\"number\"]}",
                     true, set_list},
    [OPTION_MAP] = {"mapping of texts",
                    "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\","
                    "\"boolean\"]}",
                    true, set_map},
    [OPTION_INT_LIST] = {"list of whole numbers",
                         "\"type\":[\"array\",\"integer\"],\"items\":{\"type\":\"integer\"}", true,
                         set_int_list},
    [OPTION_TABLE] = {"mapping", "", true, NULL},
    [OPTION_TABLES] = {"list of mappings", "", true, options_set_tables},
    [OPTION_NODE] = {"YAML", "", true, set_node},
};
