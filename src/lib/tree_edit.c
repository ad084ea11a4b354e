/*
 * Nodes are the arena's and were copied by edit_copy() before anything is changed, so that taking const off
 * their links is taking back what only the parser needs to promise.
 */
#include "lib/tree_edit.h"

static const char set_from[] = "options that were set";

static struct yaml_node *open_node(const struct yaml_node *node)
{
    return (struct yaml_node *)(uintptr_t)node;
}

struct yaml_node *edit_copy(struct arena *a, const struct yaml_node *node)
{
    struct yaml_node *copy = arena_new(a, struct yaml_node);
    const struct yaml_node **tail = &copy->first;

    if (node == NULL) {
        struct yaml_source *source = arena_new(a, struct yaml_source);
        *source = (struct yaml_source){STR(set_from), STR("")};
        *copy = (struct yaml_node){.kind = YAML_MAPPING, .source = source, .pos = {1, 1}};
        return copy;
    }
    *copy = *node;
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        *tail = edit_copy(a, n);
        tail = &open_node(*tail)->next;
    }
    *tail = NULL;
    return copy;
}

static void append(struct yaml_node *in, struct yaml_node *node)
{
    const struct yaml_node **tail = &in->first;

    while (*tail != NULL) {
        tail = &open_node(*tail)->next;
    }
    node->next = NULL;
    *tail = node;
    in->count++;
}

/* Puts <node> where <key> is or would be. */
static void put(struct yaml_node *in, struct str key, struct yaml_node *node)
{
    struct yaml_node *old = open_node(yaml_get(in, key));

    node->key = key;
    node->key_pos = node->pos;
    if (old == NULL) {
        append(in, node);
        return;
    }
    const struct yaml_node *next = old->next;
    *old = *node;
    old->next = next;
}

static struct yaml_node *scalar(struct arena *a, struct str path, struct str value)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    struct yaml_node *node = arena_new(a, struct yaml_node);

    *source =
        (struct yaml_source){arena_printf(a, "option %.*s", STR_FMT(path)), arena_dup(a, value)};
    *node = (struct yaml_node){.kind = YAML_SCALAR,
                               .style = YAML_PLAIN,
                               .text = source->text,
                               .length = value.len,
                               .pos = {1, 1},
                               .source = source};
    return node;
}

void edit_scalar(struct arena *a, struct yaml_node *in, struct str key, struct str value)
{
    put(in, arena_dup(a, key), scalar(a, key, value));
}

struct yaml_node *edit_mapping(struct arena *a, struct yaml_node *in, struct str key)
{
    struct yaml_node *found = open_node(yaml_get(in, key));

    if (found != NULL && !yaml_is_null(found)) {
        return found;
    }
    put(in, arena_dup(a, key), edit_copy(a, NULL));
    return open_node(yaml_get(in, key));
}

/* ---- paths ---- */

struct path {
    struct str names[EDIT_DEPTH_MAX];
    size_t count;
};

/* The next name, without backslashes; <at> moves behind its dot. */
static struct str next_name(struct arena *a, struct str path, size_t *at)
{
    char *name = arena_alloc_aligned(a, path.len + 1, 1);
    size_t len = 0;

    while (*at < path.len && path.ptr[*at] != '.') {
        *at += path.ptr[*at] == '\\' && *at + 1 < path.len;
        name[len++] = path.ptr[(*at)++];
    }
    ++*at;
    return str_make(name, len);
}

static bool split(struct arena *a, struct str path, struct path *ret_path, struct err *e)
{
    size_t at = 0;

    ret_path->count = 0;
    while (at <= path.len) {
        struct str name = next_name(a, path, &at);
        if (name.len == 0 || ret_path->count == EDIT_DEPTH_MAX) {
            return err_set(e, ERR_CONFIG,
                           "'%.*s' is no path of an option; expected names with dots between, such "
                           "as exporters.vm.url",
                           STR_FMT(str_slice(path, 0, 200)));
        }
        ret_path->names[ret_path->count++] = name;
    }
    return true;
}

/* The item of a list of exporters with that name, or NULL. */
static struct yaml_node *item_called(struct yaml_node *list, struct str name)
{
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        const struct yaml_node *said = yaml_get(n, STR("name"));
        if (said != NULL && str_eq(said->text, name)) {
            return open_node(n);
        }
    }
    return NULL;
}

/* An item of a list that is not there yet: { name: NAME }. */
static struct yaml_node *add_item(struct arena *a, struct yaml_node *list, struct str name)
{
    struct yaml_node *item = edit_copy(a, NULL);

    edit_scalar(a, item, STR("name"), name);
    append(list, item);
    return item;
}

/* From <node> down to what is called <name>; NULL where something else stands in the way. */
static struct yaml_node *step(struct arena *a, struct yaml_node *node, struct str name,
                              struct str then)
{
    if (node->kind == YAML_SEQUENCE) {
        struct yaml_node *item = item_called(node, name);
        item = item != NULL ? item : add_item(a, node, name);
        struct yaml_node *config = open_node(yaml_get(item, STR("config")));
        return config != NULL && !str_eq(then, STR("type")) ? config : item;
    }
    return node->kind == YAML_MAPPING ? edit_mapping(a, node, name) : NULL;
}

/* ---- setting ---- */

static bool parse_value(struct arena *a, struct str path, struct str value,
                        struct yaml_node **ret_node, struct err *e)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;

    *source =
        (struct yaml_source){arena_printf(a, "option %.*s", STR_FMT(path)), arena_dup(a, value)};
    if (!yaml_parse(a, source, &documents, e)) {
        return false;
    }
    if (documents->count != 1) {
        return err_set(e, ERR_CONFIG, "option %.*s: expected one value in YAML", STR_FMT(path));
    }
    *ret_node = edit_copy(a, documents->first);
    return true;
}

bool edit_set(struct arena *a, struct yaml_node *root, struct str path, struct str value,
              bool is_yaml, struct err *e)
{
    struct yaml_node *at = root;
    struct yaml_node *node = NULL;
    struct path p;

    if (!split(a, path, &p, e)) {
        return false;
    }
    if (!is_yaml) {
        node = scalar(a, path, value);
    } else if (!parse_value(a, path, value, &node, e)) {
        return false;
    }
    for (size_t i = 0; at != NULL && i + 1 < p.count; i++) {
        at = step(a, at, p.names[i], p.names[i + 1]);
    }
    if (at == NULL || at->kind != YAML_MAPPING) {
        return err_set(e, ERR_CONFIG, "option %.*s: '%.*s' is not a mapping of options",
                       STR_FMT(path), STR_FMT(p.names[p.count > 1 ? p.count - 2 : 0]));
    }
    put(at, p.names[p.count - 1], node);
    return true;
}
