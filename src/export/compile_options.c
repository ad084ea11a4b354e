/* Options that are said twice, or where nobody reads them. */
#include "export/compile_int.h"

#include <string.h>

/* ---- said twice ---- */

static bool is_written(const struct yaml_node *options, const struct option *row)
{
    bool is = yaml_get(options, str_of(row->name)) != NULL;

    for (size_t i = 0; row->aliases != NULL && row->aliases[i] != NULL; i++) {
        is = is || yaml_get(options, str_of(row->aliases[i])) != NULL;
    }
    return is;
}

static bool is_said(const struct tree_exporter *x, const struct option *row)
{
    bool is = tree_option(x, str_of(row->name)) != NULL;

    for (size_t i = 0; row->aliases != NULL && row->aliases[i] != NULL; i++) {
        is = is || tree_option(x, str_of(row->aliases[i])) != NULL;
    }
    return is;
}

/* Of the types that a buffer's options have. */
static size_t size_of(const struct option *row)
{
    return row->type == OPTION_BOOL   ? sizeof(bool)
           : row->type == OPTION_ENUM ? sizeof(int)
                                      : sizeof(int64_t);
}

void merge_buffer(const struct tree_exporter *above, const struct tree_exporter *leaf,
                  const struct exporter_buffer *plain, struct exporter_buffer *ret)
{
    const struct exporter_common *common = leaf->config;
    const struct yaml_node *written = tree_option(leaf, STR("buffer"));
    const char *own = (const char *)&common->buffer;

    for (size_t i = 0; i < exporter_buffer_options.count; i++) {
        const struct option *row = &exporter_buffer_options.options[i];
        bool says = is_written(written, row) ||
                    memcmp(own + row->offset, (const char *)plain + row->offset, size_of(row)) != 0;
        if (says && !is_said(above, row)) {
            memcpy((char *)ret + row->offset, own + row->offset, size_of(row));
        }
    }
    ret->together_max = common->buffer.together_max;
}

bool says_retry(const struct tree_exporter *x)
{
    return tree_option(x, STR("retry")) != NULL || tree_option(x, STR("retry_config")) != NULL;
}

void merge_resilient(const struct tree_exporter *above, const struct tree_exporter *end,
                     struct delivery_config *ret)
{
    const struct resilient_config *config = above->config;
    const struct exporter_common *own = tree_is_leaf(end) ? end->config : NULL;
    bool has_breaker = own != NULL && own->breaker.failure_threshold > 0;
    bool says_health = tree_option(above, STR("health_check_interval")) != NULL ||
                       tree_option(above, STR("health_check_interval_seconds")) != NULL ||
                       tree_option(above, STR("unhealthy_threshold_failures")) != NULL;

    if (own == NULL || !says_retry(end) || says_retry(above)) {
        ret->retry = config->retry;
    }
    if (!has_breaker || tree_option(above, STR("circuit_breaker")) != NULL) {
        ret->breaker = config->breaker;
    }
    if (own == NULL || says_health) {
        ret->health = config->health;
    }
    if (own == NULL || tree_option(above, STR("dead_letters")) != NULL) {
        ret->dead = config->dead;
    }
}

/* ---- read by nobody ---- */

static bool is_told(const struct compiler *c, const struct err *e)
{
    for (size_t i = 0; i < c->warning_count; i++) {
        if (strcmp(c->warnings[i]->message, e->message) == 0 &&
            c->warnings[i]->pos.line == e->pos.line) {
            return true; /* the same way, of another consumer */
        }
    }
    return false;
}

static void take_warning(struct compiler *c, const struct err *e)
{
    if (c->warning_count < ARRAY_LEN(c->warnings) && !is_told(c, e)) {
        struct err *kept = arena_new(c->tree->arena, struct err);
        *kept = *e;
        c->warnings[c->warning_count++] = kept;
    }
}

static void add_warning(struct compiler *c, const struct yaml_node *node, struct str text)
{
    struct err e = ERR_INIT;

    (void)(node->key.len > 0 ? yaml_key_err : yaml_err)(node, &e, ERR_CONFIG, "%.*s",
                                                        STR_FMT(text));
    take_warning(c, &e);
}

/* Advice about one option stands there, other at the exporter. */
void warn_advice(struct compiler *c, const struct tree_exporter *x)
{
    struct err e = ERR_INIT;

    if (x->kind->advise == NULL || x->config == NULL ||
        !x->kind->advise(x->config, x->options, &e)) {
        return;
    }
    if (e.pos.line > 0) {
        (void)err_wrap(&e, "exporter '%.*s'", STR_FMT(x->name));
        take_warning(c, &e);
    } else {
        add_warning(
            c, x->node,
            arena_printf(c->tree->arena, "exporter '%.*s': %s", STR_FMT(x->name), e.message));
    }
}

void warn_unmade(struct compiler *c)
{
    for (size_t i = 0; i < c->tree->unmade_count; i++) {
        add_warning(
            c, c->tree->unmade[i],
            STR("they are set and have no value, so no exporter is made of them: give them one, or remove them"));
    }
}

static void warn(struct compiler *c, const struct tree_exporter *x, const struct yaml_node *node,
                 struct str below)
{
    add_warning(c, node,
                arena_printf(c->tree->arena,
                             "'%.*s' has no effect where '%.*s' stands below %.*s, which calls it; "
                             "say it above that",
                             STR_FMT(node->key), STR_FMT(x->name), STR_FMT(below)));
}

void warn_limits(struct compiler *c, const struct tree_exporter *x, struct str name)
{
    add_warning(c, x->node,
                arena_printf(c->tree->arena,
                             "max_concurrent_exports and export_timeout of '%.*s' have no effect "
                             "for '%.*s', which %d other parallel multis limit; name it in fewer",
                             STR_FMT(x->name), STR_FMT(name), DELIVERY_LIMITS_MAX));
}

/* Whatever <node> has beside <spared>. */
static void warn_table(struct compiler *c, const struct tree_exporter *x,
                       const struct yaml_node *node, const char *spared, struct str below)
{
    for (const struct yaml_node *n = node != NULL ? node->first : NULL; n != NULL; n = n->next) {
        if (!str_eq(n->key, str_of(spared))) {
            warn(c, x, n, below);
        }
    }
}

void warn_leaf(struct compiler *c, const struct tree_exporter *x, struct str below)
{
    warn_table(c, x, tree_option(x, STR("retry")), "retry_on_status_codes", below);
    warn_table(c, x, tree_option(x, STR("retry_config")), "retry_on_status_codes", below);
    warn_table(c, x, tree_option(x, STR("buffer")), "fsync", below);
    warn_table(c, x, tree_option(x, STR("circuit_breaker")), "", below);
    warn_table(c, x, tree_option(x, STR("health_check")), "", below);
    warn_table(c, x, tree_option(x, STR("dead_letters")), "", below);
}

void warn_resilient(struct compiler *c, const struct tree_exporter *x, struct str below)
{
    static const char *const rows[] = {"health_check_interval", "health_check_interval_seconds",
                                       "unhealthy_threshold_failures", "dead_letters"};
    static const char *const ages[] = {"max_age", "max_age_seconds", "max_elapsed_time"};
    const struct yaml_node *retry = tree_option(x, STR("retry"));

    retry = retry != NULL ? retry : tree_option(x, STR("retry_config"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct yaml_node *node = tree_option(x, str_of(rows[i]));
        if (node != NULL) {
            warn(c, x, node, below);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
        const struct yaml_node *node = yaml_get(retry, str_of(ages[i]));
        if (node != NULL) {
            warn(c, x, node, below);
        }
    }
}
