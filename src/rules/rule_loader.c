/*
 * From one file's text to groups, and from all groups to a set.
 *
 * Invariants:
 *   1. error_count > 0 exactly when first_error is set; then there is never a set.
 *   2. Without check_only nothing is reported after the first error, and reading ends soon.
 *   3. Nothing in the set's arena points into the scratch arena or the file's text.
 */
#include "rules/rule_int.h"

#include "rules/across.h"

void rule_loader_init(struct rule_loader *l, const struct rule_options *options,
                      const struct rule_problems *problems)
{
    *l = (struct rule_loader){.options = options, .problems = problems};
    l->body = set_body_new();
    l->arena = set_body_arena(l->body);
    arena_init(&l->scratch, ARENA_UNLIMITED);
    buf_init(&l->key, BUF_UNLIMITED);
    map_init(&l->group_names, 0);
    map_init(&l->rules_seen, 0);
    map_init(&l->templates, 0);
}

void rule_loader_release(struct rule_loader *l)
{
    set_body_free(l->body);
    arena_release(&l->scratch);
    buf_release(&l->key);
    vec_release(&l->groups);
    map_release(&l->group_names);
    map_release(&l->rules_seen);
    map_release(&l->templates);
}

/* Problems */

static void add_context(const struct rule_loader *l, struct err *e)
{
    if (l->rule_name.len > 0) {
        (void)err_wrap(e, "%s '%.*s'", l->rule_kind == RULE_ALERT ? "alert" : "record",
                       STR_FMT(l->rule_name));
    }
    if (l->group_name.len > 0) {
        (void)err_wrap(e, "group '%.*s'", STR_FMT(l->group_name));
    }
    (void)err_in_file(e, l->file);
}

static void report(const struct rule_loader *l, bool is_warning, const struct err *e)
{
    if (l->problems != NULL) {
        l->problems->report(l->problems->arg, is_warning, e);
    }
}

/* In place of the first problem that is too many. */
static void report_too_many(const struct rule_loader *l, bool is_warning)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_LIMIT, "there are more than %d %s: the rest is not shown",
                  RULE_PROBLEMS_MAX, is_warning ? "warnings" : "errors");
    report(l, is_warning, &e);
}

void loader_error(struct rule_loader *l, struct err *e)
{
    if (loader_is_done(l)) {
        return;
    }
    add_context(l, e);
    if (l->error_count++ == 0) {
        l->first_error = *e;
    }
    if (l->error_count <= RULE_PROBLEMS_MAX) {
        report(l, false, e);
    } else if (l->error_count == RULE_PROBLEMS_MAX + 1) {
        report_too_many(l, false);
    }
}

void loader_warning(struct rule_loader *l, struct err *e)
{
    if (loader_is_done(l)) {
        return;
    }
    add_context(l, e);
    l->warning_count++;
    if (l->warning_count <= RULE_PROBLEMS_MAX) {
        report(l, true, e);
    } else if (l->warning_count == RULE_PROBLEMS_MAX + 1) {
        report_too_many(l, true);
    }
}

bool loader_is_done(const struct rule_loader *l)
{
    size_t errors_max = l->options->check_only ? RULE_PROBLEMS_MAX : 0;

    return l->is_full || l->error_count > errors_max;
}

/* A file */

/* How many groups the document has. */
static size_t read_document(struct rule_loader *l, const struct yaml_node *document)
{
    const struct yaml_node *at[FILE_FIELDS];

    if (!fields_read(l, &file_fields, document, at) || at[FILE_GROUPS] == NULL ||
        !field_is(l, at[FILE_GROUPS], YAML_SEQUENCE, "a list of groups")) {
        return 0;
    }
    const struct yaml_node *node = at[FILE_GROUPS]->first;
    for (; node != NULL && !loader_is_done(l); node = node->next) {
        group_read(l, node);
        l->group_name = STR_NONE;
    }
    return at[FILE_GROUPS]->count;
}

static void read_documents(struct rule_loader *l, const struct yaml_node *documents)
{
    struct err e = ERR_INIT;
    size_t errors = l->error_count;
    size_t count = 0;

    for (const struct yaml_node *d = documents->first; d != NULL && !loader_is_done(l);
         d = d->next) {
        count += read_document(l, d);
    }
    if (count == 0 && l->error_count == errors) {
        (void)err_set(&e, ERR_CONFIG, "there are no groups in this file");
        loader_warning(l, &e);
    }
}

/* The file with its placeholders replaced. */
static void read_yaml(struct rule_loader *l, struct str text, bool has_placeholders)
{
    struct yaml_source source = {.file = l->file, .text = text};
    const struct yaml_node *documents;
    struct err e = ERR_INIT;

    if (!yaml_parse(&l->scratch, &source, &documents, &e)) {
        loader_error(l, &e);
        return;
    }
    if (has_placeholders) {
        placeholders_check(l, documents);
    }
    read_documents(l, documents);
}

void loader_read_text(struct rule_loader *l, struct str file, struct str id_file, struct str text)
{
    AUTO(buf_release) struct buf expanded = BUF_INIT(RULE_FILE_MAX);
    bool has_placeholders = false;

    l->file = arena_dup(l->arena, file);
    l->id_file = id_file;
    l->told_of_annotations = false;
    map_clear(&l->group_names);
    if (str_find(text, STR("%{")) == text.len) {
        read_yaml(l, text, false);
    } else if (placeholders_expand(l, text, &expanded, &has_placeholders)) {
        read_yaml(l, buf_str(&expanded), has_placeholders);
    }
    map_clear(&l->group_names);
    map_clear(&l->rules_seen);
    arena_reset(&l->scratch);
    l->file = STR_NONE;
}

/* The set */

static void publish(struct rule_loader *l, struct rule_set *set)
{
    struct rule_group *groups = arena_array(l->arena, struct rule_group, l->groups.len);

    for (size_t i = 0; i < l->groups.len; i++) {
        struct group_draft *draft = &l->groups.items[i];
        groups[i] = draft->group;
        groups[i].rules = draft->rules;
        for (size_t r = 0; r < groups[i].rule_count; r++) {
            draft->rules[r].group = &groups[i];
        }
    }
    *set = (struct rule_set){groups, l->groups.len, l->rule_count, NULL};
    set->across = across_make(set, l->arena);
    for (size_t i = 0; i < l->groups.len; i++) {
        groups[i].phase_of = &groups[across_lead(set->across, i)];
    }
}

bool rule_loader_finish(struct rule_loader *l, struct rule_set **ret_set, struct err *e)
{
    if (l->error_count > 0) {
        *e = l->first_error;
        return false;
    }
    struct rule_set *set = set_body_set(l->body);
    publish(l, set);
    l->body = NULL;
    *ret_set = set;
    return true;
}

bool rule_set_parse(struct str file, struct str text, const struct rule_options *options,
                    const struct rule_problems *problems, struct rule_set **ret_set, struct err *e)
{
    AUTO(rule_loader_release) struct rule_loader l;

    rule_loader_init(&l, options, problems);
    if (text.len > RULE_FILE_MAX) {
        struct err too_large = ERR_INIT;
        (void)err_set(&too_large, ERR_LIMIT, "the file has %zu bytes: at most %d are read",
                      text.len, RULE_FILE_MAX);
        l.file = file;
        loader_error(&l, &too_large);
    } else {
        loader_read_text(&l, file, file, text);
    }
    return rule_loader_finish(&l, ret_set, e);
}
