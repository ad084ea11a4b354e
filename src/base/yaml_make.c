#include "base/yaml_make.h"

struct yaml_made yaml_make(struct arena *a, const struct yaml_node *at, enum yaml_kind kind)
{
    struct yaml_node *node = arena_new(a, struct yaml_node);

    *node = *at;
    node->kind = kind;
    node->text = STR("");
    node->first = NULL;
    node->next = NULL;
    node->count = 0;
    return (struct yaml_made){a, node, NULL};
}

struct yaml_node *yaml_make_add(struct yaml_made *m, struct str key, const struct yaml_node *child)
{
    struct yaml_node *copy = arena_new(m->arena, struct yaml_node);

    *copy = *child;
    copy->key = key;
    copy->next = NULL;
    if (m->last != NULL) {
        m->last->next = copy;
    } else {
        m->node->first = copy;
    }
    m->last = copy;
    m->node->count++;
    return copy;
}

static void add_scalar(struct yaml_made *m, struct str key, struct str text, enum yaml_style style,
                       const struct yaml_node *at)
{
    struct yaml_node *copy = yaml_make_add(m, key, at);

    copy->kind = YAML_SCALAR;
    copy->style = style;
    copy->text = text;
    copy->first = NULL;
    copy->count = 0;
}

void yaml_make_text(struct yaml_made *m, struct str key, struct str text,
                    const struct yaml_node *at)
{
    add_scalar(m, key, text, YAML_QUOTED, at);
}

void yaml_make_plain(struct yaml_made *m, struct str key, struct str text,
                     const struct yaml_node *at)
{
    add_scalar(m, key, text, YAML_PLAIN, at);
}
