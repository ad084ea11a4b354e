/*
 * rule_int.h - what the files that read rules share: the loader, field tables, texts with their
 * nodes.
 *
 * A file's YAML tree lives in the loader's scratch arena, which is emptied after the file; what
 * stays is copied into the set's arena. Every problem goes through loader_error() or
 * loader_warning(), which add where it is and count; readers do not return success, they go on
 * where that makes sense, and loops end when loader_is_done(). So one pass finds everything there
 * is to say.
 *
 * Ownership: the loader owns the unfinished set until rule_loader_finish(). Threads: confined.
 * Limits: those of rule.h.
 */
#ifndef TELEX_RULES_RULE_INT_H
#define TELEX_RULES_RULE_INT_H

#include "base/map.h"
#include "base/vec.h"
#include "base/yaml.h"
#include "rules/rule.h"

/* ---- the set ---- */

struct set_body; /* a rule set with what it owns */

struct set_body *set_body_new(void);
void set_body_free(struct set_body *body);
struct arena *set_body_arena(struct set_body *body);
struct rule_set *set_body_set(struct set_body *body);

/* The set frees <t>. */
void set_body_own(struct set_body *body, struct template *t);
void set_body_own_library(struct set_body *body, struct template_library *library);

/* ---- the loader ---- */

/* A group while its file is read; <group.rules> is filled when all are known. */
struct group_draft {
    struct rule_group group;
    struct rule *rules;
    const struct yaml_node *labels;
    bool debug;
    int64_t query_timeout_ns; /* these three too: for rules that say nothing */
    enum absent_policy on_absent;
    enum partial_policy on_partial;
    const struct rule_target *exporters; /* for rules that name none */
    size_t exporter_count;
    bool labels_told[2]; /* by kind: what is wrong with group labels is told with the first rule */
};

struct rule_loader {
    const struct rule_options *options;
    const struct rule_problems *problems;
    struct set_body *body;
    struct template_library *library; /* the body's; or NULL */
    struct arena *arena;              /* of the set */
    struct arena scratch;             /* of the file */
    struct buf key;                   /* under construction: an id's input, a map's key */
    VEC(struct group_draft) groups;
    struct map group_names;   /* of the file -> its name's node */
    struct map rules_seen;    /* of the group */
    struct map templates;     /* name and text -> the template compiled from them */
    struct str file;          /* as opened */
    struct str id_file;       /* as ids see it */
    bool told_of_annotations; /* on recording rules; once for a file */
    struct str group_name;    /* being read, for error texts; or empty */
    struct str rule_name;
    enum rule_kind rule_kind;
    enum rule_language language; /* of the rule being read */
    enum promql_dialect dialect;
    size_t rule_count;
    size_t error_count;
    size_t warning_count;
    struct err first_error;
    bool is_full; /* the set's memory is used up: read no more */
};

void rule_loader_init(struct rule_loader *l, const struct rule_options *options,
                      const struct rule_problems *problems);
void rule_loader_release(struct rule_loader *l);

/* Reports a problem, with the group and rule being read as its context. */
void loader_error(struct rule_loader *l, struct err *e);
void loader_warning(struct rule_loader *l, struct err *e);

/* Was the last error the one to stop at? */
bool loader_is_done(const struct rule_loader *l);

/* Reads one file's text into the loader's groups. */
void loader_read_text(struct rule_loader *l, struct str file, struct str id_file, struct str text);

/* Puts values of the environment in place of %{NAME}; *ret_left: some stand in what may be comments. */
MUST_USE bool placeholders_expand(struct rule_loader *l, struct str text, struct buf *out,
                                  bool *ret_left);

/* Reports those that the YAML knows as texts after all. */
void placeholders_check(struct rule_loader *l, const struct yaml_node *node);

/* The finished set, or false with the first error. */
MUST_USE bool rule_loader_finish(struct rule_loader *l, struct rule_set **ret_set, struct err *e);

/* ---- fields ---- */

/* A key of another program, and what to do instead. */
struct foreign_field {
    const char *name;
    const char *advice;
};

struct field_table {
    const char *what;     /* "a group" */
    const char *expected; /* the same with what it is made of */
    const char *const *names;
    size_t count;
    const struct foreign_field *foreign; /* NULL-terminated, or NULL */
};

enum file_field { FILE_GROUPS, FILE_FIELDS };

enum group_field {
    GROUP_NAME,
    GROUP_INTERVAL,
    GROUP_QUERY_OFFSET,
    GROUP_EVAL_DELAY,
    GROUP_EVAL_OFFSET,
    GROUP_EVAL_ALIGNMENT,
    GROUP_LIMIT,
    GROUP_LABELS,
    GROUP_PARAMS,
    GROUP_HEADERS,
    GROUP_DEBUG,
    GROUP_TYPE,
    GROUP_DATASOURCE,
    GROUP_CONCURRENCY,
    GROUP_NOTIFIER_HEADERS,
    GROUP_TENANT,
    GROUP_EXPORTERS,
    GROUP_SERIES_LIMIT,
    GROUP_QUERY_TIMEOUT,
    GROUP_NO_DATA,
    GROUP_PARTIAL,
    GROUP_RULES,
    GROUP_FIELDS,
};

enum rule_field {
    RULE_FIELD_ALERT,
    RULE_FIELD_RECORD,
    RULE_FIELD_EXPR,
    RULE_FIELD_FOR,
    RULE_FIELD_KEEP_FIRING_FOR,
    RULE_FIELD_LABELS,
    RULE_FIELD_ANNOTATIONS,
    RULE_FIELD_LIMIT,
    RULE_FIELD_DEBUG,
    RULE_FIELD_UPDATE_ENTRIES_LIMIT,
    RULE_FIELD_DATASOURCE,
    RULE_FIELD_EXPORTERS,
    RULE_FIELD_QUERY_TIMEOUT,
    RULE_FIELD_NO_DATA,
    RULE_FIELD_PARTIAL,
    RULE_FIELDS,
};

