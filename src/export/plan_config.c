/*
 * `exporters` and `routes` of the config, read into a plan_config. Exporters come as a map of name
 * to options, or as a list whose items have `name`, `type` and their options either beside these or
 * below `config`.
 */
#include "export/plan.h"

#include "base/mem.h"
#include "export/exporter_options.h"
#include "export/extra_labels.h"

#include <stdio.h>

struct reader {
    const struct option_source *source;
    struct arena *arena;
    struct output_config outputs[PLAN_OUTPUTS_MAX];
    size_t output_count;
    struct route_config *routes;
    size_t route_count;
};

/* "TELEX_EXPORTER_<NAME>_": what begins the environment variables of an exporter. */
static const char *env_prefix(struct reader *r, struct str name)
{
    char *prefix =
        arena_text(r->arena, arena_printf(r->arena, "TELEX_EXPORTER_%.*s_", STR_FMT(name)));

    for (char *c = prefix; *c != '\0'; c++) {
        if (*c >= 'a' && *c <= 'z') {
            *c = (char)(*c & ~0x20);
        } else if (!((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9'))) {
            *c = '_';
        }
    }
    return prefix;
}

/* NULL with the reason in <e> when there is none. */
static const struct exporter_kind *find_kind(const struct yaml_node *node,
                                             const struct yaml_node *options, struct err *e)
{
    const struct yaml_node *type = yaml_get(options, STR("type"));
    struct str name;

    if (type == NULL) {
        (void)yaml_err(node, e, ERR_CONFIG,
                       "this exporter has no 'type'; expected one, such as 'type: file'");
        return NULL;
    }
    if (!yaml_text(type, &name, e)) {
        return NULL;
    }
    const struct exporter_kind *kind = exporter_kind_find(name);
    if (kind == NULL) {
        const char *near = exporter_kind_nearest(name);
        (void)yaml_err(type, e, ERR_CONFIG, "unknown exporter type '%.*s'%s%s%s", STR_FMT(name),
                       near ? "; did you mean '" : "; 'telex exporters' lists them",
                       near ? near : "", near ? "'?" : "");
    }
    return kind;
}

static bool name_is_taken(const struct reader *r, struct str name)
{
    for (size_t i = 0; i < r->output_count; i++) {
        if (str_eq(r->outputs[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* An exporter as it was written. */
struct entry {
    struct str name;
    const struct yaml_node *name_node; /* of an item of a list; NULL: the key of <node> */
    const struct yaml_node *node;
    const struct yaml_node *options;
};

/* An error at the name: "'<name>' <text>". */
static bool err_name(const struct entry *entry, struct err *e, enum err_code code, const char *text)
{
    return entry->name_node != NULL
               ? yaml_err(entry->name_node, e, code, "'%.*s' %s", STR_FMT(entry->name), text)
               : yaml_key_err(entry->node, e, code, "'%.*s' %s", STR_FMT(entry->name), text);
}

static bool check_name(const struct reader *r, const struct entry *entry, struct err *e)
{
    struct str name = entry->name;
    bool ok = name.len > 0 && name.len <= 64;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        ok = ok && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_');
    }
    if (!ok) {
        return err_name(entry, e, ERR_CONFIG,
                        "cannot be an exporter's name; expected up to 64 letters, digits, '-' or "
                        "'_'");
    }
    if (name_is_taken(r, name)) {
        return err_name(entry, e, ERR_CONFIG, "is the name of another exporter already");
    }
    if (r->output_count < PLAN_OUTPUTS_MAX) {
        return true;
    }
    char text[64];
    (void)snprintf(text, sizeof(text), "is one too many: there can be %d", PLAN_OUTPUTS_MAX);
    return err_name(entry, e, ERR_LIMIT, text);
}

/* A leaf by itself is a consumer with the leaf's own options. */
static void compile_leaf(struct reader *r, struct output_config *o)
{
    const struct exporter_common *common = o->config;
    struct stage_config *stage = arena_new(r->arena, struct stage_config);

    *stage = (struct stage_config){.kind = o->kind, .config = o->config, .name = o->name};
    o->delivery.stage = stage;
    o->delivery.retry = common->retry;
    o->buffer = common->buffer;
}

static bool read_exporter(struct reader *r, const struct entry *entry, struct err *e)
{
    const struct yaml_node *options = entry->options;
    struct str name = entry->name;
    struct option_source source = *r->source;

    if (options->kind != YAML_MAPPING) {
        return yaml_err(options, e, ERR_CONFIG,
                        "expected the exporter's options, such as 'type: file'");
    }
    const struct exporter_kind *kind =
        check_name(r, entry, e) ? find_kind(entry->node, options, e) : NULL;
    if (kind == NULL) {
        return false;
    }
    source.prefix = env_prefix(r, name);
    void *config = arena_alloc0(r->arena, 1, kind->options->config_size);
    struct output_config *o = &r->outputs[r->output_count];
    *o = (struct output_config){.name = name,
                                .kind = kind,
                                .config = config,
                                .takes = kind->takes,
                                .caps = kind->caps,
                                .node = entry->node};
    if (!options_parse(kind->options, options, &source, r->arena, config, e)) {
        return err_wrap(e, "exporter '%.*s'", STR_FMT(name));
    }
    r->output_count++;
    compile_leaf(r, o);
    bool fine = extra_labels_check(&((const struct exporter_common *)config)->labels, e) &&
                (kind->check == NULL || kind->check(config, options, e));
    return fine || err_wrap(e, "exporter '%.*s'", STR_FMT(name));
}

/*
 * A list item as one mapping: without `name`, and with what stands below `config` lifted up. The
 * nodes are shared, so positions stay right.
 */
static struct yaml_node *flatten_item(struct reader *r, const struct yaml_node *item)
{
    struct yaml_node *flat = arena_new(r->arena, struct yaml_node);
    const struct yaml_node **tail = NULL;

    *flat = *item;
    flat->first = NULL;
    flat->count = 0;
    tail = &flat->first;
    const struct yaml_node *config = yaml_get(item, STR("config"));
    const struct yaml_node *lists[] = {item->first, config != NULL ? config->first : NULL};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (const struct yaml_node *n = lists[i]; n != NULL; n = n->next) {
            if (i == 0 && (str_eq(n->key, STR("name")) || str_eq(n->key, STR("config")))) {
                continue;
            }
            struct yaml_node *copy = arena_new(r->arena, struct yaml_node);
            *copy = *n;
            copy->next = NULL;
            *tail = copy;
            tail = &copy->next;
            flat->count++;
        }
    }
    return flat;
}

static bool read_item(struct reader *r, const struct yaml_node *item, struct err *e)
{
    struct entry entry = {.name_node = yaml_get(item, STR("name")), .node = item};
    const struct yaml_node *config = yaml_get(item, STR("config"));

    if (item->kind != YAML_MAPPING || entry.name_node == NULL) {
        return yaml_err(item, e, ERR_CONFIG, "expected an exporter with 'name' and 'type'");
    }
    if (config != NULL && config->kind != YAML_MAPPING && !yaml_is_null(config)) {
        return yaml_err(config, e, ERR_CONFIG, "expected the exporter's options");
    }
    entry.options = flatten_item(r, item);
    return yaml_text(entry.name_node, &entry.name, e) && read_exporter(r, &entry, e);
}

static bool read_exporters(struct reader *r, const struct yaml_node *node, struct err *e)
{
    if (node == NULL || yaml_is_null(node)) {
        return true;
    }
    if (node->kind == YAML_SCALAR) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected exporters by name, such as 'archive: {type: file}', or a list");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        const struct entry named = {.name = n->key, .node = n, .options = n};
        bool ok = node->kind == YAML_MAPPING ? read_exporter(r, &named, e) : read_item(r, n, e);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- routes ---- */

static int output_index(const struct reader *r, struct str name)
{
    for (size_t i = 0; i < r->output_count; i++) {
        if (str_eq(r->outputs[i].name, name)) {
            return (int)i;
        }
    }
    return -1;
}

static bool add_target(struct reader *r, struct route_config *route, const struct yaml_node *node,
                       struct err *e)
{
    const char *names[PLAN_OUTPUTS_MAX];
    struct str name;

    if (!yaml_text(node, &name, e)) {
        return false;
    }
    int index = output_index(r, name);
    if (index >= 0) {
        route->to |= UINT64_C(1) << index;
        return true;
    }
    for (size_t i = 0; i < r->output_count; i++) {
        names[i] = arena_text(r->arena, r->outputs[i].name);
    }
    const char *near = str_nearest(name, names, r->output_count);
    return yaml_err(node, e, ERR_CONFIG, "there is no exporter named '%.*s'%s%s%s", STR_FMT(name),
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
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
    struct str text;

    (void)r;
    if (!yaml_text(node, &text, e)) {
        return false;
    }
    if (!condition_compile(text, &route->match, e)) {
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
    return yaml_key_err(n, e, ERR_CONFIG,
                        "unknown key '%.*s' in a route; expected match, to or continue",
                        STR_FMT(n->key));
}

static bool read_route(struct reader *r, const struct yaml_node *node, struct err *e)
{
    struct route_config *route = &r->routes[r->route_count++];

    route->node = node;
    if (node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected a route, such as '{ match: ..., to: [archive] }'");
    }
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_route_key(r, route, n, e)) {
            return err_wrap(e, "route %zu", r->route_count);
        }
    }
    if (route->to == 0) {
        return yaml_err(node, e, ERR_CONFIG, "this route goes nowhere; expected 'to: [NAME]'");
    }
    return true;
}

static bool read_routes(struct reader *r, const struct yaml_node *node, struct err *e)
{
    if (node == NULL || yaml_is_null(node)) {
        return true;
    }
    if (node->kind != YAML_SEQUENCE) {
        return yaml_err(node, e, ERR_CONFIG, "expected a list of routes");
    }
    r->routes = arena_array(r->arena, struct route_config, node->count);
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        if (!read_route(r, n, e)) {
            return false;
        }
    }
    return true;
}

/* ---- all of it ---- */

bool plan_parse(const struct yaml_node *exporters, const struct yaml_node *routes,
                const struct option_source *source, struct arena *a, struct plan_config *ret_config,
                struct err *e)
{
    struct reader *r = mem_new(struct reader);
    struct plan_config config = {0};

    r->source = source;
    r->arena = a;
    bool ok = read_exporters(r, exporters, e) && read_routes(r, routes, e);
    config.outputs = arena_array(a, struct output_config, r->output_count);
    memcpy((void *)(uintptr_t)config.outputs, r->outputs, r->output_count * sizeof(r->outputs[0]));
    config.output_count = r->output_count;
    config.routes = r->routes;
    config.route_count = r->route_count;
    mem_free(r);
    if (!ok) {
        plan_config_release(&config);
        return false;
    }
    *ret_config = config;
    return true;
}

void plan_config_release(struct plan_config *config)
{
    for (size_t i = 0; i < config->output_count; i++) {
        options_release(config->outputs[i].kind->options, config->outputs[i].config);
    }
    for (size_t i = 0; i < config->route_count; i++) {
        condition_free(config->routes[i].match);
    }
    *config = (struct plan_config){0};
}

int plan_find_output(const struct plan_config *config, struct str datastore, struct err *e)
{
    int found = -1;
    size_t of_type = 0;

    for (size_t i = 0; i < config->output_count; i++) {
        if (str_eq(config->outputs[i].name, datastore)) {
            return (int)i;
        }
        if (str_eq(str_of(config->outputs[i].kind->name), datastore)) {
            found = (int)i;
            of_type++;
        }
    }
    if (of_type == 1) {
        return found;
    }
    (void)err_set(
        e, ERR_CONFIG,
        of_type == 0
            ? "there is no exporter named '%.*s' and none of that type; add one below 'exporters'"
            : "'%.*s' is the type of several exporters; name the one that is meant",
        STR_FMT(datastore));
    return -1;
}
