/* What a group adds to what is sent for it: params and headers of queries, headers of notifications. */
#include "rules/rule_int.h"

enum { SHOWN_MAX = 60 };

struct param_list {
    VEC(struct query_param) items;
};

static const struct query_param *keep(struct rule_loader *l, struct param_list *list,
                                      size_t *ret_count)
{
    struct query_param *kept = arena_array(l->arena, struct query_param, list->items.len);

    for (size_t i = 0; i < list->items.len; i++) {
        kept[i] = (struct query_param){arena_dup(l->arena, list->items.items[i].name),
                                       arena_dup(l->arena, list->items.items[i].value)};
    }
    *ret_count = list->items.len;
    vec_release(&list->items);
    return kept;
}

/* Is the param one that each evaluation sets itself? */
static bool is_ours(struct str name)
{
    return str_eq(name, STR("query")) || str_eq(name, STR("time"));
}

static void add_param(struct rule_loader *l, struct str name, const struct yaml_node *node,
                      struct param_list *list)
{
    struct query_param param = {.name = name, .value = STR("")};

    field_text(l, node, &param.value);
    vec_push(&list->items, param);
}

static void read_param(struct rule_loader *l, const struct yaml_node *node, struct param_list *list)
{
    struct err e = ERR_INIT;

    if (node->key.len == 0 || is_ours(node->key)) {
        (void)yaml_key_err(node, &e, ERR_CONFIG, "'%.*s' cannot be a param: %s", STR_FMT(node->key),
                           node->key.len == 0 ? "it has no name" : "each evaluation sets it");
        loader_error(l, &e);
    } else if (node->kind == YAML_SEQUENCE) {
        for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
            add_param(l, node->key, n, list);
        }
    } else {
        add_param(l, node->key, node, list);
    }
}

void group_read_params(struct rule_loader *l, const struct yaml_node *node,
                       struct rule_group *group)
{
    struct param_list list = {0};

    if (node == NULL ||
        !field_is(l, node, YAML_MAPPING, "a mapping from params to lists of values")) {
        return;
    }
    for (const struct yaml_node *n = node->first; n != NULL && !loader_is_done(l); n = n->next) {
        read_param(l, n, &list);
    }
    group->params = keep(l, &list, &group->param_count);
}

static bool is_token(struct str name)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (c == '\0' || strchr(marks, c) == NULL)) {
            return false;
        }
    }
    return name.len > 0;
}

static bool has_control(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7F) {
            return true;
        }
    }
    return false;
}

/* "Name: value" */
static void read_header(struct rule_loader *l, const struct yaml_node *node,
                        struct param_list *list)
{
    struct err e = ERR_INIT;
    struct str text;

    if (!yaml_text(node, &text, &e)) {
        loader_error(l, &e);
        return;
    }
    size_t colon = str_find_byte(text, ':');
    struct query_param header = {.name = str_trim(str_slice(text, 0, colon)),
                                 .value = str_trim(str_slice(text, colon + 1, text.len))};
    if (colon == text.len || !is_token(header.name)) {
        (void)yaml_err(node, &e, ERR_CONFIG, "expected a header like \"Name: value\", found '%.*s'",
                       STR_FMT(str_slice(text, 0, SHOWN_MAX)));
        loader_error(l, &e);
    } else if (has_control(header.value)) {
        (void)yaml_err(node, &e, ERR_CONFIG,
                       "the value of header '%.*s' may not hold control characters or line ends",
                       STR_FMT(header.name));
        loader_error(l, &e);
    } else {
        vec_push(&list->items, header);
    }
}

static bool read_header_list(struct rule_loader *l, const struct yaml_node *node,
                             struct param_list *list)
{
    if (node == NULL ||
        !field_is(l, node, YAML_SEQUENCE, "a list of headers like \"Name: value\"")) {
        return false;
    }
    for (const struct yaml_node *n = node->first; n != NULL && !loader_is_done(l); n = n->next) {
        read_header(l, n, list);
    }
    return true;
}

void group_read_headers(struct rule_loader *l, const struct yaml_node *node,
                        struct rule_group *group)
{
    struct param_list list = {0};

    if (read_header_list(l, node, &list)) {
        group->headers = keep(l, &list, &group->header_count);
    }
}

void group_read_notifier_headers(struct rule_loader *l, const struct yaml_node *node,
                                 struct rule_group *group)
{
    struct param_list list = {0};

    if (!read_header_list(l, node, &list)) {
        return;
    }
    struct label *kept = arena_array(l->arena, struct label, list.items.len);
    for (size_t i = 0; i < list.items.len; i++) {
        kept[i] = (struct label){arena_dup(l->arena, list.items.items[i].name),
                                 arena_dup(l->arena, list.items.items[i].value)};
    }
    group->notifier_headers = kept;
    group->notifier_header_count = list.items.len;
    vec_release(&list.items);
}