extern const struct field_table file_fields;
extern const struct field_table group_fields;
extern const struct field_table rule_fields;

/*
 * Sorts the values of <mapping> into ret_values[] by the table's names; absent and null ones are
 * NULL. false when it is no mapping.
 */
bool fields_read(struct rule_loader *l, const struct field_table *table,
                 const struct yaml_node *mapping, const struct yaml_node **ret_values);

/* Typed reads; each leaves *value as it is where <node> is NULL or wrong. */
void field_text(struct rule_loader *l, const struct yaml_node *node, struct str *value);
void field_bool(struct rule_loader *l, const struct yaml_node *node, bool *value);
void field_count(struct rule_loader *l, const struct yaml_node *node, int64_t *value);
void field_duration(struct rule_loader *l, const struct yaml_node *node, int64_t *value_ns);

/* Warns of a field that changes nothing in this version. */
void field_passed_over(struct rule_loader *l, const struct yaml_node *node, const char *effect);

/* Is <node> of <kind>? Else an error: "expected <expected>, found ...". */
bool field_is(struct rule_loader *l, const struct yaml_node *node, enum yaml_kind kind,
              const char *expected);

/* ---- groups and rules ---- */

void group_read(struct rule_loader *l, const struct yaml_node *node);

/* The datasource arguments of a group. */
void group_read_params(struct rule_loader *l, const struct yaml_node *node,
                       struct rule_group *group);
void group_read_headers(struct rule_loader *l, const struct yaml_node *node,
                        struct rule_group *group);
void group_read_notifier_headers(struct rule_loader *l, const struct yaml_node *node,
                                 struct rule_group *group);

/* Who is asked: by type, datasource and tenant of the group, and by the rule's own datasource. */
void group_read_source(struct rule_loader *l, const struct yaml_node *const *at,
                       struct rule_group *group);
void rule_read_source(struct rule_loader *l, const struct yaml_node *node,
                      const struct rule_group *group, struct rule *rule);

/* no_data and partial, of a group or a rule. */
void field_no_data(struct rule_loader *l, const struct yaml_node *node, enum absent_policy *value);
void field_partial(struct rule_loader *l, const struct yaml_node *node, enum partial_policy *value);

/* How a rule asks whether there is data. */
void rule_find_data(struct rule_loader *l, struct rule *rule);

/* A list of exporters' names, or one; leaves both as they are without <node> or after an error. */
void targets_read(struct rule_loader *l, const struct yaml_node *node,
                  const struct rule_target **ret_targets, size_t *ret_count);

/* Is it an expression for Graphite? The error has its place in <text>. */
MUST_USE bool graphite_expr_check(struct str text, struct err *e);

void rule_read(struct rule_loader *l, struct group_draft *draft, const struct yaml_node *node,
               struct rule *rule);

/* A label or annotation with its place in the file. */
struct text_item {
    struct rule_text text;
    const struct yaml_node *node;
};

struct text_list {
    VEC(struct text_item) items;
};

void text_list_release(struct text_list *list);
const struct text_item *text_list_find(const struct text_list *list, struct str name);

/* The labels of a rule over those of its group, sorted by name; or its annotations. */
void labels_read(struct rule_loader *l, struct group_draft *draft, const struct yaml_node *node,
                 enum rule_kind kind, struct text_list *list);
void annotations_read(struct rule_loader *l, const struct yaml_node *node, struct text_list *list);

/* Checks the names of a mapping of labels or annotations; false when it is none. */
bool text_names_check(struct rule_loader *l, const struct yaml_node *node, const char *what);

/* Compiles the text of <node>, or finds the template that is alike; the set owns it. */
MUST_USE bool text_compile(struct rule_loader *l, const struct yaml_node *node,
                           const struct template **ret_text, struct err *e);

/* Copies the list into the set's arena, with the union of what the templates use. */
const struct rule_text *text_list_keep(struct rule_loader *l, const struct text_list *list,
                                       unsigned *ret_uses);

/* Do its annotations look at the metric name or at all labels of the series? */
bool rule_needs_series(const struct rule *rule);

/* What the export_* labels and annotations say. */
void export_read(struct rule_loader *l, struct rule *rule, const struct text_list *labels,
                 const struct text_list *annotations);

/* Parses an expression in the rule's language, of a text that stays; NULL after an error, and where
 * the language is not PromQL. */
const struct promql_node *expr_parse(struct rule_loader *l, const struct yaml_node *node,
                                     struct str text);

/* Warns where the expression cannot be what was meant. */
void expr_check(struct rule_loader *l, const struct yaml_node *node, const struct rule *rule);

/* ---- identity ---- */

struct str group_make_id(struct rule_loader *l, struct str name);

/* Sets the id; warns when the group has the same rule already. */
void rule_make_id(struct rule_loader *l, const struct yaml_node *node, struct rule *rule,
                  struct str group_id);

/* ---- files ---- */

struct rule_path {
    struct str open; /* to open it */
    struct str id;   /* below the base folder; absolute when it is not there */
};

struct rule_paths {
    VEC(struct rule_path) items;
};

/*
 * Appends the files that <pattern> matches, sorted; texts in <a>. A pattern without wildcard gives
 * itself, whether there is such a file or not.
 */
MUST_USE bool rule_paths_expand(struct arena *a, struct str base_folder, struct str pattern,
                                struct rule_paths *paths, struct err *e);
bool rule_path_is_pattern(struct str pattern);

/* Reads the template files that the options name; before any rule file. */
void templates_load(struct rule_loader *l, struct str base_folder);

#endif
