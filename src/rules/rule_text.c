/*
 * Labels and annotations: names checked, texts compiled, those of the group under those of the
 * rule.
 *
 * Texts that are alike share one template: most rules of a file say the same severity.
 */
#include "rules/rule_int.h"

#include <stdlib.h>

enum { SHOWN_MAX = 60 };

void text_list_release(struct text_list *list)
{
    vec_release(&list->items);
}

const struct text_item *text_list_find(const struct text_list *list, struct str name)
{
    for (size_t i = 0; i < list->items.len; i++) {
        if (str_eq(list->items.items[i].text.name, name)) {
            return &list->items.items[i];
        }
    }
    return NULL;
}

/* Is <name> one of the first <count>? */
static bool is_among(const struct text_list *list, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(list->items.items[i].text.name, name)) {
            return true;
        }
    }
    return false;
}

static void check_name(struct rule_loader *l, const struct yaml_node *node, const char *what)
{
    bool is_label = str_eq(str_of(what), STR("label"));
    struct str name = node->key;
    struct err e = ERR_INIT;

    if (name.len == 0 || !str_is_utf8(name)) {
        (void)yaml_key_err(node, &e, ERR_CONFIG, "the name of a%s %s must be UTF-8 and not empty",
                           is_label ? "" : "n", what);
        loader_error(l, &e);
    } else if (is_label && str_eq(name, STR("__name__"))) {
        (void)yaml_key_err(node, &e, ERR_CONFIG,
                           "'__name__' cannot be a label of a rule: a recorded series has the name "
                           "that record gives it, an alert has none");
        loader_error(l, &e);
    } else if (is_label && !label_name_is_legacy(name)) {
        (void)yaml_key_err(
            node, &e, ERR_CONFIG,
            "only stores that take any UTF-8 in names take the label '%.*s'; all take "
            "letters, digits and '_'",
            STR_FMT(str_slice(name, 0, SHOWN_MAX)));
        loader_warning(l, &e);
    }
}

bool text_names_check(struct rule_loader *l, const struct yaml_node *node, const char *what)
{
    struct err e = ERR_INIT;

    if (!field_is(l, node, YAML_MAPPING, "a mapping from names to texts")) {
        return false;
    }
    if (node->count > LABELS_MAX) {
        (void)yaml_err(node, &e, ERR_LIMIT, "there are %zu %ss: at most %d can be read",
                       node->count, what, LABELS_MAX);
        loader_error(l, &e);
        return false;
    }
    for (const struct yaml_node *n = node->first; n != NULL && !loader_is_done(l); n = n->next) {
        check_name(l, n, what);
    }
    return true;
}

static void warn_of_gap(struct rule_loader *l, const struct yaml_node *node,
                        const struct template *t)
{
    struct err e = ERR_INIT;

    if (template_gap(t) != NULL) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "the function %s has no meaning here and gives empty text", template_gap(t));
        loader_warning(l, &e);
    }
}

bool text_compile(struct rule_loader *l, const struct yaml_node *node,
                  const struct template **ret_text, struct err *e)
{
    struct str source = STR_NONE;

    if (!yaml_text(node, &source, e)) {
        return false;
    }
    buf_clear(&l->key);
    buf_addf(&l->key, "%zu:", node->key.len);
    buf_add_str(&l->key, node->key);
    buf_add_str(&l->key, source);
    struct template *t = map_get(&l->templates, buf_str(&l->key));
    if (t == NULL) {
        if (!template_compile(node->key, source, l->library, &t, e)) {
            yaml_err_inside(node, e);
            return false;
        }
        set_body_own(l->body, t);
        warn_of_gap(l, node, t);
        (void)map_put(&l->templates, arena_dup(l->arena, buf_str(&l->key)), t);
    }
    *ret_text = t;
    return true;
}

/* Adds a label or annotation; a plain one is no template. */
static bool add_item(struct rule_loader *l, const struct yaml_node *node, bool is_plain,
                     struct text_list *list, struct err *e)
{
    struct text_item item = {.text = {.name = node->key, .pos = node->pos}, .node = node};

