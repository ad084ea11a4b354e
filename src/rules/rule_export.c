/*
 * What is exported and where to: one label and seven annotations, each a row with its reader. They
 * say it for all series of a rule, so their values are no templates; only export_query is.
 */
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

static const struct export_reader readers[] = {
    {"export_query", read_query, true},       {"export_datastore", read_datastore, true},
    {"export_database", read_database, true}, {"export_measurement", read_measurement, true},
    {"export_interval", read_interval, true}, {"threshold_value", read_threshold, false},
    {"metric_type", read_metric_type, false},
};

static void read_switch(struct rule_loader *l, const struct text_item *item, struct rule *rule)
{
    struct str value = item->text.source;

    if (!export_switch_read(value, &rule->export.enabled, &rule->export.disabled)) {
        bad_value(l, item, "must be \"true\" or \"false\"");
    }
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
}
