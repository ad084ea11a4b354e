/* One rule: what it is called, what it asks, and for how long. */
#include "rules/rule_int.h"
#include "rules/updates.h"

enum { SHOWN_MAX = 60 };

static bool err_rule(struct rule_loader *l, const struct yaml_node *node, const char *problem)
{
    struct err e = ERR_INIT;

    (void)yaml_err(node, &e, ERR_CONFIG, "%s", problem);
    loader_error(l, &e);
    return false;
}

/* Is the field there, and not the empty text? Engines take an empty alert or record for none. */
static bool is_named(const struct yaml_node *node)
{
    return node != NULL && !(node->kind == YAML_SCALAR && node->text.len == 0);
}

/* alert or record: exactly one. */
static bool read_kind(struct rule_loader *l, const struct yaml_node *rule_node,
                      const struct yaml_node *const *at, struct rule *rule)
{
    const struct yaml_node *alert = at[RULE_FIELD_ALERT];
    const struct yaml_node *record = at[RULE_FIELD_RECORD];
    struct err e = ERR_INIT;

    if (!is_named(alert) && !is_named(record)) {
        return err_rule(l, rule_node, "a rule needs a name: 'alert: NAME' or 'record: NAME'");
    }
    if (is_named(alert) && is_named(record)) {
        const struct yaml_node *second = alert->offset > record->offset ? alert : record;
        (void)yaml_key_err(second, &e, ERR_CONFIG,
                           "a rule is an alert or a record, not both: make two rules of it");
        loader_error(l, &e);
        return false;
    }
    rule->kind = is_named(alert) ? RULE_ALERT : RULE_RECORD;
    struct str name = STR("");
    field_text(l, is_named(alert) ? alert : record, &name);
    rule->name = arena_dup(l->arena, name);
    l->rule_kind = rule->kind;
    l->rule_name = rule->name;
    return rule->name.len > 0;
}

/* A metric name: Prometheus 3 takes any text, but braces are most often an expression gone astray. */
static void check_record_name(struct rule_loader *l, const struct yaml_node *node, struct str name)
{
    struct err e = ERR_INIT;

    if (metric_name_is_legacy(name)) {
        return;
    }
    if (str_find_byte(name, '{') < name.len || str_find_byte(name, '}') < name.len) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "a recorded name has no braces; its labels belong under labels, and an "
                       "expression under expr");
        loader_error(l, &e);
        return;
    }
    if (!str_is_utf8(name)) {
        (void)yaml_err(node, &e, ERR_CONFIG, "a recorded name must be UTF-8");
        loader_error(l, &e);
        return;
    }
    (void)yaml_err(
        node, &e, ERR_CONFIG,
        "only stores that take any UTF-8 in names take '%.*s'; all take letters, digits, "
        "'_' and ':'",
        STR_FMT(str_slice(name, 0, SHOWN_MAX)));
    loader_warning(l, &e);
}

/* What a rule's expression may give: Prometheus would find out only when it evaluates. */
static void check_type(struct rule_loader *l, const struct yaml_node *node,
                       const struct promql_node *tree)
{
    enum promql_type type = promql_type(tree);
    struct err e = ERR_INIT;

    if (type != PROMQL_TYPE_STRING && type != PROMQL_TYPE_RANGE) {
        return;
    }
    if (type == PROMQL_TYPE_RANGE && l->dialect != PROMQL_PROMETHEUS) {
        return;
    }
    (void)yaml_err(node, &e, ERR_CONFIG,
                   "expr gives %s; a rule needs an instant vector or a scalar%s",
                   promql_type_name(type),
                   type == PROMQL_TYPE_RANGE ? ", as rate() or avg_over_time() give" : "");
    loader_error(l, &e);
}

const struct promql_node *expr_parse(struct rule_loader *l, const struct yaml_node *node,
                                     struct str text)
{
    const struct promql_node *tree = NULL;
    struct err e = ERR_INIT;

    bool ok = l->language == RULE_GRAPHITE ? graphite_expr_check(text, &e)
                                           : promql_parse(l->arena, text, l->dialect, &tree, &e);
    if (!ok) {
        yaml_err_inside(node, &e);
        loader_error(l, &e);
        return NULL;
    }
    return tree;
}

static struct str without_trailing_space(struct str text)
{
    while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL) {
        text.len--;
    }
    return text;
}

static void read_expr(struct rule_loader *l, const struct yaml_node *rule_node,
                      const struct yaml_node *node, struct rule *rule)
{
    struct str text = STR("");

    field_text(l, node, &text);
    text = without_trailing_space(text);
    if (text.len == 0) {
        if (node == NULL || node->kind == YAML_SCALAR) {
            (void)err_rule(l, node == NULL ? rule_node : node,
                           "a rule needs an expression: 'expr: ...'");
        }
        return;
    }
    rule->expr = arena_dup(l->arena, text);
    rule->tree = expr_parse(l, node, rule->expr);
    if (rule->tree != NULL) {
        check_type(l, node, rule->tree);
        expr_check(l, node, rule);
    }
}

/* for and keep_firing_for. */
static void read_policy(struct rule_loader *l, const struct yaml_node *const *at, struct rule *rule)
{
    static const enum rule_field alert_only[] = {RULE_FIELD_FOR, RULE_FIELD_KEEP_FIRING_FOR,
                                                 RULE_FIELD_NO_DATA};
    struct err e = ERR_INIT;

    for (size_t i = 0; rule->kind == RULE_RECORD && i < ARRAY_LEN(alert_only); i++) {
        const struct yaml_node *node = at[alert_only[i]];
        if (node != NULL) {
            (void)yaml_key_err(node, &e, ERR_CONFIG,
                               "'%.*s' belongs to an alert: a recording rule has no state",
                               STR_FMT(node->key));
            loader_error(l, &e);
        }
    }
    field_duration(l, at[RULE_FIELD_FOR], &rule->policy.for_ns);
    field_duration(l, at[RULE_FIELD_KEEP_FIRING_FOR], &rule->policy.keep_firing_for_ns);
    rule->keep_firing_for_ns = rule->policy.keep_firing_for_ns;
}

