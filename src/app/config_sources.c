#include "app/config_sources.h"

enum { KINDS_SHOWN_MAX = 16, SHOWN_MAX = 60 };

static bool kind_of(const struct yaml_node *node, const struct datasource_kind **ret_kind,
                    struct err *e)
{
    const char *names[KINDS_SHOWN_MAX];
    size_t count = 0;
    const struct yaml_node *type = yaml_get(node, STR("type"));
    struct str name = STR("prometheus");

    if (type != NULL && !yaml_text(type, &name, e)) {
        return false;
    }
    *ret_kind = datasource_kind_find(name);
    if (*ret_kind != NULL) {
        return true;
    }
    while (count < ARRAY_LEN(names) && datasource_kinds[count] != NULL) {
        names[count] = datasource_kinds[count]->name;
        count++;
    }
    const char *near = str_nearest(name, names, count);
    return yaml_err(type, e, ERR_CONFIG, "unknown datasource type '%.*s'; %s '%s'%s", STR_FMT(name),
                    near ? "did you mean" : "expected one such as", near ? near : names[0],
                    near ? "?" : "");
}

bool datasource_config_read(const struct yaml_node *node, const struct option_source *source,
                            const char *variables, struct arena *a, struct datasource_config *ret,
                            struct err *e)
{
    struct option_source own = *source;
    struct datasource_config d = {.node = node};

    if (node != NULL && node->kind != YAML_MAPPING) {
        return yaml_err(node, e, ERR_CONFIG,
                        "expected a datasource, such as '{ url: http://127.0.0.1:9090 }'");
    }
    if (!kind_of(node, &d.kind, e)) {
        return false;
    }
    own.prefix = variables;
    d.common = arena_alloc0(a, 1, d.kind->options->config_size);
    if (!options_parse(d.kind->options, node, &own, a, d.common, e)) {
        return false;
    }
    *ret = d;
    return true;
}

void datasource_config_release(const struct datasource_config *d)
{
    options_release(d->kind->options, d->common);
}

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && c != '_' && c != '-' && c != '.') {
            return false;
        }
    }
    return name.len > 0;
}

bool datasource_name_check(const struct yaml_node *node, struct err *e)
{
    if (str_eq(node->key, STR("self"))) {
        return yaml_key_err(node, e, ERR_CONFIG,
                            "'self' stands for Telex' own metrics; choose another name");
    }
    return is_name(node->key) ||
           yaml_key_err(node, e, ERR_CONFIG,
                        "'%.*s' is no name of a datasource; expected letters, digits, '_', '-' and "
                        "'.'",
                        STR_FMT(str_slice(node->key, 0, SHOWN_MAX)));
}

struct rule_source datasource_rule_source(const struct datasource_config *d)
{
    if (d == NULL) {
        return (struct rule_source){.language = RULE_PROMQL};
    }
    bool is_metricsql = d->common->dialect == (int)DATASOURCE_METRICSQL;
    bool is_graphite = d->kind->language == DATASOURCE_GRAPHITEQL;
    return (struct rule_source){
        .name = d->name,
        .language = is_graphite ? RULE_GRAPHITE : RULE_PROMQL,
        .dialect = is_metricsql ? PROMQL_METRICSQL : PROMQL_PROMETHEUS,
        .takes_tenants = d->common->is_cluster,
    };
}
