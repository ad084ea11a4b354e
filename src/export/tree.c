#include "export/tree.h"

#include "export/exporter_options.h"
#include "export/extra_labels.h"
#include "export/tree_int.h"

#include <stdarg.h>

/* ---- looking ---- */

struct tree_exporter *tree_find(const struct tree *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (t->exporters[i]->is_entry && str_eq(t->exporters[i]->name, name)) {
            return t->exporters[i];
        }
    }
    return NULL;
}

bool tree_err_unknown(const struct tree *t, struct str name, const struct yaml_node *node,
                      struct err *e)
{
    const char *names[PLAN_OUTPUTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < t->count && count < ARRAY_LEN(names); i++) {
        if (t->exporters[i]->is_entry) {
            names[count++] = arena_text(t->arena, t->exporters[i]->name);
        }
    }
    const char *near = str_nearest(name, names, count);
    return yaml_err(node, e, ERR_CONFLICT, "there is no exporter named '%.*s'%s%s%s",
                    STR_FMT(str_slice(name, 0, 80)), near ? "; did you mean '" : "",
                    near ? near : "", near ? "'?" : "");
}

bool tree_err(const struct tree_exporter *x, struct err *e, enum err_code code, const char *fmt,
              ...)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&text, fmt, args);
    va_end(args);
    bool has_key = x->name_node == NULL && x->node->key_pos.line > 0;
    return has_key ? yaml_key_err(x->node, e, code, "%s", buf_text(&text))
                   : yaml_err(x->name_node != NULL ? x->name_node : x->node, e, code, "%s",
                              buf_text(&text));
}

struct tree_link *tree_link_of(const struct tree_exporter *x, enum tree_role role)
{
    for (size_t i = 0; i < x->link_count; i++) {
        if (x->links[i].role == role) {
            return &x->links[i];
        }
    }
    return NULL;
}

const struct yaml_node *tree_option(const struct tree_exporter *x, struct str key)
{
    const struct yaml_node *over = yaml_get(x->overrides, key);

    return over != NULL ? over : yaml_get(x->options, key);
}

/* As deep as YAML may be. */
static uint64_t node_hash(const struct yaml_node *node, uint64_t seed)
{
    uint64_t hash = str_hash(node->text, seed + (uint64_t)node->kind + 1);

    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        hash = node_hash(n, str_hash(n->key, hash));
    }
    return str_hash(STR("end"), hash);
}

uint64_t tree_hash(const struct tree_exporter *x, uint64_t seed)
{
    uint64_t hash = node_hash(x->options, str_hash(x->path, seed));

    if (x->overrides != NULL) {
        hash = node_hash(x->overrides, hash);
    }
    for (size_t i = 0; i < x->link_count; i++) {
        hash = tree_hash(x->links[i].to, hash);
    }
    return hash;
}

bool tree_is_leaf(const struct tree_exporter *x)
{
    return x->kind->combinator == COMBINATOR_NONE && x->kind->stage == NULL;
}

/* ---- one exporter ---- */