static void read_entries_limit(struct rule_loader *l, const struct yaml_node *node,
                               struct rule *rule)
{
    int64_t fallback = l->options->update_entries_limit;
    int64_t limit = fallback > 0 ? fallback : UPDATES_DEFAULT;
    struct err e = ERR_INIT;

    rule->update_entries_limit = limit;
    if (node == NULL) {
        return;
    }
    if (!yaml_i64(node, &limit, &e)) {
        loader_error(l, &e);
    } else if (limit > UPDATES_MAX) {
        (void)yaml_err(node, &e, ERR_CONFIG, "at most %d evaluations can be kept, found %lld",
                       UPDATES_MAX, (long long)limit);
        loader_error(l, &e);
    } else if (limit < 1) {
        (void)yaml_err(node, &e, ERR_CONFIG, "one evaluation is always kept");
        loader_warning(l, &e);
        rule->update_entries_limit = 1;
    } else {
        rule->update_entries_limit = limit;
    }
}

/* What the group says unless the rule does: deadline, missing data, targets. */
static void read_shared(struct rule_loader *l, const struct group_draft *draft,
                        const struct yaml_node *const *at, struct rule *rule)
{
    rule->query_timeout_ns = draft->query_timeout_ns;
    rule->policy.on_absent = draft->on_absent;
    rule->on_partial = draft->on_partial;
    rule->exporters = draft->exporters;
    rule->exporter_count = draft->exporter_count;
    field_duration(l, at[RULE_FIELD_QUERY_TIMEOUT], &rule->query_timeout_ns);
    field_no_data(l, at[RULE_FIELD_NO_DATA], &rule->policy.on_absent);
    field_partial(l, at[RULE_FIELD_PARTIAL], &rule->on_partial);
    targets_read(l, at[RULE_FIELD_EXPORTERS], &rule->exporters, &rule->exporter_count);
}

/* vmalert takes them, and exports are said with them; who keeps Prometheus too should know. */
static void warn_of_annotations(struct rule_loader *l, const struct yaml_node *node,
                                const struct rule *rule)
{
    struct err e = ERR_INIT;

    if (node == NULL || node->count == 0 || rule->kind != RULE_RECORD || l->told_of_annotations) {
        return;
    }
    l->told_of_annotations = true;
    (void)yaml_key_err(
        node, &e, ERR_CONFIG,
        "Prometheus refuses a file with annotations on a recording rule, vmalert and "
        "Telex take them; for a file that Prometheus reads too leave them out, and "
        "give an exporter with the database that you want a route: "
        "{ match: 'rule == \"%.*s\"', to: [ EXPORTER ] }",
        STR_FMT(rule->name));
    loader_warning(l, &e);
}

static void read_texts(struct rule_loader *l, struct group_draft *draft,
                       const struct yaml_node *const *at, struct rule *rule)
{
    AUTO(text_list_release) struct text_list labels = {0};
    AUTO(text_list_release) struct text_list annotations = {0};

    labels_read(l, draft, at[RULE_FIELD_LABELS], rule->kind, &labels);
    annotations_read(l, at[RULE_FIELD_ANNOTATIONS], &annotations);
    warn_of_annotations(l, at[RULE_FIELD_ANNOTATIONS], rule);
    rule->labels = text_list_keep(l, &labels, &rule->label_uses);
    rule->label_count = labels.items.len;
    rule->annotations = text_list_keep(l, &annotations, &rule->annotation_uses);
    rule->annotation_count = annotations.items.len;
    if (!loader_is_done(l)) {
        export_read(l, rule, &labels, &annotations);
    }
}

void rule_read(struct rule_loader *l, struct group_draft *draft, const struct yaml_node *node,
               struct rule *rule)
{
    const struct yaml_node *at[RULE_FIELDS];

    rule->pos = node->pos;
    rule->debug = draft->debug;
    if (!fields_read(l, &rule_fields, node, at) || loader_is_done(l) ||
        !read_kind(l, node, at, rule)) {
        return;
    }
    if (rule->kind == RULE_RECORD) {
        check_record_name(l, at[RULE_FIELD_RECORD], rule->name);
    }
    rule_read_source(l, at[RULE_FIELD_DATASOURCE], &draft->group, rule);
    if (loader_is_done(l)) {
        return;
    }
    read_expr(l, node, at[RULE_FIELD_EXPR], rule);
    if (loader_is_done(l)) {
        return;
    }
    read_policy(l, at, rule);
    field_count(l, at[RULE_FIELD_LIMIT], &rule->limit);
    field_bool(l, at[RULE_FIELD_DEBUG], &rule->debug);
    read_entries_limit(l, at[RULE_FIELD_UPDATE_ENTRIES_LIMIT], rule);
    read_shared(l, draft, at, rule);
    read_texts(l, draft, at, rule);
    rule->needs_series = rule_needs_series(rule);
    if (rule->tree != NULL && rule->kind == RULE_ALERT &&
        rule->policy.on_absent != ABSENT_RESOLVES) {
        rule_find_data(l, rule);
    }
    if (!loader_is_done(l)) {
        rule_make_id(l, node, rule, draft->group.id);
    }
}
