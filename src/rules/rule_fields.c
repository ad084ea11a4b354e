/* The keys of a rule file, as tables, and the reading of their values. */
#include "base/timetext.h"
#include "rules/rule_int.h"

enum { SHOWN_MAX = 60, NAMES_TEXT_MAX = 512 };

static const char *const file_names[FILE_FIELDS] = {
    [FILE_GROUPS] = "groups",
};

static const char *const group_names[GROUP_FIELDS] = {
    [GROUP_NAME] = "name",
    [GROUP_INTERVAL] = "interval",
    [GROUP_QUERY_OFFSET] = "query_offset",
    [GROUP_EVAL_DELAY] = "eval_delay",
    [GROUP_EVAL_OFFSET] = "eval_offset",
    [GROUP_EVAL_ALIGNMENT] = "eval_alignment",
    [GROUP_LIMIT] = "limit",
    [GROUP_LABELS] = "labels",
    [GROUP_PARAMS] = "params",
    [GROUP_HEADERS] = "headers",
    [GROUP_DEBUG] = "debug",
    [GROUP_TYPE] = "type",
    [GROUP_DATASOURCE] = "datasource",
    [GROUP_CONCURRENCY] = "concurrency",
    [GROUP_NOTIFIER_HEADERS] = "notifier_headers",
    [GROUP_TENANT] = "tenant",
    [GROUP_EXPORTERS] = "exporters",
    [GROUP_SERIES_LIMIT] = "series_limit",
    [GROUP_QUERY_TIMEOUT] = "query_timeout",
    [GROUP_NO_DATA] = "no_data",
    [GROUP_PARTIAL] = "partial",
    [GROUP_RULES] = "rules",
};

static const char *const rule_names[RULE_FIELDS] = {
    [RULE_FIELD_ALERT] = "alert",
    [RULE_FIELD_RECORD] = "record",
    [RULE_FIELD_EXPR] = "expr",
    [RULE_FIELD_FOR] = "for",
    [RULE_FIELD_KEEP_FIRING_FOR] = "keep_firing_for",
    [RULE_FIELD_LABELS] = "labels",
    [RULE_FIELD_ANNOTATIONS] = "annotations",
    [RULE_FIELD_LIMIT] = "limit",
    [RULE_FIELD_DEBUG] = "debug",
    [RULE_FIELD_UPDATE_ENTRIES_LIMIT] = "update_entries_limit",
    [RULE_FIELD_DATASOURCE] = "datasource",
    [RULE_FIELD_EXPORTERS] = "exporters",
    [RULE_FIELD_QUERY_TIMEOUT] = "query_timeout",
    [RULE_FIELD_NO_DATA] = "no_data",
    [RULE_FIELD_PARTIAL] = "partial",
};

static const struct foreign_field file_foreign[] = {
    {"namespace", "Telex keeps rules apart by file: leave it out"},
    {"alert", "a rule belongs to the rules of a group, and that under groups"},
    {"record", "a rule belongs to the rules of a group, and that under groups"},
    {"expr", "a rule belongs to the rules of a group, and that under groups"},
    {"rules", "rules belong to a group with a name, and that under groups"},
    {"apiVersion", "this is a Kubernetes object: give Telex what stands under its spec"},
    {"kind", "this is a Kubernetes object: give Telex what stands under its spec"},
    {"metadata", "this is a Kubernetes object: give Telex what stands under its spec"},
    {"spec", "this is a Kubernetes object: give Telex what stands under its spec"},
    {"rule_files", "this is a configuration of Prometheus, not a rule file"},
    {NULL, NULL},
};

static const struct foreign_field group_foreign[] = {
    {"extra_filter_labels", "write params: {extra_label: [name=value]}"},
    {"evaluation_delay", "its name is query_offset"},
    {"evaluation_interval", "its name is interval"},
    {"align_evaluation_time_on_interval", "its name is eval_alignment"},
    {"partial_response_strategy", "write params: {partial_response: [\"false\"]} for abort"},
    {"source_tenants", "put the tenants into headers: [\"X-Scope-OrgID: a|b\"]"},
    {NULL, NULL},
};

static const struct foreign_field rule_foreign[] = {
    {"type", "the type of the datasource is a field of the group"},
    {"interval",
     "the interval is a field of the group; for how often a recorded series is exported "
     "use the annotation export_interval"},
    {"severity", "it belongs under labels"},
    {"summary", "it belongs under annotations"},
    {"description", "it belongs under annotations"},
    {NULL, NULL},
};

const struct field_table file_fields = {"a rule file", "a rule file, a mapping with groups",
                                        file_names, FILE_FIELDS, file_foreign};
const struct field_table group_fields = {"a group", "a group, a mapping with name and rules",
                                         group_names, GROUP_FIELDS, group_foreign};
