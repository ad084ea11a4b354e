/*
 * Who is asked: type and datasource of a group, datasource of a rule, and the tenant there.
 *
 * What a datasource understands is known when rules are loaded, so that a rule in the wrong language or
 * for a datasource that is not there is an error with its place. Where only rule files are checked and
 * no config says what there is (any_source), any name is taken.
 */
#include "model/tenant.h"
#include "rules/rule_int.h"

enum { SHOWN_MAX = 60, NAMES_MAX = 64 };

static const char *const language_names[] = {
    [RULE_PROMQL] = "prometheus", [RULE_GRAPHITE] = "graphite"};

const char *rule_language_name(enum rule_language language)
{
    return language_names[language];
}

static struct rule_source source_at(const struct rule_loader *l, int source)
{
    const struct rule_options *o = l->options;

    if (source >= 0 && (size_t)source < o->source_count) {
        return o->sources[source];
    }
    return (struct rule_source){.dialect =
                                    source == RULE_SOURCE_SELF ? PROMQL_PROMETHEUS : o->dialect};
}

/* ---- by name ---- */

static void unknown_source(struct rule_loader *l, const struct yaml_node *node, struct str name)
{
    const char *names[NAMES_MAX] = {"self"};
    size_t count = 1;
    struct err e = ERR_INIT;

    for (size_t i = 1; i < l->options->source_count && count < NAMES_MAX; i++) {
        names[count++] = arena_text(&l->scratch, l->options->sources[i].name);
    }
    const char *near = str_nearest(name, names, count);
    (void)yaml_err(node, &e, ERR_CONFIG,
                   near != NULL
                       ? "unknown datasource '%.*s'; did you mean '%s'?"
                       : "unknown datasource '%.*s'; expected 'self' for Telex' own metrics, "
                         "a name under 'datasources' of the config, or nothing for its "
                         "'datasource'%s",
                   STR_FMT(str_slice(name, 0, SHOWN_MAX)), near != NULL ? near : "");
    loader_error(l, &e);
}

/* The datasource that <node> names; false after an error. */
static bool find_source(struct rule_loader *l, const struct yaml_node *node, int *ret_source)
{
    struct err e = ERR_INIT;
    struct str name = STR_NONE;

    if (!yaml_text(node, &name, &e)) {
        loader_error(l, &e);
        return false;
    }
    if (str_eq(name, STR("self"))) {
        *ret_source = RULE_SOURCE_SELF;
        return true;
    }
    for (size_t i = 1; i < l->options->source_count; i++) {
        if (str_eq(name, l->options->sources[i].name)) {
            *ret_source = (int)i;
            return true;
        }
    }
    if (name.len > 0 && !l->options->any_source) {
        unknown_source(l, node, name);
        return false;
    }
    *ret_source = 0;
    return true;
}

/* ---- type ---- */

/* The type of a group; false when it names none, or after an error. */
static bool read_type(struct rule_loader *l, const struct yaml_node *node, enum rule_language *ret)
{
    static const char *const types[] = {"prometheus", "graphite", "vlogs"};
    struct err e = ERR_INIT;
    struct str type = STR_NONE;

    field_text(l, node, &type);
    for (size_t i = 0; i < ARRAY_LEN(language_names); i++) {
        if (str_eq(type, str_of(language_names[i]))) {
            *ret = (enum rule_language)i;
            return true;
        }
    }
    if (type.len == 0) {
        return false;
    }
    const char *near = str_nearest(type, types, ARRAY_LEN(types));
    if (str_eq(type, STR("vlogs"))) {
        (void)yaml_err(
            node, &e, ERR_CONFIG,
            "groups of type 'vlogs' are not taken: they are LogsQL for VictoriaLogs, and "
            "Telex evaluates series; record what the logs say there with stats_query "
            "rules of vmalert, and write the alert upon that series");
    } else {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       near != NULL ? "unknown type '%.*s'; did you mean '%s'?"
                                    : "unknown type '%.*s'; expected 'prometheus' or 'graphite'%s",
                       STR_FMT(str_slice(type, 0, SHOWN_MAX)), near != NULL ? near : "");
    }
    loader_error(l, &e);
    return false;
}

