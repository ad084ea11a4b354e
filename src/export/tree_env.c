/*
 * Exporters that only the environment names: PROFILING_<KIND>_<OPTION> makes one of that kind, named
 * after it, where the config has none of that name. So an application's deployment needs no file.
 */
#include "export/tree.h"

#include "export/tree_int.h"

/* `type: KIND`, as if it stood in a file called after the variables. */
static bool make_node(struct tree *t, const struct exporter_kind *kind, const char *prefix,
                      const struct yaml_node **ret_node, struct err *e)
{
    struct yaml_source *source = arena_new(t->arena, struct yaml_source);
    const struct yaml_node *documents = NULL;

    source->file = arena_printf(t->arena, "environment variables %s*", prefix);
    source->text = arena_printf(t->arena, "type: %s\n", kind->name);
    if (!yaml_parse(t->arena, source, &documents, e)) {
        return false;
    }
    *ret_node = documents->first;
    return true;
}

/* The prefix of the variables that say something of a kind, by its name or an alias; NULL: none does. */
static const char *find_prefix(struct tree *t, const struct exporter_kind *kind)
{
    struct option_source source = *t->source;
    const char *const *alias = kind->aliases;

    source.prefix = tree_env_prefix(t, "PROFILING_", str_of(kind->name));
    while (!options_in_environment(kind->options, &source)) {
        if (alias == NULL || *alias == NULL) {
            return NULL;
        }
        source.prefix = tree_env_prefix(t, "PROFILING_", str_of(*alias));
        alias++;
    }
    return source.prefix;
}

static bool read_kind(struct tree *t, const struct exporter_kind *kind, struct err *e)
{
    struct tree_exporter *x = arena_new(t->arena, struct tree_exporter);

    x->name = str_of(kind->name);
    x->simple = x->name;
    x->path = x->name;
    x->is_entry = true;
    x->env_prefix = tree_find(t, x->name) == NULL ? find_prefix(t, kind) : NULL;
    if (x->env_prefix == NULL) {
        return true;
    }
    if (!make_node(t, kind, x->env_prefix, &x->node, e)) {
        return false;
    }
    x->options = x->node;
    if (t->entry_count == PLAN_OUTPUTS_MAX) {
        return err_set(e, ERR_LIMIT, "%s* makes one exporter too many: there can be %d",
                       x->env_prefix, PLAN_OUTPUTS_MAX);
    }
    t->entry_count++;
    return tree_read_exporter(t, x, e);
}

bool tree_read_environment(struct tree *t, struct err *e)
{
    if (t->source->lookup == NULL) {
        return true;
    }
    for (const struct exporter_kind *const *kind = exporter_kinds; *kind != NULL; kind++) {
        bool is_leaf = (*kind)->combinator == COMBINATOR_NONE && (*kind)->stage == NULL;
        if (is_leaf && !read_kind(t, *kind, e)) {
            return false;
        }
    }
    return true;
}