const struct field_table rule_fields = {"a rule",
                                        "a rule, a mapping with alert or record, and expr",
                                        rule_names, RULE_FIELDS, rule_foreign};

static size_t find_field(const struct field_table *table, struct str name)
{
    size_t i = 0;

    while (i < table->count && !str_eq(name, str_of(table->names[i]))) {
        i++;
    }
    return i;
}

static const char *foreign_advice(const struct field_table *table, struct str name)
{
    for (const struct foreign_field *f = table->foreign; f->name != NULL; f++) {
        if (str_eq(name, str_of(f->name))) {
            return f->advice;
        }
    }
    return NULL;
}

/* What to do about an unknown key: advice, the key that was meant, or all there are. */
static void add_advice(const struct field_table *table, struct str name, struct buf *out)
{
    const char *advice = foreign_advice(table, name);
    const char *meant = str_nearest(name, table->names, table->count);

    if (advice != NULL) {
        buf_addf(out, "; %s", advice);
    } else if (meant != NULL) {
        buf_addf(out, "; did you mean '%s'?", meant);
    } else {
        buf_add_text(out, "; expected ");
        for (size_t i = 0; i < table->count; i++) {
            const char *before = i == 0 ? "" : i + 1 == table->count ? " or " : ", ";
            buf_addf(out, "%s%s", before, table->names[i]);
        }
    }
}

static void unknown_field(struct rule_loader *l, const struct field_table *table,
                          const struct yaml_node *node)
{
    AUTO(buf_release) struct buf advice = BUF_INIT(NAMES_TEXT_MAX);
    struct err e = ERR_INIT;

    add_advice(table, node->key, &advice);
    (void)yaml_key_err(node, &e, ERR_CONFIG, "unknown field '%.*s' in %s%s",
                       STR_FMT(str_slice(node->key, 0, SHOWN_MAX)), table->what, buf_text(&advice));
    loader_error(l, &e);
}

bool fields_read(struct rule_loader *l, const struct field_table *table,
                 const struct yaml_node *mapping, const struct yaml_node **ret_values)
{
    for (size_t i = 0; i < table->count; i++) {
        ret_values[i] = NULL;
    }
    if (!field_is(l, mapping, YAML_MAPPING, table->expected)) {
        return false;
    }
    for (const struct yaml_node *n = mapping->first; n != NULL && !loader_is_done(l); n = n->next) {
        size_t i = find_field(table, n->key);
        if (i == table->count) {
            unknown_field(l, table, n);
        } else if (!yaml_is_null(n)) {
            ret_values[i] = n;
        }
    }
    return true;
}

bool field_is(struct rule_loader *l, const struct yaml_node *node, enum yaml_kind kind,
              const char *expected)
{
    struct err e = ERR_INIT;

    if (node->kind == kind) {
        return true;
    }
    if (node->kind != YAML_SCALAR) {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected %s, found %s", expected,
                       node->kind == YAML_SEQUENCE ? "a list" : "a mapping");
    } else if (yaml_is_null(node)) {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected %s, found nothing", expected);
    } else {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected %s, found the text '%.*s'", expected,
                       STR_FMT(str_slice(node->text, 0, SHOWN_MAX)));
    }
    loader_error(l, &e);
    return false;
}

void field_text(struct rule_loader *l, const struct yaml_node *node, struct str *value)
{
    struct err e = ERR_INIT;

    if (node != NULL && !yaml_text(node, value, &e)) {
        loader_error(l, &e);
    }
}

void field_bool(struct rule_loader *l, const struct yaml_node *node, bool *value)
{
    struct err e = ERR_INIT;

    if (node != NULL && !yaml_bool(node, value, &e)) {
        loader_error(l, &e);
    }
}

void field_count(struct rule_loader *l, const struct yaml_node *node, int64_t *value)
{
    struct err e = ERR_INIT;
    int64_t read = 0;

    if (node == NULL) {
        return;
    }
    if (!yaml_i64(node, &read, &e)) {
        loader_error(l, &e);
    } else if (read < 0) {
        (void)yaml_err(node, &e, ERR_CONFIG, "'%.*s' may not be negative; 0 means no limit",
                       STR_FMT(node->key));
        loader_error(l, &e);
    } else {
        *value = read;
    }
}

void field_duration(struct rule_loader *l, const struct yaml_node *node, int64_t *value_ns)
{
    struct err e = ERR_INIT;

    if (node != NULL && !yaml_duration(node, value_ns, &e)) {
        loader_error(l, &e);
    }
}

void field_passed_over(struct rule_loader *l, const struct yaml_node *node, const char *effect)
{
    struct err e = ERR_INIT;

    (void)yaml_key_err(node, &e, ERR_CONFIG, "'%.*s' is not supported yet and passed over: %s",
                       STR_FMT(node->key), effect);
    loader_warning(l, &e);
}
