/* Mappings: keys are texts, given once; what << brings comes last and never wins. */
#include "base/yaml_build.h"

enum { KEYS_LINEAR_MAX = 12 };

/* A mapping being built. */
struct mapping {
    struct yaml_node *node;
    const struct yaml_node **tail;
    struct map keys;                     /* once there are more than KEYS_LINEAR_MAX */
    const struct yaml_node *first_merge; /* values of <<, chained by their copies' next */
    const struct yaml_node **merge_tail;
};

static const struct yaml_node *find_key(const struct mapping *m, struct str key)
{
    return m->keys.len > 0 ? map_get(&m->keys, key) : yaml_get(m->node, key);
}

static void put_key(struct mapping *m, const struct yaml_node *child)
{
    union {
        const struct yaml_node *read;
        void *value;
    } pointer = {.read = child}; /* the map takes void *, and gives it back as const */

    (void)map_put(&m->keys, child->key, pointer.value);
}

static void add_child(struct yaml_builder *b, struct mapping *m, struct yaml_node *child)
{
    *m->tail = child;
    m->tail = &child->next;
    m->node->count++;
    if (m->keys.len == 0 && m->node->count > KEYS_LINEAR_MAX) {
        map_init(&m->keys, b->seed);
        for (const struct yaml_node *c = m->node->first; c != NULL; c = c->next) {
            put_key(m, c);
        }
    } else if (m->keys.len > 0) {
        put_key(m, child);
    }
}

static bool is_scalar_or_alias(const yaml_event_t *event)
{
    return event->type == YAML_SCALAR_EVENT || event->type == YAML_ALIAS_EVENT;
}

/* The one who forgot the quotes around "{{ $value }}" gets told so. */
static bool err_collection_key(struct yaml_builder *b, const yaml_event_t *event)
{
    size_t at = yaml_start_of(b, event);
    struct str text = b->places.text;
    bool is_template = at > 0 && text.ptr[at] == '{' && text.ptr[at - 1] == '{';

    return yaml_err_offset(
        b->source, at - is_template, 1 + (size_t)is_template, b->e, ERR_PARSE, "%s",
        is_template ? "a text that begins with '{{' needs quotes: without them '{' begins a mapping"
                    : "a key must be a text, but here a list or mapping begins");
}

static bool check_key(struct yaml_builder *b, const struct yaml_node *key)
{
    const char *wrong =
        key->kind != YAML_SCALAR ? "a key must be a text, but this alias names a list or mapping"
        : key->text.len == 0 && key->style == YAML_PLAIN ? "a key is missing: expected 'key: value'"
                                                         : NULL;

    return wrong == NULL || yaml_err(key, b->e, ERR_PARSE, "%s", wrong);
}

/* The key in <event>: a scalar, or an alias of one. NULL on failure. */
static struct yaml_node *build_key(struct yaml_builder *b, yaml_event_t *event)
{
    if (!is_scalar_or_alias(event)) {
        (void)err_collection_key(b, event);
        return NULL;
    }
    struct yaml_node *key = yaml_build_node(b, event, 0);
    if (key != NULL && event->type == YAML_ALIAS_EVENT) {
        size_t at = yaml_start_of(b, event);
        key->pos = yaml_places_pos(&b->places, at);
        key->offset = at + b->shift;
        key->length = yaml_end_of(b, event) - at;
    }
    return key != NULL && check_key(b, key) ? key : NULL;
}

static bool duplicate_key(struct yaml_builder *b, const struct yaml_node *key,
                          const struct yaml_node *other)
{
    return yaml_err_offset(b->source, key->offset - b->shift, key->length, b->e, ERR_PARSE,
                           "duplicate key '%.*s': the first one is in line %u",
                           STR_FMT(str_slice(key->text, 0, 60)), other->key_pos.line);
}

/* Adds key and value, or keeps the value of << for the end. */
static bool add_pair(struct yaml_builder *b, struct mapping *m, const struct yaml_node *key,
                     struct yaml_node *value)
{
    value->key = key->text;
    value->key_pos = key->pos;
    value->key_offset = key->offset;
    if (key->style == YAML_PLAIN && str_eq(key->text, STR("<<"))) {
        *m->merge_tail = value;
        m->merge_tail = &value->next;
        return true;
    }
    const struct yaml_node *other = find_key(m, key->text);
    if (other != NULL) {
        return duplicate_key(b, key, other);
    }
    add_child(b, m, value);
    return true;
}

/* Takes over the keys of <from> that <m> does not have. */
static bool merge_mapping(struct yaml_builder *b, struct mapping *m, const struct yaml_node *from)
{
    if (from->kind != YAML_MAPPING) {
        return yaml_err(from, b->e, ERR_PARSE, "'<<' takes a mapping, or a list of mappings");
    }
    for (const struct yaml_node *child = from->first; child != NULL; child = child->next) {
        if (find_key(m, child->key) != NULL) {
            continue;
        }
        if (!yaml_count_nodes(b, 1, child->offset - b->shift)) {
            return false;
        }
        struct yaml_node *copy = arena_new(b->arena, struct yaml_node);
        *copy = *child;
        copy->next = NULL;
        add_child(b, m, copy);
    }
    return true;
}

static bool merge_all(struct yaml_builder *b, struct mapping *m)
{
    for (const struct yaml_node *value = m->first_merge; value != NULL; value = value->next) {
        bool is_list = value->kind == YAML_SEQUENCE;
        const struct yaml_node *from = is_list ? value->first : value;
        for (; from != NULL; from = is_list ? from->next : NULL) {
            if (!merge_mapping(b, m, from)) {
                return false;
            }
        }
    }
    return true;
}

static bool fill_mapping(struct yaml_builder *b, yaml_event_t *event, int depth, struct mapping *m)
{
    while (yaml_next_event(b, event)) {
        if (event->type == YAML_MAPPING_END_EVENT) {
            return merge_all(b, m);
        }
        struct yaml_node *key = build_key(b, event);
        struct yaml_node *value =
            key != NULL && yaml_next_event(b, event) ? yaml_build_node(b, event, depth + 1) : NULL;
        if (value == NULL || !add_pair(b, m, key, value)) {
            return false;
        }
    }
    return false;
}

bool yaml_fill_mapping(struct yaml_builder *b, yaml_event_t *event, int depth,
                       struct yaml_node *node)
{
    struct mapping m = {.node = node, .tail = &node->first};

    m.merge_tail = &m.first_merge;
    bool ok = fill_mapping(b, event, depth, &m);
    map_release(&m.keys);
    return ok;
}
