/*
 * What is exported and where to: two labels and some annotations, each a row with its reader. They
 * say it for all series of a rule, so their values are no templates; only export_query is, and of
 * alerts webhook_url and webhook_headers.
 */
#include "base/number.h"
#include "base/timetext.h"
#include "model/export_words.h"
#include "rules/rule_int.h"

enum { SHOWN_MAX = 60 };

static const char switch_label[] = EXPORT_SWITCH_LABEL;

struct export_reader {
    const char *name;
    void (*read)(struct rule_loader *l, const struct text_item *item, struct rule *rule);
    bool asks_where; /* makes sense only where something is exported */
};

static bool has_actions(struct str text)
{
    return str_find(text, STR("{{")) < text.len;
}

static void bad_value(struct rule_loader *l, const struct text_item *item, const char *problem)
{
    struct err e = ERR_INIT;

    (void)yaml_err(item->node, &e, ERR_CONFIG, "'%.*s' %s, found '%.*s'", STR_FMT(item->text.name),
                   problem, STR_FMT(str_slice(item->text.source, 0, SHOWN_MAX)));
    loader_error(l, &e);
}

static bool is_plain(struct rule_loader *l, const struct text_item *item)
{
    if (!has_actions(item->text.source)) {
        return true;
    }
    bad_value(l, item, "is the same for all series of the rule and cannot be a template");
    return false;
}

static void warn_of_kind(struct rule_loader *l, const struct text_item *item, const char *problem)
{
    struct err e = ERR_INIT;

    (void)yaml_key_err(item->node, &e, ERR_CONFIG, "'%.*s' %s", STR_FMT(item->text.name), problem);
    loader_warning(l, &e);
}

static void read_query(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct rule_export *x = &rule->export;

    if (rule->kind == RULE_RECORD) {
        warn_of_kind(l, item, "has no effect on a recording rule, which exports what it records");
        return;
    }
    if (str_trim(item->text.source).len == 0) {
        bad_value(l, item, "must be an expression");
        return;
    }
    x->query = arena_dup(l->arena, item->text.source);
    if (has_actions(x->query)) {
        x->query_text = item->text.text;
    } else {
        (void)expr_parse(l, item->node, x->query);
    }
}

static void read_datastore(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    if (is_plain(l, item)) {
        rule->export.datastore = arena_dup(l->arena, item->text.source);
        rule->export.datastore_pos = item->text.pos;
    }
}

static void read_database(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    if (is_plain(l, item)) {
        rule->export.database = arena_dup(l->arena, item->text.source);
    }
}

static void read_measurement(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    if (is_plain(l, item) && item->text.source.len > 0) {
        rule->export.measurement = arena_dup(l->arena, item->text.source);
    }
}

static void read_metric_type(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    if (is_plain(l, item)) {
        rule->export.metric_type = arena_dup(l->arena, item->text.source);
    }
}

static void read_interval(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct err e = ERR_INIT;
    int64_t interval_ns = 0;

    if (!is_plain(l, item)) {
        return;
    }
    if (!duration_parse(str_trim(item->text.source), true, &interval_ns, &e) || interval_ns < 0) {
        bad_value(l, item, "must be a duration like 60s or 1h, not negative");
    } else if (rule->kind == RULE_ALERT) {
        warn_of_kind(l, item, "has no effect on an alert, which is exported when it fires");
    } else {
        rule->export.interval_ns = interval_ns;
    }
}

static void read_threshold(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct rule_export *x = &rule->export;

    if (!is_plain(l, item)) {
        return;
    }
    if (export_threshold_read(item->text.source, &x->threshold)) {
        x->has_threshold = true;
    } else {
        bad_value(l, item, "must be a number");
    }
}

/* http://, https://, or a template of an alert, which may make one. */
static void read_webhook(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct str text = str_trim(item->text.source);
    bool is_template = has_actions(text);

    if (is_template && rule->kind == RULE_RECORD) {
        (void)is_plain(l, item);
    } else if (!is_template && !str_starts(text, STR("http://")) &&
               !str_starts(text, STR("https://"))) {
        bad_value(l, item, "must be a URL such as http://host:8080/path");
    } else {
        rule->export.has_webhook = true;
    }
}

static void read_headers(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct str text = item->text.source;

    if (rule->kind == RULE_RECORD && !is_plain(l, item)) {
        return;
    }
    if (str_trim(text).len > 0 && str_find_byte(text, ':') == text.len) {
        bad_value(l, item, "must be lines of 'Name: value'");
    }
}

static void read_format(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    static const char *const formats[] = {"json", "influx", "prometheus", "csv"};
    struct str text = str_trim(item->text.source);

    (void)rule;
    if (!is_plain(l, item)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_eq(text, str_of(formats[i]))) {
            return;
        }
    }
    bad_value(l, item, "must be json, influx, prometheus or csv");
}

static void read_batch_size(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    enum { BATCH_MAX = 10000 };
    int64_t size = 0;

    (void)rule;
    if (is_plain(l, item) &&
        (!number_parse_i64(str_trim(item->text.source), &size) || size < 1 || size > BATCH_MAX)) {
        bad_value(l, item, "must be a number from 1 to 10000");
    }
}