    if (!yaml_text(node, &item.text.source, e) ||
        !(is_plain || text_compile(l, node, &item.text.text, e))) {
        return false;
    }
    vec_push(&list->items, item);
    return true;
}

/* A label of a recording rule is taken as it is, by all engines; templates there are a mistake. */
static void warn_of_plain(struct rule_loader *l, const struct yaml_node *node)
{
    struct err e = ERR_INIT;

    if (node->kind != YAML_SCALAR || str_find(node->text, STR("{{")) == node->text.len) {
        return;
    }
    (void)yaml_err(node, &e, ERR_CONFIG,
                   "labels of a recording rule are not expanded: the series gets this text as it "
                   "stands");
    loader_warning(l, &e);
}

static void warn_of_alertname(struct rule_loader *l, const struct yaml_node *node)
{
    struct err e = ERR_INIT;

    if (!str_eq(node->key, STR("alertname"))) {
        return;
    }
    (void)yaml_key_err(node, &e, ERR_CONFIG,
                       "'alertname' is always the name of the alert: this value is not used");
    loader_warning(l, &e);
}

/* Adds a label; what is wrong or doubtful about it is told when <tells>. */
static void add_label(struct rule_loader *l, const struct yaml_node *node, enum rule_kind kind,
                      bool tells, struct text_list *list)
{
    bool is_plain = kind == RULE_RECORD;
    struct err e = ERR_INIT;
    bool ok = add_item(l, node, is_plain, list, &e);

    if (!tells) {
        return;
    }
    if (!ok) {
        loader_error(l, &e);
    } else if (is_plain) {
        warn_of_plain(l, node);
    } else {
        warn_of_alertname(l, node);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct text_item *x = a;
    const struct text_item *y = b;

    return str_cmp(x->text.name, y->text.name);
}

void labels_read(struct rule_loader *l, struct group_draft *draft, const struct yaml_node *node,
                 enum rule_kind kind, struct text_list *list)
{
    bool *told = &draft->labels_told[kind];

    if (node != NULL && text_names_check(l, node, "label")) {
        for (const struct yaml_node *n = node->first; n != NULL && !loader_is_done(l);
             n = n->next) {
            add_label(l, n, kind, true, list);
        }
    }
    size_t own = list->items.len;
    const struct yaml_node *shared = draft->labels != NULL ? draft->labels->first : NULL;
    for (; shared != NULL && !loader_is_done(l); shared = shared->next) {
        if (!is_among(list, own, shared->key)) {
            add_label(l, shared, kind, !*told, list);
        }
    }
    *told = true;
    if (list->items.len > 1) {
        qsort(list->items.items, list->items.len, sizeof(list->items.items[0]), by_name);
    }
}

void annotations_read(struct rule_loader *l, const struct yaml_node *node, struct text_list *list)
{
    struct err e = ERR_INIT;

    if (node == NULL || !text_names_check(l, node, "annotation")) {
        return;
    }
    for (const struct yaml_node *n = node->first; n != NULL && !loader_is_done(l); n = n->next) {
        if (!add_item(l, n, false, list, &e)) {
            loader_error(l, &e);
        }
    }
}

const struct rule_text *text_list_keep(struct rule_loader *l, const struct text_list *list,
                                       unsigned *ret_uses)
{
    struct rule_text *kept = arena_array(l->arena, struct rule_text, list->items.len);
    unsigned uses = USES_NOTHING;

    for (size_t i = 0; i < list->items.len; i++) {
        kept[i] = list->items.items[i].text;
        kept[i].name = arena_dup(l->arena, kept[i].name);
        kept[i].source = arena_dup(l->arena, kept[i].source);
        uses |= kept[i].text != NULL ? template_uses(kept[i].text) : USES_NOTHING;
    }
    *ret_uses = uses;
    return kept;
}