static void wrong_language(struct rule_loader *l, const struct yaml_node *node,
                           enum rule_language found, enum rule_language wanted)
{
    struct err e = ERR_INIT;

    (void)yaml_err(node, &e, ERR_CONFIG,
                   "this datasource is asked in the language of %s, not of %s",
                   language_names[found], language_names[wanted]);
    loader_error(l, &e);
}

/* The only datasource of that language: the default one, or one by name; false after an error. */
static bool find_by_language(struct rule_loader *l, const struct yaml_node *node,
                             enum rule_language language, int *ret_source)
{
    int found = -1;
    size_t count = 0;
    struct err e = ERR_INIT;

    if (source_at(l, 0).language == language || l->options->any_source) {
        *ret_source = 0;
        return true;
    }
    for (size_t i = 1; i < l->options->source_count; i++) {
        if (l->options->sources[i].language == language) {
            found = (int)i;
            count++;
        }
    }
    if (count == 1) {
        *ret_source = found;
        return true;
    }
    (void)yaml_err(node, &e, ERR_CONFIG,
                   count == 0
                       ? "there is no datasource of type %s; add one to the config: "
                         "datasources: { NAME: { type: %s, url: ... } }"
                       : "there are several datasources of type %s; add 'datasource: NAME' to "
                         "say which (any of type %s)",
                   language_names[language], language_names[language]);
    loader_error(l, &e);
    return false;
}

/* ---- tenants ---- */

static void check_tenant(struct rule_loader *l, const struct yaml_node *node, struct str tenant,
                         int source)
{
    struct err e = ERR_INIT;

    if (tenant.len > 0 && !l->options->any_source && !source_at(l, source).takes_tenants) {
        (void)yaml_err(
            node, &e, ERR_CONFIG,
            "the datasource has no tenants: only one with 'cluster: true' (a VictoriaMetrics "
            "cluster) has; for Mimir write headers: [\"X-Scope-OrgID: ...\"]");
        loader_error(l, &e);
    }
}

static void read_tenant(struct rule_loader *l, const struct yaml_node *node,
                        struct rule_group *group)
{
    struct str tenant = STR_NONE;
    struct err e = ERR_INIT;

    if (node == NULL) {
        return;
    }
    if (!yaml_text(node, &tenant, &e)) {
        loader_error(l, &e);
    } else if (!tenant_is_valid(tenant)) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "a tenant is \"ACCOUNT\" or \"ACCOUNT:PROJECT\", two numbers, found '%.*s'",
                       STR_FMT(str_slice(tenant, 0, SHOWN_MAX)));
        loader_error(l, &e);
    } else {
        group->tenant = arena_dup(l->arena, tenant);
        check_tenant(l, node, tenant, group->source);
    }
}

/* ---- groups and rules ---- */

void group_read_source(struct rule_loader *l, const struct yaml_node *const *at,
                       struct rule_group *group)
{
    enum rule_language language = RULE_PROMQL;
    bool typed = read_type(l, at[GROUP_TYPE], &language);
    bool named = at[GROUP_DATASOURCE] != NULL;

    if (named && find_source(l, at[GROUP_DATASOURCE], &group->source)) {
        enum rule_language spoken = source_at(l, group->source).language;
        if (typed && spoken != language && !l->options->any_source) {
            wrong_language(l, at[GROUP_DATASOURCE], spoken, language);
        }
    } else if (typed && !named) {
        (void)find_by_language(l, at[GROUP_TYPE], language, &group->source);
    }
    group->language = typed ? language : source_at(l, group->source).language;
    read_tenant(l, at[GROUP_TENANT], group);
}

void rule_read_source(struct rule_loader *l, const struct yaml_node *node,
                      const struct rule_group *group, struct rule *rule)
{
    rule->source = group->source;
    rule->language = group->language;
    if (node != NULL && find_source(l, node, &rule->source)) {
        rule->language =
            l->options->any_source ? group->language : source_at(l, rule->source).language;
        check_tenant(l, node, group->tenant, rule->source);
    }
    l->language = rule->language;
    l->dialect = source_at(l, rule->source).dialect;
}