static void read_on_resolve(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct str text = str_trim(item->text.source);

    if (rule->kind == RULE_RECORD) {
        warn_of_kind(l, item, "has no effect on a recording rule, which has no end");
    } else if (str_eq(text, STR("true")) || str_eq(text, STR("false"))) {
        rule->export.on_resolve = str_eq(text, STR("true"));
    } else {
        bad_value(l, item, "must be \"true\" or \"false\"");
    }
}

static const struct export_reader readers[] = {
    {"export_query", read_query, true},       {"export_datastore", read_datastore, true},
    {"export_database", read_database, true}, {"export_measurement", read_measurement, true},
    {"export_interval", read_interval, true}, {"threshold_value", read_threshold, false},
    {"metric_type", read_metric_type, false}, {"export_on_resolve", read_on_resolve, true},
    {"webhook_url", read_webhook, true},      {"webhook_headers", read_headers, false},
    {"export_format", read_format, true},     {"batch_size", read_batch_size, false},
};

static void read_switch(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct str value = item->text.source;

    if (!export_switch_read(value, &rule->export.enabled, &rule->export.disabled)) {
        bad_value(l, item, "must be \"true\" or \"false\"");
    }
}

/* export_type: batch; other values are the user's own labels. */
static void read_type(struct rule *rule, const struct text_list *labels)
{
    const struct text_item *type = text_list_find(labels, STR("export_type"));

    rule->export.is_batch = type != NULL && str_eq(type->text.source, STR("batch"));
}

/* How and what only together with the URL: alone they would do nothing. */
static void check_webhook(struct rule_loader *l, const struct rule *rule,
                          const struct text_list *annotations)
{
    static const char *const needy[] = {"webhook_headers", "export_format", "batch_size"};

    for (size_t i = 0; i < ARRAY_LEN(needy) && !rule->export.has_webhook; i++) {
        const struct text_item *item = text_list_find(annotations, str_of(needy[i]));
        if (item != NULL) {
            warn_of_kind(l, item, "has no effect without webhook_url, which says where to");
        }
    }
}

/* A series has no annotations of its own: those of the rule go with it, for who is sent them. */
static void keep_annotations(struct rule_loader *l, struct rule *rule)
{
    struct rule_export *x = &rule->export;

    if (rule->kind != RULE_RECORD || !x->has_webhook || !x->enabled) {
        return;
    }
    struct label *pairs = arena_array(l->arena, struct label, rule->annotation_count);
    for (size_t i = 0; i < rule->annotation_count; i++) {
        pairs[i] = (struct label){rule->annotations[i].name, rule->annotations[i].source};
    }
    x->annotations = pairs;
    x->annotation_count = rule->annotation_count;
}

static void warn_of_no_switch(struct rule_loader *l, const struct text_item *item)
{
    struct err e = ERR_INIT;

    (void)yaml_key_err(item->node, &e, ERR_CONFIG,
                       "'%.*s' has no effect without the label %s: \"true\"",
                       STR_FMT(item->text.name), switch_label);
    loader_warning(l, &e);
}

/* A misspelt export_ annotation would be an annotation like any other, and nothing would happen. */
static void check_unknown(struct rule_loader *l, const struct text_item *item)
{
    const char *names[ARRAY_LEN(readers)];
    struct err e = ERR_INIT;

    if (!str_starts(item->text.name, STR("export_"))) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        names[i] = readers[i].name;
        if (str_eq(item->text.name, str_of(names[i]))) {
            return;
        }
    }
    const char *meant = str_nearest(item->text.name, names, ARRAY_LEN(names));
    if (meant != NULL) {
        (void)yaml_key_err(item->node, &e, ERR_CONFIG,
                           "the annotation '%.*s' says nothing about exports; did you mean '%s'?",
                           STR_FMT(str_slice(item->text.name, 0, SHOWN_MAX)), meant);
        loader_warning(l, &e);
    }
}

void export_read(struct rule_loader *l, struct rule *rule, const struct text_list *labels,
                 const struct text_list *annotations)
{
    const struct text_item *on = text_list_find(labels, STR(EXPORT_SWITCH_LABEL));
    bool warned = false;

    rule->export.measurement = rule->name;
    if (on != NULL) {
        read_switch(l, on, rule);
    }
    for (size_t i = 0; i < ARRAY_LEN(readers) && !loader_is_done(l); i++) {
        const struct text_item *item = text_list_find(annotations, str_of(readers[i].name));
        if (item == NULL) {
            continue;
        }
        readers[i].read(l, item, rule);
        if (on == NULL && readers[i].asks_where && !warned) {
            warned = true;
            warn_of_no_switch(l, item);
        }
    }
    for (size_t i = 0; i < annotations->items.len; i++) {
        check_unknown(l, &annotations->items.items[i]);
    }
    read_type(rule, labels);
    check_webhook(l, rule, annotations);
    keep_annotations(l, rule);
}