const char *tree_env_prefix(struct tree *t, const char *before, struct str name)
{
    char *prefix = arena_text(t->arena, arena_printf(t->arena, "%s%.*s_", before, STR_FMT(name)));

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
static const struct exporter_kind *find_kind(const struct tree *t, const struct yaml_node *node,
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
    const struct exporter_kind *kind = exporter_kind_among(t->kinds, name);
    kind = kind != NULL ? kind : exporter_kind_find(name);
    if (kind == NULL) {
        const char *near = exporter_kind_nearest(name);
        (void)yaml_err(type, e, ERR_CONFIG, "unknown exporter type '%.*s'%s%s%s",
                       STR_FMT(str_slice(name, 0, 80)),
                       near ? "; did you mean '" : "; 'telex exporters' lists them",
                       near ? near : "", near ? "'?" : "");
    }
    return kind;
}

/* What it is, and what it stands around, stays as the config says. */
static bool find_overrides(const struct tree *t, struct tree_exporter *x, struct err *e)
{
    x->overrides = yaml_get(t->source->overrides, x->path);
    if (x->overrides == NULL) {
        return true;
    }
    for (const struct yaml_node *n = x->overrides->first; n != NULL; n = n->next) {
        if (str_eq(n->key, STR("type")) || tree_is_link_key(n->key)) {
            return yaml_key_err(n, e, ERR_CONFIG, "'%.*s' cannot be overridden: change the config",
                                STR_FMT(n->key));
        }
    }
    return true;
}

/* Its options by the kind's table, and what no table can say. */
static bool read_options(struct tree *t, struct tree_exporter *x, struct err *e)
{
    struct option_source source = *t->source;

    source.prefix = x->env_prefix;
    source.overrides = x->overrides;
    source.usual = x->kind->usual;
    void *config = arena_alloc0(t->arena, 1, x->kind->options->config_size);
    if (!options_parse(x->kind->options, x->options, &source, t->arena, config, e)) {
        return false;
    }
    x->config = config; /* from here on there may be secrets to release */
    return (!tree_is_leaf(x) ||
            extra_labels_check(&((const struct exporter_common *)config)->labels, e)) &&
           (x->kind->check == NULL || x->kind->check(config, x->options, e));
}

bool tree_read_exporter(struct tree *t, struct tree_exporter *x, struct err *e)
{
    if (x->options->kind != YAML_MAPPING) {
        return yaml_err(x->options, e, ERR_CONFIG,
                        "expected the exporter's options, such as 'type: file'");
    }
    if (t->count == TREE_EXPORTERS_MAX) {
        return tree_err(x, e, ERR_LIMIT, "this is one exporter too many: there can be %d",
                        TREE_EXPORTERS_MAX);
    }
    x->kind = find_kind(t, x->node, x->options, e);
    if (x->kind == NULL) {
        return false;
    }
    t->exporters[t->count++] = x;
    bool ok = find_overrides(t, x, e) && read_options(t, x, e) && tree_read_links(t, x, e);
    return ok || err_wrap(e, "exporter '%.*s'", STR_FMT(x->name));
}

/* ---- entries ---- */

bool tree_check_name(const struct tree_exporter *x, struct err *e)
{
    struct str name = x->simple;
    bool ok = name.len > 0 && name.len <= 64;

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        ok = ok && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_');
    }
    return ok || tree_err(x, e, ERR_CONFIG,
                          "'%.*s' cannot be an exporter's name; expected up to 64 letters, digits, "
                          "'-' or '_'",
                          STR_FMT(str_slice(name, 0, 80)));
}

static bool read_entry(struct tree *t, struct tree_exporter *x, struct err *e)
{
    x->simple = x->name;
    x->path = x->name;
    x->is_entry = true;
    x->env_prefix = tree_env_prefix(t, "TELEX_EXPORTER_", x->name);
    if (x->options->kind == YAML_MAPPING && !tree_check_name(x, e)) {
        return false;
    }
    if (tree_find(t, x->name) != NULL) {
        return tree_err(x, e, ERR_CONFIG, "'%.*s' is the name of another exporter already",
                        STR_FMT(x->name));
    }
    if (t->entry_count == PLAN_OUTPUTS_MAX) {
        return tree_err(x, e, ERR_LIMIT, "'%.*s' is one too many: there can be %d",
                        STR_FMT(x->name), PLAN_OUTPUTS_MAX);
    }
    t->entry_count++;
    return tree_read_exporter(t, x, e);
}

/*
 * A list item as one mapping: without `name`, and with what stands below `config` lifted up. The
 * nodes are shared, so positions stay right.
 */
static struct yaml_node *flatten_item(struct tree *t, const struct yaml_node *item)
{
    struct yaml_node *flat = arena_new(t->arena, struct yaml_node);
    const struct yaml_node *config = yaml_get(item, STR("config"));
    const struct yaml_node *lists[] = {item->first, config != NULL ? config->first : NULL};

