/*
 * Exporters that only the environment names: PROFILING_<KIND>_<OPTION> makes one of that kind, named
 * after it, where the config has none of that name. So an application's deployment needs no file.
 * Variables that are all empty are what a deployment leaves behind that was given no key: they make none.
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

/* The prefix of the variables that say most of a kind, by its name or an alias. */
static enum option_said find_prefix(struct tree *t, const struct exporter_kind *kind,
                                    const char **ret_prefix)
{
    struct option_source source = *t->source;
    enum option_said most = OPTION_UNSAID;
    struct str name = str_of(kind->name);

    for (size_t i = 0; name.len > 0 && most != OPTION_SAID; i++) {
        source.prefix = tree_env_prefix(t, "PROFILING_", name);
        enum option_said said = options_in_environment(kind->options, &source);
        if (said > most) {
            most = said;
            *ret_prefix = source.prefix;
        }
        name = kind->aliases != NULL ? str_of(kind->aliases[i]) : STR_NONE;
    }
    return most;
}

static bool add_exporter(struct tree *t, struct tree_exporter *x, struct err *e)
{
    x->options = x->node;
    if (t->entry_count == PLAN_OUTPUTS_MAX) {
        return err_set(e, ERR_LIMIT, "%s* makes one exporter too many: there can be %d",
                       x->env_prefix, PLAN_OUTPUTS_MAX);
    }
    t->entry_count++;
    return tree_read_exporter(t, x, e);
}

static bool read_kind(struct tree *t, const struct exporter_kind *kind, struct err *e)
{
    struct tree_exporter *x = arena_new(t->arena, struct tree_exporter);
    enum option_said said = OPTION_UNSAID;

    x->name = str_of(kind->name);
    x->simple = x->name;
    x->path = x->name;
    x->is_entry = true;
    if (tree_find(t, x->name) == NULL) {
        said = find_prefix(t, kind, &x->env_prefix);
    }
    if (said == OPTION_UNSAID) {
        return true;
    }
    if (!make_node(t, kind, x->env_prefix, &x->node, e)) {
        return false;
    }
    if (said == OPTION_SAID_EMPTY) {
        t->unmade[t->unmade_count++] = x->node;
        return true;
    }
    return add_exporter(t, x, e);
}

bool tree_read_environment(struct tree *t, struct err *e)
{
    if (t->source->lookup == NULL) {
        return true;
    }
    for (const struct exporter_kind *const *kind = exporter_kinds; *kind != NULL; kind++) {
        bool is_leaf = (*kind)->combinator == COMBINATOR_NONE && (*kind)->stage == NULL;
        if (is_leaf && t->unmade_count < ARRAY_LEN(t->unmade) && !read_kind(t, *kind, e)) {
            return false;
        }
    }
    return true;
}