    *flat = *item;
    flat->first = NULL;
    flat->count = 0;
    const struct yaml_node **tail = &flat->first;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (const struct yaml_node *n = lists[i]; n != NULL; n = n->next) {
            if (i == 0 && (str_eq(n->key, STR("name")) || str_eq(n->key, STR("config")))) {
                continue;
            }
            struct yaml_node *copy = arena_new(t->arena, struct yaml_node);
            *copy = *n;
            copy->next = NULL;
            *tail = copy;
            tail = &copy->next;
            flat->count++;
        }
    }
    return flat;
}

bool tree_flatten(struct tree *t, struct tree_exporter *x, struct err *e)
{
    const struct yaml_node *config = yaml_get(x->node, STR("config"));

    if (config != NULL && config->kind != YAML_MAPPING && !yaml_is_null(config)) {
        return yaml_err(config, e, ERR_CONFIG, "expected the exporter's options");
    }
    x->options = flatten_item(t, x->node);
    return true;
}

static bool read_item(struct tree *t, const struct yaml_node *item, struct err *e)
{
    struct tree_exporter *x = arena_new(t->arena, struct tree_exporter);

    x->node = item;
    x->name_node = yaml_get(item, STR("name"));
    if (item->kind != YAML_MAPPING || x->name_node == NULL) {
        return yaml_err(item, e, ERR_CONFIG, "expected an exporter with 'name' and 'type'");
    }
    return tree_flatten(t, x, e) && yaml_text(x->name_node, &x->name, e) && read_entry(t, x, e);
}

static bool read_named(struct tree *t, const struct yaml_node *node, struct err *e)
{
    struct tree_exporter *x = arena_new(t->arena, struct tree_exporter);

    x->node = node;
    x->name = node->key;
    x->options = node;
    return read_entry(t, x, e);
}

static bool read_written(struct tree *t, const struct yaml_node *exporters, struct err *e)
{
    if (exporters == NULL || yaml_is_null(exporters)) {
        return true;
    }
    if (exporters->kind == YAML_SCALAR) {
        return yaml_err(exporters, e, ERR_CONFIG,
                        "expected exporters by name, such as 'archive: {type: file}', or a list");
    }
    for (const struct yaml_node *n = exporters->first; n != NULL; n = n->next) {
        if (!(exporters->kind == YAML_MAPPING ? read_named : read_item)(t, n, e)) {
            return false;
        }
    }
    return true;
}

/* The built-in entries, unless the config has one of their kind. */
static bool read_built_in(struct tree *t, struct err *e)
{
    size_t written = t->count;

    for (const struct yaml_node *n = t->built_in != NULL ? t->built_in->first : NULL; n != NULL;
         n = n->next) {
        const struct yaml_node *type = yaml_get(n, STR("type"));
        for (size_t i = 0; i < written && type != NULL; i++) {
            if (exporter_kind_find(type->text) == t->exporters[i]->kind) {
                return true;
            }
        }
    }
    return read_written(t, t->built_in, e);
}

static bool read_those_named(struct tree *t, struct err *e)
{
    size_t before = t->count;
    bool ok = read_written(t, t->named, e);

    for (size_t i = before; i < t->count; i++) {
        t->exporters[i]->is_named = true;
    }
    return ok;
}

bool tree_read(struct tree *t, const struct yaml_node *exporters, struct err *e)
{
    return read_written(t, exporters, e) && read_built_in(t, e) && read_those_named(t, e) &&
           tree_read_environment(t, e) && tree_resolve(t, e);
}

void tree_release(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++) {
        struct tree_exporter *x = t->exporters[i];
        if (x->config != NULL) {
            options_release(x->kind->options, x->config);
        }
        for (size_t l = 0; l < x->link_count; l++) {
            condition_free(x->links[l].when);
        }
    }
    t->count = 0;
}
